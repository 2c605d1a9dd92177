// Goal: a place among those who are served is kept by who makes use of it, on however slow a line, and not by who asks for nothing.
// Method: the choice alone, with peers whose links are stubs and a clock that the test sets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PLACE_GRACE_MS, UPLOAD_PAUSE_MS_MAX } from '../../net/limits.ts'
import { decideChokes, hasPlace } from '../../net/swarm/chokes.ts'
import { SwarmPeer } from '../../net/swarm/swarm-peer.ts'

const START_MS = 1_000

/** A peer that has been served since `START_MS`. */
function servedPeer(backlogLength = 0): SwarmPeer {
  const link = {
    name: 'peer',
    fast: true,
    extended: true,
    backlogLength,
    backlogLengthMax: 1,
    send: () => {},
    drop: () => {},
  }
  const peer = new SwarmPeer(link, 8, { nowMs: () => START_MS })
  peer.isInterested = true
  peer.amChoking = false
  peer.unchokedAtMs = START_MS
  return peer
}

function isServedAmong(peer: SwarmPeer, otherCount: number, nowMs: number): boolean {
  const others = Array.from({ length: otherCount }, () => servedPeer())
  for (const other of others) other.onTaken(16_384, nowMs - 10)
  return decideChokes([peer, ...others], true, nowMs, () => 0).has(peer)
}

test('a peer on a slow line keeps its place from one block to the next, beside many that are quicker', () => {
  const slow = servedPeer()
  slow.onTaken(1_000, START_MS + 100)
  const laterMs = START_MS + 100 + UPLOAD_PAUSE_MS_MAX - 1
  assert.equal(slow.isIdle(laterMs), false)
  assert.equal(isServedAmong(slow, 63, laterMs), true)
})

test('a peer whose blocks have not left yet is not idle', () => {
  const slow = servedPeer(100)
  slow.onTaken(16_384, START_MS)
  assert.equal(slow.isIdle(START_MS + 10 * UPLOAD_PAUSE_MS_MAX), false)
})

test('who asks for nothing gives up his place after a moment, who took a block and asks for no other after a while', () => {
  const idle = servedPeer()
  assert.equal(idle.isIdle(START_MS + PLACE_GRACE_MS - 1), false)
  assert.equal(idle.isIdle(START_MS + PLACE_GRACE_MS), true)
  const sated = servedPeer()
  sated.onTaken(16_384, START_MS)
  assert.equal(sated.isIdle(START_MS + UPLOAD_PAUSE_MS_MAX), true)
  assert.equal(isServedAmong(sated, 63, START_MS + UPLOAD_PAUSE_MS_MAX), false)
  const many = Array.from({ length: 32 }, () => servedPeer())
  assert.equal(hasPlace(many, START_MS + PLACE_GRACE_MS - 1), false)
  assert.equal(hasPlace(many, START_MS + PLACE_GRACE_MS), true)
})
