/**
 * Goal: two machines with one key sign two values for one seq as rarely as BEP 44 allows, both notice when it happens, one of them
 * heals it at once, and nobody's word is replaced unseen.
 * Method: nodes that store as BEP 44 says and that the test can keep apart; then two real machines on a DHT of our own nodes.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Draft, type PublishSurroundings, type Written, writeOwnRecord } from '../../helper/publish/own-record.ts'
import { type Dht, itemTarget, type MutableItem, type Net, openDht } from '../../net/index.ts'
import { LOOPBACK, openLoopbackNet } from '../support/loopback-net.ts'
import { KEY, LIFETIME_S, published, START, TRACE, User } from './publishing-user.ts'

const SALT = Buffer.from('gt1:r:project')

/** What one node has stored. */
interface StorageNode {
  item: MutableItem | null
}

/** A machine with the key, whose puts reach `nodes` and whose gets reach all; `beforePut` runs once, before its first put. */
class Machine {
  readonly user = new User()
  readonly warnings: string[] = []
  beforePut: () => Promise<unknown> = async () => {}
  readonly #nodes: readonly StorageNode[]
  readonly #all: readonly StorageNode[]

  constructor(nodes: readonly StorageNode[], all: readonly StorageNode[]) {
    this.#nodes = nodes
    this.#all = all
  }

  async write(value: string, mayReplaceUnseen = false): Promise<Written> {
    const dht: Pick<Dht, 'getItems' | 'putItem'> = {
      getItems: async () => this.#all.flatMap(({ item }) => item ?? []),
      putItem: async (item, options = {}) => {
        const before = this.beforePut
        this.beforePut = async () => {}
        await before()
        return put(item, options.cas, this.#nodes)
      },
    }
    const net = { dht: async () => dht } as unknown as Net
    const warn = (text: string): number => this.warnings.push(text)
    const around: PublishSurroundings = {
      ...{ env: this.user.env, net, trace: TRACE, nowSeconds: START, lifetimeSeconds: LIFETIME_S },
      warn,
    }
    const draft: Draft = { salt: SALT, what: 'the record', mayReplaceUnseen, value: async () => Buffer.from(value) }
    const memory = await this.user.folder(KEY).memory()
    const written = await writeOwnRecord(KEY, draft, memory, around)
    await memory.remember([written.item])
    return written
  }

  async proofCount(): Promise<number> {
    return (await this.user.folder(KEY).memory()).evidenceCount
  }
}

/** BEP 44, "put": another seq than `cas`, and one that is not newer, are refused. */
function put(item: MutableItem, cas: number | undefined, nodes: readonly StorageNode[]) {
  let count = 0
  for (const node of nodes) {
    const { item: stored } = node
    const isSame = stored !== null && Buffer.compare(stored.signature, item.signature) === 0
    if (stored !== null && !isSame && ((cas !== undefined && stored.seq !== cas) || stored.seq >= item.seq)) continue
    node.item = item
    count++
  }
  return { count, isOutdated: count === 0 }
}

const nodesOf = (count: number): StorageNode[] => Array.from({ length: count }, () => ({ item: null }))
const shown = ({ item: { seq, value } }: Written): string => `${seq - START} ${Buffer.from(value).toString()}`
const stored = (nodes: readonly StorageNode[]): string[] => [
  ...new Set(nodes.flatMap(({ item }) => (item === null ? [] : [shown({ item, nodeCount: 0 })]))),
]

test('who was overtaken before the first node took it leaves nothing behind, or goes above it and says so', async () => {
  const nodes = nodesOf(8)
  const [one, two] = [new Machine(nodes, nodes), new Machine(nodes, nodes)]
  one.beforePut = () => two.write('b')
  await assert.rejects(one.write('a'), { code: 'busy', message: /got seq 1795000000, which another machine/ })
  assert.deepEqual(stored(nodes), ['0 b'])
  assert.equal((await one.user.folder(KEY).memory()).items().length, 0, 'what was refused is not handed out')
  assert.equal(shown(await one.write('a', true)), '1 a')
  assert.match(one.warnings.join(), /seq 1795000000 was signed by another machine with this key; .* replaces it/)
  assert.deepEqual([await one.proofCount(), await two.proofCount()], [0, 0])
})

for (const [first, second, outcome] of [
  ['a', 'b', 'the first in byte order signs anew, above both'],
  ['b', 'a', 'the other is given up, and the first stands above both'],
] as const)
  test(`two values for one seq that crossed are noticed by who reads last: ${outcome}`, async () => {
    const nodes = nodesOf(8)
    const [one, two] = [new Machine(nodes.slice(0, 4), nodes), new Machine(nodes.slice(4), nodes)]
    one.beforePut = () => two.write(second)
    const writing = one.write(first)
    if (first < second) assert.equal(shown(await writing), '1 a')
    else await assert.rejects(writing, { code: 'busy' })
    assert.deepEqual(stored(nodes.slice(0, 4)), ['1 a'], 'healed')
    assert.equal(await one.proofCount(), 1)
    assert.match(one.warnings.join(), /its key signed two values for seq 1795000000: another machine of yours/)
    assert.equal(shown(await two.write('c', true)), '2 c')
  })

test('nodes that missed a record take the next one', async () => {
  const nodes = nodesOf(8)
  await new Machine(nodes.slice(0, 2), nodes).write('a')
  const one = new Machine(nodes, nodes)
  await one.write('b', true)
  assert.deepEqual(stored(nodes), ['1 b'])
  const reached = new Machine(nodes.slice(0, 6), nodes)
  await reached.write('c', true)
  assert.deepEqual(stored(nodes), ['2 c', '1 b'])
  assert.equal((await new Machine(nodes, nodes).write('d', true)).nodeCount, 8)
  assert.deepEqual(stored(nodes), ['3 d'])
})

async function onDht(t: TestContext, dht: Dht): Promise<Net> {
  const net = await openLoopbackNet({ dht: true, dhtBootstrap: [dht.address] })
  t.after(() => net.close())
  return net
}

test('two machines that publish under one key at the same moment, again and again, leave one newest value', async (t) => {
  const first = await openDht({ listen: LOOPBACK, bootstrap: [] })
  t.after(() => first.close())
  for (let n = 0; n < 11; n++) {
    const node = await openDht({ listen: LOOPBACK, bootstrap: [first.address] })
    t.after(() => node.close())
    await node.lookup(Buffer.alloc(20, n), () => {}, new AbortController().signal)
  }
  const users = [await published(), await published()]
  const nets = [await onDht(t, first), await onDht(t, first)]
  for (const round of [1, 2, 3]) {
    const publishing = users.map((user, n) => user.publish(KEY, round, {}, LIFETIME_S, nets[n]))
    const seqs = await Promise.all(publishing)
    const items = await first.getItems(itemTarget(KEY.publicKey, SALT), SALT)
    const newest = Math.max(...seqs)
    assert.equal(items[0]?.seq, newest)
    assert.equal(items.filter(({ seq }) => seq === newest).length, 1, `round ${round}: ${seqs.join()}`)
  }
})
