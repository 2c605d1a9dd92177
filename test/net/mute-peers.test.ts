// Goal: a peer of a topic that answers nothing does not stay for ever, one that answers does.
// Method: nets on loopback whose minutes are the test's own, and a bare socket that says hello; a file of its own, because timers of other
// tests would not be cleared meanwhile.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { TopicPeer } from '../../net/index.ts'
import { PEERS_INTERVAL_MS, PEERS_TIMEOUT_MS, PEERS_UNANSWERED_COUNT_MAX } from '../../net/limits.ts'
import { encodeExtended, encodeHandshake } from '../../net/swarm/wire-messages.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, bytesOf, NO_ANSWERS, openTestNet, PATIENCE_MS, TOPIC } from './fixtures.ts'

const MUTE_ID = bytesOf('mute', 20)

test('who answers no question is dropped in the end, who answers stays', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  const net = await openTestNet(t, { listen: LOOPBACK })
  const topic = net.joinTopic(TOPIC, NO_ANSWERS, { announce: true })
  const mute = connect(addressOf(net))
  t.after(() => mute.destroy())
  mute.resume()
  const isDropped = once(mute, 'close')
  const hello = encodeExtended(0, Buffer.from('d3:gt1d1:vi1ee1:md11:gittorrent1i1eee'))
  mute.write(Buffer.concat([encodeHandshake(TOPIC, MUTE_ID), hello]))
  const client = await openTestNet(t, { peers: [addressOf(net)] })
  const other = await client.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer({ timeoutMs: PATIENCE_MS })
  const met = (isMute: boolean): Promise<TopicPeer> =>
    new Promise((resolve) => topic.onPeer((peer) => (peer.id === MUTE_ID.toString('hex')) === isMute && resolve(peer)))
  const [honest] = await Promise.all([met(false), met(true)])
  for (let count = 0; count < PEERS_UNANSWERED_COUNT_MAX; count++) {
    assert.equal(mute.closed, false)
    // Answered behind the question about peers.
    await assert.rejects(honest.request('other', new Uint8Array(0), { timeoutMs: 1, responseLengthMax: 1 }))
    t.mock.timers.tick(PEERS_TIMEOUT_MS)
    await new Promise((resolve) => setImmediate(resolve))
    t.mock.timers.tick(PEERS_INTERVAL_MS - PEERS_TIMEOUT_MS)
  }
  await isDropped
  assert.deepEqual([honest.connected, other?.connected], [true, true])
})
