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

/** A line that others can branch off. */
export interface TracedLine extends Line {
  /** Numbers of its commits that no trunk has, newest first; the commit at index i has the height length - i. */
  readonly commits: Int32Array
  /** Height of the newest commit that a trunk has, 0 if there is none; checkpoints up to here are the trunk's. */
  readonly sharedHeight: number
}

/** Lines that others are compared with: for each commit on one of them, which line it is and how high it stands. */
export class Trunks {
  readonly #lines: TracedLine[] = []
  /** Index of a line plus one, 0 for none, by commit number. */
  readonly #lineOf: Uint16Array
  readonly #heights: Int32Array

  constructor(graph: CommitGraph) {
    this.#lineOf = new Uint16Array(graph.count)
    this.#heights = new Int32Array(graph.count)
  }

  /** Adds a line that was read with these trunks. */
  add(line: TracedLine): void {
    this.#lines.push(line)
    line.commits.forEach((commit, index) => {
      this.#lineOf[commit] = this.#lines.length
      this.#heights[commit] = line.length - index
    })
  }

  /** The line that a commit is on, or null. */
  lineOf(commit: number): TracedLine | null {
    return this.#lines[(this.#lineOf[commit] ?? 0) - 1] ?? null
  }

  heightOf(commit: number): number {
    return this.#heights[commit] ?? 0
  }
}

/**
 * Walks the first-parent line from `tip` down to a root, or to the first commit that is on one of `trunks`, from where
 * on the line is that trunk's. Linear in the commits walked; only they are hashed. @throws object-missing
 */
export function readLine(graph: CommitGraph, tip: Oid, levelOf: LevelOf, trunks: Trunks | null = null): TracedLine {
  const walked: number[] = []
  let trunk: TracedLine | null = null
  let sharedHeight = 0
  for (let commit = graph.numberOf(tip); ; commit = graph.parentOf(commit, 0)) {
    trunk = trunks?.lineOf(commit) ?? null
    if (trunk !== null) sharedHeight = trunks?.heightOf(commit) ?? 0
    if (trunk !== null) break
    walked.push(commit)
    if (graph.parentCountOf(commit) === 0) break
  }
  const length = sharedHeight + walked.length
  const checkpoints: Checkpoint[] = []
  const name = new Uint8Array(graph.hashLength)
  walked.forEach((commit, index) => {
    graph.copyName(commit, name)
    const level = levelOf(name)
    if (level !== null) checkpoints.push({ oid: graph.oidOf(commit), level, height: length - index })
  })
  for (const checkpoint of trunk?.checkpoints ?? []) {
    if (checkpoint.height <= sharedHeight) checkpoints.push(checkpoint)
  }
  return { tip, length, checkpoints, commits: Int32Array.from(walked), sharedHeight }
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
 * The links of a line that branches off a trunk, without what that one's chain brings: the link that would cross into
 * the trunk's checkpoints ends at the highest of them (of a coarse link: the highest coarse one).
 * @param isBrought true for checkpoints of the line that a trunk reaches in another way, as those that it has merged
 */
export function planBranchChain(
  line: TracedLine,
  parameters: FormatParameters,
  isBrought: (checkpoint: Oid) => boolean = () => false,
): LinkPlan[] {
  const { checkpoints, sharedHeight } = line
  const { coarseLevel } = parameters
  const firstShared = checkpoints.findIndex(({ oid, height }) => height <= sharedHeight || isBrought(oid))
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
