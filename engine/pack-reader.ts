/**
 * Reads a pack, or a pack body without header and trailer, entry by entry, from memory or through a random-access port.
 * Implements the reading side of gitformat-pack(5), version 2, with everything checked that can be checked without the
 * objects of older segments: counts, declared lengths, bases within the data, the trailer, nothing after it.
 * Declared lengths are held against the limits before anything is inflated, and a delta's declared result before the
 * next entry is read, so a caller that only iterates has a bound on what indexing this pack can cost.
 * Left out: the objects behind the deltas (delta-apply.ts), whether REF_DELTA bases exist, oids.
 * Surprise: a compressed stream that is far longer than its content is refused, although zlib would inflate it.
 */

import { readDeltaHeader } from './delta-apply.ts'
import { assert, EngineError } from './errors.ts'
import {
  PACK_ENTRY_COUNT_MAX,
  PACK_INFLATED_LENGTH_MAX,
  PACK_OBJECT_LENGTH_MAX,
  PACK_OBJECTS_LENGTH_MAX,
  PACK_READ_LENGTH,
} from './limits.ts'
import type { ObjectType } from './object.ts'
import {
  type EntryHeader,
  entryHeaderLengthMax,
  PACK_HEADER_LENGTH,
  PACK_OFS_DELTA,
  PACK_REF_DELTA,
  readEntryHeader,
  readPackHeader,
} from './pack-entry.ts'

/** Random access to bytes that do not change while they are read. */
export interface ByteSource {
  /** How many bytes there are. */
  readonly length: number
  /** Returns exactly the `length` bytes at `offset`, both within the source; the reader only reads them. */
  read(offset: number, length: number): Uint8Array
}

/**
 * Inflates the zlib stream (RFC 1950) at the start of `bytes`, which may go on after it.
 * @returns the content, which the reader owns, and the length of the stream in bytes; null when the stream is broken,
 *   not complete, or holds more than `length` bytes (it must stop there, not inflate to the end first)
 */
export type InflateEntry = (bytes: Uint8Array, length: number) => { data: Uint8Array; consumed: number } | null

/** A hash that is fed in parts. */
export interface RunningHash {
  update(bytes: Uint8Array): void
  digest(): Uint8Array
}

/** Bounds of one reading; a caller may lower them. */
export interface PackLimits {
  /** Most entries. */
  readonly entryCountMax: number
  /** Longest object and longest entry, in bytes. */
  readonly objectLengthMax: number
  /** Most bytes to inflate in all. */
  readonly inflatedLengthMax: number
  /** Most bytes of all objects, deltas counted by their results. */
  readonly objectsLengthMax: number
}

export const PACK_LIMITS: PackLimits = {
  entryCountMax: PACK_ENTRY_COUNT_MAX,
  objectLengthMax: PACK_OBJECT_LENGTH_MAX,
  inflatedLengthMax: PACK_INFLATED_LENGTH_MAX,
  objectsLengthMax: PACK_OBJECTS_LENGTH_MAX,
}

/** DEFLATE cannot expand further: a match of 258 bytes takes 2 bits at least (RFC 1951). */
const DEFLATE_RATIO_MAX = 1032

interface EntryPlace {
  /** Where the entry starts, in bytes from the start of the source. */
  readonly offset: number
  /** Where its compressed stream starts and ends. */
  readonly streamOffset: number
  readonly streamEnd: number
  /** Inflated content: the object, or the delta. Owned by the receiver. */
  readonly data: Uint8Array
  /** Length of the object in bytes: of `data`, or what the delta declares for its result. */
  readonly objectLength: number
}

/** One entry. The base of a REF_DELTA is a copy, so entries may be kept. */
export type PackEntry = EntryPlace &
  (
    | { readonly type: ObjectType }
    | { readonly type: typeof PACK_OFS_DELTA; readonly deltaBaseOffset: number }
    | { readonly type: typeof PACK_REF_DELTA; readonly deltaBase: Uint8Array }
  )

/** What a whole reading adds up to. */
export interface PackTotals {
  readonly objectCount: number
  /** Bytes inflated, deltas counted as deltas. */
  readonly inflatedLength: number
  /** Bytes of all objects, deltas counted by their results. */
  readonly objectsLength: number
}

export interface PackReading {
  readonly source: ByteSource
  /** Length of an oid in bytes, 20 or 32. */
  readonly hashLength: number
  readonly inflate: InflateEntry
  readonly limits?: PackLimits
}

/** A source over bytes in memory; it copies nothing. */
export function sourceOfBytes(bytes: Uint8Array): ByteSource {
  return { length: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) }
}

/**
 * Iterates the entries of a body, which ends where its source ends.
 * @param objectCount how many entries there have to be; null if that is not known
 * @returns entries in file order; the generator's return value are the totals
 * @throws EngineError 'pack-malformed', 'pack-limit', 'delta-malformed' (a delta's header) while iterating
 */
export function* readPackBody(reading: PackReading, objectCount: number | null): Generator<PackEntry, PackTotals> {
  const window = new SourceWindow(reading.source, null)
  const totals = yield* readEntries(reading, window, 0, reading.source.length, objectCount ?? Infinity)
  if (objectCount !== null && totals.objectCount !== objectCount) {
    throw malformed(reading.source.length, `${objectCount} entries, got ${totals.objectCount}`)
  }
  return totals
}

/**
 * Iterates the entries of a whole pack and checks header, count and trailer.
 * @param hash the hash of the object format, fresh; the last entry is not followed by a verdict until the iteration ends
 * @returns entries in file order; the generator's return value are the totals, and it is reached only by a sound pack
 * @throws EngineError 'pack-malformed', 'pack-limit', 'delta-malformed' (a delta's header) while iterating
 */
export function* readPack(reading: PackReading, hash: RunningHash): Generator<PackEntry, PackTotals> {
  const { source, hashLength } = reading
  if (source.length < PACK_HEADER_LENGTH + hashLength) {
    throw malformed(0, `a pack of at least ${PACK_HEADER_LENGTH + hashLength} bytes, got ${source.length}`)
  }
  const window = new SourceWindow(source, hash)
  const end = source.length - hashLength
  const objectCount = readPackHeader(window.view(0, PACK_HEADER_LENGTH))
  const totals = yield* readEntries(reading, window, PACK_HEADER_LENGTH, end, objectCount)
  if (totals.objectCount !== objectCount) throw malformed(end, `${objectCount} entries, got ${totals.objectCount}`)
  const trailer = window.view(end, hashLength)
  window.hashUpTo(end)
  if (!equalBytes(trailer, hash.digest())) throw malformed(end, 'the hash of the pack as its trailer, got another')
  return totals
}

/**
 * Reads all entries and keeps none.
 * @param entries a fresh iteration of `readPack` or `readPackBody`
 * @throws what the iteration throws
 */
export function totalsOf(entries: Generator<PackEntry, PackTotals>): PackTotals {
  for (;;) {
    const step = entries.next()
    if (step.done === true) return step.value
  }
}

function* readEntries(
  reading: PackReading,
  window: SourceWindow,
  start: number,
  end: number,
  countMax: number,
): Generator<PackEntry, PackTotals> {
  const limits = reading.limits ?? PACK_LIMITS
  const offsets: number[] = []
  let inflatedLength = 0
  let objectsLength = 0
  let offset = start
  if (countMax !== Infinity) withinLimit('the number of entries', countMax, limits.entryCountMax, start)
  while (offset < end) {
    if (offsets.length === countMax) throw malformed(offset, `the end after ${countMax} entries, got more bytes`)
    withinLimit('the number of entries', offsets.length + 1, limits.entryCountMax, offset)
    const header = readEntryHeaderAt(reading, window, offset, end)
    withinLimit('the declared length', header.length, limits.objectLengthMax, offset)
    inflatedLength += header.length
    withinLimit('the sum of declared lengths', inflatedLength, limits.inflatedLengthMax, offset)
    const entry = inflateAt(reading, window, offset, end, header, offsets)
    withinLimit('the length of the object', entry.objectLength, limits.objectLengthMax, offset)
    objectsLength += entry.objectLength
    withinLimit('the sum of object lengths', objectsLength, limits.objectsLengthMax, offset)
    offsets.push(offset)
    offset = entry.streamEnd
    yield entry
  }
  return { objectCount: offsets.length, inflatedLength, objectsLength }
}

function readEntryHeaderAt(reading: PackReading, window: SourceWindow, offset: number, end: number): EntryHeader {
  const length = Math.min(entryHeaderLengthMax(reading.hashLength), end - offset)
  try {
    return readEntryHeader(window.view(offset, length), 0, reading.hashLength)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw new EngineError(
      'pack-malformed',
      `cannot read the entry at byte ${offset}: ${error.message}`,
      { offset },
      error,
    )
  }
}

function inflateAt(
  reading: PackReading,
  window: SourceWindow,
  offset: number,
  end: number,
  header: EntryHeader,
  offsets: readonly number[],
): PackEntry {
  const streamOffset = offset + header.headerLength
  // Taken before the window moves on: a REF_DELTA's base is a view into it.
  const deltaBase = header.type === PACK_REF_DELTA ? header.deltaBase.slice() : null
  if (header.length > (end - streamOffset) * DEFLATE_RATIO_MAX) {
    throw malformed(streamOffset, `a stream that can hold ${header.length} bytes, got ${end - streamOffset} bytes`)
  }
  const stream = window.view(streamOffset, Math.min(streamLengthMax(header.length), end - streamOffset))
  const inflated = reading.inflate(stream, header.length)
  if (inflated === null) {
    throw malformed(streamOffset, `a complete zlib stream of ${header.length} bytes within ${stream.length}, got none`)
  }
  const { data, consumed } = inflated
  if (data.length !== header.length)
    throw malformed(streamOffset, `${header.length} bytes inflated, got ${data.length}`)
  assert(consumed > 0 && consumed <= stream.length, 'inflate consumes what it was given')
  const place = { offset, streamOffset, streamEnd: streamOffset + consumed, data }
  switch (header.type) {
    case PACK_OFS_DELTA: {
      const deltaBaseOffset = offset - header.distance
      if (!includesSorted(offsets, deltaBaseOffset)) {
        throw malformed(offset, `an OFS_DELTA base where an entry starts, got byte ${deltaBaseOffset}`)
      }
      return { ...place, type: header.type, deltaBaseOffset, objectLength: readDeltaHeader(data).resultLength }
    }
    case PACK_REF_DELTA:
      assert(deltaBase !== null, 'a REF_DELTA has a base')
      return { ...place, type: header.type, deltaBase, objectLength: readDeltaHeader(data).resultLength }
    default:
      return { ...place, type: header.type, objectLength: data.length }
  }
}

/**
 * Longest zlib stream that is taken for `length` bytes of content: stored blocks cost 5 bytes per 16 KiB at worst, header
 * and checksum 6. A real compressor stays below; only a stream padded with empty blocks is longer.
 */
export function streamLengthMax(length: number): number {
  return length + Math.floor(length / 1024) + 64
}

/** A window over the source that only moves forward, and hashes what it leaves behind. */
export class SourceWindow {
  readonly #source: ByteSource
  readonly #hash: RunningHash | null
  #bytes: Uint8Array = new Uint8Array(0)
  #start = 0
  #hashed = 0

  constructor(source: ByteSource, hash: RunningHash | null) {
    this.#source = source
    this.#hash = hash
  }

  /** The bytes at `offset`, valid until the next call; `offset` never goes back. */
  view(offset: number, length: number): Uint8Array {
    if (offset + length > this.#start + this.#bytes.length) {
      this.hashUpTo(offset)
      const wanted = Math.min(Math.max(length, PACK_READ_LENGTH), this.#source.length - offset)
      this.#bytes = this.#source.read(offset, wanted)
      this.#start = offset
      assert(this.#bytes.length === wanted, 'a source returns as many bytes as were asked for')
    }
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + length)
  }

  /** Feeds the hash with everything before `offset`, which the window has to cover. */
  hashUpTo(offset: number): void {
    if (this.#hash === null || offset === this.#hashed) return
    assert(this.#hashed >= this.#start && offset <= this.#start + this.#bytes.length, 'no byte is left out of the hash')
    this.#hash.update(this.#bytes.subarray(this.#hashed - this.#start, offset - this.#start))
    this.#hashed = offset
  }
}

function includesSorted(offsets: readonly number[], wanted: number): boolean {
  let low = 0
  let high = offsets.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const offset = offsets[middle]
    if (offset === undefined) return false
    if (offset === wanted) return true
    if (offset < wanted) low = middle + 1
    else high = middle - 1
  }
  return false
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

function withinLimit(what: string, got: number, max: number, offset: number): void {
  if (got <= max) return
  throw new EngineError(
    'pack-limit',
    `cannot read the pack at byte ${offset}: ${what} is ${got}, the limit is ${max}`,
    {
      offset,
      got,
      max,
    },
  )
}

function malformed(offset: number, expectedGot: string): EngineError {
  return new EngineError('pack-malformed', `cannot read the pack at byte ${offset}: expected ${expectedGot}`, {
    offset,
  })
}
