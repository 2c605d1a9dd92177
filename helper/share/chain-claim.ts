/**
 * What somebody claims that there is: chains of links, snapshots. What arithmetic can check of a claim is checked here (levels, ends
 * that join, lengths, an infohash against the piece hashes), everything else by git once the bytes are there. Peers claim in
 * answers to `chain` (chain-message.ts), exported folders in their manifests, which leave the piece hashes to .torrent files.
 */

import { createHash } from 'node:crypto'
import {
  encodeInfo,
  GT1,
  infohashOf,
  type LevelOf,
  type LinkLayout,
  layOutLink,
  type ObjectFormat,
  type Oid,
  pieceLengthOf,
  type SegmentPlan,
} from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { LINK_LENGTH_MAX } from '../limits.ts'

export interface SegmentClaim {
  readonly plan: SegmentPlan
  readonly objectCount: number
  readonly commitCount: number
  /** Bytes of the body. */
  readonly length: number
  /** SHA-256 of the body, hex. */
  readonly sha256: string
}

export interface LinkClaim {
  readonly tip: Oid
  readonly base: Oid | null
  /** Oldest first. */
  readonly segments: readonly SegmentClaim[]
  readonly layout: LinkLayout
  /** SHA-256 of the payload, hex. */
  readonly sha256: string
  /** The bencoded info dict; null where it lies in a .torrent file beside the payload. */
  readonly info: Uint8Array | null
  readonly infohash: Uint8Array
  readonly pieceLengthBytes: number
}

export interface ChainClaim {
  /** Full ref name in the origin. */
  readonly ref: string
  readonly tip: Oid
  /** Newest first; each one's base is the next one's tip. */
  readonly links: readonly LinkClaim[]
  /** Lines with the same number fit into one pack, says whoever offers them; a line rests on none with a higher number. */
  readonly pack: number
}

/** The snapshot of a commit. */
export interface SnapshotClaim {
  readonly commit: Oid
  readonly objectCount: number
  readonly lengthBytes: number
  /** SHA-256 of the payload, hex. */
  readonly sha256: string
  /** As that of a link. */
  readonly info: Uint8Array | null
  readonly infohash: Uint8Array
  readonly pieceLengthBytes: number
}

/** A snapshot whose piece hashes are known. */
export interface DescribedSnapshot extends SnapshotClaim {
  readonly info: Uint8Array
}

/** What is said of one segment, its place in the link apart; counts and length at least 1. */
export interface SegmentFacts extends Omit<SegmentClaim, 'plan'> {
  readonly tip: Oid
}

export interface LinkFacts extends Pick<LinkClaim, 'tip' | 'base' | 'sha256'> {
  readonly level: number
  /** Oldest first. */
  readonly segments: readonly SegmentFacts[]
}

/** A link as far as it can be checked without its piece hashes. @throws HelperError 'chain-malformed' */
export function checkedLink(
  { tip, base, level, sha256, segments: facts }: LinkFacts,
  format: ObjectFormat,
  levelOf: LevelOf,
): Omit<LinkClaim, 'info' | 'infohash'> {
  if (tip === base) throw malformed('a link with two different ends')
  const isCoarse = level > GT1.coarseLevel
  const segments: SegmentClaim[] = []
  for (const { tip: segmentTip, ...claim } of facts) {
    const checkpointLevel = levelOf(segmentTip)
    const isCheckpoint = checkpointLevel !== null && (!isCoarse || checkpointLevel >= GT1.coarseLevel)
    if (!isCheckpoint) throw malformed(`a checkpoint, got commit ${segmentTip}`)
    const olderTip = segments[segments.length - 1]?.plan.tip ?? base
    segments.push({ ...claim, plan: { grain: isCoarse ? 'coarse' : 'fine', tip: segmentTip, base: olderTip } })
  }
  if (segments[segments.length - 1]?.plan.tip !== tip) throw malformed('segments that end at the tip of their link')
  const layout = layOutLink({ tip, base }, format, segments)
  if (layout.length > LINK_LENGTH_MAX) throw malformed(`a link of at most ${LINK_LENGTH_MAX} bytes`)
  return { tip, base, segments, layout, sha256, pieceLengthBytes: pieceLengthOf(layout.length) }
}

/** The chain, if its links join and its name is that of a ref. @throws HelperError 'chain-malformed' */
export function checkedChain(chain: ChainClaim): ChainClaim {
  const { ref, links } = chain
  if (!ref.startsWith('refs/') || links.length === 0) throw malformed('a chain of links for a ref')
  links.forEach((link, index) => {
    const next = links[index + 1]
    if (next !== undefined && link.base !== next.tip) throw malformed('links that join')
  })
  return chain
}

/** @throws HelperError 'chain-malformed' for a commit that has no snapshot */
export function requireSnapshotCheckpoint(commit: Oid, levelOf: LevelOf): void {
  if ((levelOf(commit) ?? -1) < GT1.snapshotLevel) throw malformed(`a checkpoint with a snapshot, got commit ${commit}`)
}

/** Info dict and infohash of a payload of `length` bytes with these piece hashes. @throws EngineError for too many or too few of them */
export function describePayload(name: string, length: number, pieces: Uint8Array) {
  const pieceLengthBytes = pieceLengthOf(length)
  const info = encodeInfo({ name, length, pieceLength: pieceLengthBytes, pieces })
  const infohash = infohashOf(info, (bytes) => createHash('sha1').update(bytes).digest())
  return { info, infohash, pieceLengthBytes }
}

function malformed(expected: string): HelperError {
  return new HelperError('chain-malformed', `chain: expected ${expected}, got something else`)
}
