/**
 * Goal: a download waits as long as PROTOCOL.md section 9 says, and no time counts in which this machine did not get to look.
 * Method: looks and arrivals told one by one, on a clock of their own.
 */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { DOWNLOAD_ALIVE_LENGTH } from '../../net/limits.ts'
import { Patience } from '../../net/patience.ts'

const STALL_MS = 8_000
const START_MS = 3_000
const ALL = 2 ** 24

/** Looks as often as it should until it is over; returns when that is. `takenAt` tells what has come by when. */
function endOf(takenAt: (nowMs: number) => number, isExpectantAt: (nowMs: number) => boolean = () => true): number {
  const patience = new Patience({ stallTimeoutMs: STALL_MS, startTimeoutMs: START_MS }, 0)
  for (let nowMs = 0; nowMs < 100_000; nowMs += patience.intervalMs) {
    const takenLength = takenAt(nowMs)
    const arrivals = { takenLength, leftLength: ALL - takenLength, isExpectant: isExpectantAt(nowMs) }
    if (patience.isOver(nowMs, arrivals)) return nowMs
  }
  return Number.POSITIVE_INFINITY
}

/** It ends within one look of `dueMs`. */
function assertEnds(endMs: number, dueMs: number): void {
  assert.ok(endMs >= dueMs && endMs <= dueMs + 1_000, `ended at ${endMs} ms, due at ${dueMs} ms`)
}

it('who brings nothing at all has the shorter time, from when somebody should be bringing something', () => {
  assertEnds(
    endOf(() => 0),
    START_MS,
  )
  assertEnds(
    endOf(
      () => 0,
      (nowMs) => nowMs >= 2_000,
    ),
    2_000 + START_MS,
  )
  assertEnds(
    endOf(
      () => 0,
      () => false,
    ),
    STALL_MS,
  )
})

it('after the last block it waits for one stall time-out, and for two if what comes is too little', () => {
  assertEnds(
    endOf((nowMs) => Math.min(nowMs, 10_000) * 100),
    10_000 + STALL_MS,
  )
  assertEnds(
    endOf((nowMs) => Math.floor(nowMs / 1_000) * 1_024),
    2 * STALL_MS,
  )
  assert.equal(
    endOf((nowMs) => (Math.floor(nowMs / 1_000) * 2 * DOWNLOAD_ALIVE_LENGTH) / 16),
    Number.POSITIVE_INFINITY,
  )
})

it('less than that is enough where less is lacking', () => {
  const lastLength = 1_024
  const patience = new Patience({ stallTimeoutMs: STALL_MS, startTimeoutMs: START_MS }, 0)
  let nowMs = 0
  const look = (takenLength: number, leftLength: number): boolean =>
    patience.isOver((nowMs += patience.intervalMs), { takenLength, leftLength, isExpectant: true })
  while (nowMs < 2 * STALL_MS - 1_000) assert.equal(look(Math.floor(nowMs / 4_000) + 1, lastLength), false)
  assert.equal(look(lastLength + 1_000, lastLength), false)
  while (nowMs < 2 * STALL_MS + 1_000) assert.equal(look(lastLength + 1_000 + nowMs, lastLength), false)
})

it('time in which nobody looked does not count', () => {
  const patience = new Patience({ stallTimeoutMs: STALL_MS, startTimeoutMs: START_MS }, 0)
  let nowMs = 0
  for (let round = 0; round < 3; round++) {
    nowMs += 60_000
    assert.equal(patience.isOver(nowMs, { takenLength: 0, leftLength: ALL, isExpectant: true }), false)
  }
  const waitedMs = nowMs
  while (!patience.isOver(nowMs, { takenLength: 0, leftLength: ALL, isExpectant: true })) nowMs += patience.intervalMs
  assert.ok(nowMs - waitedMs <= START_MS && nowMs - waitedMs > 0)
})
