/**
 * Goal: each strategy takes what its description says, and a simulation adds it up. Method: a line of twelve commits of
 * ten bytes with checkpoints set by hand, where every plan and every sum can be worked out on paper.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cutTable } from '../../bench/sharing/chain-heights.ts'
import { drawDemand, type Fetch, POPULATION, scaled } from '../../bench/sharing/demand.ts'
import { interpolate, ratioBins, scaleByBin } from '../../bench/sharing/git-packs.ts'
import { simulate } from '../../bench/sharing/simulate.ts'
import * as strategies from '../../bench/sharing/strategies.ts'

const DAY = 86400
/** Cuts: 2, 4, 6, 7, 10 by one bit; 4 and 10 by two bits, which is coarse; 12 is the newest commit. */
const ZEROS = Int8Array.of(-1, 0, 1, 0, 2, 0, 1, 1, 0, 0, 2, 0, 0)
const TABLE = cutTable(ZEROS)
const GRAIN = { n0Log: 1, coarseLog: 2, snapshotLog: 2 }
const stored = Float64Array.from(ZEROS, (_, height) => height * 10)
/** Heights 1 to 5 on day 0, 6 to 10 on day 1, the rest on day 2. */
const times = Float64Array.of(Number.NEGATIVE_INFINITY, 1, 2, 3, 4, 5, DAY, DAY, DAY, DAY, DAY, 2 * DAY, 2 * DAY)
const SIZES: strategies.Sizes = {
  stored,
  fine: new Map([[1, stored]]),
  coarse: stored,
  daily: stored,
  dayEnd: Int32Array.of(0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 10, 10, 10),
  times,
  shallow: new Float64Array(13).fill(7),
  live: (have, want) => Math.max(0, want - have) * 20,
  liveShallow: (have, want) => want - have,
}

function fetchOf(have: number, want: number, more: Partial<Fetch> = {}): Fetch {
  return { time: 2 * DAY + 10, client: 1, kind: 'daily', have, want, isShallow: false, ...more }
}

test('a pack per pair is named by its pair', () => {
  const { plan } = strategies.perPairPacks(SIZES)
  assert.deepEqual(plan(fetchOf(3, 12)), { live: 0, items: [{ id: '3 12', byteCount: 180 }], ranges: [] })
})

test('the daily bundle serves clones as of midnight, and nobody else', () => {
  const { plan } = strategies.dailyBundle(SIZES)
  assert.deepEqual(plan(fetchOf(0, 12)), { live: 40, items: [{ id: '10', byteCount: 200 }], ranges: [] })
  assert.deepEqual(plan(fetchOf(3, 12)), { live: 180, items: [], ranges: [] })
})

test('packs per day begin at the last day that is held whole', () => {
  const { plan } = strategies.packPerDay(SIZES)
  assert.deepEqual(plan(fetchOf(7, 12)), { live: 40, items: [], ranges: [{ line: 0, low: 5, high: 10 }] })
  assert.deepEqual(plan(fetchOf(11, 12)).live, 20)
})

test('a flat chain takes all segments above the last checkpoint that is held', () => {
  const { plan } = strategies.flatChain(SIZES, TABLE, 1)
  assert.deepEqual(plan(fetchOf(5, 12)), { live: 40, items: [], ranges: [{ line: 0, low: 4, high: 10 }] })
})

test('a chain of packs goes live for a link of which more than half is held', () => {
  const { plan } = strategies.chainOfPacks(SIZES, TABLE, 1, 1)
  // A(0) = 10, A(1) = 4 (level 1), then the roots
  const link = { id: '4 10', byteCount: 60 }
  assert.deepEqual(plan(fetchOf(0, 12)), { live: 40, items: [link, { id: '0 4', byteCount: 40 }], ranges: [] })
  assert.deepEqual(plan(fetchOf(7, 12)), { live: 40, items: [link], ranges: [] })
  assert.deepEqual(plan(fetchOf(8, 12)), { live: 40 + 40, items: [], ranges: [] })
})

test('segments are taken coarse below the fine part and fine above it', () => {
  const { plan } = strategies.segments(SIZES, TABLE, GRAIN, false, false)
  const swarms = ['4 10', '0 4']
  const clone = [
    { line: 1, low: 0, high: 4 },
    { line: 0, low: 4, high: 10 },
  ]
  assert.deepEqual(plan(fetchOf(0, 12)), { live: 40, items: [], ranges: clone, swarms })
  const coarse = plan(fetchOf(1, 12)).ranges
  assert.deepEqual(coarse, clone, 'a coarse segment held in part is taken whole')
  const fine = plan(fetchOf(9, 12))
  assert.deepEqual(fine, { live: 40, items: [], ranges: [{ line: 0, low: 7, high: 10 }], swarms: ['4 10'] })
})

test('a frugal client negotiates the segment that it mostly has', () => {
  const { plan } = strategies.segments(SIZES, TABLE, GRAIN, true, false)
  assert.deepEqual(plan(fetchOf(9, 12)).ranges, [])
  assert.equal(plan(fetchOf(9, 12)).live, 40 + 20)
  assert.deepEqual(plan(fetchOf(8, 12)).ranges, [{ line: 0, low: 7, high: 10 }])
  assert.deepEqual(plan(fetchOf(5, 10)).ranges, [{ line: 0, low: 4, high: 10 }], '4…6 brings as much as it repeats')
})

test('depth 1 starts from a snapshot where there are any', () => {
  const shallow = fetchOf(0, 12, { isShallow: true })
  assert.deepEqual(strategies.segments(SIZES, TABLE, GRAIN, false, true).plan(shallow), {
    live: 2,
    items: [{ id: '10', byteCount: 7 }],
    ranges: [],
  })
  assert.deepEqual(strategies.segments(SIZES, TABLE, GRAIN, false, false).plan(shallow).live, 7)
})

test('a simulation adds up what is live, shared and counted', () => {
  const demand = [
    fetchOf(0, 12, { client: 1, kind: 'clone' }),
    fetchOf(5, 12, { client: 2, time: 2 * DAY + 70 }),
    fetchOf(0, 12, { client: 3, kind: 'clone', time: 5 * DAY }),
  ]
  const outcome = simulate(strategies.segments(SIZES, TABLE, GRAIN, false, false), demand, SIZES)
  assert.equal(outcome.all.live, 3 * 40)
  assert.equal(outcome.all.packed, 100 + 60 + 100)
  assert.equal(outcome.all.stored, 120 + 70 + 120)
  assert.deepEqual(outcome.kinds.daily?.within, [60, 60, 60])
  assert.deepEqual(outcome.all.within, [120, 120, 60 + 60 + 40 + 100])
  assert.deepEqual(outcome.all.before, [60, 60, 160])
  // fine: 6, 7, 10; coarse: 4; on both days
  assert.deepEqual([outcome.packs, outcome.packsPerDay, outcome.swarms, outcome.swarmsPerDay], [4, 4, 2, 2])
  // both links, the newer one, both again; two links on two days
  assert.equal(outcome.peersPerSwarm, 5 / 4)
  assert.equal(outcome.peersPerByte, (2 * 60) / 260)
})

test('demand is repeatable, ordered, and hands each client on from where it was', () => {
  const population = { ...POPULATION, clonesPerDay: 3, shallowClonesPerDay: 1, jobsPerPush: 1, shallowJobsPerPush: 2 }
  const when = { start: 0, end: 3 * DAY }
  const demand = drawDemand(times, population, when, 7)
  assert.deepEqual(drawDemand(times, population, when, 7), demand)
  assert.notDeepEqual(drawDemand(times, population, when, 8), demand)
  const tips = new Map<number, number>()
  let last = 0
  for (const { time, client, have, want, kind } of demand) {
    assert.ok(time >= last && want > have)
    last = time
    if (tips.has(client)) assert.equal(have, tips.get(client))
    tips.set(client, want)
    assert.ok(want <= (time < DAY ? 5 : time < 2 * DAY ? 10 : 12), `${kind} at ${time} wants ${want}`)
  }
  // pushes: 1, 2, 3, 4, 5, DAY, 2 · DAY
  assert.equal(demand.filter(({ kind }) => kind === 'ci').length, 7)
  assert.equal(demand.filter(({ kind }) => kind === 'ci-shallow').length, 14)
})

test('a scaled population keeps at least one of every client that there was', () => {
  const small = scaled({ ...POPULATION, hourly: 0 }, 0.01)
  assert.deepEqual([small.clonesPerDay, small.hourly, small.daily, small.jobsPerPush], [0.4, 0, 1, 1])
})

test('ratios are of sums, by size class, and a class without samples takes that of all', () => {
  const samples = [
    { stored: 10, measured: 10 },
    { stored: 30, measured: 70 },
    { stored: 1000, measured: 1000 },
  ]
  const bins = ratioBins(samples, [100, 500])
  assert.deepEqual(
    bins.map(({ sampleCount, ratio }) => [sampleCount, ratio]),
    [
      [2, 2],
      [0, 1080 / 1040],
      [1, 1],
    ],
  )
  assert.equal(scaleByBin(bins, 50), 100)
})

test('sizes between two measured points lie on the line between them', () => {
  const points = [
    { at: 10, value: 100 },
    { at: 20, value: 200 },
  ]
  assert.deepEqual(
    [5, 10, 15, 20, 25].map((at) => interpolate(points, at)),
    [100, 100, 150, 200, 200],
  )
})
