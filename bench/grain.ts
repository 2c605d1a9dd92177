/**
 * Question: which N0 and G? For each pair one row: bytes and depth of a full clone, what must travel live, what periodic
 * fetchers share, how long the segment table is, what a new commit costs. Real builds; replays of the last two years.
 *   npm run bench:grain -- <repository> [{"threads":4,"years":2,"json":"file"}]
 */

import { availableParallelism, tmpdir } from 'node:os'
import { GT1, type Line, type Oid, planChain } from '../engine/index.ts'
import { Workshop } from '../helper/build/workshop.ts'
import { givenRepository } from './given-repository.ts'
import { about, writeResult } from './result-file.ts'
import { cutTable, fineBaseOf } from './sharing/chain-heights.ts'
import type { GrainReport, GrainRow } from './sharing/grain-report.ts'
import { type CutSegment, LineBuild } from './sharing/line-builds.ts'
import { heightAt, newestCut, readMainLine } from './sharing/main-line.ts'
import { addTotals, replayPeriodic } from './sharing/replay.ts'

const N0_LOGS = [0, 1, 2, 3, 4]
const COARSE_LOGS = [4, 5, 6, 7, 8]
/** The cut whose entry sizes stand for "bytes of an object" wherever one yardstick is needed: N0 · 2^G = 64. */
const YARDSTICK_LOG = 6
const YEAR_SECONDS = 365.25 * 86400
const PERIODS = { hourly: 3600, daily: 86400, weekly: 604800, monthly: YEAR_SECONDS / 12 }
const PHASE_COUNT = 12
const MOMENT_COUNT = 400

const [path, json = '{}'] = process.argv.slice(2)
const given = givenRepository(path, 'npm run bench:grain -- <repository> [options as JSON]')
const { gitDir } = given
const options = { threads: availableParallelism(), years: 2, json: '', name: '', ...JSON.parse(json) }
const name = options.name || given.name
const run = about('grain', name, [`'${JSON.stringify({ ...options, json: undefined, name: undefined })}'`])
const line = await readMainLine(gitDir)
const { times, zeros, oids } = line
const top = oids.length - 1
const table = cutTable(zeros)
const end = times[top] ?? 0
const start = end - options.years * YEAR_SECONDS
const workshop = await Workshop.open(gitDir, tmpdir(), options.threads)
const moments = Array.from({ length: MOMENT_COUNT }, (_, i) =>
  heightAt(times, start + ((i + 0.5) / MOMENT_COUNT) * (end - start)),
).filter((height) => height > 0)
const bytesUpTo = new Float64Array(oids.length)
const rows: GrainRow[] = []

interface ChainShape {
  readonly top: number
  /** Lowest height of a fine segment's base; the coarse ones begin there. */
  readonly fineBase: number
  readonly fineCount: number
  readonly coarseCount: number
  readonly linkCount: number
}

await measureYardstick()
for (const coarseLog of COARSE_LOGS) await measureCoarse(coarseLog)
await workshop.close()
rows.sort((a, b) => a.N0 - b.N0 || a.G - b.G)
printTable()
const report: GrainReport = { ...run, bench: 'grain', rows }
writeResult(options.json, report)

/** Cuts for `log`, ascending, ending at the top whether or not it is a checkpoint. */
function cutsOf(log: number): number[] {
  const cuts: number[] = []
  for (let height = 1; height <= top; height++) if ((zeros[height] ?? -1) >= log || height === top) cuts.push(height)
  return cuts
}

/** Fills `bytesUpTo` above the lowest height that a replay or a chain looks at: real sizes, real membership. */
async function measureYardstick(): Promise<void> {
  const build = new LineBuild(line, workshop)
  const sizes: number[] = []
  await build.buildCoarse(cutsOf(YARDSTICK_LOG), (row, byteCount) => {
    sizes[row] = byteCount
  })
  const first = Math.max(0, heightAt(times, start) - 2048)
  const base = newestCut(zeros, YARDSTICK_LOG)[first] ?? 0
  const heights = Array.from({ length: top - base }, (_, index) => base + 1 + index)
  let sum = 0
  const ends: number[] = []
  const segments = await build.buildFine(base, heights, (row) => {
    const known = build.state.find(build.rows.oidOf(row))
    sum += sizes[known] ?? 0
    ends.push(sum)
  })
  let at = 0
  for (const segment of segments) {
    at += segment.objectCount
    bytesUpTo[segment.tip] = ends[at - 1] ?? 0
  }
}

function chainShape(tip: number, n0Log: number, coarseLog: number): ChainShape {
  const checkpoints: { oid: Oid; level: number; height: number }[] = []
  for (let height = tip; height > 0; height--) {
    const zeroCount = zeros[height] ?? -1
    if (zeroCount >= n0Log) checkpoints.push({ oid: oids[height] as Oid, level: zeroCount - n0Log, height })
  }
  const planned: Line = { tip: oids[tip] as Oid, length: tip, checkpoints }
  const links = planChain(planned, { ...GT1, checkpointModulus: 2 ** n0Log, coarseLevel: coarseLog - n0Log })
  const segments = links.flatMap((link) => link.segments)
  const fine = segments.filter((segment) => segment.grain === 'fine')
  const heightOf = new Map(checkpoints.map(({ oid, height }) => [oid as string, height]))
  const bases = fine.map((segment) => (segment.base === null ? 0 : (heightOf.get(segment.base) ?? 0)))
  return {
    top: checkpoints[0]?.height ?? 0,
    fineBase: bases.length === 0 ? (checkpoints[0]?.height ?? 0) : Math.min(...bases),
    fineCount: fine.length,
    coarseCount: segments.length - fine.length,
    linkCount: links.length,
  }
}

async function measureCoarse(coarseLog: number): Promise<void> {
  const build = new LineBuild(line, workshop)
  let cpu = process.cpuUsage()
  const coarse = await build.buildCoarse(cutsOf(coarseLog))
  const coarseCpuMs = process.cpuUsage(cpu).user / 1e3 / top
  for (const n0Log of N0_LOGS) {
    if (n0Log > coarseLog) continue
    const shapes = moments.map((tip) => chainShape(tip, n0Log, coarseLog))
    shapes.push(chainShape(top, n0Log, coarseLog))
    const below = newestCut(zeros, coarseLog)
    const lowest = below[shapes.reduce((low, { fineBase }) => Math.min(low, fineBase), top)] ?? 0
    cpu = process.cpuUsage()
    const fine = n0Log === coarseLog ? [] : await build.buildFine(lowest, cutsOf(n0Log))
    const fineCpuMs = process.cpuUsage(cpu).user / 1e3 / (top - lowest)
    rows.push(rowOf(n0Log, coarseLog, { coarse, fine, shapes, lowest, coarseCpuMs, fineCpuMs }))
  }
}

interface Measured {
  readonly coarse: readonly CutSegment[]
  readonly fine: readonly CutSegment[]
  readonly shapes: readonly ChainShape[]
  readonly lowest: number
  readonly coarseCpuMs: number
  readonly fineCpuMs: number
}

function rowOf(n0Log: number, coarseLog: number, measured: Measured): GrainRow {
  const { coarse, fine, shapes, lowest } = measured
  const coarseUpTo = sumsByHeight(coarse)
  const fineUpTo = sumsByHeight(fine)
  const head = shapes[shapes.length - 1]
  const past = shapes.slice(0, -1)
  const fineOf = ({ top: high, fineBase }: ChainShape): number => span(fineUpTo, fineBase, high)
  const below = newestCut(zeros, coarseLog)
  const checkpoint = newestCut(zeros, n0Log)
  const chainBytes = (shape: ChainShape): number => (coarseUpTo[shape.fineBase] ?? 0) + fineOf(shape)
  const nearBytes = (shape: ChainShape): number => {
    const base = below[shape.top] ?? 0
    return (coarseUpTo[base] ?? 0) + span(fineUpTo, base, shape.top)
  }
  const settled = below[top] ?? 0
  const heldCut = (have: number, want: number): number =>
    (have >= fineBaseOf(table, want, n0Log, coarseLog - n0Log) ? checkpoint : below)[have] ?? 0
  const shares: Record<string, number> = {}
  for (const [period, seconds] of Object.entries(PERIODS)) {
    const totals = addTotals(
      Array.from({ length: PHASE_COUNT }, (_, phase) =>
        replayPeriodic(
          { times, bytesUpTo },
          { checkpoint, heldCut },
          {
            start: start + (seconds * phase) / PHASE_COUNT,
            end,
            period: seconds,
          },
        ),
      ),
    )
    shares[`${period}Commits`] = totals.commitsShared / totals.commits
    shares[`${period}Bytes`] = totals.bytesShared / totals.bytes
    shares[`${period}Again`] = totals.bytesAgain / totals.bytes
  }
  return {
    repository: name,
    N0: 2 ** n0Log,
    G: coarseLog - n0Log,
    cut: 2 ** coarseLog,
    commitsInWindow: top - heightAt(times, start),
    headBytes: head === undefined ? 0 : chainBytes(head),
    headBytesNear: head === undefined ? 0 : nearBytes(head),
    averageFineBytes: average(past.map(fineOf)),
    averageChainBytes: average(past.map(chainBytes)),
    averageNearBytes: average(past.map(nearBytes)),
    averageFineNearBytes: average(past.map((shape) => span(fineUpTo, below[shape.top] ?? 0, shape.top))),
    fineOverCoarse: span(fineUpTo, lowest, settled) / span(coarseUpTo, lowest, settled),
    depthMax: Math.max(...[...coarse, ...fine].map((segment) => segment.depthMax)),
    liveCommits: average(moments.map((tip) => tip - (checkpoint[tip] ?? 0))),
    liveBytes: average(moments.map((tip) => span(bytesUpTo, checkpoint[tip] ?? 0, tip))),
    ...shares,
    tableSegments: average(past.map(({ fineCount, coarseCount }) => fineCount + coarseCount)),
    tableFine: average(past.map(({ fineCount }) => fineCount)),
    links: average(past.map(({ linkCount }) => linkCount)),
    bytesPerCommitFine: span(fineUpTo, lowest, checkpoint[top] ?? 0) / Math.max(1, (checkpoint[top] ?? 0) - lowest),
    bytesPerCommitCoarse: span(coarseUpTo, lowest, top) / Math.max(1, top - lowest),
    fineCpuMs: measured.fineCpuMs,
    coarseCpuMs: measured.coarseCpuMs,
  }
}

/** Bytes of all segments up to each height, at heights where one ends and above. */
function sumsByHeight(segments: readonly CutSegment[]): Float64Array {
  const sums = new Float64Array(line.oids.length)
  for (const { tip, byteCount } of segments) sums[tip] = byteCount
  for (let height = 1; height < sums.length; height++) sums[height] = (sums[height] ?? 0) + (sums[height - 1] ?? 0)
  return sums
}

function span(sums: Float64Array, low: number, high: number): number {
  return Math.max(0, (sums[high] ?? 0) - (sums[low] ?? 0))
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}

function printTable(): void {
  const mb = (bytes: unknown): string => (Number(bytes) / 1e6).toFixed(2)
  const kb = (bytes: unknown): string => (Number(bytes) / 1e3).toFixed(1)
  const percent = (share: unknown): string => `${(Number(share) * 100).toFixed(0)}`
  const periods = Object.keys(PERIODS)
  const columns = ['repository', 'N0', 'G', 'cut', 'chain MB', 'near MB', 'fine kB', 'fine/coarse', 'depth']
  columns.push('live commits', 'live kB', 'commits % h/d/w/m', 'bytes % h/d/w/m', 'again % h/d/w/m')
  columns.push('table', 'of it fine', 'links', 'kB/commit fine+coarse', 'CPU ms/commit fine+coarse')
  console.log(`| ${columns.join(' | ')} |\n|${columns.map(() => '---|').join('')}`)
  for (const row of rows) {
    const of = (kind: string): string => periods.map((period) => percent(row[period + kind])).join(' / ')
    const cells: (string | number | undefined)[] = [
      row.repository,
      row.N0,
      row.G,
      row.cut,
      mb(row.averageChainBytes),
      mb(row.averageNearBytes),
    ]
    cells.push(kb(row.averageFineBytes), Number(row.fineOverCoarse).toFixed(2), row.depthMax)
    cells.push(Number(row.liveCommits).toFixed(1), kb(row.liveBytes), of('Commits'), of('Bytes'), of('Again'))
    cells.push(Number(row.tableSegments).toFixed(0), Number(row.tableFine).toFixed(0))
    cells.push(Number(row.links).toFixed(1))
    cells.push(`${kb(row.bytesPerCommitFine)} + ${kb(row.bytesPerCommitCoarse)}`)
    cells.push(`${Number(row.fineCpuMs).toFixed(1)} + ${Number(row.coarseCpuMs).toFixed(1)}`)
    console.log(`| ${cells.join(' | ')} |`)
  }
}
