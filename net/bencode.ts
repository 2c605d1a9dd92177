/**
 * Bencode (BEP 3) of our own messages: typed, canonical form only, bounded, linear.
 * Refused: unsorted or repeated keys, leading zeros, "-0", trailing bytes, more depth, values or bytes than limits.ts allows.
 * Integers are bigints when read; byte strings are views of the input, so copy what must outlive it.
 * The lenient codec that the dependencies see is net/shims/bencode; it exists apart because they load it without a build.
 */
import { NetError } from './errors.ts'
import {
  BENCODE_DEPTH_MAX,
  BENCODE_INTEGER_DIGITS_MAX,
  BENCODE_LENGTH_MAX,
  BENCODE_STRING_DIGITS_MAX,
  BENCODE_VALUE_COUNT_MAX,
} from './limits.ts'

export type Bencode = bigint | Uint8Array | readonly Bencode[] | BencodeDict
/** Keys are byte strings written as latin1 text, one character per byte, in ascending order. */
export type BencodeDict = ReadonlyMap<string, Bencode>

const BYTE = { i: 0x69, l: 0x6c, d: 0x64, e: 0x65, colon: 0x3a, minus: 0x2d, zero: 0x30, nine: 0x39 } as const

interface Cursor {
  readonly bytes: Uint8Array
  /** Canonical form wanted: keys must ascend. Otherwise they must only differ. */
  readonly canonical: boolean
  at: number
  depth: number
  count: number
}

function malformed(cursor: Cursor, what: string): NetError {
  return new NetError('message-malformed', `bencode: ${what} at byte ${cursor.at}`, { offset: cursor.at })
}

/** Reads decimal digits up to and including `end`, without leading zeros. */
function readDigits(cursor: Cursor, end: number, digitCountMax: number): string {
  const from = cursor.at
  let at = from
  for (; at < cursor.bytes.length; at++) {
    const byte = cursor.bytes[at] ?? 0
    if (byte < BYTE.zero || byte > BYTE.nine) break
    if (at - from >= digitCountMax) throw malformed(cursor, 'expected a shorter number')
  }
  if (at === from) throw malformed(cursor, 'expected a digit')
  if (cursor.bytes[from] === BYTE.zero && at - from > 1) throw malformed(cursor, 'expected no leading zero')
  if (cursor.bytes[at] !== end) throw malformed(cursor, 'expected a delimiter')
  cursor.at = at + 1
  return latin1(cursor.bytes.subarray(from, at))
}

function readInteger(cursor: Cursor): bigint {
  cursor.at += 1
  const negative = cursor.bytes[cursor.at] === BYTE.minus
  if (negative) cursor.at += 1
  const value = BigInt(readDigits(cursor, BYTE.e, BENCODE_INTEGER_DIGITS_MAX))
  if (negative && value === 0n) throw malformed(cursor, 'expected no negative zero')
  return negative ? -value : value
}

function readString(cursor: Cursor): Uint8Array {
  const length = Number(readDigits(cursor, BYTE.colon, BENCODE_STRING_DIGITS_MAX))
  if (length > cursor.bytes.length - cursor.at) throw malformed(cursor, 'expected a whole byte string')
  const value = cursor.bytes.subarray(cursor.at, cursor.at + length)
  cursor.at += length
  return value
}

function enter(cursor: Cursor): void {
  cursor.at += 1
  cursor.depth += 1
  if (cursor.depth > BENCODE_DEPTH_MAX) throw malformed(cursor, `expected at most ${BENCODE_DEPTH_MAX} levels`)
}

function leaves(cursor: Cursor): boolean {
  if (cursor.bytes[cursor.at] !== BYTE.e) return false
  cursor.at += 1
  cursor.depth -= 1
  return true
}

function readList(cursor: Cursor): Bencode[] {
  enter(cursor)
  const list: Bencode[] = []
  while (!leaves(cursor)) list.push(readValue(cursor))
  return list
}

function readDict(cursor: Cursor): BencodeDict {
  enter(cursor)
  const dict = new Map<string, Bencode>()
  let previous: string | null = null
  while (!leaves(cursor)) {
    const key = latin1(readString(cursor))
    // latin1 text compares as its bytes do
    if (cursor.canonical && previous !== null && key <= previous) throw malformed(cursor, 'expected ascending keys')
    if (dict.has(key)) throw malformed(cursor, 'expected each key once')
    dict.set(key, readValue(cursor))
    previous = key
  }
  return dict
}

function readValue(cursor: Cursor): Bencode {
  cursor.count += 1
  if (cursor.count > BENCODE_VALUE_COUNT_MAX) throw malformed(cursor, 'expected fewer values')
  switch (cursor.bytes[cursor.at]) {
    case BYTE.i:
      return readInteger(cursor)
    case BYTE.l:
      return readList(cursor)
    case BYTE.d:
      return readDict(cursor)
    default:
      return readString(cursor)
  }
}

/**
 * Reads one bencoded value that fills `bytes`. Linear in its length.
 * @param options.canonical false accepts keys out of order, which other programs send (DHT nodes, trackers)
 * @throws NetError message-malformed, message-limit
 */
export function decodeBencode(bytes: Uint8Array, options: { canonical?: boolean } = {}): Bencode {
  if (bytes.length > BENCODE_LENGTH_MAX) {
    throw new NetError('message-limit', `bencode: expected at most ${BENCODE_LENGTH_MAX} bytes, got ${bytes.length}`)
  }
  const cursor: Cursor = { bytes, canonical: options.canonical ?? true, at: 0, depth: 0, count: 0 }
  const value = readValue(cursor)
  if (cursor.at !== bytes.length) throw malformed(cursor, 'expected the end')
  return value
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function push(parts: Uint8Array[], value: Bencode): void {
  if (typeof value === 'bigint') {
    parts.push(fromLatin1(`i${value}e`))
  } else if (value instanceof Uint8Array) {
    parts.push(fromLatin1(`${value.length}:`), value)
  } else if (isList(value)) {
    parts.push(fromLatin1('l'))
    for (const item of value) push(parts, item)
    parts.push(fromLatin1('e'))
  } else {
    parts.push(fromLatin1('d'))
    for (const key of [...value.keys()].sort(compareText)) {
      const child = value.get(key)
      if (child === undefined) continue
      parts.push(fromLatin1(`${key.length}:${key}`))
      push(parts, child)
    }
    parts.push(fromLatin1('e'))
  }
}

/** The canonical bencode of `value`; dictionary keys are sorted here. */
export function encodeBencode(value: Bencode): Uint8Array {
  const parts: Uint8Array[] = []
  push(parts, value)
  return concatBytes(parts)
}

/** A dictionary from plain fields; fields that are undefined are left out. */
export function bencodeDict(fields: Readonly<Record<string, Bencode | undefined>>): BencodeDict {
  const dict = new Map<string, Bencode>()
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) dict.set(key, value)
  return dict
}

function isList(value: Bencode): value is readonly Bencode[] {
  return Array.isArray(value)
}

/** `value` as a dictionary, or null. */
export function asDict(value: Bencode | undefined): BencodeDict | null {
  return value instanceof Map ? value : null
}

/** `value` as a list, or null. */
export function asList(value: Bencode | undefined): readonly Bencode[] | null {
  return value !== undefined && typeof value === 'object' && isList(value) ? value : null
}

/** `value` as a byte string of `lengthMin` to `lengthMax` bytes, or null. */
export function asBytes(value: Bencode | undefined, lengthMin: number, lengthMax: number): Uint8Array | null {
  return value instanceof Uint8Array && value.length >= lengthMin && value.length <= lengthMax ? value : null
}

/** `value` as an integer from `min` to `max` (safe integers), or null. */
export function asInteger(value: Bencode | undefined, min: number, max: number): number | null {
  if (typeof value !== 'bigint' || value < BigInt(min) || value > BigInt(max)) return null
  return Number(value)
}

/** Bytes as text, one character per byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** Text of characters up to U+00FF as bytes. */
export function fromLatin1(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/** All `parts` in one array. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}
