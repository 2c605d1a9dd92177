/**
 * Goal: what peers do not bring, or bring slowly, is had from the next one; a slow one that is alone is waited for; and a race
 * always ends.
 * Method: peers made up here, whose attempts end when the test says so.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { raceOfPeers } from '../../helper/share/supply/race-of-peers.ts'
import type { TopicPeer } from '../../net/index.ts'

type Attempt = (signal: AbortSignal) => Promise<string>

const never: Attempt = () => new Promise(() => {})
const fails: Attempt = () => Promise.reject(new Error('nothing good'))

/** A race of peers with these attempts, in this order; tells which of them were asked and which were told that it is over. */
async function race(attempts: readonly Attempt[], signal = new AbortController().signal) {
  const peers = attempts.map((attempt, index) => ({ attempt, index, receivedLength: 0 }))
  const waiting = [...peers]
  const asked: number[] = []
  const ended: number[] = []
  const result = await raceOfPeers({
    next: async () => (waiting.shift() ?? null) as unknown as TopicPeer | null,
    attempt: (peer, over) => {
      const { attempt, index } = peer as unknown as (typeof peers)[number]
      asked.push(index)
      over.addEventListener('abort', () => ended.push(index))
      return attempt(over)
    },
    patienceMs: 5,
    aliveLength: 1,
    signal,
  })
  return { result, asked, ended }
}

test('who fails is followed by the next, who is silent has the next one beside him, and the first good answer ends all', async () => {
  const { result, asked, ended } = await race([fails, never, never, async () => 'good', async () => 'too late'])
  assert.equal(result, 'good')
  assert.deepEqual(asked, [0, 1, 2, 3])
  assert.deepEqual(ended, [0, 1, 2, 3])
})

test('several may be asked beside those that hardly move: with three, seven silent ones cost three times the patience, not seven times', async () => {
  const peers = Array.from({ length: 8 }, (_, index) => ({ index, receivedLength: 0 }))
  const waiting = [...peers]
  let firstWasSlowCount = 0
  const result = await raceOfPeers({
    next: async () => (waiting.shift() ?? null) as unknown as TopicPeer | null,
    attempt: (peer) =>
      (peer as unknown as { index: number }).index === 7 ? Promise.resolve('good') : new Promise(() => {}),
    patienceMs: 5,
    aliveLength: 1,
    besideCount: 3,
    onSlow: (peer) => {
      if ((peer as unknown as { index: number }).index === 0) firstWasSlowCount++
    },
    signal: new AbortController().signal,
  })
  assert.equal(result, 'good')
  assert.equal(firstWasSlowCount, 3)
})

test('a slow one that nobody can replace is waited for', async () => {
  let bring: (text: string) => void = () => {}
  const slow: Attempt = () =>
    new Promise((resolve) => {
      bring = resolve
    })
  const late: Attempt = async () => {
    // By now the slow one has had its time, and others were asked beside it.
    queueMicrotask(() => bring('slow but good'))
    throw new Error('nothing good')
  }
  assert.equal((await race([slow, late])).result, 'slow but good')
})

test('without anybody left, and on abort, there is no result', async () => {
  assert.equal((await race([fails, fails])).result, null)
  assert.equal((await race([])).result, null)
  const controller = new AbortController()
  const aborting: Attempt = () => {
    controller.abort()
    return never(controller.signal)
  }
  const { result, asked } = await race([aborting, async () => 'too late'], controller.signal)
  assert.equal(result, null)
  assert.deepEqual(asked, [0])
})

test('a peer that brings enough is not given company', async () => {
  let count = 0
  const peer = { receivedLength: 0 }
  const result = await raceOfPeers({
    next: async () => {
      count += 1
      return count === 1 ? (peer as unknown as TopicPeer) : null
    },
    attempt: () =>
      new Promise((resolve) => {
        let beats = 0
        const beat = setInterval(() => {
          peer.receivedLength += 100
          if (++beats < 20) return
          clearInterval(beat)
          resolve('good')
        }, 1)
      }),
    patienceMs: 500,
    aliveLength: 1,
    signal: new AbortController().signal,
  })
  assert.deepEqual([result, count], ['good', 1])
})
