// Goal: peers of a topic find each other by every way in.
// Method: nets on loopback with a static peer, trackers, a DHT and gossip.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fetchRange, openDht, openTracker, Refusal } from '../../net/index.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, bytesOf, memoryStore, NO_ANSWERS, openTestNet, PATIENCE_MS, TOPIC, torrentOf } from './fixtures.ts'

const WAIT = { timeoutMs: PATIENCE_MS }
const ASK = { timeoutMs: PATIENCE_MS, responseLengthMax: 1_000_000 }
const ECHO = {
  onRequest: async (kind: string, payload: Uint8Array): Promise<Uint8Array> => {
    if (kind === 'echo') return payload
    throw new Refusal('unknown-kind')
  },
}

test('a static peer answers questions, ranges and refusals', async (t) => {
  const content = bytesOf('small', 9_000_000)
  const seeder = await openTestNet(t, { listen: LOOPBACK })
  const seeding = seeder.joinTopic(TOPIC, ECHO, { announce: true })
  seeder.seed(torrentOf(content), memoryStore(content))
  const client = await openTestNet(t, { peers: [addressOf(seeder)] })
  const topic = client.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  const peer = await topic.waitForPeer(WAIT)
  assert.ok(peer !== null)
  assert.deepEqual(peer.address, addressOf(seeder))
  assert.ok(peer.greetedMs !== null && peer.greetedMs > 0 && peer.greetedMs < PATIENCE_MS, `${peer.greetedMs}`)
  assert.equal((await seeding.waitForPeer(WAIT))?.greetedMs, null)
  assert.deepEqual(Buffer.from(await peer.request('echo', Buffer.from('hello'), ASK)).toString(), 'hello')
  await assert.rejects(peer.request('other', new Uint8Array(0), ASK), { data: { reason: 'unknown-kind' } })
  const { infohash } = torrentOf(content)
  const range = await fetchRange(peer, { infohash, offset: 5, length: 8_999_990 }, { timeoutMs: PATIENCE_MS })
  assert.ok(content.subarray(5, -5).equals(range))
  const beyond = fetchRange(peer, { infohash, offset: 8_999_999, length: 2 }, { timeoutMs: PATIENCE_MS })
  await assert.rejects(beyond, { data: { reason: 'out-of-range' } })
  const unknown = fetchRange(peer, { infohash: TOPIC, offset: 0, length: 2 }, { timeoutMs: PATIENCE_MS })
  await assert.rejects(unknown, { data: { reason: 'not-found' } })
})

test('peers meet through an HTTP tracker and through a UDP tracker', async (t) => {
  const tracker = await openTracker(LOOPBACK)
  t.after(() => tracker.close())
  for (const [index, url] of [tracker.httpUrl, tracker.udpUrl].entries()) {
    const infohash = bytesOf(`tracker ${index}`, 20)
    const seeder = await openTestNet(t, { listen: LOOPBACK, trackers: [url] })
    const announced = seeder.joinTopic(infohash, ECHO, { announce: true })
    assert.equal(await announced.waitForPeer(WAIT), null)
    const client = await openTestNet(t, { trackers: [url] })
    const peer = await client.joinTopic(infohash, NO_ANSWERS, { announce: false }).waitForPeer(WAIT)
    assert.deepEqual(peer?.address, addressOf(seeder), url)
  }
})

test('peers meet through a DHT of which each knows one node', async (t) => {
  const bootstrap = await openDht({ listen: LOOPBACK, bootstrap: [] })
  t.after(() => bootstrap.close())
  const options = { dht: true, dhtBootstrap: [bootstrap.address] }
  for (let i = 0; i < 3; i++) await openTestNet(t, { listen: LOOPBACK, ...options })
  const seeder = await openTestNet(t, { listen: LOOPBACK, ...options })
  assert.equal(await seeder.joinTopic(TOPIC, ECHO, { announce: true }).waitForPeer(WAIT), null)
  const client = await openTestNet(t, options)
  const peer = await client.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT)
  assert.deepEqual(peer?.address, addressOf(seeder))
})

for (const host of ['127.0.0.1', '::1'])
  test(`peers tell each other about peers, on ${host}`, async (t) => {
    const listen = { host, port: 0 }
    const hub = await openTestNet(t, { listen })
    hub.joinTopic(TOPIC, ECHO, { announce: true })
    const first = await openTestNet(t, { listen, peers: [addressOf(hub)] })
    assert.ok((await first.joinTopic(TOPIC, ECHO, { announce: true }).waitForPeer(WAIT)) !== null)
    const lines: string[] = []
    const seen = new Promise<void>((resolve) => {
      void openTestNet(t, {
        peers: [addressOf(hub)],
        trace: (line) => {
          lines.push(line)
          if (line.includes(`:${addressOf(first).port}`)) resolve()
        },
      }).then((net) => net.joinTopic(TOPIC, NO_ANSWERS, { announce: false }))
    })
    await seen
    assert.ok(lines.length >= 2)
  })

test('a topic that one end has not joined yields no peer', async (t) => {
  const other = await openTestNet(t, { listen: LOOPBACK })
  const net = await openTestNet(t, { peers: [addressOf(other)] })
  assert.equal(await net.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT), null)
})

test('who does not gossip tells nobody of others, and asks nobody for them', async (t) => {
  const other = await openTestNet(t, { listen: LOOPBACK })
  other.joinTopic(TOPIC, NO_ANSWERS, { announce: true })
  for (const [hubGossips, asks] of [
    [true, true],
    [false, true],
    [true, false],
  ] as const) {
    const hub = await openTestNet(t, { listen: LOOPBACK, peers: [addressOf(other)], gossip: hubGossips })
    assert.ok((await hub.joinTopic(TOPIC, NO_ANSWERS, { announce: true }).waitForPeer(WAIT)) !== null)
    const net = await openTestNet(t, { peers: [addressOf(hub)], gossip: asks })
    const topic = net.joinTopic(TOPIC, ECHO, { announce: false })
    const peer = await topic.waitForPeer(WAIT)
    // Answers come in the order of the questions: when this one is here, the one for addresses is, too.
    await assert.rejects(peer?.request('echo', Buffer.from('x'), ASK) ?? Promise.resolve())
    if (hubGossips && asks)
      await new Promise<void>((resolve) =>
        topic.onPeer(({ address }) => address?.port === addressOf(other).port && resolve()),
      )
    else assert.equal(topic.peers().length, 1)
  }
})

test('closing ends what waits, and twice is as good as once', async (t) => {
  const seeder = await openTestNet(t, { listen: LOOPBACK })
  seeder.joinTopic(TOPIC, { onRequest: () => new Promise(() => {}) }, { announce: true })
  const net = await openTestNet(t, { peers: [addressOf(seeder)] })
  const peer = await net.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT)
  assert.ok(peer !== null)
  const asked = peer.request('hang', new Uint8Array(0), ASK)
  asked.catch(() => {})
  await net.close()
  await assert.rejects(asked, { code: 'peer-gone' })
  await net.close()
})

test('listening on a taken port is refused with a typed error', async (t) => {
  const net = await openTestNet(t, { listen: LOOPBACK })
  await assert.rejects(openTestNet(t, { listen: addressOf(net) }), { code: 'listen-failed' })
})
