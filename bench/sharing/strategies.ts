/**
 * The ways to meet one fetch that are compared: which packs it takes whole, which ranges of segments, what is left to
 * negotiate live. Pure functions of heights and sizes. Where a pack brings bytes that the client has, it is taken only
 * if it brings at least as many new ones, unless the strategy says otherwise; the rest is negotiated live.
 */

import { type CutTable, chainHeights, cutBelow, fineBaseOf } from './chain-heights.ts'
import type { Fetch } from './demand.ts'
import { heightAt } from './main-line.ts'

const DAY_SECONDS = 86400

export interface Sizes {
  /** By height: stored bytes of every object up to it, each once, as the coarse segments hold them. */
  readonly stored: Float64Array
  /** By log2 of N0, by height: bytes of the fine segments up to it. */
  readonly fine: ReadonlyMap<number, Float64Array>
  /** By height: bytes of the coarse segments of gt1 up to it, and of one pack per day. */
  readonly coarse: Float64Array
  readonly daily: Float64Array
  /** By height: the newest height at or below it that was the last of its UTC day. */
  readonly dayEnd: Int32Array
  /** By height: when it was public, Unix seconds. */
  readonly times: Float64Array
  /** By height: the pack of a clone of depth 1. */
  readonly shallow: Float64Array
  /** The pack that git makes for (have, want); `have` 0 is a clone. */
  live(have: number, want: number): number
  /** The same between two commits without history. */
  liveShallow(have: number, want: number): number
}

/** Which heights end a segment on a line of ranges, and the bytes up to each. */
export interface RangeLine {
  readonly bytesUpTo: Float64Array
  readonly isCut: (height: number) => boolean
}

export interface Plan {
  readonly live: number
  readonly items: readonly { readonly id: string; readonly byteCount: number }[]
  readonly ranges: readonly { readonly line: number; readonly low: number; readonly high: number }[]
  /** Swarms that are joined, where they are neither the items nor the segments of the ranges. */
  readonly swarms?: readonly string[]
}

export interface Strategy {
  readonly name: string
  readonly note: string
  readonly lines: readonly RangeLine[]
  plan(fetch: Fetch): Plan
}

/** Constants of gt1 as logarithms: N0, N0 · 2^G, and N0 · 2^level for the checkpoints that have snapshots. */
export interface Grain {
  readonly n0Log: number
  readonly coarseLog: number
  readonly snapshotLog: number
}

/** The original: one pack per (have, want). */
export function perPairPacks(sizes: Sizes): Strategy {
  return {
    name: 'pack per pair',
    note: 'the 2015 design: one pack for each (have, want), shared by whoever asks for exactly the same',
    lines: [],
    plan: ({ have, want, isShallow }) => ({
      live: 0,
      items: [
        { id: `${isShallow ? 'shallow ' : ''}${have} ${want}`, byteCount: wholeBytes(sizes, have, want, isShallow) },
      ],
      ranges: [],
    }),
  }
}

/** One bundle of all history per day, for clones. */
export function dailyBundle(sizes: Sizes): Strategy {
  return {
    name: 'daily bundle',
    note: 'one bundle of everything per day, taken by clones (bundle-uri); fetches and what is newer come live',
    lines: [],
    plan: ({ have, want, isShallow, time }) => {
      const day = heightAtMidnight(sizes, time)
      if (isShallow || have > 0 || day === 0) return liveOnly(sizes, have, want, isShallow)
      return { live: sizes.live(day, want), items: [{ id: `${day}`, byteCount: sizes.live(0, day) }], ranges: [] }
    },
  }
}

/** One pack per day, each on top of the last. */
export function packPerDay(sizes: Sizes): Strategy {
  const { daily, dayEnd } = sizes
  return {
    name: 'pack per day',
    note: 'what each day brought is one pack (GVFS prefetch packs, with blobs); what is newer comes live',
    lines: [{ bytesUpTo: daily, isCut: (height) => dayEnd[height] === height }],
    plan: ({ have, want, isShallow, time }) => {
      const low = dayEnd[have] ?? 0
      const high = heightAtMidnight(sizes, time)
      if (isShallow || high <= have) return liveOnly(sizes, have, want, isShallow)
      return { live: sizes.live(high, want), items: [], ranges: [{ line: 0, low, high }] }
    },
  }
}

/** A chain whose links are packs of their own: the checkpoint rule of 2015, with other constants. */
export function chainOfPacks(sizes: Sizes, table: CutTable, n0Log: number, growthLog: number): Strategy {
  const fine = sizes.fine.get(n0Log) ?? sizes.stored
  const isTiled = (low: number, high: number): boolean => high - low < 64 || growthLog === 0
  return {
    name: `chain N0=${2 ** n0Log} growth ${2 ** growthLog}`,
    note: 'every link is a pack of its own; nothing of a link is used for another',
    lines: [],
    plan: ({ have, want, isShallow }) => {
      const heights = chainHeights(table, want, n0Log, growthLog)
      const items: { id: string; byteCount: number }[] = []
      if (isShallow || (heights[0] ?? 0) <= have) return liveOnly(sizes, have, want, isShallow)
      let live = sizes.live(heights[0] ?? 0, want)
      for (let hop = 0; hop + 1 < heights.length && (heights[hop] ?? 0) > have; hop++) {
        const high = heights[hop] ?? 0
        const low = heights[hop + 1] ?? 0
        const again = low < have ? between(sizes.stored, low, have) : 0
        const byteCount = between(isTiled(low, high) ? fine : sizes.stored, low, high)
        if (again <= byteCount - again) items.push({ id: `${low} ${high}`, byteCount })
        else live += sizes.live(have, high)
      }
      return { live, items, ranges: [] }
    },
  }
}

/** The same with links of one segment each (growth 1), where sharing goes by ranges. */
export function flatChain(sizes: Sizes, table: CutTable, n0Log: number): Strategy {
  const fine = sizes.fine.get(n0Log) ?? sizes.stored
  return {
    name: `chain N0=${2 ** n0Log} growth 1`,
    note: 'every segment between two checkpoints is a pack and a swarm of its own',
    lines: [{ bytesUpTo: fine, isCut: (height) => cutBelow(table, n0Log, height) === height }],
    plan: ({ have, want, isShallow }) => {
      const high = cutBelow(table, n0Log, want)
      if (isShallow || high <= have) return liveOnly(sizes, have, want, isShallow)
      return { live: sizes.live(high, want), items: [], ranges: [{ line: 0, low: cutBelow(table, n0Log, have), high }] }
    },
  }
}

/**
 * gt1: links are tiled by segments, and only the segments that are lacking are taken, in whatever link they stand. With
 * `isFrugal` a segment that the client has in part is negotiated live where that is cheaper.
 */
export function segments(
  sizes: Sizes,
  table: CutTable,
  grain: Grain,
  isFrugal: boolean,
  hasSnapshots: boolean,
): Strategy {
  const { n0Log, coarseLog, snapshotLog } = grain
  const fine = sizes.fine.get(n0Log) ?? sizes.stored
  const lineOf = (log: number, bytesUpTo: Float64Array): RangeLine => ({
    bytesUpTo,
    isCut: (height) => cutBelow(table, log, height) === height,
  })
  const variants = [isFrugal ? 'frugal' : '', hasSnapshots ? 'snapshots' : ''].filter((word) => word !== '')
  const partly = isFrugal ? 'comes live where that is cheaper' : 'is taken whole'
  const snapshots = hasSnapshots ? '; depth 1 starts from the nearest snapshot' : ''
  return {
    name: [`segments N0=${2 ** n0Log} G=${coarseLog - n0Log}`, ...variants].join(' + '),
    note: `links tiled by fine and coarse segments, only what is lacking is taken; a segment held in part ${partly}${snapshots}`,
    lines: [lineOf(n0Log, fine), lineOf(coarseLog, sizes.coarse)],
    plan: ({ have, want, isShallow }) => {
      if (isShallow && hasSnapshots) return snapshotPlan(sizes, cutBelow(table, snapshotLog, want), want)
      const top = cutBelow(table, n0Log, want)
      if (isShallow || top <= have) return liveOnly(sizes, have, want, isShallow)
      const fineBase = fineBaseOf(table, want, n0Log, coarseLog - n0Log)
      const swarms = linksAbove(table, want, n0Log, have)
      const isFine = have >= fineBase
      const log = isFine ? n0Log : coarseLog
      const low = cutBelow(table, log, have)
      const next = isFine ? nextCut(table, log, have, top) : nextCut(table, log, have, fineBase)
      const again = between(sizes.stored, low, have)
      const fresh = between(sizes.stored, have, next)
      const isSkipped = isFrugal && have > low && again > fresh
      const start = isSkipped ? next : low
      const live = sizes.live(top, want) + (isSkipped ? sizes.live(have, next) : 0)
      const ranges = isFine
        ? [{ line: 0, low: start, high: top }]
        : [
            { line: 1, low: start, high: fineBase },
            { line: 0, low: fineBase, high: top },
          ]
      return { live, items: [], ranges: ranges.filter(({ low, high }) => low < high), swarms }
    },
  }
}

/** Every needed byte, once, shared with everybody else who needs it. */
export function ideal(sizes: Sizes): Strategy {
  return {
    name: 'ideal',
    note: 'every byte that is needed comes once and can come from whoever needed it too',
    lines: [{ bytesUpTo: sizes.stored, isCut: () => true }],
    plan: ({ have, want, isShallow }) =>
      isShallow
        ? { live: 0, items: [{ id: 'tree', byteCount: sizes.shallow[want] ?? 0 }], ranges: [] }
        : { live: 0, items: [], ranges: [{ line: 0, low: have, high: want }] },
  }
}

/** Stored bytes of what a fetch needs, each object once. */
export function storedBytes(sizes: Sizes, { have, want, isShallow }: Fetch): number {
  return isShallow ? (sizes.shallow[want] ?? 0) : between(sizes.stored, have, want)
}

/** What was public when the UTC day of `time` began. */
function heightAtMidnight({ times }: Sizes, time: number): number {
  return heightAt(times, Math.floor(time / DAY_SECONDS) * DAY_SECONDS - 1)
}

function liveOnly(sizes: Sizes, have: number, want: number, isShallow: boolean): Plan {
  return { live: wholeBytes(sizes, have, want, isShallow), items: [], ranges: [] }
}

function wholeBytes(sizes: Sizes, have: number, want: number, isShallow: boolean): number {
  return isShallow ? (sizes.shallow[want] ?? 0) : sizes.live(have, want)
}

function snapshotPlan(sizes: Sizes, cut: number, want: number): Plan {
  if (cut === 0) return liveOnly(sizes, 0, want, true)
  return {
    live: sizes.liveShallow(cut, want),
    items: [{ id: `${cut}`, byteCount: sizes.shallow[cut] ?? 0 }],
    ranges: [],
  }
}

/** The links of the gt1 chain that bring anything above `have`. */
function linksAbove(table: CutTable, want: number, n0Log: number, have: number): string[] {
  const heights = chainHeights(table, want, n0Log, 1)
  const links: string[] = []
  for (let hop = 0; hop + 1 < heights.length && (heights[hop] ?? 0) > have; hop++) {
    links.push(`${heights[hop + 1]} ${heights[hop]}`)
  }
  return links
}

/** The lowest cut above `height`, which `high` is one of. */
function nextCut(table: CutTable, log: number, height: number, high: number): number {
  let cut = high
  for (let below = cutBelow(table, log, high - 1); below > height; below = cutBelow(table, log, below - 1)) cut = below
  return cut
}

function between(bytesUpTo: Float64Array, low: number, high: number): number {
  return Math.max(0, (bytesUpTo[high] ?? 0) - (bytesUpTo[low] ?? 0))
}
