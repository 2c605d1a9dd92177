/**
 * Goal: slow peers are watched only where there is an origin to turn to, left where that cannot be asked beside them, and what it was asked
 * for is given up when it need not bring it.
 * Method: requests made up here, and a clock that the test turns.
 */

import assert from 'node:assert/strict'
import { beforeEach, it, mock } from 'node:test'
import type { SupplyRequest } from '../../helper/remote/supply.ts'
import { BesideOrigin } from '../../helper/share/supply/beside-origin.ts'
import {
  CLAIM_COUNT_MAX,
  ORIGIN_ASK_COUNT_MAX,
  ORIGIN_RACE_MS,
  SLOW_WINDOW_MS,
} from '../../helper/share/supply/limits.ts'
import { ORIGIN_LOOK_MS } from '../../helper/share/supply/origin-race.ts'
import { openTrace } from '../../helper/trace.ts'

const LENGTH = 2 ** 27

beforeEach(() => {
  mock.timers.reset()
  mock.timers.enable({ apis: ['setInterval', 'Date'] })
  mock.method(performance, 'now', () => Date.now())
})

/** Watches over somebody who brings nothing, for so long. */
function watchSilence(askOrigin: SupplyRequest['askOrigin'], durationMs: number): BesideOrigin {
  const beside = new BesideOrigin({ askOrigin } as unknown as SupplyRequest, null, openTrace({}))
  watchOn(beside, durationMs)
  return beside
}

/** Watches over one claim more, of which nothing comes either. */
function watchOn(beside: BesideOrigin, durationMs: number): void {
  const end = beside.watch(() => ({ cameLength: 0, leftLength: LENGTH }), ['a'.repeat(40)])
  for (let passedMs = 0; passedMs < durationMs; passedMs += ORIGIN_LOOK_MS) mock.timers.tick(ORIGIN_LOOK_MS)
  end()
}

/** An answer that has so many bytes, and notes that it was given up. */
function answerOf(keptLength: () => number) {
  const answer = {
    keptLength,
    isFull: () => false,
    isGone: () => false,
    dropCount: 0,
    drop: () => void answer.dropCount++,
  }
  return answer
}

it('where there is no origin nobody is left, however slow', () => {
  assert.equal(watchSilence(undefined, 600_000).isOver, false)
})

it('where the origin cannot be asked beside others, the slow are left to it at once', () => {
  assert.equal(watchSilence(() => null, SLOW_WINDOW_MS - 500).isOver, false)
  assert.equal(watchSilence(() => null, SLOW_WINDOW_MS + 500).isOver, true)
})

it('the origin is asked once, for what is not complete here, and when it is quicker the others are left', () => {
  const asked: (readonly string[])[] = []
  const startMs = Date.now()
  const answer = answerOf(() => 100 * (Date.now() - startMs))
  const beside = watchSilence((haves) => {
    asked.push(haves)
    return answer
  }, SLOW_WINDOW_MS + ORIGIN_RACE_MS)
  assert.deepEqual(asked, [['a'.repeat(40)]])
  assert.equal(beside.isOver && beside.left.aborted, true)
  assert.equal(answer.dropCount, 0)
})

it('an origin that is no quicker is given up, as one that need not bring anything', () => {
  const idle = answerOf(() => 20_000)
  assert.equal(watchSilence(() => idle, SLOW_WINDOW_MS + 2 * ORIGIN_RACE_MS).isOver, false)
  assert.equal(idle.dropCount, 1)
  const needless = answerOf(() => 0)
  const beside = watchSilence(() => needless, SLOW_WINDOW_MS + ORIGIN_RACE_MS)
  beside.drop()
  beside.drop()
  assert.equal(needless.dropCount, 1)
})

it('where an answer is gone before it is there, the origin is asked once more when the next claim is slow', () => {
  let isGone = false
  const startMs = Date.now()
  const lost = { ...answerOf(() => 0), isGone: () => isGone }
  const answers = [lost, answerOf(() => 100 * (Date.now() - startMs))]
  let askedCount = 0
  const askOrigin = () => answers[askedCount++] ?? assert.fail('asked too often')
  const beside = watchSilence(askOrigin, SLOW_WINDOW_MS + ORIGIN_RACE_MS)
  assert.deepEqual([askedCount, beside.isOver], [1, false])
  isGone = true
  watchOn(beside, SLOW_WINDOW_MS + ORIGIN_RACE_MS)
  assert.deepEqual([askedCount, beside.left.aborted, lost.dropCount], [2, true, 0])
})

it('many slow claims, one after the other, do not have the origin asked for each: after so many they are left to it', () => {
  let askedCount = 0
  let isGone = false
  const mute = { ...answerOf(() => 0), isGone: () => isGone }
  const askOrigin = () => {
    askedCount++
    isGone = false
    return mute
  }
  const beside = watchSilence(askOrigin, 2 * SLOW_WINDOW_MS)
  let followedCount = 1
  // Whoever follows the next claim asks the origin whether it has its tops, for which the answer makes way.
  for (; !beside.isOver && followedCount < CLAIM_COUNT_MAX; followedCount++) {
    isGone = true
    watchOn(beside, 2 * SLOW_WINDOW_MS)
  }
  assert.deepEqual(
    [askedCount, followedCount, beside.left.aborted],
    [ORIGIN_ASK_COUNT_MAX, ORIGIN_ASK_COUNT_MAX + 1, true],
  )
})

it('an origin that never answers is asked once for a claim, which goes on as long as it brings', () => {
  let askedCount = 0
  const beside = watchSilence(() => {
    askedCount++
    return answerOf(() => 0)
  }, 600_000)
  assert.deepEqual([askedCount, beside.isOver], [1, false])
})
