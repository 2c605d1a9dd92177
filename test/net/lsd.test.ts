// Goal: peers of one network find each other by local service discovery, and no datagram does harm or tells the public.
// Method: messages as BEP 14 prints them and mutilated ones; real multicast on the loopback interface, each test on a
// port of its own.
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Address } from '../../net/index.ts'
import { LSD_BURST_COUNT, LSD_DATAGRAM_LENGTH_MAX, LSD_INFOHASH_COUNT_MAX } from '../../net/limits.ts'
import { Lsd, lsdInterfaces } from '../../net/lsd.ts'
import { decodeLsdMessage, encodeLsdMessage } from '../../net/lsd-message.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, NO_ANSWERS, openTestNet, PATIENCE_MS, TOPIC } from './fixtures.ts'

const HEX = Buffer.from(TOPIC).toString('hex')
const GROUP_HOST = '239.192.152.143'
const LOCAL = '127.0.0.1'
/** The example of BEP 14 with values put in. */
const EXAMPLE = `BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: ${HEX}\r\ncookie: name=value\r\n\r\n\r\n`

const read = (text: string) => decodeLsdMessage(Buffer.from(text, 'latin1'))

test('the message of BEP 14 is read, and written again byte for byte', () => {
  const message = read(EXAMPLE)
  assert.deepEqual(message, { port: 6881, infohashes: [HEX], cookie: 'name=value' })
  assert.equal(Buffer.from(encodeLsdMessage(message, '239.192.152.143:6771')).toString('latin1'), EXAMPLE)
  const upper = EXAMPLE.replace(HEX, HEX.toUpperCase()).replace('Port:', 'port:').replace('Host:', 'X-Other:')
  assert.deepEqual(read(upper), message)
})

test('anything else is no message', () => {
  const bad: string[] = [
    '',
    EXAMPLE.replace('BT-SEARCH', 'M-SEARCH'),
    EXAMPLE.replace('HTTP/1.1', 'HTTP/1.0'),
    EXAMPLE.replace('6881', '65536'),
    EXAMPLE.replace('6881', '-1'),
    EXAMPLE.replace('6881', '0x10'),
    EXAMPLE.replace('Port: 6881\r\n', ''),
    EXAMPLE.replace('Port: 6881', 'Port: 6881\r\nPort: 6882'),
    EXAMPLE.replace(HEX, HEX.slice(2)),
    EXAMPLE.replace(HEX, `${HEX.slice(1)}g`),
    EXAMPLE.replace(`Infohash: ${HEX}\r\n`, ''),
    EXAMPLE.replace('cookie: name', 'cookie: \u0000name'),
    EXAMPLE.replace('cookie', 'cook ie'),
    EXAMPLE.replace('name=value', 'x'.repeat(65)),
    EXAMPLE.slice(0, -4),
    `${EXAMPLE}more`,
    EXAMPLE.replace('Host', `X: ${'y'.repeat(LSD_DATAGRAM_LENGTH_MAX)}\r\nHost`),
    EXAMPLE.replace('cookie', `${`Infohash: ${HEX}\r\n`.repeat(LSD_INFOHASH_COUNT_MAX)}cookie`),
  ]
  for (const text of bad) assert.equal(read(text), null, JSON.stringify(text))
})

test('no bytes make the reader throw, and what it takes is within bounds', () => {
  const mutilated = fc.tuple(fc.nat(EXAMPLE.length), fc.uint8Array({ maxLength: 8 })).map(([at, bytes]) => {
    const copy = Buffer.from(EXAMPLE, 'latin1')
    copy.set(bytes.subarray(0, copy.length - at), at)
    return copy
  })
  fc.assert(
    fc.property(fc.oneof(mutilated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      const message = decodeLsdMessage(bytes)
      if (message === null) return
      assert.ok(message.port >= 0 && message.port <= 65535)
      assert.ok(message.infohashes.every((infohash) => /^[0-9a-f]{40}$/.test(infohash)))
    }),
    { numRuns: 2_000 },
  )
})

/** A free UDP port, for a group that no other test speaks on. */
async function freeGroup(): Promise<Address> {
  const socket = await bound()
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(() => resolve()))
  return { host: GROUP_HOST, port }
}

function bound(): Promise<Socket> {
  const socket = createSocket('udp4')
  return new Promise((resolve) => socket.bind(0, LOCAL, () => resolve(socket)))
}

interface Found {
  readonly addresses: Address[]
  readonly first: Promise<Address>
}

function seek(lsd: Lsd, announcePort: number | null, infohash: Uint8Array = TOPIC): Found & { done: Promise<void> } {
  const addresses: Address[] = []
  let tell: (address: Address) => void = () => {}
  const first = new Promise<Address>((resolve) => {
    tell = resolve
  })
  const onAddress = (address: Address): void => {
    addresses.push(address)
    tell(address)
  }
  const { signal } = new AbortController()
  return { addresses, first, done: lsd.find({ infohash, announcePort, seeding: false, onAddress, signal }) }
}

test('one who cannot be dialled finds who listens; two who listen find each other; other topics are not told', async (t) => {
  const group = await freeGroup()
  const open = (): Lsd => {
    const lsd = new Lsd([LOCAL], () => {}, group)
    t.after(() => lsd.close())
    return lsd
  }
  const seeder = seek(open(), 7001)
  await seeder.done
  const asker = seek(open(), null)
  assert.deepEqual(await asker.first, { host: LOCAL, port: 7001 })
  const other = seek(open(), 7003, Buffer.alloc(20, 1))
  await other.done
  const listener = seek(open(), 7002)
  assert.deepEqual(await seeder.first, { host: LOCAL, port: 7002 })
  assert.deepEqual(await listener.first, { host: LOCAL, port: 7001 })
  await listener.done
  assert.deepEqual(asker.addresses, [{ host: LOCAL, port: 7001 }])
  assert.deepEqual(other.addresses, [])
  const forgotten = open()
  const left = seek(forgotten, 7004)
  await left.done
  forgotten.forget(TOPIC)
  const late = seek(open(), null)
  await late.done
  assert.ok(!late.addresses.some(({ port }) => port === 7004))
})

test('a flood of questions is answered up to the limit, and garbage not at all', async (t) => {
  const group = await freeGroup()
  const lsd = new Lsd([LOCAL], () => {}, group)
  t.after(() => lsd.close())
  const found = seek(lsd, 7001)
  await found.done
  const flooder = await bound()
  t.after(() => flooder.close())
  let answerCount = 0
  flooder.on('message', () => answerCount++)
  flooder.setMulticastInterface(LOCAL)
  const send = (text: string): Promise<void> =>
    new Promise((resolve) => flooder.send(Buffer.from(text, 'latin1'), group.port, group.host, () => resolve()))
  for (let count = 0; count < 50; count++) await send('BT-SEARCH')
  for (let count = 0; count < 3 * LSD_BURST_COUNT; count++) await send(EXAMPLE.replace('6881', '0'))
  const asker = new Lsd([LOCAL], () => {}, group)
  t.after(() => asker.close())
  // What was sent before has been handled when this has had its time.
  await seek(asker, null).done
  assert.ok(answerCount > 0 && answerCount <= LSD_BURST_COUNT, `${answerCount} answers`)
})

test('a port on a public address is never announced, nor one on loopback to the network', () => {
  assert.deepEqual(lsdInterfaces('192.0.9.1'), [])
  assert.deepEqual(lsdInterfaces('2606:4700::1'), [])
  assert.deepEqual(lsdInterfaces(LOCAL), [LOCAL])
  for (const address of [...lsdInterfaces(null), ...lsdInterfaces('0.0.0.0')]) {
    assert.match(address, /^(10\.|172\.|192\.(168|0\.2)\.|169\.254\.|100\.|198\.(18|19|51\.100)\.|203\.0\.113\.)/)
  }
})

test('two nets with nothing but local service discovery meet', async (t) => {
  const seeder = await openTestNet(t, { listen: LOOPBACK, lsd: true })
  seeder.joinTopic(TOPIC, NO_ANSWERS, { announce: true })
  const client = await openTestNet(t, { listen: LOOPBACK, lsd: true })
  assert.deepEqual(client.ways, ['lsd'])
  const peer = await client.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer({ timeoutMs: PATIENCE_MS })
  assert.equal(peer?.remote.host, addressOf(seeder).host)
})
