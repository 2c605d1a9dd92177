/**
 * What a manifest says of links and snapshots that were built: the export writes it, and `gittorrent verify` compares it with what an
 * exported folder says.
 */

import { linkName, snapshotName } from '../../engine/index.ts'
import type { Chain } from '../build/chains.ts'
import type { LinkFile } from '../build/link-file.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import type { ManifestChain, ManifestLink, ManifestSnapshot } from './manifest.ts'
import { piecesIn } from './torrent-file.ts'

/** The entry of a chain whose checkpoints have the tips of all its links among them. */
export function describeChain({ ref, tip, links, checkpoints }: Chain): ManifestChain {
  const heights = new Map(checkpoints.map(({ oid, height }) => [oid, height]))
  return { ref, tip, links: links.map((link) => describeLink(link, heights.get(link.plan.tip) ?? 0)) }
}

/** The entry of a link; `token` is the first-parent count of its tip. */
export function describeLink(link: LinkFile, token: number): ManifestLink {
  const { plan } = link
  return {
    tip: plan.tip,
    base: plan.base,
    level: plan.level,
    token,
    commits: link.commitCount,
    objects: link.objectCount,
    file: linkName(plan.tip, plan.base),
    bytes: link.lengthBytes,
    sha256: link.sha256,
    infohash: Buffer.from(link.infohash).toString('hex'),
    segments: link.segments.map((segment, index) => ({
      tip: plan.segments[index]?.tip ?? plan.tip,
      objects: segment.objectCount,
      commits: segment.commitCount,
      bytes: segment.length,
      sha256: segment.sha256,
    })),
    pieces: Buffer.from(piecesIn(link.info)).toString('base64'),
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
    pieces: Buffer.from(piecesIn(snapshot.info)).toString('base64'),
  }
}
