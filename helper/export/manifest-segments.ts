/**
 * The segments of links as an exported folder names them: a record for each link. A short record is in the manifest, in base64;
 * a long one, which is that of a large and old link, in the .torrent file beside the link, with its hash in the manifest: every
 * reader gets the manifest again after every export, but only clones take old links.
 *
 * Of each segment, oldest first: the object name of its tip, the SHA-256 of its body, then objects, commits and bytes of the body as
 * LEB128 numbers (seven bits a byte, the lowest first; all but the last byte have bit 7 set).
 */

import { hashLengthOf, type ObjectFormat, type Oid, parseOid } from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { LINK_LENGTH_MAX, OBJECT_COUNT_MAX, SEGMENT_COUNT_MAX } from '../limits.ts'

export interface NamedSegment {
  readonly tip: Oid
  readonly objectCount: number
  readonly commitCount: number
  /** Bytes of the body. */
  readonly length: number
  readonly sha256: string
}

/** Bytes of a record that a manifest has in itself: eight segments. */
export const INLINE_RECORD_LENGTH_MAX = 480

const SHA256_LENGTH = 32

export function encodeSegments(segments: readonly NamedSegment[]): Uint8Array {
  const parts = segments.map(({ tip, objectCount, commitCount, length, sha256 }) => {
    const hashes = Buffer.from(tip + sha256, 'hex')
    return Buffer.concat([hashes, Buffer.from([objectCount, commitCount, length].flatMap(encodeNumber))])
  })
  return Buffer.concat(parts)
}

/** @throws HelperError 'manifest-malformed', EngineError */
export function decodeSegments(record: Uint8Array, format: ObjectFormat): NamedSegment[] {
  const bytes = Buffer.from(record)
  const tipLength = hashLengthOf(format)
  const segments: NamedSegment[] = []
  let at = 0
  const hex = (length: number): string => {
    at += length
    return bytes.toString('hex', at - length, at)
  }
  const number = (max: number): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] ?? 0
      value += (byte & 0x7f) * factor
      if (value > max || factor > max) throw malformed(`a number of at most ${max}`)
      if (byte === 0 && factor > 1) throw malformed('a number in its shortest form')
      if (byte < 0x80) break
    }
    if (value < 1) throw malformed('a number of at least 1')
    return value
  }
  while (at < bytes.length) {
    if (segments.length >= SEGMENT_COUNT_MAX) throw malformed(`at most ${SEGMENT_COUNT_MAX}`)
    const tip = parseOid(hex(tipLength), format)
    const sha256 = hex(SHA256_LENGTH)
    const objectCount = number(OBJECT_COUNT_MAX)
    segments.push({ tip, objectCount, commitCount: number(OBJECT_COUNT_MAX), length: number(LINK_LENGTH_MAX), sha256 })
  }
  return segments
}

/** Bytes of a number up to 2^53. */
function encodeNumber(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return [...bytes, rest]
}

function malformed(expected: string): HelperError {
  return new HelperError('manifest-malformed', `manifest: segments: expected ${expected}, got something else`)
}
