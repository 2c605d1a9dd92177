// Goal: no datagram ends a DHT node, and what passes the guard has the types that the libraries take for granted.
// Method: a table of wrong types for every field, random mutations, and a live node that must still answer afterwards.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import * as noble from '@noble/ed25519'
import fc from 'fast-check'
import { isSmallOrderKey, verifyEd25519 } from '../../net/ed25519.ts'
import { type Bencode, bencodeDict, decodeBencode, encodeBencode, openDht } from '../../net/index.ts'
import { cleanDatagram, markReadOnly } from '../../net/krpc.ts'
import { LOOPBACK } from '../support/loopback-net.ts'

const ID = Buffer.alloc(20, 7)
const T = Buffer.from('aa')
const WRONG: readonly Bencode[] = [
  1n,
  [],
  bencodeDict({}),
  [1n],
  Buffer.alloc(0),
  Buffer.alloc(19),
  bencodeDict({ toString: 1n }),
]

function query(name: string, args: Record<string, Bencode>): Uint8Array {
  return encodeBencode(
    bencodeDict({ a: bencodeDict({ id: ID, ...args }), q: Buffer.from(name), t: T, y: Buffer.from('q') }),
  )
}

const GOOD: readonly [string, Record<string, Bencode>][] = [
  ['ping', {}],
  ['find_node', { target: ID }],
  ['get_peers', { info_hash: ID }],
  ['announce_peer', { info_hash: ID, token: ID, port: 80n }],
  ['get', { target: ID }],
  ['put', { token: ID, v: Buffer.from('v') }],
  ['put', { token: ID, v: Buffer.from('v'), k: Buffer.alloc(32, 1), sig: Buffer.alloc(64), seq: 1n }],
]

function hostileDatagrams(): Uint8Array[] {
  const all: Uint8Array[] = ['d-3:', 'l-3:', 'd1:y1:qe', 'i1e', '', 'de', 'd1:t2:aa1:yde'].map((text) =>
    Buffer.from(text),
  )
  for (const [name, args] of GOOD) {
    for (const key of ['id', ...Object.keys(args)]) {
      for (const wrong of WRONG) all.push(query(name, { ...args, [key]: wrong }))
    }
  }
  for (const wrong of WRONG) {
    all.push(
      encodeBencode(bencodeDict({ t: wrong, y: Buffer.from('q'), q: Buffer.from('ping'), a: bencodeDict({ id: ID }) })),
    )
    all.push(encodeBencode(bencodeDict({ t: T, y: wrong, q: Buffer.from('ping'), a: bencodeDict({ id: ID }) })))
    all.push(encodeBencode(bencodeDict({ t: T, y: Buffer.from('q'), q: wrong, a: bencodeDict({ id: ID }) })))
    all.push(encodeBencode(bencodeDict({ t: T, y: Buffer.from('q'), q: Buffer.from('ping'), a: wrong })))
    all.push(encodeBencode(bencodeDict({ t: T, y: Buffer.from('e'), e: [wrong, wrong] })))
    all.push(encodeBencode(bencodeDict({ t: T, y: Buffer.from('r'), r: wrong })))
    all.push(
      encodeBencode(
        bencodeDict({ t: T, y: Buffer.from('r'), r: bencodeDict({ id: ID, nodes: wrong, values: wrong }) }),
      ),
    )
  }
  return all
}

test('good queries pass as they are', () => {
  for (const [name, args] of GOOD) {
    assert.deepEqual(cleanDatagram(query(name, args), 'public'), query(name, args), name)
  }
})

test('fields of a wrong type, half signatures and unknown queries do not pass', () => {
  for (const [name, args] of GOOD) {
    for (const key of ['id', ...Object.keys(args)]) {
      for (const wrong of WRONG) {
        const isNumber = (key === 'port' || key === 'seq') && wrong === 1n
        const isFine = isNumber || ((key === 'token' || key === 'v') && wrong instanceof Uint8Array && wrong.length > 0)
        if (!isFine)
          assert.equal(cleanDatagram(query(name, { ...args, [key]: wrong }), 'public'), null, `${name} ${key}`)
      }
    }
  }
  assert.equal(cleanDatagram(query('put', { token: ID, v: T, sig: Buffer.alloc(64) }), 'public'), null)
  assert.equal(cleanDatagram(query('vote', {}), 'public'), null)
})

test('public nodes cannot name private hosts', () => {
  const peer = (a: number): Buffer => Buffer.from([a, 0, 0, 1, 0, 80])
  const reply = bencodeDict({ id: ID, nodes: Buffer.concat([ID, peer(10), ID, peer(8)]), values: [peer(127), peer(9)] })
  const datagram = encodeBencode(bencodeDict({ r: reply, t: T, y: Buffer.from('r') }))
  const expected = bencodeDict({ id: ID, nodes: Buffer.concat([ID, peer(8)]), values: [peer(9)] })
  const clean = cleanDatagram(datagram, 'public')
  assert.deepEqual(clean, encodeBencode(bencodeDict({ r: expected, t: T, y: Buffer.from('r') })))
  assert.deepEqual(cleanDatagram(datagram, 'loopback'), datagram)
})

test('whatever passes is canonical and passes again', () => {
  const [datagrams] = [hostileDatagrams()]
  const mutated = fc.tuple(fc.constantFrom(...datagrams), fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
    const copy = Buffer.from(bytes)
    if (copy.length > 0) copy[at % copy.length] = byte
    return copy
  })
  fc.assert(
    fc.property(mutated, (bytes) => {
      const clean = cleanDatagram(bytes, 'public')
      if (clean === null) return
      decodeBencode(clean)
      assert.deepEqual(cleanDatagram(clean, 'public'), clean)
    }),
    { numRuns: 5_000 },
  )
})

test('a node that was sent every hostile datagram still answers', async (t) => {
  const dht = await openDht({ listen: LOOPBACK, bootstrap: [] })
  t.after(() => dht.close())
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  const send = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => socket.send(bytes, dht.address.port, dht.address.host, () => resolve()))
  for (const bytes of hostileDatagrams()) await send(bytes)
  const marked = encodeBencode(
    bencodeDict({ t: Buffer.from('zz'), y: Buffer.from('q'), q: Buffer.from('ping'), a: bencodeDict({ id: ID }) }),
  )
  const answered = new Promise<void>((resolve) => {
    socket.on('message', (bytes) => {
      if (bytes.includes('1:t2:zz1:y1:r')) resolve()
    })
  })
  await send(marked)
  await answered
})

test('signatures are verified, small-order keys and malformed input refused', async () => {
  const secret = Buffer.alloc(32, 9)
  const message = Buffer.from('3:seqi1e1:v1:x')
  const publicKey = await noble.getPublicKeyAsync(secret)
  const signature = await noble.signAsync(message, secret)
  assert.equal(verifyEd25519(signature, message, publicKey), true)
  assert.equal(verifyEd25519(signature, Buffer.from('other'), publicKey), false)
  for (const bad of [1, null, {}, Buffer.alloc(63)]) assert.equal(verifyEd25519(bad, message, publicKey), false)
  const identity = Buffer.alloc(32)
  identity[0] = 1
  const forged = Buffer.concat([identity, Buffer.alloc(32)])
  assert.equal(isSmallOrderKey(identity), true)
  assert.equal(verifyEd25519(forged, message, identity), false)
})

test('the list of small-order keys is what the curve says', () => {
  for (const hex of [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ]) {
    assert.equal(noble.Point.fromHex(hex, true).isSmallOrder(), true, hex)
    assert.equal(isSmallOrderKey(Buffer.from(hex, 'hex')), true, hex)
  }
})

test('a read-only node asks and puts, but is in no table and answers nobody', async (t) => {
  const [stays, other] = [
    await openDht({ listen: LOOPBACK, bootstrap: [] }),
    await openDht({ listen: LOOPBACK, bootstrap: [] }),
  ]
  const passes = await openDht({ listen: LOOPBACK, bootstrap: [stays.address, other.address], isReadOnly: true })
  for (const node of [stays, other, passes]) t.after(() => node.close())
  const signal = new AbortController().signal
  const found: number[] = []
  await passes.lookup(ID, () => {}, signal)
  assert.equal(await passes.announce(ID, 4242), true)
  await passes.lookup(ID, (peer) => found.push(peer.port), signal)
  assert.ok(found.includes(4242), 'it is answered')
  assert.equal(passes.nodes().length, 2)
  for (const node of [stays, other]) assert.deepEqual(node.nodes(), [])

  const socket = createSocket('udp4')
  t.after(() => socket.close())
  const heard = new Promise<number>((resolve) => socket.on('message', (_, { port }) => resolve(port)))
  for (const { address } of [passes, stays]) socket.send(query('ping', {}), address.port, address.host)
  assert.equal(await heard, stays.address.port)
})

test('queries of a read-only node are marked, and come with the id that no table takes', () => {
  // The message of BEP 43, as a query of BEP 5.
  const plain = 'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe'
  const marked = 'd1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi1e1:t2:aa1:y1:qe'
  const reply = 'd1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re'
  const mark = (text: string): string => Buffer.from(markReadOnly(Buffer.from(text))).toString()
  assert.deepEqual([mark(plain), mark(reply)], [marked, reply])
  const heardBy = (text: string, isReadOnly: boolean): string | null => {
    const clean = cleanDatagram(Buffer.from(text), 'public', { id: ID, isReadOnly })
    return clean === null ? null : Buffer.from(clean).toString()
  }
  assert.equal(heardBy(plain, false), plain)
  assert.equal(heardBy(marked, false), Buffer.from(query('ping', {})).toString())
  for (const odd of ['2:roi0e', '2:roi2e', '2:ro1:1'])
    assert.equal(heardBy(marked.replace('2:roi1e', odd), false), plain)
  assert.deepEqual([heardBy(plain, true), heardBy(reply, true)], [null, reply])
})

test('five nodes find what one of them announced', async (t) => {
  const first = await openDht({ listen: LOOPBACK, bootstrap: [] })
  t.after(() => first.close())
  const others = await Promise.all([1, 2, 3, 4].map(() => openDht({ listen: LOOPBACK, bootstrap: [first.address] })))
  for (const node of others) t.after(() => node.close())
  const signal = new AbortController().signal
  const [announcer, seeker] = [others[0], others[3]]
  assert.ok(announcer !== undefined && seeker !== undefined)
  await announcer.lookup(ID, () => {}, signal)
  assert.equal(await announcer.announce(ID, 4242), true)
  const found: number[] = []
  await seeker.lookup(ID, (peer) => found.push(peer.port), signal)
  assert.ok(found.includes(4242))
})
