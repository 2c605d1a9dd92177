/**
 * Question: what does a clone through the swarm cost, next door to everything, against git's own ways to the same objects?
 * From one warm seeder, `git clone` from `git daemon`, `--bundle-uri`, a web seed, `git index-pack` of the same bytes alone;
 * by length of history and number of cores; then what reading from link packs costs against a fresh repack.
 *   npm run bench:clone -- <repository> [--runs 5] [--growth 10,25,50] [--growth-runs 3] [--cores 1,2] [--core-runs 3]
 *                          [--ways 'bundle-uri,web seed,index-pack alone'] [--minutes <before the last round begins>] [--json <file>] [--name <name>]
 * Whole client processes by turns, over loopback without shaping. Needs /proc for memory and taskset for --cores.
 */

import { measureReading, type ReadingRow } from './clone/reading.ts'
import { type CloneCase, CloneWays } from './clone/ways.ts'
import { DemoWorld } from './demo-world.ts'
import { readEffortOptions } from './effort-options.ts'
import { makeLine, portionOf } from './line-repositories.ts'
import { type Effort, effortOf, ratios, type Spread } from './measure.ts'
import { type About, writeResult } from './result-file.ts'
import { readMainLine } from './sharing/main-line.ts'

export interface CloneRow {
  readonly way: CloneCase['way']
  /** All branches and tags, or the main line alone. */
  readonly scope: 'all' | 'line'
  readonly percent: number
  readonly cores: number
  readonly effort: Effort
  /** Against the plain clone of the same round; null for that one. */
  readonly secondsRatio: Spread | null
  /** As the helper or the web server counted them; null where nothing counts. */
  readonly bytes: { readonly peers: number; readonly origin: number; readonly web: number } | null
  /** Bytes of packs that the clone ends up with. */
  readonly storedBytes: number | null
}

export interface CloneReport extends About {
  readonly bench: 'clone'
  readonly rows: readonly CloneRow[]
  readonly reading: readonly ReadingRow[]
}

function rowOf(one: CloneCase, cases: readonly CloneCase[]): CloneRow {
  const { way, scope, percent, cores, measured, bytes, storedBytes } = one
  const plain = cases.find(
    (other) => other.way === 'plain' && other.scope === scope && other.percent === percent && other.cores === cores,
  )
  const secondsOf = (from: CloneCase): number[] => from.measured.map(({ seconds }) => seconds)
  const secondsRatio = plain === undefined || plain === one ? null : ratios(secondsOf(one), secondsOf(plain))
  return { way, scope, percent, cores, effort: effortOf(measured), secondsRatio, bytes, storedBytes }
}

function printRow({ way, scope, percent, cores, effort, secondsRatio, bytes, storedBytes }: CloneRow): void {
  const { median, min, max, runs } = effort.seconds
  const ratio =
    secondsRatio === null ? '' : `, ${secondsRatio.median} of plain (${secondsRatio.min} to ${secondsRatio.max})`
  const moved = bytes === null ? '' : `; bytes from peers ${bytes.peers}, origin ${bytes.origin}, web ${bytes.web}`
  const what = `${way} (${scope === 'all' ? 'all refs' : 'main line'}, ${percent} %, ${cores} cores)`
  console.log(
    `${what}: ${median} s (${min} to ${max}, ${runs} runs)${ratio}; CPU ${effort.cpuSeconds.median} s, ${effort.peakMiB} MiB${moved}; stored ${storedBytes}`,
  )
}

async function main(): Promise<void> {
  const {
    gitDir,
    run,
    runs,
    growth,
    growthRuns,
    cores,
    coreRuns,
    deadlineMs,
    ways: beside,
    json,
  } = readEffortOptions('clone', '10,25,50')
  const world = await DemoWorld.open()
  const ways = new CloneWays(world)
  try {
    await world.git('clone', '--quiet', '--bare', `file://${gitDir}`, 'origin.git')
    await ways.start()
    const isWanted = ({ way }: CloneCase): boolean =>
      beside === null || way === 'swarm' || way === 'plain' || beside.includes(way)
    const cases = ways.ofWhole(runs).filter(isWanted)
    const line = await readMainLine(gitDir)
    for (const percent of growthRuns > 0 ? growth : []) {
      const portion = portionOf(line, percent)
      if (portion === null) continue
      await makeLine(world, gitDir, portion.tip, `line-${percent}.git`)
      cases.push(...(await ways.ofPortion(percent, growthRuns)))
    }
    for (const count of cores) cases.push(...ways.onCores(count, coreRuns))
    const goesOn = (round: number): boolean => round === 0 || performance.now() < deadlineMs
    for (let round = 0; cases.some((one) => round < one.runs) && goesOn(round); round++)
      for (const one of cases) if (round < one.runs) await ways.measureOnce(one)
    const measured = cases.filter(({ measured }) => measured.length > 0)
    const rows = measured.map((one) => rowOf(one, measured))
    rows.forEach(printRow)
    const reading = await measureReading(world, ways.keptLine, ways.keptPlain, runs)
    for (const row of reading)
      console.log(
        `${row.command}: links ${row.links.median} s, repack ${row.repack.median} s, ratio ${row.ratio.median}`,
      )
    const report: CloneReport = { ...run, bench: 'clone', rows, reading }
    writeResult(json, report)
  } finally {
    await ways.close()
    await world.close()
  }
}

await main()
