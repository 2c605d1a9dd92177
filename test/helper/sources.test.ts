/**
 * Goal: whoever is slower than others with what is of use is not forgotten, asked twice at once, or waited for without need.
 * Method: sources that answer when the test says so, and a clock that the test turns.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { SOURCE_GRACE_MS, SOURCE_WAIT_MS } from '../../helper/limits.ts'
import { Sources } from '../../helper/share/supply/sources.ts'

/** A source that is asked any number of times, and answers all of them with `say` or `fail`. */
class FakeSource {
  askedCount = 0
  say: (...found: string[]) => void = () => {}
  fail: () => void = () => {}
  readonly ask = (): Promise<string[]> => {
    this.askedCount++
    return new Promise((resolve, reject) => {
      this.say = (...found) => resolve(found)
      this.fail = () => reject(new Error('broken'))
    })
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const isUseful = (found: readonly string[]): boolean => found.includes('good') || found.includes('late')

/** What has been heard of a promise by now. */
async function by<Found>(promise: Promise<Found>): Promise<Found | 'nothing yet'> {
  let heard: Found | 'nothing yet' = 'nothing yet'
  void promise.then((found) => {
    heard = found
  })
  await turn()
  return heard
}

function scene(t: TestContext): { peers: FakeSource; web: FakeSource; sources: Sources<string> } {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const [peers, web] = [new FakeSource(), new FakeSource()]
  return { peers, web, sources: new Sources([peers.ask, web.ask]) }
}

/** What is heard when one source has something of use and the other none in the moment after it. */
async function heardFrom(
  first: FakeSource,
  sources: Sources<string>,
  t: TestContext,
): Promise<string[] | 'nothing yet'> {
  const heard = sources.first(isUseful)
  first.say('good')
  await turn()
  t.mock.timers.tick(SOURCE_GRACE_MS)
  return by(heard)
}

test('what is said within the moment counts in the order in which the sources were named', async (t) => {
  const { peers, web, sources } = scene(t)
  const first = sources.first(isUseful)
  web.say('good')
  assert.equal(await by(first), 'nothing yet')
  t.mock.timers.tick(SOURCE_GRACE_MS - 1)
  assert.equal(await by(first), 'nothing yet')
  peers.say('late')
  assert.deepEqual(await by(first), ['late', 'good'])
})

for (const isFirst of ['peers', 'web'] as const) {
  test(`when ${isFirst} have something of use, the others are not waited for any longer, but heard later`, async (t) => {
    const { sources, ...both } = scene(t)
    const slower = isFirst === 'peers' ? both.web : both.peers
    assert.deepEqual(await heardFrom(both[isFirst], sources, t), ['good'])
    assert.deepEqual(sources.take(), [])
    const next = sources.next(SOURCE_WAIT_MS)
    assert.equal(await by(next), 'nothing yet')
    slower.say('late')
    assert.deepEqual(await by(next), ['late'])
    assert.deepEqual(await by(sources.next(SOURCE_WAIT_MS)), [])
  })
}

test('what comes while nobody waits is kept', async (t) => {
  const { peers, web, sources } = scene(t)
  assert.deepEqual(await heardFrom(web, sources, t), ['good'])
  peers.say('late')
  await turn()
  assert.deepEqual(sources.take(), ['late'])
  assert.deepEqual(await by(sources.next(SOURCE_WAIT_MS)), [])
})

test('what is of no use keeps nobody from being waited for', async (t) => {
  const { peers, web, sources } = scene(t)
  const first = sources.first(isUseful)
  web.say('useless')
  await turn()
  t.mock.timers.tick(SOURCE_WAIT_MS - 1)
  assert.equal(await by(first), 'nothing yet')
  peers.say()
  assert.deepEqual(await by(first), ['useless'])
})

test('a source is asked again when it has answered, and not before', async (t) => {
  const { peers, web, sources } = scene(t)
  sources.ask(peers.ask)
  assert.equal(peers.askedCount, 1)
  web.say()
  peers.say('good')
  assert.deepEqual(await by(sources.first(isUseful)), ['good'])
  sources.ask(peers.ask)
  assert.equal(peers.askedCount, 2)
  const next = sources.next(SOURCE_WAIT_MS)
  peers.say('late')
  assert.deepEqual(await by(next), ['late'])
})

test('a source that breaks makes those fail who wait for it, and nobody else', async (t) => {
  const { peers, web, sources } = scene(t)
  assert.deepEqual(await heardFrom(peers, sources, t), ['good'])
  web.fail()
  await turn()
  assert.deepEqual(sources.take(), [])
  await assert.rejects(sources.next(SOURCE_WAIT_MS), /broken/)
})

test('who says nothing, or nothing of use, is not waited for for ever, at first or later', async (t) => {
  const { peers, web, sources } = scene(t)
  const first = sources.first(isUseful)
  peers.say('useless')
  await turn()
  t.mock.timers.tick(SOURCE_WAIT_MS)
  assert.deepEqual(await by(first), ['useless'])
  const next = sources.next(700)
  t.mock.timers.tick(699)
  assert.equal(await by(next), 'nothing yet')
  t.mock.timers.tick(1)
  assert.deepEqual(await by(next), [])
  web.say('late')
  assert.deepEqual(await by(sources.next(0)), [])
  assert.deepEqual(sources.take(), ['late'])
})
