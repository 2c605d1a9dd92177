/**
 * What a manifest says of links and snapshots that were built: the export writes it, and `gittorrent verify` compares it with what an
 * exported folder says.
 */

import { createHash } from 'node:crypto'
import { linkName, snapshotName } from '../../engine/index.ts'
import type { Chain } from '../build/chains.ts'
import type { LinkFile } from '../build/link-file.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import type { ManifestChain, ManifestLink, ManifestSnapshot } from './manifest.ts'
import { encodeSegments, INLINE_RECORD_LENGTH_MAX } from './manifest-segments.ts'

/** An entry, and what is said elsewhere in the folder. */
export interface DescribedLink extends ManifestLink {
  readonly commits: number
  readonly objects: number
  /** The record of its segments where that belongs into the .torrent file; else null. */
  readonly record: Uint8Array | null
}

export interface DescribedChain extends ManifestChain {
  readonly links: readonly DescribedLink[]
}

/** The entry of a chain whose checkpoints have the tips of all its links among them. */
export function describeChain({ ref, tip, links, checkpoints, pack }: Chain): DescribedChain {
  const heights = new Map(checkpoints.map(({ oid, height }) => [oid, height]))
  return { ref, tip, pack, links: links.map((link) => describeLink(link, heights.get(link.plan.tip) ?? 0)) }
}

/** The entry of a link; `token` is the first-parent count of its tip. */
export function describeLink(link: LinkFile, token: number): DescribedLink {
  const { plan } = link
  const segments = link.segments.map(({ objectCount, commitCount, length, sha256 }, index) => {
    return { tip: plan.segments[index]?.tip ?? plan.tip, objectCount, commitCount, length, sha256 }
  })
  const record = encodeSegments(segments)
  const isInline = record.length <= INLINE_RECORD_LENGTH_MAX
  return {
    tip: plan.tip,
    base: plan.base,
    level: plan.level,
    token,
    file: linkName(plan.tip, plan.base),
    bytes: link.lengthBytes,
    sha256: link.sha256,
    infohash: Buffer.from(link.infohash).toString('hex'),
    segments: isInline ? Buffer.from(record).toString('base64') : null,
    segmentsSha256: isInline ? null : createHash('sha256').update(record).digest('hex'),
    commits: link.commitCount,
    objects: link.objectCount,
    record: isInline ? null : record,
  }
}

export function describeSnapshot(snapshot: SnapshotFile): ManifestSnapshot {
  return {
    commit: snapshot.commit,
    objects: snapshot.objectCount,
    file: snapshotName(snapshot.commit),
    bytes: snapshot.lengthBytes,
    sha256: snapshot.sha256,
    infohash: Buffer.from(snapshot.infohash).toString('hex'),
  }
}
