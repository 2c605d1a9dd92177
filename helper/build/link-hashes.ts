/**
 * The hashes of a link's payload. Computing them reads every body once; the result is kept in
 * `$GIT_DIR/gittorrent/links/`, keyed by the hashes of the bodies, so that a second start reads nothing.
 */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  hashLengthOf,
  type LinkLayout,
  type LinkPlan,
  type ObjectFormat,
  pieceLengthOf,
  type SegmentPlan,
} from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { READ_CHUNK_LENGTH } from '../limits.ts'
import { readSealedFile, writeSealedFile } from '../store/sealed-file.ts'
import type { SegmentStore } from '../store/segment-store.ts'
import type { StoredSegment } from '../store/stored-segment.ts'
import { PieceHasher } from './piece-hasher.ts'

export interface LinkHashes {
  /** Hash of the pack, by object format. */
  readonly trailer: Uint8Array
  /** SHA-256 of the payload, hex. */
  readonly sha256: string
  /** SHA-1 of every piece, joined. */
  readonly pieces: Uint8Array
}

/** What hashing a link's payload gives, from where it was kept or by reading every body. @throws HelperError 'store-corrupt' */
export async function loadOrComputeHashes(
  plan: LinkPlan,
  format: ObjectFormat,
  layout: LinkLayout,
  segments: readonly StoredSegment[],
  store: SegmentStore,
): Promise<LinkHashes> {
  const key = createHash('sha256')
  key.update(layout.header)
  for (const { sha256 } of segments) key.update(sha256)
  const path = join(store.folder, 'links', key.digest('hex'))
  const known = parseHashes(await readSealedFile(path), layout, format)
  if (known !== null) return known
  const hashes = await computeHashes(plan, format, layout, segments, store)
  await writeSealedFile(path, Buffer.concat([Buffer.from(hashes.sha256, 'hex'), hashes.trailer, hashes.pieces]))
  return hashes
}

/** Stored form: SHA-256 of the payload, trailer, piece hashes. */
function parseHashes(bytes: Uint8Array | null, layout: LinkLayout, format: ObjectFormat): LinkHashes | null {
  const trailerEnd = 32 + hashLengthOf(format)
  const pieceCount = Math.ceil(layout.length / pieceLengthOf(layout.length))
  if (bytes === null || bytes.length !== trailerEnd + pieceCount * 20) return null
  const sha256 = Buffer.from(bytes.subarray(0, 32)).toString('hex')
  return { sha256, trailer: bytes.slice(32, trailerEnd), pieces: bytes.slice(trailerEnd) }
}

async function computeHashes(
  plan: LinkPlan,
  format: ObjectFormat,
  layout: LinkLayout,
  segments: readonly StoredSegment[],
  store: SegmentStore,
): Promise<LinkHashes> {
  const payload = createHash('sha256')
  const pack = createHash(format)
  const pieces = new PieceHasher(pieceLengthOf(layout.length))
  const take = (bytes: Uint8Array): void => {
    payload.update(bytes)
    pieces.update(bytes)
  }
  take(layout.header)
  pack.update(layout.header.subarray(layout.packOffset))
  for (const [index, segment] of segments.entries()) {
    const body = createHash('sha256')
    for (let at = 0; at < segment.length; at += READ_CHUNK_LENGTH) {
      const bytes = await store.readBody(segment, at, Math.min(READ_CHUNK_LENGTH, segment.length - at))
      take(bytes)
      pack.update(bytes)
      body.update(bytes)
    }
    // Hashes of damaged bytes would make a link that nobody else has.
    if (body.digest('hex') !== segment.sha256) throw await damaged(plan.segments[index], segment, store)
  }
  const trailer = pack.digest()
  take(trailer)
  return { trailer, sha256: payload.digest('hex'), pieces: pieces.finish() }
}

async function damaged(
  plan: SegmentPlan | undefined,
  { name }: StoredSegment,
  store: SegmentStore,
): Promise<HelperError> {
  if (plan !== undefined) await store.drop(plan)
  return new HelperError('store-corrupt', `segment ${name}: expected the bytes that were stored, got others`)
}
