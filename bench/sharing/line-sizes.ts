/**
 * Bytes by height from real builds: stored sizes of objects, fine and coarse segments of gt1, one pack per day. Fine
 * segments and single commits are built where the demand can reach them; further down they follow the stored sizes.
 */

import type { Workshop } from '../../helper/build/workshop.ts'
import { type CutSegment, LineBuild } from './line-builds.ts'
import { type MainLine, newestCut } from './main-line.ts'

const DAY_SECONDS = 86400

export interface LineSizes {
  readonly stored: Float64Array
  readonly fine: ReadonlyMap<number, Float64Array>
  readonly coarse: Float64Array
  readonly daily: Float64Array
  readonly dayEnd: Int32Array
  /** By N0: bytes of its fine segments over stored bytes of the same objects, in the part that was built. */
  readonly fineRatios: Readonly<Record<number, number>>
  readonly dailyRatio: number
}

/** Builds everything; `lowest` is the height below which no fine segment is needed. */
export async function measureLine(
  line: MainLine,
  workshop: Workshop,
  cuts: { readonly coarseLog: number; readonly n0Logs: readonly number[]; readonly lowest: number },
): Promise<LineSizes> {
  const { coarseLog, lowest } = cuts
  const top = line.oids.length - 1
  const build = new LineBuild(line, workshop)
  const sizes: number[] = []
  const coarseSegments = await build.buildCoarse(cutHeights(line.zeros, coarseLog), (row, byteCount) => {
    sizes[row] = byteCount
  })
  const base = newestCut(line.zeros, coarseLog)[lowest] ?? 0
  const single = await measureSingles(build, base, top, sizes)
  const coarse = sumsByHeight(coarseSegments, top)
  const stored = storedByHeight(coarse, coarseSegments, single.storedUpTo, base)
  const fine = new Map<number, Float64Array>()
  const fineRatios: Record<number, number> = {}
  for (const log of cuts.n0Logs) {
    const heights = cutHeights(line.zeros, log).filter((height) => height > base)
    let bytes: Float64Array
    if (log === 0) bytes = sumsByHeight(single.segments, top)
    else if (log < coarseLog) bytes = sumsByHeight(await build.buildFine(base, heights), top)
    else if (log === coarseLog) bytes = coarse
    else bytes = sumsByHeight(await new LineBuild(line, workshop).buildCoarse(cutHeights(line.zeros, log)), top)
    const from = log < coarseLog ? base : 0
    const ratio = between(bytes, from, top) / between(stored, from, top)
    fineRatios[2 ** log] = ratio
    fine.set(log, log < coarseLog ? continueBelow(bytes, stored, base, ratio) : bytes)
  }
  const dayEnd = dayEnds(line.times)
  const days = [...new Set([...dayEnd, top])].filter((height) => height > 0).sort((a, b) => a - b)
  const daily = sumsByHeight(await new LineBuild(line, workshop).buildCoarse(days), top)
  return { stored, fine, coarse, daily, dayEnd, fineRatios, dailyRatio: (daily[top] ?? 0) / (stored[top] ?? 1) }
}

/** For each height, the newest height at or below it that was the last one of a UTC day; 0 is none. */
export function dayEnds(times: Float64Array): Int32Array {
  const dayOf = (height: number): number => Math.floor((times[height] ?? 0) / DAY_SECONDS)
  const ends = new Int32Array(times.length)
  for (let height = 1; height < ends.length; height++) {
    const isEnd = height + 1 < ends.length && dayOf(height) !== dayOf(height + 1)
    ends[height] = isEnd ? height : (ends[height - 1] ?? 0)
  }
  return ends
}

/** Heights with at least `log` zero bits, ascending, and the top. */
function cutHeights(zeros: Int8Array, log: number): number[] {
  const heights: number[] = []
  for (let height = 1; height < zeros.length; height++) {
    if ((zeros[height] ?? -1) >= log || height === zeros.length - 1) heights.push(height)
  }
  return heights
}

/** Every height above `base` as a segment of its own; and the stored bytes, as coarse, of everything from there up to it. */
async function measureSingles(build: LineBuild, base: number, top: number, sizes: readonly number[]) {
  const ends: number[] = []
  let sum = 0
  const heights = Array.from({ length: top - base }, (_, index) => base + 1 + index)
  const segments = await build.buildFine(base, heights, (row) => {
    sum += sizes[build.state.find(build.rows.oidOf(row))] ?? 0
    ends.push(sum)
  })
  const storedUpTo = new Map<number, number>()
  let at = 0
  for (const { tip, objectCount } of segments) {
    at += objectCount
    storedUpTo.set(tip, ends[at - 1] ?? 0)
  }
  return { segments, storedUpTo }
}

/** Coarse segments below `base` are spread evenly over their heights; above, the singles are exact. */
function storedByHeight(
  coarse: Float64Array,
  segments: readonly CutSegment[],
  single: ReadonlyMap<number, number>,
  base: number,
): Float64Array {
  const stored = new Float64Array(coarse.length)
  for (const segment of segments) {
    if (segment.tip > base) break
    for (let height = segment.base + 1; height <= segment.tip; height++) {
      const part = (height - segment.base) / (segment.tip - segment.base)
      stored[height] = (stored[segment.base] ?? 0) + segment.byteCount * part
    }
  }
  for (let height = base + 1; height < stored.length; height++) {
    stored[height] = (stored[base] ?? 0) + (single.get(height) ?? 0)
  }
  return stored
}

/** Real sums above `base` on top of stored bytes times `ratio` below. */
function continueBelow(bytes: Float64Array, stored: Float64Array, base: number, ratio: number): Float64Array {
  return bytes.map((sum, height) => (stored[Math.min(height, base)] ?? 0) * ratio + (height > base ? sum : 0))
}

/** Bytes of all segments up to each height; between the ends of two segments the sum of the older one. */
export function sumsByHeight(segments: readonly CutSegment[], top: number): Float64Array {
  const sums = new Float64Array(top + 1)
  for (const { tip, byteCount } of segments) sums[tip] = byteCount
  for (let height = 1; height <= top; height++) sums[height] = (sums[height] ?? 0) + (sums[height - 1] ?? 0)
  return sums
}

function between(bytesUpTo: Float64Array, low: number, high: number): number {
  return (bytesUpTo[high] ?? 0) - (bytesUpTo[low] ?? 0)
}
