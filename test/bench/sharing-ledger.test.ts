/**
 * Goal: the books of sharing are right to the byte. Method: histories of a few fetches whose shared bytes one can count
 * on one's fingers, for whole items, for ranges, and for a replayed fetcher.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addTotals, replayPeriodic } from '../../bench/sharing/replay.ts'
import { SharingLedger } from '../../bench/sharing/sharing-ledger.ts'

const HOUR = 3600
const DAY = 86400

/** 10 bytes per height. */
const LINE = Float64Array.from({ length: 11 }, (_, height) => height * 10)

function bytesOf(ledger: SharingLedger, kind: string) {
  const bytes = ledger.byKind.get(kind)
  assert.ok(bytes !== undefined, kind)
  return bytes
}

test('an item that nobody else fetches is not shared', () => {
  const ledger = new SharingLedger([])
  ledger.takeItem('a', 100, { client: 1, kind: 'x', time: 0 })
  ledger.takeItem('b', 100, { client: 2, kind: 'x', time: 0 })
  assert.deepEqual(bytesOf(ledger, 'x'), { total: 200, within: [0, 0, 0], before: [0, 0, 0], everBefore: 0 })
})

test('two fetches of an item share it in every window that spans them; only the later one had it offered', () => {
  const ledger = new SharingLedger([])
  ledger.takeItem('a', 100, { client: 1, kind: 'early', time: 0 })
  ledger.takeItem('a', 100, { client: 2, kind: 'late', time: HOUR })
  assert.deepEqual(bytesOf(ledger, 'early'), { total: 100, within: [0, 100, 100], before: [0, 0, 0], everBefore: 0 })
  assert.deepEqual(bytesOf(ledger, 'late'), {
    total: 100,
    within: [0, 100, 100],
    before: [0, 100, 100],
    everBefore: 100,
  })
})

test('a fetch between two others counts each window once', () => {
  const ledger = new SharingLedger([])
  ledger.takeItem('a', 100, { client: 1, kind: 'x', time: 0 })
  ledger.takeItem('a', 100, { client: 2, kind: 'middle', time: 2 * DAY })
  ledger.takeItem('a', 100, { client: 3, kind: 'x', time: 2 * DAY + 60 })
  assert.deepEqual(bytesOf(ledger, 'middle'), {
    total: 100,
    within: [100, 100, 100],
    before: [0, 0, 100],
    everBefore: 100,
  })
})

test('a client that fetches the same again shares nothing with itself', () => {
  const ledger = new SharingLedger([LINE])
  ledger.takeRange(0, 0, 5, { client: 1, kind: 'x', time: 0 })
  ledger.takeRange(0, 0, 5, { client: 1, kind: 'x', time: 1 })
  assert.deepEqual(bytesOf(ledger, 'x').within, [0, 0, 0])
  assert.equal(bytesOf(ledger, 'x').everBefore, 0)
})

test('ranges share exactly where they overlap', () => {
  const ledger = new SharingLedger([LINE])
  ledger.takeRange(0, 0, 6, { client: 1, kind: 'a', time: 0 })
  ledger.takeRange(0, 4, 10, { client: 2, kind: 'b', time: 60 })
  ledger.takeRange(0, 5, 8, { client: 3, kind: 'c', time: 8 * DAY })
  assert.deepEqual(bytesOf(ledger, 'a'), { total: 60, within: [20, 20, 20], before: [0, 0, 0], everBefore: 0 })
  assert.deepEqual(bytesOf(ledger, 'b'), { total: 60, within: [20, 20, 20], before: [20, 20, 20], everBefore: 20 })
  assert.deepEqual(bytesOf(ledger, 'c'), { total: 30, within: [0, 0, 0], before: [0, 0, 0], everBefore: 30 })
})

test('a range that covers older and newer pieces takes the nearest of each', () => {
  const ledger = new SharingLedger([LINE])
  ledger.takeRange(0, 0, 10, { client: 1, kind: 'a', time: 0 })
  ledger.takeRange(0, 8, 10, { client: 2, kind: 'a', time: 2 * DAY })
  ledger.takeRange(0, 0, 10, { client: 3, kind: 'c', time: 2 * DAY + 60 })
  assert.deepEqual(bytesOf(ledger, 'c').before, [20, 20, 100])
  assert.deepEqual(bytesOf(ledger, 'a').within, [20, 20, 120])
})

test('a periodic fetcher takes what lies below the newest checkpoint and above its tip', () => {
  const times = Float64Array.from([Number.NEGATIVE_INFINITY, 1, 2, 3, 11, 12, 13, 21])
  const bytesUpTo = Float64Array.from(times, (_, height) => height * 10)
  const checkpoint = Int32Array.of(0, 0, 2, 2, 2, 5, 5, 5)
  const cuts = { checkpoint, heldCut: (have: number) => checkpoint[have] ?? 0 }
  const totals = replayPeriodic({ times, bytesUpTo }, cuts, { start: 3, end: 33, period: 10 })
  // 3 → 6 takes 4 and 5 in the segment 3…5, of which it had 3; then 6 → 7 comes live; then nothing is new
  assert.deepEqual(totals, { fetches: 2, commits: 4, commitsShared: 2, bytes: 40, bytesShared: 20, bytesAgain: 10 })
  assert.equal(addTotals([totals, totals]).bytesShared, 40)
})
