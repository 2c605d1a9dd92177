// Goal: what one run learns serves the next: peers without a bootstrap, nodes without a router, bans without an appeal;
// and a damaged or crafted file is nothing worse than an empty one.
// Method: the bookkeeping alone with times of its own, then nets on loopback whose way in is gone on the second run.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KnownPeers, type NetMemory, openDht, openTracker } from '../../net/index.ts'
import {
  BAN_COUNT_MAX,
  BAN_DURATION_MS,
  KNOWN_AGE_MS_MAX,
  KNOWN_FAILURE_COUNT_MAX,
  KNOWN_LENGTH_MAX,
  KNOWN_NODE_COUNT_MAX,
  KNOWN_PEER_COUNT_MAX,
  KNOWN_TOPIC_COUNT_MAX,
} from '../../net/limits.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, bytesOf, memoryStore, NO_ANSWERS, openTestNet, PATIENCE_MS, TOPIC, torrentOf } from './fixtures.ts'

const NOW = 1_800_000_000_000
const WAIT = { timeoutMs: PATIENCE_MS }

const peer = (index: number) => ({ host: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`, port: 7001 })
const again = (known: KnownPeers, nowMs = NOW): KnownPeers => KnownPeers.decode(known.encode(nowMs), nowMs)

/** A memory that keeps its bytes as a file would. */
function memoryOf(bytes: Uint8Array | null = null): NetMemory & { bytes(): Uint8Array } {
  const known = KnownPeers.decode(bytes, Date.now())
  let kept = bytes ?? new Uint8Array(0)
  const save = async (): Promise<void> => {
    kept = known.encode(Date.now())
  }
  return { known, save, bytes: () => kept }
}

/** Lets a peer fail once, or as often as makes it forgotten. */
function fail(known: KnownPeers, index: number, count = KNOWN_FAILURE_COUNT_MAX): void {
  for (let times = 0; times < count; times++) known.noteFailed(TOPIC, peer(index))
}

test('peers come back the latest first, until they fail too often or grow old', () => {
  const known = new KnownPeers()
  for (const index of [1, 2, 3]) known.noteWorked(TOPIC, peer(index), NOW + index)
  fail(known, 2)
  fail(known, 9)
  known.noteWorked(TOPIC, { host: 'a.name', port: 1 }, NOW)
  const read = again(known, NOW + 10)
  assert.deepEqual(read.peersOf(TOPIC), [peer(3), peer(1)])
  assert.deepEqual(read.peersOf(bytesOf('other', 20)), [])
  assert.deepEqual(again(known, NOW + KNOWN_AGE_MS_MAX + 2).peersOf(TOPIC), [peer(3)])
  assert.equal(again(known, NOW + KNOWN_AGE_MS_MAX + 9).isEmpty, true)
  assert.equal(again(known, NOW - 1).isEmpty, true)
})

test('who fails is tried again by the next runs, after all others, and forgotten the third time in a row', () => {
  let known = new KnownPeers()
  for (const index of [1, 2]) known.noteWorked(TOPIC, peer(index), NOW + index)
  for (let run = 1; run < KNOWN_FAILURE_COUNT_MAX; run++) {
    fail(known, 2, 1)
    known = again(known, NOW + 9)
    assert.deepEqual(known.peersOf(TOPIC), [peer(1), peer(2)])
  }
  const back = again(known, NOW + 9)
  back.noteWorked(TOPIC, peer(2), NOW + 8)
  fail(back, 2, 1)
  assert.deepEqual(again(back, NOW + 9).peersOf(TOPIC), [peer(1), peer(2)])
  fail(known, 2, 1)
  assert.deepEqual(again(known, NOW + 9).peersOf(TOPIC), [peer(1)])
  known.merge(back, NOW + 9)
  assert.deepEqual(known.peersOf(TOPIC), [peer(1), peer(2)])
})

test('what two runs learn at the same time is merged, failures too', () => {
  const first = new KnownPeers()
  first.noteWorked(TOPIC, peer(1), NOW)
  first.noteWorked(TOPIC, peer(2), NOW)
  const second = again(first)
  const third = again(first)
  fail(second, 1)
  second.noteBan('10.0.0.9', BAN_DURATION_MS, NOW)
  third.noteWorked(TOPIC, peer(3), NOW + 2)
  third.noteNodes([peer(4)])
  second.merge(third, NOW + 2)
  assert.deepEqual(again(second, NOW + 3).peersOf(TOPIC), [peer(3), peer(2)])
  assert.deepEqual(second.nodes(), [peer(4)])
  assert.deepEqual(second.bans(NOW), [['10.0.0.9', BAN_DURATION_MS]])
})

test('everything is bounded, the oldest go first, and the bytes of all bounds together too', () => {
  const known = new KnownPeers()
  for (let topic = 0; topic <= KNOWN_TOPIC_COUNT_MAX; topic++) {
    for (let index = 0; index <= KNOWN_PEER_COUNT_MAX; index++) {
      known.noteWorked(bytesOf(`topic ${topic}`, 20), peer(index), NOW + topic * 100 + index)
    }
  }
  known.noteNodes(Array.from({ length: KNOWN_NODE_COUNT_MAX + 1 }, (_, index) => peer(index)))
  for (let index = 0; index <= BAN_COUNT_MAX; index++)
    known.noteBan(`[2001:db8::${index.toString(16)}]:65535`, 1_000, NOW)
  const later = NOW + KNOWN_TOPIC_COUNT_MAX * 100 + 100
  assert.ok(known.encode(later).length <= KNOWN_LENGTH_MAX)
  const read = again(known, later)
  assert.deepEqual(read.peersOf(bytesOf('topic 0', 20)), [])
  const last = read.peersOf(bytesOf(`topic ${KNOWN_TOPIC_COUNT_MAX}`, 20))
  assert.equal(last.length, KNOWN_PEER_COUNT_MAX)
  assert.deepEqual(last[0], peer(KNOWN_PEER_COUNT_MAX))
  assert.deepEqual(read.nodes()[0], peer(1))
  assert.equal(known.bans(NOW).length, BAN_COUNT_MAX)
})

test('a crafted file bans nobody for longer than a ban lasts, and damaged bytes are nothing', () => {
  const known = new KnownPeers()
  known.noteWorked(TOPIC, peer(1), NOW)
  known.noteBan('10.0.0.9', BAN_DURATION_MS * 1_000, NOW)
  assert.deepEqual(known.bans(NOW), [['10.0.0.9', BAN_DURATION_MS]])
  const bytes = Buffer.from(known.encode(NOW))
  assert.deepEqual(KnownPeers.decode(bytes, NOW - BAN_DURATION_MS).bans(NOW - BAN_DURATION_MS), [
    ['10.0.0.9', BAN_DURATION_MS],
  ])
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.uint8Array({ maxLength: 4 }), (at, change) => {
      const copy = Buffer.from(bytes)
      copy.set(change.subarray(0, copy.length - at), at)
      const read = KnownPeers.decode(copy, NOW)
      assert.ok(read.peersOf(TOPIC).length <= 1 && read.bans(NOW).every(([, leftMs]) => leftMs <= BAN_DURATION_MS))
    }),
  )
  assert.equal(KnownPeers.decode(Buffer.alloc(KNOWN_LENGTH_MAX + 1, 0x65), NOW).isEmpty, true)
})

test('a second run finds its peers without the tracker of the first, later ones without the peer lose nothing', async (t) => {
  const tracker = await openTracker(LOOPBACK)
  const seeder = await openTestNet(t, { listen: LOOPBACK, trackers: [tracker.httpUrl] })
  seeder.joinTopic(TOPIC, NO_ANSWERS, { announce: true })
  const first = memoryOf()
  const announced = await openTestNet(t, { trackers: [tracker.httpUrl], memory: first })
  // The seeder's own announcement may come after the first question.
  const topic = announced.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  topic.addPeer(addressOf(seeder))
  assert.ok((await topic.waitForPeer(WAIT)) !== null)
  await announced.close()
  await tracker.close()
  const second = memoryOf(first.bytes())
  const net = await openTestNet(t, { memory: second })
  const peerAgain = await net.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT)
  assert.deepEqual(peerAgain?.address, addressOf(seeder))
  await net.close()
  await seeder.close()
  let left = second.bytes()
  for (let run = 1; run <= KNOWN_FAILURE_COUNT_MAX; run++) {
    const isKnown = !KnownPeers.decode(left, Date.now()).isEmpty
    assert.equal(isKnown, true, `before run ${run}`)
    const memory = memoryOf(left)
    const alone = await openTestNet(t, { memory })
    assert.equal(await alone.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT), null)
    await alone.close()
    left = memory.bytes()
  }
  assert.equal(KnownPeers.decode(left, Date.now()).isEmpty, true, 'who is gone is not tried for ever')
})

test('a second run gets into the DHT through nodes of the first, with every bootstrap dead; one of several is enough', async (t) => {
  const dead = { host: '127.0.0.1', port: 1 }
  const router = await openDht({ listen: LOOPBACK, bootstrap: [] })
  const member = await openDht({ listen: LOOPBACK, bootstrap: [router.address] })
  t.after(() => member.close())
  const seeder = await openTestNet(t, { listen: LOOPBACK, dht: true, dhtBootstrap: [router.address] })
  const { signal } = new AbortController()
  await member.lookup(TOPIC, () => {}, signal)
  const memory = memoryOf()
  const first = await openTestNet(t, { dht: true, dhtBootstrap: [dead, router.address], memory })
  await first.joinTopic(bytesOf('unrelated', 20), NO_ANSWERS, { announce: false }).waitForPeer(WAIT)
  await first.close()
  assert.ok(memory.known.nodes().length > 0)
  await router.close()
  const dht = seeder.dhtAddress
  assert.ok(dht !== null)
  seeder.joinTopic(TOPIC, NO_ANSWERS, { announce: true })
  const seen = memory.known.nodes().some(({ port }) => port === dht.port || port === member.address.port)
  assert.ok(seen, 'more than the bootstrap was met')
  await member.announce(TOPIC, addressOf(seeder).port)
  const net = await openTestNet(t, { dht: true, dhtBootstrap: [dead], memory: memoryOf(memory.bytes()) })
  const found = await net.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT)
  assert.equal(found?.address?.port, addressOf(seeder).port)
})

test('who sent bad pieces stays out of the next run', async (t) => {
  const content = bytesOf('ban', 200_000)
  const torrent = torrentOf(content, 16_384)
  const liar = await openTestNet(t, { listen: LOOPBACK })
  liar.seed(torrent, memoryStore(Buffer.alloc(content.length, 1)))
  liar.joinTopic(TOPIC, NO_ANSWERS, { announce: true })
  const memory = memoryOf()
  const victim = await openTestNet(t, { memory })
  const options = { peers: [addressOf(liar)], store: memoryStore(content.length), stallTimeoutMs: 2_000 }
  await assert.rejects(victim.download(torrent, options).result, { code: 'download-no-peers' })
  await victim.close()
  const net = await openTestNet(t, { peers: [addressOf(liar)], memory: memoryOf(memory.bytes()) })
  assert.equal(await net.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT), null)
})
