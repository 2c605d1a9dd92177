/**
 * Goal: who is merely slow keeps being asked for ranges, because in a crowd he may be all there is; who fails or brings next
 * to nothing is not. Method: made-up peers whose counters the test moves, on a clock that the test moves.
 */

import assert from 'node:assert/strict'
import { beforeEach, it, mock } from 'node:test'
import { RANGE_ALIVE_LENGTH, RANGE_PATIENCE_MS, RANGE_STALL_LENGTH, RANGE_STALL_MS } from '../../helper/limits.ts'
import { type RangeManners, raceForRange } from '../../helper/share/supply/range-race.ts'
import type { TopicPeer } from '../../net/index.ts'

/** A peer of which only the counter of its connection matters, moved on by `lengthPerS`. */
class FakePeer {
  receivedLength = 0
  readonly lengthPerS: number
  constructor(lengthPerS: number) {
    this.lengthPerS = lengthPerS
  }
}

const NEVER = new AbortController().signal
let manners: RangeManners

beforeEach(() => {
  manners = { failed: new Set(), slow: new Set() }
  mock.timers.reset()
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
})

const asPeers = (peers: readonly FakePeer[]): TopicPeer[] => peers as unknown as TopicPeer[]

/** A race of those that are in `peers` whenever one more is to be asked. */
function race<Result>(
  peers: readonly FakePeer[],
  bring: (peer: TopicPeer, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return raceForRange(() => asPeers(peers), manners, NEVER, bring)
}

/** Lets time pass second by second, with what peers bring meanwhile, until `outcome` is there; returns the seconds. */
async function pass(outcome: Promise<unknown>, peers: readonly FakePeer[], secondsMax = 60): Promise<number> {
  let isOver = false
  outcome.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  for (let second = 0; second <= secondsMax; second++) {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve()
    if (isOver) return second
    for (const peer of peers) peer.receivedLength += peer.lengthPerS
    mock.timers.tick(1000)
  }
  throw new Error('it did not end')
}

/** Resolves after so many seconds with a word; rejects when it is called off. */
function after(seconds: number, word: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    setTimeout(() => resolve(word), seconds * 1000)
    signal.addEventListener('abort', () => reject(new Error('called off')))
  })
}

const SLOW = Math.min(
  RANGE_ALIVE_LENGTH / (RANGE_PATIENCE_MS / 1000) / 2,
  2 * (RANGE_STALL_LENGTH / (RANGE_STALL_MS / 1000)),
)

it('a slow peer that is all there is brings everything, range after range', async () => {
  const peer = new FakePeer(SLOW)
  for (const word of ['first', 'second']) {
    const outcome = race([peer], (_, signal) => after(20, word, signal))
    await pass(outcome, [peer])
    assert.equal(await outcome, word)
  }
  assert.equal(manners.failed.size, 0)
})

it('who was slow is asked last the next time', async () => {
  const [slow, fast] = [new FakePeer(SLOW), new FakePeer(10 * RANGE_ALIVE_LENGTH)]
  const asked: FakePeer[][] = []
  for (let round = 0; round < 2; round++) {
    asked.push([])
    const outcome = race([slow, fast], (peer, signal) => {
      asked.at(-1)?.push(peer as unknown as FakePeer)
      return after(3, 'bytes', signal)
    })
    await pass(outcome, [slow, fast])
    assert.equal(await outcome, 'bytes')
  }
  assert.deepEqual(asked, [[slow, fast], [fast]])
})

it('who brings next to nothing is called off after a while, and not asked again', async () => {
  const peer = new FakePeer((RANGE_STALL_LENGTH / (RANGE_STALL_MS / 1000)) * 0.9)
  const outcome = race([peer], (_, signal) => after(40, 'bytes', signal))
  const seconds = await pass(outcome, [peer])
  await assert.rejects(outcome, { code: 'chain-malformed' })
  assert.equal(seconds, RANGE_STALL_MS / 1000)
  let askedCount = 0
  await assert.rejects(
    race([peer], async () => askedCount++),
    { code: 'chain-malformed' },
  )
  assert.equal(askedCount, 0)
})

it('the first good result ends the others, whom that does not make bad', async () => {
  const [slow, fast] = [new FakePeer(SLOW), new FakePeer(10 * RANGE_ALIVE_LENGTH)]
  const calledOff: FakePeer[] = []
  const outcome = race([slow, fast], async (peer, signal) => {
    signal.addEventListener('abort', () => calledOff.push(peer as unknown as FakePeer))
    return after(peer === asPeers([slow])[0] ? 30 : 2, 'bytes', signal)
  })
  await pass(outcome, [slow, fast])
  assert.equal(await outcome, 'bytes')
  assert.ok(calledOff.includes(slow))
  assert.equal(manners.failed.size, 0)
})

it('who turns up while others are asked is asked, too', async () => {
  const [slow, other, newcomer] = [new FakePeer(SLOW), new FakePeer(SLOW), new FakePeer(10 * RANGE_ALIVE_LENGTH)]
  const there = [slow, other]
  const outcome = race(there, (peer, signal) => {
    const isNew = peer === asPeers([newcomer])[0]
    if (!isNew && !there.includes(newcomer)) there.unshift(newcomer)
    return after(isNew ? 2 : 30, isNew ? 'of the newcomer' : 'of others', signal)
  })
  await pass(outcome, [slow, other, newcomer])
  assert.equal(await outcome, 'of the newcomer')
})
