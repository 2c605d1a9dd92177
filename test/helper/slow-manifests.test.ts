/**
 * Goal: a manifest that never comes keeps nobody from using other web seeds, nor from going on without.
 * Method: readings that end when the test says so, and a clock that the test turns.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { SOURCE_WAIT_MS } from '../../helper/limits.ts'
import type { WebSeed } from '../../helper/share/webseed/web-seed.ts'
import { followReading } from '../../helper/share/webseed/web-seeds.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const seedAt = (url: string): WebSeed => ({ url }) as unknown as WebSeed

/** A manifest that comes when the test says so. */
function reading() {
  let say: (seed: WebSeed | null) => void = () => {}
  const read = new Promise<WebSeed | null>((resolve) => {
    say = resolve
  })
  return { read, say: (seed: WebSeed | null) => say(seed) }
}

/** The URLs of those that have been handed out by now, and whether there are no more. */
function handedOut(seeds: AsyncIterable<WebSeed>) {
  const urls: string[] = []
  let isOver = false
  const take = async (): Promise<void> => {
    for await (const { url } of seeds) urls.push(url)
    isOver = true
  }
  void take()
  return async () => {
    for (let turns = 0; turns < 5; turns++) await turn()
    return { urls: [...urls], isOver }
  }
}

function withClock(t: TestContext): void {
  t.mock.timers.enable({ apis: ['setTimeout'] })
}

test('web seeds are handed out as they are found, in the order of the user, and one that is of no use is not waited for', async (t) => {
  withClock(t)
  const [slow, first, second, other] = [reading(), reading(), reading(), reading()]
  const { inTurn } = followReading([slow, first, second, other].map(({ read }) => read))
  second.say(seedAt('second'))
  first.say(seedAt('first'))
  other.say(null)
  await turn()
  const handed = handedOut(inTurn())
  assert.deepEqual(await handed(), { urls: ['first', 'second'], isOver: false })
  slow.say(seedAt('slow'))
  assert.deepEqual(await handed(), { urls: ['first', 'second', 'slow'], isOver: true })
})

test('a manifest that never comes is not waited for for ever; when it does come, it counts for who asks then', async (t) => {
  withClock(t)
  const slow = reading()
  const { inTurn, isUsable } = followReading([slow.read])
  const waiting = handedOut(inTurn())
  t.mock.timers.tick(SOURCE_WAIT_MS - 1)
  assert.deepEqual(await waiting(), { urls: [], isOver: false })
  t.mock.timers.tick(1)
  assert.deepEqual(await waiting(), { urls: [], isOver: true })
  assert.deepEqual(await handedOut(inTurn())(), { urls: [], isOver: true })
  slow.say(seedAt('slow'))
  await turn()
  assert.deepEqual(await handedOut(inTurn())(), { urls: ['slow'], isOver: true })
  assert.equal(isUsable(), true)
})

test('who has failed is not handed out again', async (t) => {
  withClock(t)
  const seeds = [seedAt('bad'), seedAt('good')]
  const { inTurn, failed, each } = followReading(seeds.map((seed) => Promise.resolve(seed)))
  await Promise.all(each)
  for (const seed of seeds.slice(0, 1)) failed.add(seed)
  assert.deepEqual(await handedOut(inTurn())(), { urls: ['good'], isOver: true })
})
