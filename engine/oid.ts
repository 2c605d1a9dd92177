/**
 * Object names: raw bytes in tables, lowercase hex at the edges. Hash length is a property of the object format
 * (git's hash-function-transition document) and a parameter everywhere; no other file knows the numbers 20 and 32.
 */

import { EngineError } from './errors.ts'

export type ObjectFormat = 'sha1' | 'sha256'

/** An object name in lowercase hex, 40 or 64 digits by object format. */
export type Oid = string & { readonly oid: unique symbol }

const HEX = /^[0-9a-f]+$/
const HEX_PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
/** Value of each byte as a lowercase hex digit, 255 for bytes that are none. */
const DIGIT_VALUES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(byte))
  return value < 0 ? 255 : value
})

/** Length of a raw object name in bytes: 20 or 32. */
export function hashLengthOf(format: ObjectFormat): number {
  return format === 'sha1' ? 20 : 32
}

/** Checks that `text` is a full lowercase object name of the format. @throws oid-malformed */
export function parseOid(text: string, format: ObjectFormat): Oid {
  if (text.length !== hashLengthOf(format) * 2 || !HEX.test(text)) {
    throw new EngineError(
      'oid-malformed',
      `object name: expected ${hashLengthOf(format) * 2} lowercase hex digits, got ${JSON.stringify(text.slice(0, 80))}`,
    )
  }
  return text as Oid
}

/** Hex form of the `length` bytes of `bytes` from `offset`. */
export function oidFromBytes(bytes: Uint8Array, offset: number, length: number): Oid {
  let text = ''
  for (let i = offset; i < offset + length; i++) text += HEX_PAIRS[bytes[i] ?? 0]
  return text as Oid
}

/** Writes the raw bytes of a hex object name into `target` at `offset`. */
export function writeOid(oid: string, target: Uint8Array, offset: number): void {
  for (let i = 0; i < oid.length; i += 2) {
    target[offset + (i >> 1)] = (digitOf(oid.charCodeAt(i)) << 4) | digitOf(oid.charCodeAt(i + 1))
  }
}

/** The same for ASCII digits at `digits[start…]`; `length` is that of the raw name. @throws oid-malformed */
export function writeOidOfDigits(
  digits: Uint8Array,
  start: number,
  target: Uint8Array,
  offset: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) {
    const high = DIGIT_VALUES[digits[start + i * 2] ?? 0] ?? 0
    const low = DIGIT_VALUES[digits[start + i * 2 + 1] ?? 0] ?? 0
    if (high > 15 || low > 15) {
      throw new EngineError('oid-malformed', 'object name: expected lowercase hex digits, got another byte')
    }
    target[offset + i] = (high << 4) | low
  }
}

/** The raw bytes of a hex object name. */
export function bytesOfOid(oid: string): Uint8Array {
  const bytes = new Uint8Array(oid.length >> 1)
  writeOid(oid, bytes, 0)
  return bytes
}

function digitOf(code: number): number {
  return code <= 57 ? code - 48 : code - 87
}
