/**
 * Goal: who brings little is left for the origin within seconds where that is quicker, and kept where it is not; the origin is
 * asked once, only of the slow, and never thrown back and forth with others.
 * Method: arrivals and answers told look by look, on a clock of their own.
 */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import {
  ORIGIN_BEGUN_LENGTH,
  ORIGIN_RACE_MS,
  ORIGIN_RACE_MS_MIN,
  SLOW_LEFT_MS,
  SLOW_LENGTH,
  SLOW_NEXT_MS,
  SLOW_WINDOW_MS,
} from '../../helper/share/supply/limits.ts'
import { ORIGIN_LOOK_MS, OriginRace, type Verdict } from '../../helper/share/supply/origin-race.ts'

const ALL = 2 ** 27
/** Bytes per second, and one look more than a wait may take. */
const SLOW_RATE = (SLOW_LENGTH * 1000) / SLOW_WINDOW_MS
const SLACK_MS = 3 * ORIGIN_LOOK_MS

interface Course {
  /** Bytes that came of others by then. */
  readonly cameAt: (nowMs: number) => number
  readonly length?: number
  /** Bytes per second that the origin sends when it is asked. */
  readonly originRate: number
  /** Milliseconds in which it counts objects. */
  readonly countingMs?: number
  readonly downloadLimit?: number
}

/** What is decided when, until others are left or everything has come. */
function courseOf({ cameAt, length = ALL, originRate, countingMs = 0, downloadLimit }: Course): [Verdict, number][] {
  const race = new OriginRace(downloadLimit ?? null)
  race.begin(0)
  const decided: [Verdict, number][] = []
  let askedAtMs: number | null = null
  for (let nowMs = ORIGIN_LOOK_MS; nowMs < 600_000; nowMs += ORIGIN_LOOK_MS) {
    const cameLength = Math.min(length, cameAt(nowMs))
    const sinceMs = askedAtMs === null ? 0 : Math.max(0, nowMs - askedAtMs - countingMs)
    const keptLength = (sinceMs * originRate) / 1000
    const answer = askedAtMs === null ? null : { keptLength, isFull: keptLength >= 2 * length }
    const verdict = race.look(nowMs, { cameLength, leftLength: length - cameLength }, answer)
    if (verdict !== 'wait') decided.push([verdict, nowMs])
    if (verdict === 'ask') askedAtMs = nowMs
    if (verdict === 'drop') askedAtMs = null
    if (verdict === 'leave' || verdict === 'hand-over' || cameLength === length) break
  }
  return decided
}

const verdictsIn = (course: readonly [Verdict, number][]): Verdict[] => course.map(([verdict]) => verdict)
const verdictsOf = (course: Course): Verdict[] => verdictsIn(courseOf(course))
const steadily =
  (ratePerS: number) =>
  (nowMs: number): number =>
    (nowMs * ratePerS) / 1000

/** One quick piece, then little. */
const bait = (nowMs: number): number => 2 ** 18 + steadily(8_000)(nowMs)

it('who brings one piece soon and then a little is left within seconds, also by who has brought much', () => {
  const [asked, left] = courseOf({ cameAt: bait, originRate: 2 ** 20 })
  assert.deepEqual([asked?.[0], left?.[0]], ['ask', 'leave'])
  assert.ok((asked?.[1] ?? Number.NaN) <= SLOW_WINDOW_MS + SLACK_MS)
  assert.ok((left?.[1] ?? Number.NaN) <= SLOW_WINDOW_MS + ORIGIN_RACE_MS_MIN + 2 * SLACK_MS)
  const tired = (nowMs: number): number => steadily(4 * SLOW_RATE)(Math.min(nowMs, 20_000)) + steadily(8_000)(nowMs)
  const later = courseOf({ cameAt: tired, originRate: 2 ** 20 })
  assert.deepEqual(verdictsIn(later), ['ask', 'leave'])
  assert.ok((later[1]?.[1] ?? Number.NaN) <= 20_000 + SLOW_WINDOW_MS + ORIGIN_RACE_MS_MIN + 2 * SLACK_MS)
})

it('of what has come by half the origin sends the rest only: when that would take much longer than the first half', () => {
  const stopped = (nowMs: number): number => steadily(ALL / 80)(Math.min(nowMs, 50_000)) + steadily(8_000)(nowMs)
  const course = courseOf({ cameAt: stopped, originRate: 2 ** 20 })
  assert.deepEqual(verdictsIn(course), ['hand-over'])
  assert.ok((course[0]?.[1] ?? Number.NaN) <= 50_000 + 2 * SLOW_WINDOW_MS + 2 * SLACK_MS)
  const slower = (nowMs: number): number =>
    steadily(2.4 * SLOW_RATE)(Math.min(nowMs, 300_000)) + steadily(0.5 * SLOW_RATE)(nowMs)
  assert.deepEqual(verdictsOf({ cameAt: slower, originRate: 2 ** 20 }), [])
  const outage = (nowMs: number): number => steadily(ALL / 80)(nowMs < 50_000 ? nowMs : Math.max(50_000, nowMs - 4_000))
  assert.deepEqual(verdictsOf({ cameAt: outage, originRate: 2 ** 20 }), [])
})

it('an origin that counts for long is waited for, and then wins', () => {
  const [, left] = courseOf({ cameAt: bait, originRate: 2 ** 20, countingMs: 60_000 })
  assert.equal(left?.[0], 'leave')
  assert.ok((left?.[1] ?? 0) >= 60_000)
})

it('an answer that is whole, or waits unread, wins whoever is how quick', () => {
  const race = new OriginRace(null)
  race.begin(0)
  for (let nowMs = ORIGIN_LOOK_MS; nowMs <= 2 * SLOW_WINDOW_MS; nowMs += ORIGIN_LOOK_MS)
    race.look(nowMs, { cameLength: nowMs, leftLength: ALL }, null)
  const atMs = 2 * SLOW_WINDOW_MS + ORIGIN_LOOK_MS
  const answer = { keptLength: ORIGIN_BEGUN_LENGTH - 1, isFull: true }
  assert.equal(race.look(atMs, { cameLength: atMs, leftLength: ALL }, answer), 'leave')
})

it('on a slow line, where the origin is no quicker, it is asked once for a moment, and peers bring everything', () => {
  for (const originRate of [0.5 * 60_000, 60_000, 1.9 * 60_000]) {
    const course = courseOf({ cameAt: steadily(60_000), length: 20_000_000, originRate })
    assert.deepEqual(verdictsIn(course), ['ask', 'drop'])
    const [[, askedMs] = ['', 0], [, droppedMs] = ['', 0]] = course
    assert.ok(droppedMs - askedMs <= ORIGIN_RACE_MS + (1000 * ORIGIN_BEGUN_LENGTH) / originRate + SLACK_MS)
  }
})

it('who was quick only as long as the origin was beside him is left without asking again', () => {
  const cunning = (nowMs: number): number => {
    const quickMs = Math.min(Math.max(0, nowMs - SLOW_WINDOW_MS), 30_000)
    return steadily(8_000)(nowMs) + steadily(6 * SLOW_RATE)(quickMs)
  }
  assert.deepEqual(verdictsOf({ cameAt: cunning, originRate: 200_000 }), ['ask', 'drop', 'leave'])
})

it('nobody is asked while enough comes, nor for the last seconds', () => {
  assert.deepEqual(verdictsOf({ cameAt: steadily(1.1 * SLOW_RATE), originRate: 2 ** 24 }), [])
  const length = (20_000 * SLOW_LEFT_MS) / 1000
  assert.deepEqual(verdictsOf({ cameAt: steadily(20_000), length, originRate: 2 ** 24 }), [])
})

it('when everything has come while the origin is asked, its answer is dropped', () => {
  const saved = (nowMs: number): number => (nowMs > 2 * SLOW_WINDOW_MS ? ALL : 0)
  assert.deepEqual(verdictsOf({ cameAt: saved, originRate: 2 ** 20, countingMs: 60_000 }), ['ask', 'drop'])
})

it('who keeps to the limit that the user set is not slow', () => {
  const downloadLimit = 20_000
  assert.deepEqual(verdictsOf({ cameAt: steadily(0.9 * downloadLimit), originRate: 2 ** 24, downloadLimit }), [])
  assert.deepEqual(verdictsOf({ cameAt: steadily(0.2 * downloadLimit), originRate: 2 ** 24, downloadLimit }), [
    'ask',
    'leave',
  ])
})

it('time in which nobody looked is not time in which nothing came', () => {
  const race = new OriginRace(null)
  race.begin(0)
  for (let round = 1; round <= 4; round++)
    assert.equal(race.look(round * 60_000, { cameLength: 0, leftLength: ALL }, null), 'wait')
})

it('the next claim has a window of its own, and less time', () => {
  const race = new OriginRace(null)
  race.begin(0)
  for (let nowMs = ORIGIN_LOOK_MS; nowMs < 2_000; nowMs += ORIGIN_LOOK_MS)
    assert.equal(race.look(nowMs, { cameLength: 0, leftLength: ALL }, null), 'wait')
  race.begin(2_000)
  const verdicts: Verdict[] = []
  for (let nowMs = 2_000; nowMs <= 2_000 + SLOW_NEXT_MS; nowMs += ORIGIN_LOOK_MS)
    verdicts.push(race.look(nowMs, { cameLength: 0, leftLength: ALL }, null))
  assert.deepEqual(new Set(verdicts.slice(0, -1)), new Set(['wait']))
  assert.equal(verdicts.at(-1), 'ask')
  assert.equal(race.look(4_000, { cameLength: 0, leftLength: ALL }, { keptLength: 1, isFull: true }), 'leave')
})

it('an answer that comes after one that was lost is measured from its own begin', () => {
  const race = new OriginRace(null)
  race.begin(0)
  let nowMs = 0
  /** Verdicts while nothing comes of others, and so many bytes have come of the origin. */
  const verdictsFor = (durationMs: number, keptLength: number | null): Set<Verdict> => {
    const verdicts = new Set<Verdict>()
    for (const endMs = nowMs + durationMs; nowMs < endMs; ) {
      nowMs += ORIGIN_LOOK_MS
      const answer = keptLength === null ? null : { keptLength, isFull: false }
      verdicts.add(race.look(nowMs, { cameLength: 0, leftLength: ALL }, answer))
    }
    return verdicts
  }
  assert.ok(verdictsFor(SLOW_WINDOW_MS + SLACK_MS, null).has('ask'))
  assert.deepEqual(verdictsFor(ORIGIN_RACE_MS_MIN, ORIGIN_BEGUN_LENGTH), new Set(['wait']))
  assert.deepEqual(verdictsFor(ORIGIN_LOOK_MS, null), new Set(['ask']))
  // Of the new answer much is there at the first look, and nothing more comes.
  assert.deepEqual(verdictsFor(ORIGIN_RACE_MS_MIN, 2 ** 20), new Set(['wait']))
})
