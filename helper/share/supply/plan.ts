/**
 * Which links, and of each which segments, a repository takes from the swarm: a pure function of what is wanted, what
 * the repository holds, and what a peer claims. Lines come in the order in which they must be indexed: a branch after
 * the line it leaves.
 */

import type { Oid } from '../../../engine/index.ts'
import type { ByteRange } from '../../../net/index.ts'
import { LINE_LENGTH_MIN } from '../../limits.ts'
import type { ChainClaim, LinkClaim, SegmentClaim } from '../chain-claim.ts'

/** A run of segments of one link: those at its new end, or what has come of them. */
export interface LinkTake {
  readonly link: LinkClaim
  /** Index of the first segment that is lacking. */
  readonly firstSegment: number
  /** Index behind the last one that is taken. */
  readonly endSegment: number
  /** The whole payload is wanted, so that it can come from the link's swarm and be served on. */
  readonly isWhole: boolean
}

export interface LineTake {
  readonly chain: ChainClaim
  /** Oldest first. */
  readonly takes: readonly LinkTake[]
  /** The commit that is complete once all is indexed: A(0). */
  readonly top: Oid
}

/** Refs wanted from the origin: name to object name. */
export type WantedRefs = ReadonlyMap<string, string>

/**
 * @param isHeld true for a checkpoint whose whole history is in the repository
 * @returns lines that are worth taking, oldest dependency first
 */
export function planTakes(
  chains: readonly ChainClaim[],
  wanted: WantedRefs,
  wants: ReadonlySet<string>,
  isHeld: (checkpoint: Oid) => boolean,
): LineTake[] {
  const chosen = new Set<ChainClaim>()
  for (const chain of chains) {
    const oid = wanted.get(chain.ref)
    if (oid !== undefined && wants.has(oid)) addWithTrunks(chain, chains, chosen)
  }
  const lines: LineTake[] = []
  const coming = new Set<Oid>()
  for (const chain of chains) {
    if (!chosen.has(chain)) continue
    const takes = takesOf(chain, (oid) => coming.has(oid) || isHeld(oid))
    const top = chain.links[0]?.tip
    if (takes.length === 0 || top === undefined) continue
    for (const { link } of takes) for (const { plan } of link.segments) coming.add(plan.tip)
    lines.push({ chain, takes, top })
  }
  return payingLines(lines)
}

/**
 * The first line, each that is long enough to be worth a `git index-pack` of its own, and those that they leave. What is short
 * the origin sends together with everything else that is left, in one pack.
 */
function payingLines(lines: readonly LineTake[]): LineTake[] {
  const paying: LineTake[] = []
  const left = new Set<Oid>()
  for (const [index, line] of [...lines.entries()].reverse()) {
    const segments = line.takes.flatMap(segmentsOf)
    const length = segments.reduce((sum, segment) => sum + segment.length, 0)
    if (index > 0 && length < LINE_LENGTH_MIN && !segments.some(({ plan }) => left.has(plan.tip))) continue
    const base = segments[0]?.plan.base ?? null
    if (base !== null) left.add(base)
    paying.unshift(line)
  }
  return paying
}

/** A branch needs the line that its last link ends on. */
function addWithTrunks(chain: ChainClaim, chains: readonly ChainClaim[], chosen: Set<ChainClaim>): void {
  if (chosen.has(chain)) return
  chosen.add(chain)
  const base = chain.links[chain.links.length - 1]?.base ?? null
  if (base === null) return
  const before = chains.slice(0, chains.indexOf(chain))
  const trunk = before.find(({ links }) => links.some(({ segments }) => segments.some(({ plan }) => plan.tip === base)))
  if (trunk !== undefined) addWithTrunks(trunk, chains, chosen)
}

/** Oldest first; empty when the newest checkpoint is held. */
function takesOf({ links }: ChainClaim, isHeld: (checkpoint: Oid) => boolean): LinkTake[] {
  const takes: LinkTake[] = []
  for (const link of links) {
    if (isHeld(link.tip)) break
    let firstSegment = link.segments.length - 1
    while (firstSegment > 0) {
      const base = link.segments[firstSegment]?.plan.base ?? null
      if (base !== null && isHeld(base)) break
      firstSegment--
    }
    takes.push({ link, firstSegment, endSegment: link.segments.length, isWhole: firstSegment === 0 })
    if (firstSegment > 0) break
  }
  return takes.reverse()
}

/** The segments of a take, oldest first. */
export function segmentsOf({ link, firstSegment, endSegment }: LinkTake): readonly SegmentClaim[] {
  return link.segments.slice(firstSegment, endSegment)
}

/** Where the bodies of a take are in the link's payload. */
export function bodyRangeOf({ link, firstSegment, endSegment }: LinkTake): ByteRange {
  const offset = link.layout.bodyOffsets[firstSegment] ?? 0
  return { offset, length: (link.layout.bodyOffsets[endSegment] ?? 0) - offset }
}

/** The segments of a take that end at or before `end`, an offset in the payload; null if none does. */
export function takeUpTo(take: LinkTake, end: number): LinkTake | null {
  let { endSegment } = take
  while (endSegment > take.firstSegment && (take.link.layout.bodyOffsets[endSegment] ?? 0) > end) endSegment--
  if (endSegment === take.firstSegment) return null
  return { ...take, endSegment, isWhole: take.isWhole && endSegment === take.link.segments.length }
}
