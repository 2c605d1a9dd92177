/**
 * Question: what does it cost to build all links of a repository, against `git repack -adF --window=10 --depth=50` of the
 * same objects? Bytes, seconds, processor seconds, memory; by length of history, and by number of cores.
 *   npm run bench:build -- <repository> [--runs 5] [--growth 10,25,50,75] [--growth-runs 3] [--cores 1,2] [--core-runs 3]
 *                          [--minutes <before the last round begins>] [--json <file>] [--name <name>]
 * Whole processes by turns, main line only, all cores unless told. Needs /proc for memory and taskset for --cores.
 */

import { availableParallelism } from 'node:os'
import { DemoWorld } from './demo-world.ts'
import { readEffortOptions } from './effort-options.ts'
import { copyRepository, makeLine, type Portion, packBytes, portionOf } from './line-repositories.ts'
import { type Effort, effortOf, type Measured, measure, ratios, type Spread } from './measure.ts'
import { type About, writeResult } from './result-file.ts'
import { readMainLine } from './sharing/main-line.ts'

export interface BuildRow {
  /** How much of the first-parent history, and on how many cores. */
  readonly percent: number
  readonly cores: number
  readonly commits: number
  readonly objects: number
  readonly links: number
  readonly linkBytes: number
  readonly repackBytes: number
  readonly build: Effort
  readonly repack: Effort
  /** Of neighbouring runs. */
  readonly secondsRatio: Spread
  /** The same command when everything is stored. */
  readonly again: Effort
}

export interface BuildReport extends About {
  readonly bench: 'build'
  readonly tip: string
  readonly rows: readonly BuildRow[]
}

interface Case {
  readonly portion: Portion
  readonly cores: number
  readonly runs: number
  readonly build: Measured[]
  readonly again: Measured[]
  readonly repack: Measured[]
  repackBytes: number
}

interface Chain {
  readonly bytes: number
  readonly links: readonly { readonly objects: number; readonly commits: number }[]
}

/** One build from nothing, one with everything stored, one repack, of the same objects from the same pack. */
async function measureOnce(world: DemoWorld, one: Case): Promise<void> {
  const { percent } = one.portion
  const cores = one.cores < availableParallelism() ? { cores: one.cores } : {}
  await copyRepository(world, `line-${percent}.git`, 'ours.git')
  await copyRepository(world, `line-${percent}.git`, 'theirs.git')
  one.build.push(await measure(world, 'gittorrent chain ours.git --json', cores))
  one.again.push(await measure(world, 'gittorrent chain ours.git --json', cores))
  const repack = `git -C theirs.git repack -adFq --window=10 --depth=50 --threads=${one.cores}`
  one.repack.push(await measure(world, repack, cores))
  one.repackBytes = await packBytes(world, 'theirs.git')
}

function rowOf({ portion, cores, build, again, repack, repackBytes }: Case): BuildRow {
  const chain: Chain = JSON.parse(build[0]?.stdout ?? '')
  const secondsOf = (runs: readonly Measured[]): number[] => runs.map(({ seconds }) => seconds)
  return {
    percent: portion.percent,
    cores,
    commits: chain.links.reduce((sum, { commits }) => sum + commits, 0),
    objects: chain.links.reduce((sum, { objects }) => sum + objects, 0),
    links: chain.links.length,
    linkBytes: chain.bytes,
    repackBytes,
    build: effortOf(build),
    repack: effortOf(repack),
    secondsRatio: ratios(secondsOf(build), secondsOf(repack)),
    again: effortOf(again),
  }
}

function printRow({
  percent,
  cores,
  commits,
  linkBytes,
  repackBytes,
  build,
  repack,
  secondsRatio,
  again,
}: BuildRow): void {
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(2)
  const { median, min, max, runs } = secondsRatio
  console.log(
    `${percent} % (${commits} commits), ${cores} cores: ${mb(linkBytes)} MB of links, ${mb(repackBytes)} MB repacked, ratio ${(linkBytes / repackBytes).toFixed(3)}; ` +
      `build ${build.seconds.median} s, repack ${repack.seconds.median} s, ratio ${median} (${min} to ${max}, ${runs} runs); ` +
      `memory ${build.peakMiB} and ${repack.peakMiB} MiB; again ${again.seconds.median} s`,
  )
}

async function main(): Promise<void> {
  const { gitDir, run, runs, growth, growthRuns, cores, coreRuns, deadlineMs, json } = readEffortOptions(
    'build',
    '10,25,50,75',
  )
  const line = await readMainLine(gitDir)
  const all = availableParallelism()
  const caseOf = (percent: number, coreCount: number, runCount: number): Case[] => {
    const portion = portionOf(line, percent)
    return portion === null
      ? []
      : [{ portion, cores: coreCount, runs: runCount, build: [], again: [], repack: [], repackBytes: 0 }]
  }
  const cases = [
    ...caseOf(100, all, runs),
    ...growth.flatMap((percent) => caseOf(percent, all, growthRuns)),
    ...cores.filter((count) => count < all).flatMap((count) => caseOf(100, count, coreRuns)),
  ].filter((one) => one.runs > 0)
  const world = await DemoWorld.open()
  try {
    for (const { percent, tip } of new Map(cases.map(({ portion }) => [portion.percent, portion])).values())
      await makeLine(world, gitDir, tip, `line-${percent}.git`)
    const goesOn = (round: number): boolean => round === 0 || performance.now() < deadlineMs
    for (let round = 0; cases.some((one) => round < one.runs) && goesOn(round); round++)
      for (const one of cases) if (round < one.runs) await measureOnce(world, one)
    const rows = cases.map(rowOf)
    rows.forEach(printRow)
    const report: BuildReport = { ...run, bench: 'build', tip: line.oids.at(-1) ?? '', rows }
    writeResult(json, report)
  } finally {
    await world.close()
  }
}

await main()
