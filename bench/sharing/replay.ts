/**
 * What a client that fetches at a fixed interval would take from segments, replayed on real commit times. Pure
 * arithmetic on heights: before a fetch the client has everything up to its old tip, afterwards everything up to the
 * new one; what lies above the newest checkpoint, or is not above its old tip, is negotiated live.
 */

import { heightAt } from './main-line.ts'

export interface FetchTotals {
  /** Fetches that found something new. */
  fetches: number
  /** First-parent commits that were needed, and those of them that came in segments. */
  commits: number
  commitsShared: number
  /** The same in bytes, by stored sizes of objects. */
  bytes: number
  bytesShared: number
  /** Bytes of taken segments that the client had already, because its old tip lies inside a segment. */
  bytesAgain: number
}

/** A line to replay: when each height was public, and the bytes of everything up to it that is counted. */
export interface ReplayedLine {
  readonly times: Float64Array
  readonly bytesUpTo: Float64Array
}

/** Which segments there are. */
export interface ReplayedCuts {
  /** The newest checkpoint at or below each height. */
  readonly checkpoint: Int32Array
  /** The end at or below `have` of the segment in the chain of `want` that `have` lies in. */
  heldCut(have: number, want: number): number
}

/** Fetches at `start` + k · `period` up to `end`, by a client that had everything at `start`. */
export function replayPeriodic(
  line: ReplayedLine,
  cuts: ReplayedCuts,
  when: { readonly start: number; readonly end: number; readonly period: number },
): FetchTotals {
  const totals = { fetches: 0, commits: 0, commitsShared: 0, bytes: 0, bytesShared: 0, bytesAgain: 0 }
  let have = heightAt(line.times, when.start)
  for (let time = when.start + when.period; time <= when.end; time += when.period) {
    const want = heightAt(line.times, time)
    if (want === have) continue
    addFetch(totals, line.bytesUpTo, cuts, have, want)
    have = want
  }
  return totals
}

function addFetch(totals: FetchTotals, bytesUpTo: Float64Array, cuts: ReplayedCuts, have: number, want: number) {
  const between = (low: number, high: number): number => (bytesUpTo[high] ?? 0) - (bytesUpTo[low] ?? 0)
  const reached = Math.max(have, cuts.checkpoint[want] ?? 0)
  totals.fetches++
  totals.commits += want - have
  totals.commitsShared += reached - have
  totals.bytes += between(have, want)
  totals.bytesShared += between(have, reached)
  if (reached > have) totals.bytesAgain += between(cuts.heldCut(have, want), have)
}

/** Sums of replays. */
export function addTotals(parts: readonly FetchTotals[]): FetchTotals {
  const sum = { fetches: 0, commits: 0, commitsShared: 0, bytes: 0, bytesShared: 0, bytesAgain: 0 }
  for (const part of parts) {
    sum.fetches += part.fetches
    sum.commits += part.commits
    sum.commitsShared += part.commitsShared
    sum.bytes += part.bytes
    sum.bytesShared += part.bytesShared
    sum.bytesAgain += part.bytesAgain
  }
  return sum
}
