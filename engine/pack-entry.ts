/**
 * The small encodings of a pack: its 12-byte header, the header of an entry (type and declared length), the distance of
 * an OFS_DELTA. Implements "pack-*.pack files have the following format" of gitformat-pack(5), version 2.
 * Writers put bytes into a buffer of the caller and return how many: the encoder calls them once per object.
 * Left out: compression (deflate.ts) and what the entries mean (pack-reader.ts, delta-apply.ts).
 * Surprise: numbers may pass 2^32, so nothing here shifts; lengths are exact up to 2^53 - 1. Encodings that are longer
 * than needed are refused, because one value must have one form.
 */

import { assert, EngineError } from './errors.ts'
import { BLOB, COMMIT, type ObjectType, TAG, TREE } from './object.ts'

/** Entry types beside those of whole objects, as gitformat-pack(5) numbers them. */
export const PACK_OFS_DELTA = 6
export const PACK_REF_DELTA = 7
export type EntryType = ObjectType | typeof PACK_OFS_DELTA | typeof PACK_REF_DELTA

/** Length of the pack header in bytes: signature, version, count. */
export const PACK_HEADER_LENGTH = 12

/** Longest entry header in bytes, without a delta base: 4 + 7·8 bits hold any length below 2^53. */
const TYPE_AND_LENGTH_MAX = 9
/** Longest OFS_DELTA distance in bytes: 7·8 bits hold any distance below 2^53. */
const DISTANCE_LENGTH_MAX = 8
const SIGNATURE = 0x5041434b // "PACK", read as a big-endian integer
const VERSION = 2

/** Where the base of an entry is: nowhere (whole object), so many bytes before the entry, or an oid of `hashLength` bytes. */
export type DeltaBaseReference =
  | { readonly type: ObjectType }
  | { readonly type: typeof PACK_OFS_DELTA; readonly distance: number }
  | { readonly type: typeof PACK_REF_DELTA; readonly deltaBase: Uint8Array }

/** A decoded entry header: declared inflated length and length of the header itself (base included), both in bytes. */
export type EntryHeader = DeltaBaseReference & { readonly length: number; readonly headerLength: number }

/**
 * Writes the pack header.
 * @param out buffer of the caller, with 12 bytes free at `offset`
 * @param objectCount how many entries follow, 0 to 2^32 - 1
 * @returns 12
 */
export function writePackHeader(out: Uint8Array, offset: number, objectCount: number): number {
  assert(Number.isInteger(objectCount) && objectCount >= 0 && objectCount < 2 ** 32, 'a pack count has 32 bits')
  writeUint32(out, offset, SIGNATURE)
  writeUint32(out, offset + 4, VERSION)
  writeUint32(out, offset + 8, objectCount)
  return PACK_HEADER_LENGTH
}

/**
 * Reads the pack header at the start of `bytes`.
 * @returns the declared number of entries
 * @throws EngineError 'pack-malformed' on a short header, another signature, or a version other than 2
 */
export function readPackHeader(bytes: Uint8Array): number {
  if (bytes.length < PACK_HEADER_LENGTH) throw malformed(0, 'a pack header', `12 bytes, got ${bytes.length}`)
  if (readUint32(bytes, 0) !== SIGNATURE) throw malformed(0, 'a pack header', 'the signature "PACK", got other bytes')
  const version = readUint32(bytes, 4)
  if (version !== VERSION) throw malformed(4, 'a pack header', `version 2, got ${version}`)
  return readUint32(bytes, 8)
}

/**
 * Writes type and declared length of an entry; the base of a delta follows it.
 * @param out buffer of the caller, with `entryHeaderLength(length)` bytes free at `offset`
 * @param length inflated length in bytes, 0 to 2^53 - 1
 * @returns the number of bytes written
 */
export function writeEntryHeader(out: Uint8Array, offset: number, type: EntryType, length: number): number {
  assert(Number.isSafeInteger(length) && length >= 0, 'an entry length is a safe integer')
  let rest = Math.floor(length / 16)
  let byte = type * 16 + (length % 16)
  let at = offset
  // Little-endian groups: 4 bits beside the type, then 7 each; the top bit says that another byte follows.
  while (rest > 0) {
    out[at++] = byte + 128
    byte = rest % 128
    rest = Math.floor(rest / 128)
  }
  out[at++] = byte
  return at - offset
}

/** Bytes that `writeEntryHeader` takes for this length. */
export function entryHeaderLength(length: number): number {
  let count = 1
  for (let rest = Math.floor(length / 16); rest > 0; rest = Math.floor(rest / 128)) count++
  return count
}

/**
 * Writes the distance of an OFS_DELTA: from the start of its base entry to the start of its own.
 * @param out buffer of the caller, with `ofsDistanceLength(distance)` bytes free at `offset`
 * @param distance in bytes, 1 to 2^53 - 1
 * @returns the number of bytes written
 */
export function writeOfsDistance(out: Uint8Array, offset: number, distance: number): number {
  assert(Number.isSafeInteger(distance) && distance > 0, 'an OFS_DELTA points backwards')
  const count = ofsDistanceLength(distance)
  let rest = distance
  // Big-endian groups of 7 bits; every group but the last stands for its value plus one, so that no value has two forms.
  for (let at = offset + count - 1; at >= offset; at--) {
    out[at] = (rest % 128) + (at === offset + count - 1 ? 0 : 128)
    rest = Math.floor(rest / 128) - 1
  }
  return count
}

/** Bytes that `writeOfsDistance` takes for this distance. */
export function ofsDistanceLength(distance: number): number {
  let count = 1
  for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor((rest - 1) / 128)) count++
  return count
}

/** Bytes that are always enough to hold an entry header with its base, for oids of `hashLength` bytes. */
export function entryHeaderLengthMax(hashLength: number): number {
  return TYPE_AND_LENGTH_MAX + Math.max(DISTANCE_LENGTH_MAX, hashLength)
}

/**
 * Reads the header of the entry at `offset`, its delta base included.
 * @param hashLength length of an oid in bytes, 20 or 32
 * @returns the header; a REF_DELTA's base is a view into `bytes`
 * @throws EngineError 'pack-malformed' on a truncated header, type 0 or 5, a number past 2^53 - 1 or in a longer form
 *   than needed, or a distance of 0
 */
export function readEntryHeader(bytes: Uint8Array, offset: number, hashLength: number): EntryHeader {
  let byte = byteAt(bytes, offset)
  const type = (byte >> 4) & 7
  let length = byte & 15
  let unit = 16
  let at = offset + 1
  while (byte & 128) {
    if (at - offset === TYPE_AND_LENGTH_MAX) throw malformed(offset, 'an entry length', 'at most 2^53 - 1, got more')
    byte = byteAt(bytes, at++)
    length += (byte & 127) * unit
    unit *= 128
  }
  if (byte === 0 && at - offset > 1) throw malformed(offset, 'an entry length', 'its shortest form, got a longer one')
  if (!Number.isSafeInteger(length)) throw malformed(offset, 'an entry length', 'at most 2^53 - 1, got more')
  switch (type) {
    case COMMIT:
    case TREE:
    case BLOB:
    case TAG:
      return { type, length, headerLength: at - offset }
    case PACK_OFS_DELTA: {
      const { distance, distanceLength } = readOfsDistance(bytes, at)
      return { type, length, distance, headerLength: at - offset + distanceLength }
    }
    case PACK_REF_DELTA: {
      if (at + hashLength > bytes.length) throw truncated(offset)
      return { type, length, deltaBase: bytes.subarray(at, at + hashLength), headerLength: at - offset + hashLength }
    }
    default:
      throw malformed(offset, 'an entry type', `1 to 4, 6 or 7, got ${type}`)
  }
}

function readOfsDistance(bytes: Uint8Array, offset: number): { distance: number; distanceLength: number } {
  let byte = byteAt(bytes, offset)
  let distance = byte & 127
  let at = offset + 1
  while (byte & 128) {
    if (at - offset === DISTANCE_LENGTH_MAX)
      throw malformed(offset, 'an OFS_DELTA distance', 'at most 2^53 - 1, got more')
    byte = byteAt(bytes, at++)
    distance = (distance + 1) * 128 + (byte & 127)
  }
  if (!Number.isSafeInteger(distance)) throw malformed(offset, 'an OFS_DELTA distance', 'at most 2^53 - 1, got more')
  if (distance === 0) throw malformed(offset, 'an OFS_DELTA distance', 'at least 1, got 0')
  return { distance, distanceLength: at - offset }
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw truncated(at)
  return byte
}

function writeUint32(out: Uint8Array, offset: number, value: number): void {
  out[offset] = value >>> 24
  out[offset + 1] = (value >>> 16) & 255
  out[offset + 2] = (value >>> 8) & 255
  out[offset + 3] = value & 255
}

function readUint32(bytes: Uint8Array, offset: number): number {
  let value = 0
  for (let at = offset; at < offset + 4; at++) value = value * 256 + byteAt(bytes, at)
  return value
}

function truncated(offset: number): EngineError {
  return malformed(offset, 'an entry header', 'more bytes, got the end of the data')
}

function malformed(offset: number, what: string, expectedGot: string): EngineError {
  return new EngineError('pack-malformed', `cannot read ${what} at byte ${offset}: expected ${expectedGot}`, { offset })
}
