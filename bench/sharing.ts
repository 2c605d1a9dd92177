/**
 * Question: of the bytes that the users of a repository fetch, how many could come from each other, with which scheme?
 * Replays the main line's real commit times; every strategy meets the same seeded demand; sizes are measured.
 *   npm run bench:sharing -- <repository> [{"seed":1,"days":365,"threads":4,"json":"file","scales":[1],"population":{…}}]
 */

import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { GT1 } from '../engine/index.ts'
import { Workshop } from '../helper/build/workshop.ts'
import { givenRepository } from './given-repository.ts'
import { randomNumbers } from './random-numbers.ts'
import { about, writeResult } from './result-file.ts'
import { cutTable, fineBaseOf } from './sharing/chain-heights.ts'
import { drawDemand, POPULATION, scaled } from './sharing/demand.ts'
import { interpolate, packLength, ratioBins, type Sample, SizeCache, scaleByBin } from './sharing/git-packs.ts'
import { measureLine } from './sharing/line-sizes.ts'
import { heightAt, readMainLine } from './sharing/main-line.ts'
import { printReport, type Report, type Run } from './sharing/print.ts'
import { simulate } from './sharing/simulate.ts'
import * as strategies from './sharing/strategies.ts'

const DAY_SECONDS = 86400
const CHAIN_N0_LOGS = [0, 2, 3, 4, 5, 6, 8]
/** N0 of the segments that are compared at the coarse cut of gt1; its own is among them. */
const SEGMENT_N0_LOGS = [0, 1, 2, 3]
const BIN_LIMITS = [1e4, 1e5, 1e6, 1e7]
const SAMPLES_PER_BIN = 8
const SHALLOW_POINT_COUNT = 9

const [path, json = '{}'] = process.argv.slice(2)
const given = givenRepository(path, 'npm run bench:sharing -- <repository> [options as JSON]')
const { gitDir } = given
const options = {
  seed: 1,
  days: 365,
  scales: [1, 0.1],
  threads: availableParallelism(),
  json: '',
  name: '',
  ...JSON.parse(json),
}
const settings = { ...options, json: undefined, name: undefined }
const run = about('sharing', options.name || given.name, [`'${JSON.stringify(settings)}'`])
const population = { ...POPULATION, ...options.population }
const started = performance.now()
const line = await readMainLine(gitDir)
const { oids, times, zeros } = line
const top = oids.length - 1
const tip = oids[top] ?? ''
const cache = new SizeCache(join(tmpdir(), 'gittorrent-bench', `sharing-${tip}.json`))
const table = cutTable(zeros)
const n0Log = Math.log2(GT1.checkpointModulus)
const grain = { n0Log, coarseLog: n0Log + GT1.coarseLevel, snapshotLog: n0Log + GT1.snapshotLevel }
const end = times[top] ?? 0
const start = end - options.days * DAY_SECONDS
const first = heightAt(times, start)
const demand = drawDemand(times, population, { start, end }, options.seed)
const workshop = await Workshop.open(gitDir, tmpdir(), options.threads)
const lowest = Math.min(
  ...SEGMENT_N0_LOGS.map((log) => fineBaseOf(table, Math.max(1, first), log, grain.coarseLog - log)),
)
const n0Logs = [...new Set([...CHAIN_N0_LOGS, ...SEGMENT_N0_LOGS])]
const measured = await measureLine(line, workshop, { coarseLog: grain.coarseLog, n0Logs, lowest })
await workshop.close()
const builtMs = performance.now() - started
const bins = ratioBins(await sampleFetches(), BIN_LIMITS)
const cloneRatio = ratioBins(await sampleClones(), [])[0]?.ratio ?? 1
const shallowPoints = await sampleShallow()
const stepRatio = ratioBins(await sampleShallowSteps(), [])[0]?.ratio ?? 1
const span = (have: number, want: number): number =>
  Math.max(0, (measured.stored[want] ?? 0) - (measured.stored[have] ?? 0))
const sizes: strategies.Sizes = {
  ...measured,
  times,
  shallow: Float64Array.from(oids, (_, height) => interpolate(shallowPoints, height)),
  live: (have, want) => (have === 0 ? span(0, want) * cloneRatio : scaleByBin(bins, span(have, want))),
  liveShallow: (have, want) => span(have, want) * stepRatio,
}
const compared = [
  strategies.perPairPacks(sizes),
  strategies.dailyBundle(sizes),
  strategies.packPerDay(sizes),
  ...CHAIN_N0_LOGS.map((log) => strategies.flatChain(sizes, table, log)),
  ...[1, 2].flatMap((growth) => CHAIN_N0_LOGS.map((log) => strategies.chainOfPacks(sizes, table, log, growth))),
  ...SEGMENT_N0_LOGS.map((log) => strategies.segments(sizes, table, { ...grain, n0Log: log }, false, false)),
  strategies.segments(sizes, table, grain, true, false),
  strategies.segments(sizes, table, grain, false, true),
  strategies.ideal(sizes),
]
const simulating = performance.now()
const runs = options.scales.map(runOf)
const report: Report = {
  ...run,
  bench: 'sharing',
  tip,
  heights: top,
  commitsInWindow: top - first,
  seed: options.seed,
  days: options.days,
  calibration: {
    gitOverStored: bins,
    gitCloneOverStored: cloneRatio,
    shallowPoints,
    shallowStepOverStored: stepRatio,
    fineOverStored: measured.fineRatios,
    dailyOverStored: measured.dailyRatio,
  },
  seconds: {
    build: builtMs / 1e3,
    sample: (simulating - started - builtMs) / 1e3,
    simulate: (performance.now() - simulating) / 1e3,
  },
  runs,
}
console.log(printReport(report))
writeResult(options.json, report)

function runOf(scale: number): Run {
  const mine = scaled(population, scale)
  const fetches = scale === 1 ? demand : drawDemand(times, mine, { start, end }, options.seed)
  const outcomes = compared.map((strategy) => simulate(strategy, fetches, sizes))
  return { scale, population: mine, fetches: fetches.length, outcomes }
}

function measurePack(have: number, want: number, isShallow: boolean): Promise<number> {
  const key = `${gitDir} ${have} ${want} ${isShallow}`
  return cache.get(key, () => packLength(gitDir, have === 0 ? null : (oids[have] ?? ''), oids[want] ?? '', isShallow))
}

/** Some pairs of every size class, drawn from the demand. */
async function sampleFetches(): Promise<Sample[]> {
  const stored = (have: number, want: number): number => (measured.stored[want] ?? 0) - (measured.stored[have] ?? 0)
  const pairs = demand.filter(({ have }) => have > 0)
  const next = randomNumbers(options.seed)
  const samples: Sample[] = []
  for (const [index, limit] of [...BIN_LIMITS, Number.POSITIVE_INFINITY].entries()) {
    const inBin = pairs.filter(({ have, want }) => {
      const bytes = stored(have, want)
      return bytes > (BIN_LIMITS[index - 1] ?? 0) && bytes <= limit
    })
    for (let i = 0; i < Math.min(SAMPLES_PER_BIN, inBin.length); i++) {
      const pair = inBin[Math.floor((next(65536) / 65536) * inBin.length)]
      if (pair === undefined) continue
      const { have, want } = pair
      samples.push({ stored: stored(have, want), measured: await measurePack(have, want, false) })
    }
  }
  return samples
}

async function sampleClones(): Promise<Sample[]> {
  const samples: Sample[] = []
  for (const want of [Math.max(1, first), (first + top) >> 1, top]) {
    samples.push({ stored: measured.stored[want] ?? 0, measured: await measurePack(0, want, false) })
  }
  return samples
}

async function sampleShallow(): Promise<{ at: number; value: number }[]> {
  const points: { at: number; value: number }[] = []
  for (let i = 0; i < SHALLOW_POINT_COUNT; i++) {
    const at = Math.max(1, Math.round(first + ((top - first) * i) / (SHALLOW_POINT_COUNT - 1)))
    points.push({ at, value: await measurePack(0, at, true) })
  }
  return points
}

/** From the nearest snapshots to evenly spaced tips. */
async function sampleShallowSteps(): Promise<Sample[]> {
  const samples: Sample[] = []
  for (let i = 1; i <= SHALLOW_POINT_COUNT; i++) {
    const want = Math.round(first + ((top - first) * i) / SHALLOW_POINT_COUNT)
    const have = table[grain.snapshotLog]?.[want] ?? 0
    if (have === 0 || have === want) continue
    const stored = (measured.stored[want] ?? 0) - (measured.stored[have] ?? 0)
    samples.push({ stored, measured: await measurePack(have, want, true) })
  }
  return samples
}
