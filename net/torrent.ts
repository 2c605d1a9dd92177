/**
 * What a swarm carries: one file in pieces (BEP 3), described by its bencoded info dictionary, which arrives in a message of
 * the embedding room and never by ut_metadata. Checks that dictionary, infohash and lengths belong together.
 * Pure but for SHA-1 of node:crypto. Refused: several files, private torrents, version 2 dictionaries without pieces.
 */
import { createHash } from 'node:crypto'
import { asBytes, asDict, asInteger, decodeBencode } from './bencode.ts'
import { NetError } from './errors.ts'
import { INFO_LENGTH_MAX, PIECE_LENGTH_MAX } from './limits.ts'

export const INFOHASH_LENGTH = 20

/** What the caller hands over. */
export interface Torrent {
  /** SHA-1 of `info`, 20 bytes. */
  readonly infohash: Uint8Array
  /** The info dictionary, bencoded. */
  readonly info: Uint8Array
  readonly lengthBytes: number
  readonly pieceLengthBytes: number
}

/** Where the bytes of a seeded torrent come from; reads stay within its length. */
export interface Source {
  read(offset: number, length: number): Promise<Uint8Array>
}

/** Where the bytes of a download go; sparse, written piece by piece in any order. */
export interface Store extends Source {
  write(offset: number, bytes: Uint8Array): Promise<void>
}

/** A torrent whose parts were checked against each other. */
export interface CheckedTorrent extends Torrent {
  readonly infohashHex: string
  readonly pieceCount: number
  /** SHA-1 of each piece, joined. */
  readonly pieces: Uint8Array
}

function refuse(what: string): never {
  throw new NetError('torrent-malformed', `torrent: expected ${what}`)
}

/** SHA-1 of `bytes`. */
export function sha1(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest()
}

/** Length of piece `index` in bytes. */
export function pieceLengthOf(torrent: CheckedTorrent, index: number): number {
  const from = index * torrent.pieceLengthBytes
  return Math.min(torrent.pieceLengthBytes, torrent.lengthBytes - from)
}

/** True if `bytes` are piece `index`. */
export function isPiece(torrent: CheckedTorrent, index: number, bytes: Uint8Array): boolean {
  const expected = torrent.pieces.subarray(index * INFOHASH_LENGTH, (index + 1) * INFOHASH_LENGTH)
  return bytes.length === pieceLengthOf(torrent, index) && sha1(bytes).equals(expected)
}

/**
 * Checks a torrent that somebody handed over.
 * @throws NetError torrent-malformed, message-malformed, message-limit
 */
export function checkTorrent(torrent: Torrent): CheckedTorrent {
  const { info, infohash, lengthBytes, pieceLengthBytes } = torrent
  if (info.length > INFO_LENGTH_MAX) refuse(`an info dictionary of at most ${INFO_LENGTH_MAX} bytes`)
  if (infohash.length !== INFOHASH_LENGTH || !sha1(info).equals(infohash))
    refuse('the infohash to be the SHA-1 of info')
  const dict = asDict(decodeBencode(info))
  if (dict === null || dict.has('files') || dict.has('private')) refuse('the public dictionary of a single file')
  const length = asInteger(dict?.get('length'), 1, Number.MAX_SAFE_INTEGER)
  const pieceLength = asInteger(dict?.get('piece length'), 1, PIECE_LENGTH_MAX)
  const pieces = asBytes(dict?.get('pieces'), INFOHASH_LENGTH, INFO_LENGTH_MAX)
  if (asBytes(dict?.get('name'), 1, 255) === null) refuse('a name')
  if (length !== lengthBytes || pieceLength !== pieceLengthBytes) refuse('lengths as in the info dictionary')
  const pieceCount = Math.ceil(lengthBytes / pieceLengthBytes)
  if (pieces === null || pieces.length !== pieceCount * INFOHASH_LENGTH) refuse(`${pieceCount} piece hashes`)
  return { ...torrent, infohashHex: Buffer.from(infohash).toString('hex'), pieceCount, pieces: pieces ?? info }
}
