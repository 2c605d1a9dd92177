/**
 * Chains by height, for simulations that plan one chain per fetch: FORMAT.md, "Chains", with N0 = 2^n0Log and a level
 * that grows by `growthLog` bits per hop, so that other rules than gt1's can be compared. Tables of the newest cut below
 * every height make a chain as cheap as its links are few; test/bench holds them against the engine's own plan.
 */

import { newestCut } from './main-line.ts'

const ZERO_COUNT_MAX = 40

/** For every number of trailing zero bits, the newest height at or below each height that has at least as many. */
export type CutTable = readonly Int32Array[]

export function cutTable(zeros: Int8Array): CutTable {
  const table: Int32Array[] = []
  for (let log = 0; log <= ZERO_COUNT_MAX; log++) {
    const cuts = newestCut(zeros, log)
    table.push(cuts)
    if ((cuts[cuts.length - 1] ?? 0) === 0) break
  }
  return table
}

/** Newest height ≤ `height` with at least `log` zero bits, 0 if there is none. */
export function cutBelow(table: CutTable, log: number, height: number): number {
  return table[log]?.[height] ?? 0
}

/** A(0), A(1), …, and 0 for the end at the roots; [0] when there is no checkpoint. */
export function chainHeights(table: CutTable, tip: number, n0Log: number, growthLog: number): number[] {
  const heights = [cutBelow(table, n0Log, tip)]
  for (let hop = 1; (heights[hop - 1] ?? 0) > 0; hop++) {
    heights.push(cutBelow(table, n0Log + hop * growthLog, (heights[hop - 1] ?? 0) - 1))
  }
  return heights
}

/** Where the fine part of the gt1 chain of `tip` ends: A(G), or 0 when the chain is shorter. */
export function fineBaseOf(table: CutTable, tip: number, n0Log: number, coarseLevel: number): number {
  const heights = chainHeights(table, tip, n0Log, 1)
  return heights[Math.min(coarseLevel, heights.length - 1)] ?? 0
}
