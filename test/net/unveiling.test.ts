/**
 * Goal: a source whose line is slow does not send a piece again while it is on its way, and does when it does not come.
 * Method: the choice alone, with peers that are mere names and a clock that the test sets.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Availability } from '../../net/swarm/availability.ts'
import { Bitfield } from '../../net/swarm/bitfield.ts'
import { Unveiling } from '../../net/swarm/unveiling.ts'

test('what a peer was shown is shown to nobody else while it may not have heard of it yet, and more when it seems to want other pieces', () => {
  const availability = new Availability(16)
  const unveiling = new Unveiling(16, availability, () => 0)
  const [mute, other] = [{}, {}]
  const none = new Bitfield(16)
  unveiling.add(mute)
  unveiling.add(other)
  assert.deepEqual(unveiling.next(mute, none, false, 1_000), [0, 1, 2, 3])
  assert.deepEqual(unveiling.next(mute, none, false, 3_000), [])
  assert.deepEqual(unveiling.next(other, none, false, 3_000), [4, 5, 6, 7])
  assert.deepEqual(unveiling.next(mute, none, false, 6_001), [8, 9, 10, 11, 12, 13, 14, 15])
})

test('where pieces take two seconds each, one is not shown to a second peer after five, but after sixteen', () => {
  const availability = new Availability(5)
  const unveiling = new Unveiling(5, availability, () => 0)
  const [first, second] = [{}, {}]
  const pieces = new Map([first, second].map((peer) => [peer, new Bitfield(5)]))
  const show = (peer: object, nowMs: number): number[] => {
    const shown = unveiling.next(peer, pieces.get(peer) ?? assert.fail(), false, nowMs)
    for (const index of shown) unveiling.onAsked(peer, index, nowMs)
    return shown
  }
  unveiling.add(first)
  unveiling.add(second)
  assert.deepEqual(show(first, 1_000), [0, 1, 2, 3])
  assert.deepEqual(show(second, 1_000), [4])
  pieces.get(first)?.set(0)
  availability.addPiece(0)
  unveiling.onHave(first, 0, 3_000)
  assert.deepEqual(show(second, 6_000), [])
  assert.deepEqual(show(second, 17_001), [1, 2, 3])
})
