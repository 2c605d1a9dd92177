/**
 * Goal: that nobody is there is known as early as it can be, of a topic and of a download, and no later than the deadline.
 * Method: nets on loopback with no way in, dead ends and a peer that says nothing, while all clocks of the process stand still,
 * so that what is known without a deadline is. In a file of their own: connections of other tests would still use the clocks.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { mock, test } from 'node:test'
import { LOOPBACK } from '../support/loopback-net.ts'
import { bytesOf, memoryStore, NO_ANSWERS, openTestNet, TOPIC, torrentOf } from './fixtures.ts'

const DEADLINE_MS = 100
const REFUSED = { host: '127.0.0.1', port: 1 }

mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })

/** What a promise is settled to already; 'later' of any other. */
function settledNow<Value>(promise: Promise<Value>): Promise<Value | 'later'> {
  return Promise.race([promise, new Promise<'later'>((resolve) => setImmediate(() => resolve('later')))])
}

test('without any way in nobody is there, at once', async (t) => {
  const net = await openTestNet(t)
  const topic = net.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  assert.equal(await settledNow(topic.waitForPeer({ timeoutMs: DEADLINE_MS })), null)
  assert.deepEqual(net.ways, [])
})

test('a refused static peer, a dead tracker and an empty DHT are known before the deadline', async (t) => {
  for (const ways of [{ peers: [REFUSED] }, { trackers: ['http://127.0.0.1:1/announce'], dht: true }]) {
    const net = await openTestNet(t, ways)
    const topic = net.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
    assert.equal(await topic.waitForPeer({ timeoutMs: DEADLINE_MS }), null)
  }
})

test('a peer that accepts and says nothing costs no more than the deadline', async (t) => {
  const mute = createServer().listen(LOOPBACK)
  await once(mute, 'listening')
  t.after(() => mute.close())
  const accepted = once(mute, 'connection')
  const net = await openTestNet(t, { peers: [{ ...LOOPBACK, port: (mute.address() as AddressInfo).port }] })
  const peer = net.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer({ timeoutMs: DEADLINE_MS })
  await accepted
  mock.timers.tick(DEADLINE_MS - 1)
  assert.equal(await settledNow(peer), 'later')
  mock.timers.tick(1)
  assert.equal(await settledNow(peer), null)
})

test('without a peer that answers a download ends at once', async (t) => {
  const net = await openTestNet(t)
  const content = bytesOf('of nobody', 200_000)
  for (const peers of [[REFUSED], []]) {
    const options = { peers, store: memoryStore(content.length), stallTimeoutMs: DEADLINE_MS }
    await assert.rejects(net.download(torrentOf(content), options).result, { code: 'download-no-peers' })
  }
})
