/**
 * What of a link enters its infohash: name, payload length, piece length, piece hashes. Implements the info dictionary
 * of BEP 3 for a single file, in the one form that `gt1` allows (FORMAT.md, "Torrent").
 * Left out: the metainfo file around it (trackers, web seeds, dates, comments), which never reaches the infohash, and
 * the hashing itself, which is injected.
 * Surprise: the info dict has no key but these four, not even `private`; one more would be another swarm.
 */

import { type Bencodable, encodeBencode } from './bencode.ts'
import { assert, EngineError } from './errors.ts'
import { TORRENT_PAYLOAD_LENGTH_MAX } from './limits.ts'
import type { Oid } from './oid.ts'

/** Length of a piece hash and of an infohash in bytes: SHA-1, whatever the object format (BEP 3). */
const PIECE_HASH_LENGTH = 20

/** Shortest piece, in bytes: one request of the peer protocol. */
const PIECE_LENGTH_MIN = 2 ** 14
/** Longest piece, in bytes: what a client has to hold, and to throw away when a peer sent one wrong byte. */
const PIECE_LENGTH_MAX = 2 ** 22
/** Pieces at most, a count, while pieces can still grow. */
const PIECE_COUNT_MAX = 2 ** 11

/** The info dict of a link, before it is encoded. */
export interface LinkInfo {
  readonly name: string
  /** Payload length in bytes. */
  readonly length: number
  /** Piece length in bytes. */
  readonly pieceLength: number
  /** SHA-1 of every piece, one after the other. */
  readonly pieces: Uint8Array
}

/** File name of a link's payload. */
export function linkName(tip: Oid, base: Oid | null): string {
  return `gt1-${tip}-${base ?? 'root'}.bundle`
}

/** File name of the payload of a checkpoint's snapshot. */
export function snapshotName(commit: Oid): string {
  return `gt1-${commit}-snapshot.pack`
}

/**
 * Piece length of a payload: the smallest power of two from 16 KiB to 4 MiB that needs at most 2,048 pieces; 4 MiB for
 * whatever is longer.
 * @param length payload length in bytes, at least 1
 * @returns bytes
 * @throws EngineError 'torrent-malformed' on a payload that is empty or past the limit
 */
export function pieceLengthOf(length: number): number {
  if (!Number.isInteger(length) || length < 1 || length > TORRENT_PAYLOAD_LENGTH_MAX) {
    throw malformed(`a payload of 1 to ${TORRENT_PAYLOAD_LENGTH_MAX} bytes`, length)
  }
  let pieceLength = PIECE_LENGTH_MIN
  while (pieceLength < PIECE_LENGTH_MAX && pieceLength * PIECE_COUNT_MAX < length) pieceLength *= 2
  return pieceLength
}

/** How many pieces a payload of `length` bytes has; the last one may be shorter. */
export function pieceCountOf(length: number, pieceLength: number): number {
  return Math.ceil(length / pieceLength)
}

/**
 * The bytes whose SHA-1 is the infohash.
 * @throws EngineError 'torrent-malformed' when the piece length is not the payload's or the number of hashes is wrong
 */
export function encodeInfo(info: LinkInfo): Uint8Array {
  const { name, length, pieceLength, pieces } = info
  if (pieceLength !== pieceLengthOf(length)) throw malformed(`pieces of ${pieceLengthOf(length)} bytes`, pieceLength)
  const hashesLength = pieceCountOf(length, pieceLength) * PIECE_HASH_LENGTH
  if (pieces.length !== hashesLength) throw malformed(`${hashesLength} bytes of piece hashes`, pieces.length)
  return encodeBencode(
    new Map<string, Bencodable>([
      ['length', length],
      ['name', name],
      ['piece length', pieceLength],
      ['pieces', pieces],
    ]),
  )
}

/**
 * The infohash of an encoded info dict.
 * @param sha1 hashes its argument to 20 bytes
 * @returns 20 bytes
 */
export function infohashOf(info: Uint8Array, sha1: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const infohash = sha1(info)
  assert(infohash.length === PIECE_HASH_LENGTH, 'an infohash is a SHA-1')
  return infohash
}

function malformed(expected: string, got: number): EngineError {
  return new EngineError(
    'torrent-malformed',
    `cannot describe the link as a torrent: expected ${expected}, got ${got}`,
    { got },
  )
}
