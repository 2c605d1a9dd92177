/**
 * A link as something to serve: its layout over stored segments, its trailer, piece hashes and infohash. Here an oid and
 * an infohash meet. A piece is compared with its hash when it is read for the first time in a process, so that bytes
 * which rotted on the disk are never served; the segments they belong to are dropped and built again at the next start.
 */

import { createHash } from 'node:crypto'
import {
  encodeInfo,
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
import type { SegmentStore } from '../store/segment-store.ts'
import type { StoredSegment } from '../store/stored-segment.ts'
import { type LinkHashes, loadOrComputeHashes } from './link-hashes.ts'

const PIECE_HASH_LENGTH = 20

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
  /**
   * Bytes of the payload; the range lies inside it.
   * @throws HelperError 'store-corrupt' when a piece that it touches differs from its hash
   */
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
    read: readerOf({ plan, segments, layout, hashes, pieceLength, store }),
  }
}

interface Payload {
  readonly plan: LinkPlan
  readonly segments: readonly StoredSegment[]
  readonly layout: LinkLayout
  readonly hashes: LinkHashes
  readonly pieceLength: number
  readonly store: SegmentStore
}

/** Reads a payload, each piece whole and checked until it has been good once. */
function readerOf(payload: Payload): LinkFile['read'] {
  const { layout, hashes, pieceLength } = payload
  const isGood = new Uint8Array(Math.ceil(layout.length / pieceLength))
  const checkPiece = async (piece: number): Promise<void> => {
    const start = piece * pieceLength
    const bytes = await readPayload(payload, start, Math.min(pieceLength, layout.length - start))
    const expected = hashes.pieces.subarray(piece * PIECE_HASH_LENGTH, (piece + 1) * PIECE_HASH_LENGTH)
    if (!createHash('sha1').update(bytes).digest().equals(expected)) throw await dropDamaged(payload, piece)
    isGood[piece] = 1
  }
  return async (offset, length) => {
    for (let piece = Math.floor(offset / pieceLength); piece * pieceLength < offset + length; piece++) {
      if (isGood[piece] !== 1) await checkPiece(piece)
    }
    return readPayload(payload, offset, length)
  }
}

/** Drops what a bad piece is made of, as far as it differs from its own hash. */
async function dropDamaged({ plan, layout, pieceLength, store }: Payload, piece: number): Promise<HelperError> {
  const start = piece * pieceLength
  for (let index = firstBodyAt(layout.bodyOffsets, start); index < plan.segments.length; index++) {
    const segment = plan.segments[index]
    if (segment === undefined || (layout.bodyOffsets[index] ?? 0) >= start + pieceLength) break
    await store.dropIfDamaged(segment)
  }
  return new HelperError(
    'store-corrupt',
    `link ${linkName(plan.tip, plan.base)}: expected piece ${piece} as it was hashed, got other bytes, try \`gittorrent seed\` again`,
  )
}

async function readPayload(
  { layout, segments, hashes: { trailer }, store }: Payload,
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
