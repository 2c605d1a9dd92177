/**
 * Which links, and of each which segments, a repository takes from the swarm: a pure function of what is wanted, what
 * the repository holds, and what a peer claims. Lines come in the order in which they must be indexed: a branch after
 * the line it leaves.
 */

import type { Oid } from '../../../engine/index.ts'
import type { ByteRange } from '../../../net/index.ts'
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
 * @returns lines of which something is lacking, oldest dependency first
 */
export function planTakes(
  chains: readonly ChainClaim[],
  wanted: WantedRefs,
  wants: ReadonlySet<string>,
  isHeld: (checkpoint: Oid) => boolean,
): LineTake[] {
  const ends = endsOf(chains, ({ ref }) => wants.has(wanted.get(ref) ?? ''))
  const lines: LineTake[] = []
  const coming = new Set<Oid>()
  for (const chain of chains) {
    const end = ends.get(chain)
    const [top] = end ?? []
    if (end === undefined || top === undefined) continue
    const takes = takesOf(chain, end, (oid) => coming.has(oid) || isHeld(oid))
    if (takes.length === 0) continue
    for (const take of takes) for (const { plan } of segmentsOf(take)) coming.add(plan.tip)
    lines.push({ chain, takes, top })
  }
  return lines
}

/**
 * Up to which checkpoints, the newest first, chains are needed: to their tips where their refs are wanted, else as far as one that is
 * wanted rests on them, so that nothing comes which git would not have asked for. A branch that rests on a checkpoint which
 * no chain names rests on the main line, and is passed over where that is not wanted.
 */
function endsOf(
  chains: readonly ChainClaim[],
  isWanted: (chain: ChainClaim) => boolean,
): Map<ChainClaim, readonly Oid[]> {
  const ends = new Map<ChainClaim, readonly Oid[]>()
  const [main] = chains
  const isMainWanted = main !== undefined && isWanted(main)
  for (const chain of [...chains].reverse()) {
    const tip = chain.links[0]?.tip
    const end = isWanted(chain) && tip !== undefined ? [tip] : ends.get(chain)
    if (end === undefined) continue
    const base = chain.links[chain.links.length - 1]?.base ?? null
    const trunk = base === null ? null : trunkOf(chain, base, chains)
    if (trunk === undefined && !isMainWanted) {
      ends.delete(chain)
      continue
    }
    ends.set(chain, end)
    if (trunk && base !== null) ends.set(trunk, newestFirst(trunk, [...(ends.get(trunk) ?? []), base]))
  }
  return ends
}

/** The chain before `chain` that has a checkpoint; undefined if none names it. */
function trunkOf(chain: ChainClaim, base: Oid, chains: readonly ChainClaim[]): ChainClaim | undefined {
  const before = chains.slice(0, chains.indexOf(chain))
  return before.find(({ links }) => links.some(({ segments }) => segments.some(({ plan }) => plan.tip === base)))
}

/** Those checkpoints in the order in which a chain has them. */
function newestFirst({ links }: ChainClaim, checkpoints: readonly Oid[]): Oid[] {
  const tips = links.flatMap(({ segments }) => [...segments].reverse().map(({ plan }) => plan.tip))
  return tips.filter((tip) => checkpoints.includes(tip))
}

/** The first line if it `isFirstNeeded`, each that has `lengthMin` bytes or more, and those that such a one rests on; in the same order. */
export function longLines(lines: readonly LineTake[], lengthMin: number, isFirstNeeded: boolean): LineTake[] {
  const long: LineTake[] = []
  const bases = new Set<Oid>()
  for (const [index, line] of [...lines.entries()].reverse()) {
    const segments = line.takes.flatMap(segmentsOf)
    const length = segments.reduce((sum, segment) => sum + segment.length, 0)
    const isNeeded = isFirstNeeded && index === 0
    if (!isNeeded && length < lengthMin && !segments.some(({ plan }) => bases.has(plan.tip))) continue
    const base = segments[0]?.plan.base ?? null
    if (base !== null) bases.add(base)
    long.unshift(line)
  }
  return long
}

/** Oldest first; empty when the newest checkpoint that is needed is held. */
function takesOf({ links }: ChainClaim, [newest]: readonly Oid[], isHeld: (checkpoint: Oid) => boolean): LinkTake[] {
  const takes: LinkTake[] = []
  for (const link of links) {
    const { segments } = link
    // What is above the newest that is needed stays away.
    const endSegment = takes.length > 0 ? segments.length : segments.findIndex(({ plan }) => plan.tip === newest) + 1
    if (endSegment === 0) continue
    if (isHeld(segments[endSegment - 1]?.plan.tip ?? link.tip)) break
    let firstSegment = endSegment - 1
    while (firstSegment > 0) {
      const base = segments[firstSegment]?.plan.base ?? null
      if (base !== null && isHeld(base)) break
      firstSegment--
    }
    takes.push({ link, firstSegment, endSegment, isWhole: firstSegment === 0 && endSegment === segments.length })
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

/** Bytes of the bodies of some takes. */
export function lengthOf(takes: readonly LinkTake[]): number {
  return takes.reduce((sum, take) => sum + bodyRangeOf(take).length, 0)
}

/** The segments of a take that end at or before `end`, an offset in the payload; null if none does. */
export function takeUpTo(take: LinkTake, end: number): LinkTake | null {
  let { endSegment } = take
  while (endSegment > take.firstSegment && (take.link.layout.bodyOffsets[endSegment] ?? 0) > end) endSegment--
  if (endSegment === take.firstSegment) return null
  return { ...take, endSegment, isWhole: take.isWhole && endSegment === take.link.segments.length }
}
