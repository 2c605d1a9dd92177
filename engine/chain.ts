/**
 * Lines, checkpoints, chains: which segments and links a tip has (FORMAT.md, "Chains"). Reads commit names and
 * parents only, so planning costs one walk along the first-parent line and no object is opened.
 */

import type { LevelOf } from './checkpoint.ts'
import type { CommitGraph } from './commit-graph.ts'
import type { FormatParameters } from './format.ts'
import type { Oid } from './oid.ts'

export type Grain = 'fine' | 'coarse'

export interface Checkpoint {
  readonly oid: Oid
  readonly level: number
  /** Commits on the first-parent line from the root to here, both included; the creation token of bundle lists. */
  readonly height: number
}

/** The first-parent line of a tip. */
export interface Line {
  readonly tip: Oid
  /** Commits on the line. */
  readonly length: number
  /** Newest first. */
  readonly checkpoints: readonly Checkpoint[]
}

/** Objects reachable from `tip` and not from `base`; `base` null means everything reachable. */
export interface SegmentPlan {
  readonly grain: Grain
  readonly tip: Oid
  readonly base: Oid | null
}

export interface LinkPlan {
  readonly tip: Oid
  readonly base: Oid | null
  /** k: the position in the chain, 1-based; the base is a checkpoint of at least this level. */
  readonly level: number
  /** Oldest first; consecutive. */
  readonly segments: readonly SegmentPlan[]
}

/** Walks the first-parent line from `tip` down to a root, or to (and excluding) a commit that `stopAt` accepts. */
export function readLine(graph: CommitGraph, tip: Oid, levelOf: LevelOf): Line {
  const found: { oid: Oid; level: number; distance: number }[] = []
  let distance = 0
  for (let commit = graph.numberOf(tip); ; commit = graph.parentOf(commit, 0)) {
    const oid = graph.oidOf(commit)
    const level = levelOf(oid)
    if (level !== null) found.push({ oid, level, distance })
    distance++
    if (graph.parentCountOf(commit) === 0) break
  }
  const checkpoints = found.map(({ oid, level, distance: from }) => ({ oid, level, height: distance - from }))
  return { tip, length: distance, checkpoints }
}

/** The links of the chain of a line's tip, newest first; empty if the line has no checkpoint. */
export function planChain(line: Line, parameters: FormatParameters): LinkPlan[] {
  const links: LinkPlan[] = []
  const { checkpoints } = line
  let at = 0
  if (checkpoints.length === 0) return links
  for (let level = 1; ; level++) {
    let base = at + 1
    while (base < checkpoints.length && (checkpoints[base]?.level ?? 0) < level) base++
    const tip = checkpoints[at]
    if (tip === undefined) return links
    links.push({
      tip: tip.oid,
      base: checkpoints[base]?.oid ?? null,
      level,
      segments: planSegments(checkpoints, at, base, level > parameters.coarseLevel ? parameters.coarseLevel : null),
    })
    if (base >= checkpoints.length) return links
    at = base
  }
}

/** Any link of a line: the segments between two of its checkpoints, oldest first. `base` null means to the root. */
export function planLink(
  line: Line,
  tip: Oid,
  base: Oid | null,
  level: number,
  parameters: FormatParameters,
): LinkPlan | null {
  const from = line.checkpoints.findIndex((checkpoint) => checkpoint.oid === tip)
  const to = base === null ? line.checkpoints.length : line.checkpoints.findIndex((checkpoint) => checkpoint.oid === base)
  if (from < 0 || to <= from) return null
  const coarse = level > parameters.coarseLevel ? parameters.coarseLevel : null
  return { tip, base, level, segments: planSegments(line.checkpoints, from, to, coarse) }
}

/** Segments of checkpoints[from] down to checkpoints[to], oldest first; `coarse` is the least level, null for fine. */
function planSegments(
  checkpoints: readonly Checkpoint[],
  from: number,
  to: number,
  coarse: number | null,
): SegmentPlan[] {
  const cuts = checkpoints.slice(from, to).filter((checkpoint) => coarse === null || checkpoint.level >= coarse)
  const segments = cuts.map((cut, index) => ({
    grain: coarse === null ? ('fine' as const) : ('coarse' as const),
    tip: cut.oid,
    base: cuts[index + 1]?.oid ?? checkpoints[to]?.oid ?? null,
  }))
  return segments.reverse()
}
