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

/** A line that others can branch off: where each of its commits stands. */
export interface TracedLine extends Line {
  /** Height of each commit number of the line that no earlier line has. */
  readonly heights: ReadonlyMap<number, number>
}

/**
 * Walks the first-parent line from `tip` down to a root, or to the first commit that one of `trunks` holds, from where
 * on the line is that trunk's. Linear in the commits walked. @throws object-missing
 */
export function readLine(
  graph: CommitGraph,
  tip: Oid,
  levelOf: LevelOf,
  trunks: readonly TracedLine[] = [],
): TracedLine {
  const walked: number[] = []
  let below: readonly Checkpoint[] = []
  let heightBelow = 0
  for (let commit = graph.numberOf(tip); ; commit = graph.parentOf(commit, 0)) {
    const trunk = trunks.find((line) => line.heights.has(commit))
    if (trunk !== undefined) {
      const height = trunk.heights.get(commit) ?? 0
      below = trunk.checkpoints.filter((checkpoint) => checkpoint.height <= height)
      heightBelow = height
      break
    }
    walked.push(commit)
    if (graph.parentCountOf(commit) === 0) break
  }
  const length = heightBelow + walked.length
  const heights = new Map<number, number>()
  const checkpoints: Checkpoint[] = []
  walked.forEach((commit, distance) => {
    const height = length - distance
    heights.set(commit, height)
    const oid = graph.oidOf(commit)
    const level = levelOf(oid)
    if (level !== null) checkpoints.push({ oid, level, height })
  })
  return { tip, length, checkpoints: [...checkpoints, ...below], heights }
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

/**
 * The links of a line that branches off another, without what that one's chain brings: the link that would cross from
 * the branch into `isShared` checkpoints ends at the highest of them (of a coarse link: the highest coarse one).
 */
export function planBranchChain(
  line: Line,
  parameters: FormatParameters,
  isShared: (checkpoint: Checkpoint) => boolean,
): LinkPlan[] {
  const { checkpoints } = line
  const { coarseLevel } = parameters
  const firstShared = checkpoints.findIndex(isShared)
  const links = planChain(line, parameters)
  if (firstShared < 0) return links
  const positionOf = (oid: Oid | null): number =>
    oid === null ? checkpoints.length : checkpoints.findIndex((checkpoint) => checkpoint.oid === oid)
  const kept: LinkPlan[] = []
  for (const link of links) {
    const from = positionOf(link.tip)
    if (from >= firstShared) break
    const coarse = link.level > coarseLevel ? coarseLevel : null
    let to = Math.min(positionOf(link.base), firstShared)
    while (coarse !== null && to < checkpoints.length && (checkpoints[to]?.level ?? 0) < coarse) to++
    const base = checkpoints[to]?.oid ?? null
    kept.push({ tip: link.tip, base, level: link.level, segments: planSegments(checkpoints, from, to, coarse) })
  }
  return kept
}

/**
 * Any link between two checkpoints of a line, tiled by segments of one grain; `base` null means down to the root.
 * Null when tip or base is no checkpoint of that grain on the line. The level is the least that has this grain.
 */
export function planLink(
  line: Line,
  tip: Oid,
  base: Oid | null,
  grain: Grain,
  parameters: FormatParameters,
): LinkPlan | null {
  const { coarseLevel } = parameters
  const coarse = grain === 'coarse' ? coarseLevel : null
  const cuts = line.checkpoints.filter((checkpoint) => coarse === null || checkpoint.level >= coarse)
  const from = cuts.findIndex((checkpoint) => checkpoint.oid === tip)
  const to = base === null ? cuts.length : cuts.findIndex((checkpoint) => checkpoint.oid === base)
  if (from < 0 || to <= from) return null
  return { tip, base, level: grain === 'coarse' ? coarseLevel + 1 : 1, segments: planSegments(cuts, from, to, coarse) }
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
