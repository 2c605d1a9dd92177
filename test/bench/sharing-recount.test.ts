/**
 * Goal: a simulation of sharing says what really happens when a small repository's clients fetch. Method: a generated history, built and
 * measured as bench:sharing does, met by every kind of strategy; then counted again from the list of all fetches, each pack
 * and segment by its name (the engine's own plan names them), each pair of fetches compared with each other.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateRepository } from '../../bench/generate-repository.ts'
import { cutTable } from '../../bench/sharing/chain-heights.ts'
import { drawDemand, type Fetch, POPULATION } from '../../bench/sharing/demand.ts'
import { type LineSizes, measureLine } from '../../bench/sharing/line-sizes.ts'
import { type MainLine, readMainLine } from '../../bench/sharing/main-line.ts'
import { WINDOWS_SECONDS } from '../../bench/sharing/sharing-ledger.ts'
import { type Outcome, simulate } from '../../bench/sharing/simulate.ts'
import * as strategies from '../../bench/sharing/strategies.ts'
import { GT1, type Oid, planChain } from '../../engine/index.ts'
import { Workshop } from '../../helper/build/workshop.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const DAY = 86400
/** Cuts fine enough for a hundred commits: segments of 2, coarse ones of 8, snapshots at the coarse cuts. */
const GRAIN = { n0Log: 1, coarseLog: 3, snapshotLog: 3 }
const SNAPSHOT_BYTES = 5000

/** What one fetch takes, by name, and the swarms that it joins for it. */
interface Taken {
  readonly live: number
  readonly packs: ReadonlyMap<string, number>
  readonly swarms: readonly string[]
}
type Take = (fetch: Fetch) => Taken

interface World {
  readonly line: MainLine
  readonly sizes: strategies.Sizes
}

async function makeWorld(scratch: string): Promise<World> {
  const directory = join(scratch, 'project.git')
  await generateRepository(directory, { commitCount: 150, seed: 5 })
  const found = await readMainLine(directory)
  // Three commits a day, so that days, weeks and pushes all matter.
  const line = {
    ...found,
    times: found.times.map((_, height) => (height === 0 ? Number.NEGATIVE_INFINITY : height * 30_000)),
  }
  const workshop = await Workshop.open(directory, scratch, 1)
  try {
    const measured = await measureLine(line, workshop, {
      coarseLog: GRAIN.coarseLog,
      n0Logs: [0, GRAIN.n0Log],
      lowest: 1,
    })
    return { line, sizes: sizesOf(line, measured) }
  } finally {
    await workshop.close()
  }
}

function sizesOf(line: MainLine, measured: LineSizes): strategies.Sizes {
  const bytesOf = (have: number, want: number): number => (measured.stored[want] ?? 0) - (measured.stored[have] ?? 0)
  return {
    ...measured,
    times: line.times,
    shallow: new Float64Array(line.oids.length).fill(SNAPSHOT_BYTES),
    live: (have, want) => bytesOf(have, want) * 1.1,
    liveShallow: (have, want) => bytesOf(have, want) / 2,
  }
}

/** Counts everything again, pair by pair. */
function recount(demand: readonly Fetch[], take: Take) {
  const all = demand.map((fetch, order) => ({ fetch, order, day: Math.floor(fetch.time / DAY), ...take(fetch) }))
  const sum = { live: 0, packed: 0, within: [0, 0, 0], before: [0, 0, 0], everBefore: 0, overlap: 0 }
  const book = (sums: number[], gapSeconds: number, bytes: number): void =>
    WINDOWS_SECONDS.forEach((seconds, window) => {
      if (gapSeconds <= seconds) sums[window] = (sums[window] ?? 0) + bytes
    })
  for (const mine of all) {
    sum.live += mine.live
    for (const [name, bytes] of mine.packs) {
      const theirs = all.filter((other) => other !== mine && other.packs.has(name))
      const gapTo = (other: (typeof all)[number]): number => Math.abs(other.fetch.time - mine.fetch.time)
      const strangers = theirs.filter(({ fetch }) => fetch.client !== mine.fetch.client)
      const earlier = strangers.filter(({ order }) => order < mine.order)
      sum.packed += bytes
      sum.overlap += bytes * theirs.filter((other) => gapTo(other) <= DAY).length
      book(sum.within, Math.min(Number.POSITIVE_INFINITY, ...strangers.map(gapTo)), bytes)
      book(sum.before, Math.min(Number.POSITIVE_INFINITY, ...earlier.map(gapTo)), bytes)
      if (earlier.length > 0) sum.everBefore += bytes
    }
  }
  const days = new Set(all.map(({ day }) => day)).size
  const distinct = (namesOf: (one: (typeof all)[number]) => readonly string[]) => ({
    all: new Set(all.flatMap(namesOf)).size,
    byDay: new Set(all.flatMap((one) => namesOf(one).map((name) => `${one.day} ${name}`))).size,
    joins: all.flatMap(namesOf).length,
  })
  const packs = distinct((one) => [...one.packs.keys()])
  const swarms = distinct((one) => one.swarms)
  return {
    ...sum,
    packs: packs.all,
    packsPerDay: packs.byDay / days,
    swarms: swarms.all,
    swarmsPerDay: swarms.byDay / days,
    peersPerSwarm: swarms.byDay === 0 ? 0 : swarms.joins / swarms.byDay,
    peersPerByte: sum.packed === 0 ? 0 : sum.overlap / sum.packed,
  }
}

const span = (bytes: Float64Array, low: number, high: number): number => (bytes[high] ?? 0) - (bytes[low] ?? 0)
const heightsOf = ({ line }: World): number[] => [...line.times.keys()].slice(1)

/** Packs that are swarms of their own. */
function named(live: number, packs: readonly (readonly [string, number])[]): Taken {
  return { live, packs: new Map(packs), swarms: packs.map(([name]) => name) }
}

function allLive({ sizes }: World, { have, want, isShallow }: Fetch): Taken {
  return named(isShallow ? SNAPSHOT_BYTES : sizes.live(have, want), [])
}

/** What the engine's own plan has above the client's tip. */
function segmentTaker(world: World): Take {
  const { line, sizes } = world
  const fine = sizes.fine.get(GRAIN.n0Log) ?? sizes.stored
  const levelOf = (height: number): number => (line.zeros[height] ?? -1) - GRAIN.n0Log
  const checkpoints = heightsOf(world)
    .filter((height) => levelOf(height) >= 0)
    .map((height) => ({ oid: `${height}` as Oid, level: levelOf(height), height }))
    .reverse()
  const parameters = { ...GT1, coarseLevel: GRAIN.coarseLog - GRAIN.n0Log }
  return (fetch) => {
    const { have, want } = fetch
    const known = checkpoints.filter(({ height }) => height <= want)
    const links = planChain({ tip: `${want}` as Oid, length: want, checkpoints: known }, parameters)
    const lacking = links.filter(({ tip }) => Number(tip) > have)
    const [newest] = lacking
    if (fetch.isShallow || newest === undefined) return allLive(world, fetch)
    const parts = lacking.flatMap(({ segments }) => segments).filter(({ tip }) => Number(tip) > have)
    const packs = parts.map(({ grain, tip, base }): [string, number] => {
      return [`${grain} ${tip}`, span(grain === 'fine' ? fine : sizes.coarse, Number(base ?? 0), Number(tip))]
    })
    const swarms = lacking.map(({ tip, base }) => `${base} ${tip}`)
    return { live: sizes.live(Number(newest.tip), want), packs: new Map(packs), swarms }
  }
}

/** Every day that brought something above the client's tip comes whole, unless it is not over yet. */
function dayTaker(world: World): Take {
  const { times, daily, live } = world.sizes
  const heights = heightsOf(world)
  const dayOf = (height: number): number => Math.floor((times[height] ?? 0) / DAY)
  return (fetch) => {
    const today = Math.floor(fetch.time / DAY)
    const top = heights.filter((height) => dayOf(height) < today).length
    if (fetch.isShallow || top <= fetch.have) return allLive(world, fetch)
    const days = new Set(heights.filter((height) => height > fetch.have && height <= top).map(dayOf))
    const packs = [...days].map((day): [string, number] => {
      const mine = heights.filter((height) => dayOf(height) === day)
      return [`${day}`, span(daily, (mine[0] ?? 1) - 1, mine.at(-1) ?? 0)]
    })
    return named(live(top, fetch.want), packs)
  }
}

/** Every kind of strategy, and what it should take. */
function pairs(world: World): Readonly<Record<string, readonly [strategies.Strategy, Take]>> {
  const { line, sizes } = world
  const { stored, times, live, liveShallow } = sizes
  const heights = heightsOf(world)
  const table = cutTable(line.zeros)
  const takeSegments = segmentTaker(world)
  const takePair: Take = ({ have, want, isShallow }) => {
    return named(0, [[`${have} ${want} ${isShallow}`, isShallow ? SNAPSHOT_BYTES : live(have, want)]])
  }
  const takeBundle: Take = (fetch) => {
    const midnight = Math.floor(fetch.time / DAY) * DAY
    const top = heights.filter((height) => (times[height] ?? 0) < midnight).length
    if (fetch.isShallow || fetch.have > 0 || top === 0) return allLive(world, fetch)
    return named(live(top, fetch.want), [[`${top}`, live(0, top)]])
  }
  const takeSnapshot: Take = (fetch) => {
    const isCut = (height: number): boolean => (line.zeros[height] ?? -1) >= GRAIN.snapshotLog
    const cut = heights.filter((height) => height <= fetch.want && isCut(height)).at(-1)
    if (!fetch.isShallow || cut === undefined) return takeSegments(fetch)
    return named(liveShallow(cut, fetch.want), [[`snapshot ${cut}`, SNAPSHOT_BYTES]])
  }
  const takeNeeded: Take = ({ have, want, isShallow }) => {
    if (isShallow) return named(0, [['tree', SNAPSHOT_BYTES]])
    const needed = heights.filter((height) => height > have && height <= want)
    return named(
      0,
      needed.map((height) => [`${height}`, span(stored, height - 1, height)]),
    )
  }
  return {
    'pack per pair': [strategies.perPairPacks(sizes), takePair],
    'daily bundle': [strategies.dailyBundle(sizes), takeBundle],
    'pack per day': [strategies.packPerDay(sizes), dayTaker(world)],
    segments: [strategies.segments(sizes, table, GRAIN, false, false), takeSegments],
    'segments and snapshots': [strategies.segments(sizes, table, GRAIN, false, true), takeSnapshot],
    ideal: [strategies.ideal(sizes), takeNeeded],
  }
}

function assertClose(name: string, simulated: Outcome, counted: ReturnType<typeof recount>): void {
  const { all, packs, packsPerDay, swarms, swarmsPerDay, peersPerSwarm, peersPerByte } = simulated
  const { live, packed, within, before, everBefore } = all
  const got = {
    live,
    packed,
    within,
    before,
    everBefore,
    packs,
    packsPerDay,
    swarms,
    swarmsPerDay,
    peersPerSwarm,
    peersPerByte,
  }
  for (const [figure, value] of Object.entries(got)) {
    const expected = counted[figure as keyof typeof got]
    const pairs = [value].flat().map((one, index) => [one, [expected].flat()[index] ?? Number.NaN] as const)
    for (const [one, other] of pairs)
      assert.ok(
        Math.abs(one - other) <= 1e-9 * Math.max(1, other),
        `${name}, ${figure}: simulated ${value}, counted ${expected}`,
      )
  }
}

test('what a simulation says is what counting every pair of fetches says', async () => {
  await withTemporaryDirectory(async (scratch) => {
    const world = await makeWorld(scratch)
    const { times } = world.line
    const end = times.at(-1) ?? 0
    const population = {
      ...POPULATION,
      clonesPerDay: 2,
      shallowClonesPerDay: 2,
      shallowJobsPerPush: 1,
      hourly: 1,
      daily: 4,
      weekly: 2,
      poisson: 3,
    }
    const demand = drawDemand(times, population, { start: end - 14 * DAY, end }, 3)
    assert.ok(demand.length > 150, `${demand.length} fetches`)
    for (const [name, [strategy, take]] of Object.entries(pairs(world))) {
      const counted = recount(demand, take)
      assertClose(name, simulate(strategy, demand, world.sizes), counted)
      assert.ok(counted.packed > 0 && counted.everBefore > 0, name)
    }
  })
})
