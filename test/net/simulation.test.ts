// Goal: a crowd shares what a slow source sends once, and in bad weather nobody who stays is ever stuck or gets wrong bytes.
// Method: swarms of net/ on a network in memory with virtual time; every course follows from its seed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedNetwork } from '../../bench/simulated-network.ts'
import type { simulateCrowd, simulateWeather } from '../../bench/simulated-swarms.ts'
import { callInThread } from '../support/call-in-thread.ts'

const SWARMS = new URL('../../bench/simulated-swarms.js', import.meta.url)

const crowdOf = (...given: Parameters<typeof simulateCrowd>): ReturnType<typeof simulateCrowd> =>
  callInThread(SWARMS, 'simulateCrowd', given)
const weatherOf = (...given: Parameters<typeof simulateWeather>): ReturnType<typeof simulateWeather> =>
  callInThread(SWARMS, 'simulateWeather', given)

const CROWDS = [
  { peerCount: 16 },
  { peerCount: 4 },
  { peerCount: 16, leaverCount: 2 },
  { peerCount: 16, slowCount: 1 },
] as const

for (const crowd of CROWDS) {
  test(`a crowd is done near the fluid bound, and the source sends little twice: ${JSON.stringify(crowd)}`, async () => {
    const { ratios, sourceUpload, wrongCount } = await crowdOf(1, crowd)
    assert.equal(wrongCount, 0)
    assert.ok((ratios[ratios.length >> 1] ?? 9) <= 1.1, `median ${ratios[ratios.length >> 1]}`)
    assert.ok((ratios.at(-1) ?? 9) <= 1.3, `worst ${ratios.at(-1)}`)
    assert.ok(sourceUpload <= 1.1, `source ${sourceUpload}`)
  })
}

test('a crowd of 32 behind a slow source is sent each piece once', async () => {
  const { ratios, sourceUpload } = await crowdOf(1, { peerCount: 32, sourceRate: 250_000 })
  assert.ok((ratios.at(-1) ?? 9) <= 1.1, `worst ${ratios.at(-1)}`)
  assert.equal(sourceUpload, 1)
})

test('nobody who stays is stuck, whatever the weather', async () => {
  for (const seed of [1, 2, 3]) {
    const { stuck, leftCount, memberCount } = await weatherOf(seed)
    assert.deepEqual({ seed, stuck }, { seed, stuck: [] })
    assert.ok(memberCount >= 100 && leftCount > 0)
  }
})

test('nobody who stays is stuck when every sixth is mute or sends wrong bytes', async () => {
  for (const seed of [1, 2]) {
    const { stuck } = await weatherOf(seed, 120, 20)
    assert.deepEqual({ seed, stuck }, { seed, stuck: [] })
  }
})

test('nobody who stays is stuck where web servers share the work, slow, breaking off and lying ones among them', async () => {
  const { stuck, webCount } = await weatherOf(1, 120, 0, 0.25)
  assert.deepEqual(stuck, [])
  assert.ok(webCount > 10, `${webCount}`)
})

test('the same seed gives the same course', async () => {
  assert.deepEqual(await weatherOf(5, 40, 0, 0.5), await weatherOf(5, 40, 0, 0.5))
})

test('a member that nobody can serve does count as stuck', async () => {
  const network = new SimulatedNetwork(1, 100_000, 16_384)
  const line = { upRate: 10_000, downRate: 10_000, delayMs: 1, lossShare: 0 }
  const source = network.add('source', line, true)
  const member = network.add('member', line)
  network.connect(member, source)
  network.timeline.at(4_000, () => source.leave())
  await network.timeline.run(() => member.doneAtMs !== null, 60_000)
  assert.equal(member.doneAtMs, null)
  assert.ok(member.have.count > 0)
})
