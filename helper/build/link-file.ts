/**
 * A link as something to serve: its layout over stored segments, its trailer, piece hashes and infohash. Hashing reads
 * every body once; the result is kept in `$GIT_DIR/gittorrent/links/`, keyed by the hashes of the bodies, so that a
 * second start reads nothing. Here an oid and an infohash meet.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  encodeInfo,
  hashLengthOf,
  infohashOf,
  type LinkLayout,
  type LinkPlan,
  layOutLink,
  linkName,
  type ObjectFormat,
  pieceLengthOf,
  segmentNameOf,
} from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { READ_CHUNK_LENGTH } from '../limits.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'
import type { SegmentStore, StoredSegment } from '../store/segment-store.ts'
import { PieceHasher } from './piece-hasher.ts'

/** What hashing a link's payload gives. */
interface LinkHashes {
  /** Hash of the pack, by object format. */
  readonly trailer: Uint8Array
  /** SHA-256 of the payload, hex. */
  readonly sha256: string
  /** SHA-1 of every piece, joined. */
  readonly pieces: Uint8Array
}

export interface LinkFile {
  readonly plan: LinkPlan
  /** Oldest first, as in the plan. */
  readonly segments: readonly StoredSegment[]
  readonly objectCount: number
  readonly commitCount: number
  readonly lengthBytes: number
  readonly pieceLengthBytes: number
  readonly sha256: string
  /** The bencoded info dict. */
  readonly info: Uint8Array
  /** SHA-1 of `info`, 20 bytes. */
  readonly infohash: Uint8Array
  /** Where the bodies lie in the payload. */
  readonly bodies: { readonly start: number; readonly end: number }
  /** Bytes of the payload; the range lies inside it. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/** Opens a link whose segments are all stored. @throws HelperError 'store-corrupt' when one is missing or differs */
export async function openLinkFile(plan: LinkPlan, format: ObjectFormat, store: SegmentStore): Promise<LinkFile> {
  const segments: StoredSegment[] = []
  for (const segmentPlan of plan.segments) {
    const segment = await store.findChecked(segmentPlan)
    if (segment === null) throw missing(segmentNameOf(segmentPlan))
    segments.push(segment)
  }
  const layout = layOutLink(plan, format, segments)
  const hashes = await loadOrComputeHashes(plan, format, layout, segments, store)
  const pieceLength = pieceLengthOf(layout.length)
  const name = linkName(plan.tip, plan.base)
  const info = encodeInfo({ name, length: layout.length, pieceLength, pieces: hashes.pieces })
  return {
    plan,
    segments,
    objectCount: segments.reduce((sum, { objectCount }) => sum + objectCount, 0),
    commitCount: segments.reduce((sum, { commitCount }) => sum + commitCount, 0),
    lengthBytes: layout.length,
    pieceLengthBytes: pieceLength,
    sha256: hashes.sha256,
    info,
    infohash: infohashOf(info, (bytes) => createHash('sha1').update(bytes).digest()),
    bodies: {
      start: layout.bodyOffsets[0] ?? layout.length - layout.trailerLength,
      end: layout.length - layout.trailerLength,
    },
    read: (offset, length) => readPayload(layout, segments, hashes.trailer, store, offset, length),
  }
}

async function loadOrComputeHashes(
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
  const known = parseHashes(await readFile(path).catch(() => null), layout, format)
  if (known !== null) return known
  const hashes = await computeHashes(plan, format, layout, segments, store)
  await writeFileAtomically(path, [Buffer.from(hashes.sha256, 'hex'), hashes.trailer, hashes.pieces])
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
  for (const segment of segments) {
    for (let at = 0; at < segment.length; at += READ_CHUNK_LENGTH) {
      const bytes = await store.readBody(segment, at, Math.min(READ_CHUNK_LENGTH, segment.length - at))
      take(bytes)
      pack.update(bytes)
    }
  }
  const trailer = pack.digest()
  take(trailer)
  if (plan.segments.length !== segments.length) throw missing(linkName(plan.tip, plan.base))
  return { trailer, sha256: payload.digest('hex'), pieces: pieces.finish() }
}

async function readPayload(
  layout: LinkLayout,
  segments: readonly StoredSegment[],
  trailer: Uint8Array,
  store: SegmentStore,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const result = new Uint8Array(length)
  const copy = (bytes: Uint8Array, start: number): void => {
    const from = Math.max(start, offset)
    const to = Math.min(start + bytes.length, offset + length)
    if (from < to) result.set(bytes.subarray(from - start, to - start), from - offset)
  }
  copy(layout.header, 0)
  copy(trailer, layout.length - layout.trailerLength)
  for (let index = firstBodyAt(layout.bodyOffsets, offset); index < segments.length; index++) {
    const segment = segments[index]
    const start = layout.bodyOffsets[index] ?? 0
    if (segment === undefined || start >= offset + length) break
    const from = Math.max(offset, start)
    const to = Math.min(offset + length, start + segment.length)
    if (from < to) result.set(await store.readBody(segment, from - start, to - from), from - offset)
  }
  return result
}

/** Index of the last body that starts at or before `offset`, by bisection. */
function firstBodyAt(bodyOffsets: readonly number[], offset: number): number {
  let low = 0
  let high = bodyOffsets.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((bodyOffsets[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return low
}

function missing(name: string): HelperError {
  return new HelperError(
    'store-corrupt',
    `segment ${name}: expected it in the store, got none, try \`gittorrent seed\` again`,
  )
}
