// Goal: signed items are stored, found, replaced, kept alive by anybody, and forgotten, as BEP 44 says.
// Method: networks of our own nodes on loopback, and one query written by hand.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { type TestContext, test } from 'node:test'
import {
  type Bencode,
  type BencodeDict,
  bencodeDict,
  type Dht,
  decodeBencode,
  encodeBencode,
  encodeItem,
  itemTarget,
  type MutableItem,
  openDht,
  signItem,
} from '../../net/index.ts'
import { LOOPBACK } from '../support/loopback-net.ts'

const SEED = Buffer.alloc(32, 5)
const SALT = Buffer.from('r:project')

function itemOf(seq: number, value = `value ${seq}`): MutableItem {
  return signItem(SEED, { salt: SALT, seq, value: Buffer.from(value) })
}

const TARGET = itemTarget(itemOf(1).key, SALT)

async function openNodes(t: TestContext, count: number, itemAgeMsMax?: number): Promise<Dht[]> {
  const first = await openDht({ listen: LOOPBACK, bootstrap: [], itemAgeMsMax })
  t.after(() => first.close())
  const nodes = [first]
  for (let n = 1; n < count; n++) {
    const node = await openDht({ listen: LOOPBACK, bootstrap: [first.address], itemAgeMsMax })
    t.after(() => node.close())
    // A look-up makes the node known to the others.
    await node.lookup(TARGET, () => {}, new AbortController().signal)
    nodes.push(node)
  }
  return nodes
}

function at(nodes: readonly Dht[], index: number): Dht {
  const node = nodes.at(index)
  assert.ok(node !== undefined)
  return node
}

/** What `act` gives, `count` times, each time `tickMs` after the last: nodes ignore who asks too often. */
function everyTick<T>(tickMs: number, count: number, act: () => Promise<T>): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const results: T[] = []
    const timer = setInterval(() => {
      act().then((result) => {
        if (results.push(result) < count) return
        clearInterval(timer)
        resolve(results)
      }, reject)
    }, tickMs)
  })
}

const seqsOf = (items: readonly MutableItem[]): number[] => items.map(({ seq }) => seq)

test('thirty nodes store an item, find it, replace it, and refuse an older one', async (t) => {
  const nodes = await openNodes(t, 30)
  const stored = await at(nodes, 3).putItem(itemOf(10))
  assert.ok(stored.count >= 8, `${stored.count} nodes stored it`)
  assert.deepEqual((await at(nodes, 20).getItems(TARGET, SALT)).map(encodeItem), [encodeItem(itemOf(10))])
  assert.ok((await at(nodes, 5).putItem(itemOf(11))).count >= 8)
  assert.deepEqual(seqsOf(await at(nodes, 25).getItems(TARGET, SALT)).slice(0, 1), [11])
  assert.deepEqual(await at(nodes, 7).putItem(itemOf(9)), { count: 0, isOutdated: true })
  assert.deepEqual(await at(nodes, 7).putItem(itemOf(12), { cas: 5 }), { count: 0, isOutdated: true })
  assert.ok((await at(nodes, 7).putItem(itemOf(12), { cas: 11 })).count > 0)
})

test('two values for one seq both come back, because both prove what their key did', async (t) => {
  const nodes = await openNodes(t, 2)
  await at(nodes, 0).putItem(itemOf(5, 'one'))
  const asker = await openDht({ listen: LOOPBACK, bootstrap: nodes.map(({ address }) => address) })
  t.after(() => asker.close())
  // The node keeps its first value; its own other one stays with whoever signed it.
  const other = await openDht({ listen: LOOPBACK, bootstrap: [asker.address] })
  t.after(() => other.close())
  const alone = await openDht({ listen: LOOPBACK, bootstrap: [] })
  t.after(() => alone.close())
  await alone.putItem(itemOf(5, 'two'))
  const both = await openDht({ listen: LOOPBACK, bootstrap: [at(nodes, 1).address, alone.address] })
  t.after(() => both.close())
  const values = (await both.getItems(TARGET, SALT)).map(({ seq, value }) => `${seq} ${Buffer.from(value).toString()}`)
  assert.deepEqual(values.sort(), ['5 one', '5 two'])
})

test('an item dies when nobody refreshes it, and anybody can, without the key', async (t) => {
  const ageMs = 400
  const nodes = await openNodes(t, 3, ageMs)
  await at(nodes, 0).putItem(itemOf(1))
  const [found] = await at(nodes, 2).getItems(TARGET, SALT)
  assert.ok(found !== undefined)
  const again = async (): Promise<boolean> => (await at(nodes, 2).putItem(found)).count > 0
  assert.deepEqual(await everyTick(50, 16, again), Array(16).fill(true))
  assert.deepEqual(seqsOf(await at(nodes, 1).getItems(TARGET, SALT)), [1])
  const isThere = async (): Promise<boolean> => (await at(nodes, 1).getItems(TARGET, SALT)).length > 0
  assert.equal((await everyTick(50, 32, isThere)).at(-1), false)
})

test('a forged or unsigned item is neither stored nor believed', async (t) => {
  const nodes = await openNodes(t, 3)
  const forged = { ...itemOf(50), value: Buffer.from('other') }
  assert.deepEqual(await at(nodes, 1).putItem(forged), { count: 0, isOutdated: false })
  assert.deepEqual(await at(nodes, 2).getItems(TARGET, SALT), [])
})

/** Asks one node by hand; returns the dictionary of its reply. */
function asker(t: TestContext, { address }: Dht): (q: string, args: Record<string, Bencode>) => Promise<BencodeDict> {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  return async (q, args) => {
    const a = bencodeDict({ id: Buffer.alloc(20, 1), ...args })
    const query = encodeBencode(bencodeDict({ a, q: Buffer.from(q), t: Buffer.from('aa'), y: Buffer.from('q') }))
    const answered = new Promise<Uint8Array>((resolve) => socket.once('message', resolve))
    socket.send(query, address.port, address.host)
    const reply = decodeBencode(await answered, { canonical: false })
    assert.ok(reply instanceof Map)
    const r = reply.get('r')
    assert.ok(r instanceof Map)
    return r
  }
}

test('who has a seq already is told of it without the value', async (t) => {
  const [node] = await openNodes(t, 1)
  assert.ok(node !== undefined)
  await node.putItem(itemOf(10))
  const ask = asker(t, node)
  const told = async (seq: bigint): Promise<string[]> =>
    [...(await ask('get', { target: TARGET, seq })).keys()].filter((key) => !['id', 'nodes'].includes(key)).sort()
  assert.deepEqual(await told(9n), ['k', 'seq', 'sig', 'token', 'v'])
  assert.deepEqual(await told(10n), ['seq', 'token'])
})

test('a put asks anew who is near: a node that has come since the last one gets it, too', async (t) => {
  const nodes = await openNodes(t, 2)
  await at(nodes, 0).putItem(itemOf(1))
  const newcomer = await openDht({ listen: LOOPBACK, bootstrap: [at(nodes, 0).address] })
  t.after(() => newcomer.close())
  await newcomer.lookup(TARGET, () => {}, new AbortController().signal)
  await at(nodes, 0).putItem(itemOf(2))
  assert.equal((await asker(t, newcomer)('get', { target: TARGET })).get('seq'), 2n)
})

test('an immutable item is kept under the hash of its value, as test 3 of BEP 44 has it', async (t) => {
  const [node] = await openNodes(t, 1)
  assert.ok(node !== undefined)
  const ask = asker(t, node)
  const target = Buffer.from('e5f96f6f38320f0f33959cb4d3d656452117aadb', 'hex')
  const token = (await ask('get', { target })).get('token')
  assert.ok(token !== undefined)
  await ask('put', { token, v: Buffer.from('Hello World!') })
  const value = (await ask('get', { target })).get('v')
  assert.ok(value instanceof Uint8Array)
  assert.equal(Buffer.from(value).toString(), 'Hello World!')
})
