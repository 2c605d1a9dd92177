/**
 * Where the entries of an indexed pack are, what they are and which are made from which: its index (gitformat-pack(5), version 2)
 * and one pass over the entry headers. Plain arrays over shared memory, so that several threads can read one table.
 * The pack is one that git has indexed, so what is malformed here is a mistake or a race, not an attack.
 */

import { prefixOf } from './bytes.ts'
import { EngineError } from './errors.ts'
import { PACK_READ_LENGTH } from './limits.ts'
import { BLOB } from './object.ts'
import { entryHeaderLengthMax, PACK_OFS_DELTA, PACK_REF_DELTA, readEntryHeader } from './pack-entry.ts'
import type { ByteSource } from './pack-reader.ts'

const INDEX_SIGNATURE = 0xff744f63
const INDEX_VERSION = 2
const FANOUT_OFFSET = 8
const FANOUT_LENGTH = 1024
/** An offset with this bit is the number of a long one. */
const LONG_OFFSET = 0x8000_0000

/** Entries are numbered in the order of their offsets. */
export interface PackTable {
  readonly hashLength: number
  readonly count: number
  /** Where entries start; one more at the end: where the trailer starts. */
  readonly offsets: Float64Array
  /** Length of the entry's header, its delta base included, and of its inflated content. */
  readonly headerLengths: Uint8Array
  readonly lengths: Uint32Array
  /** Entry that this one is a delta of; -1 for a whole object. */
  readonly bases: Int32Array
  /** COMMIT, TREE, BLOB or TAG, of deltas too. */
  readonly kinds: Uint8Array
  /** Names ascending, and the entry of each. */
  readonly oids: Uint8Array
  readonly entries: Uint32Array
  /** Deltas by base, blobs left out: those of entry e at children[firstChild[e]…firstChild[e + 1]]. */
  readonly firstChild: Uint32Array
  readonly children: Uint32Array
}

/** Zeroed memory that threads can share. */
const shared = (length: number): SharedArrayBuffer => new SharedArrayBuffer(length)

/**
 * Reads a table.
 * @param index the whole .idx file; @param source the whole .pack file
 * @throws EngineError 'table-malformed', 'pack-malformed'
 */
export function readPackTable(index: Uint8Array, source: ByteSource, hashLength: number): PackTable {
  const view = new DataView(index.buffer, index.byteOffset, index.length)
  if (index.length < FANOUT_OFFSET + FANOUT_LENGTH || view.getUint32(0) !== INDEX_SIGNATURE)
    throw malformed('a pack index')
  if (view.getUint32(4) !== INDEX_VERSION) throw malformed(`version ${INDEX_VERSION}`)
  const count = view.getUint32(FANOUT_OFFSET + FANOUT_LENGTH - 4)
  const oidStart = FANOUT_OFFSET + FANOUT_LENGTH
  const offsetStart = oidStart + count * (hashLength + 4)
  if (index.length < offsetStart + count * 4 + 2 * hashLength) throw malformed(`${count} entries`)
  const oids = new Uint8Array(shared(count * hashLength))
  oids.set(index.subarray(oidStart, oidStart + oids.length))
  const offsetOf = (number: number): number => {
    const short = view.getUint32(offsetStart + number * 4)
    return short < LONG_OFFSET ? short : Number(view.getBigUint64(offsetStart + count * 4 + (short - LONG_OFFSET) * 8))
  }
  const offsets = new Float64Array(shared((count + 1) * 8))
  for (let number = 0; number < count; number++) offsets[number] = offsetOf(number)
  offsets[count] = source.length - hashLength
  offsets.sort((a, b) => a - b)
  const entries = new Uint32Array(shared(count * 4))
  for (let number = 0; number < count; number++) entries[number] = entryAt(offsets, count, offsetOf(number))
  const table = {
    hashLength,
    count,
    offsets,
    headerLengths: new Uint8Array(shared(count)),
    lengths: new Uint32Array(shared(count * 4)),
    bases: new Int32Array(shared(count * 4)),
    kinds: new Uint8Array(shared(count)),
    oids,
    entries,
  }
  readHeaders(table, source)
  spreadKinds(table)
  return { ...table, ...childrenOf(table) }
}

type Headers = Omit<PackTable, 'firstChild' | 'children'>

/** Fills in what entry headers say; kinds of deltas stay 0. */
function readHeaders(
  { hashLength, count, offsets, headerLengths, lengths, bases, kinds, ...names }: Headers,
  source: ByteSource,
) {
  const longest = entryHeaderLengthMax(hashLength)
  const find = finderOf({ ...names, hashLength, count })
  let window: Uint8Array = new Uint8Array(0)
  let start = 0
  for (let entry = 0; entry < count; entry++) {
    const offset = offsets[entry] ?? 0
    if (offset + longest > start + window.length) {
      start = offset
      window = source.read(start, Math.min(PACK_READ_LENGTH, source.length - start))
    }
    const header = readEntryHeader(window, offset - start, hashLength)
    headerLengths[entry] = header.headerLength
    if (header.length > 0xffff_ffff) throw malformed('objects below 4 GiB')
    lengths[entry] = header.length
    bases[entry] = -1
    if (header.type === PACK_OFS_DELTA) bases[entry] = entryAt(offsets, count, offset - header.distance)
    else if (header.type === PACK_REF_DELTA) bases[entry] = entryOf(names.entries, find(header.deltaBase, 0))
    else kinds[entry] = header.type
  }
}

/** Number of a name in `oids`, or -1. Names are uniform, so that those with one start are few. */
export function finderOf({ hashLength, count, oids }: Pick<PackTable, 'hashLength' | 'count' | 'oids'>) {
  const bits = Math.min(20, Math.max(1, 32 - Math.clz32(count)))
  const firsts = new Uint32Array((1 << bits) + 1)
  const startOf = (bytes: Uint8Array, at: number): number => reversed(prefixOf(bytes, at)) >>> (32 - bits)
  for (let number = 0; number < count; number++) {
    const start = startOf(oids, number * hashLength) + 1
    firsts[start] = number + 1
  }
  for (let start = 1; start < firsts.length; start++)
    firsts[start] = Math.max(firsts[start] ?? 0, firsts[start - 1] ?? 0)
  return (bytes: Uint8Array, at: number): number => {
    const start = startOf(bytes, at)
    const end = firsts[start + 1] ?? 0
    for (let number = firsts[start] ?? 0; number < end; number++) {
      let same = 0
      const from = number * hashLength
      while (same < hashLength && oids[from + same] === bytes[at + same]) same++
      if (same === hashLength) return number
    }
    return -1
  }
}

/** The first byte of a name decides first. */
function reversed(prefix: number): number {
  return (
    (((prefix & 0xff) << 24) | ((prefix & 0xff00) << 8) | ((prefix >>> 8) & 0xff00) | ((prefix >>> 24) & 0xff)) >>> 0
  )
}

function entryOf(entries: Uint32Array, number: number): number {
  if (number < 0) throw malformed('a delta base within the pack')
  return entries[number] ?? 0
}

/** The entry that starts at `offset`. */
function entryAt(offsets: Float64Array, count: number, offset: number): number {
  let low = 0
  let high = count - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((offsets[middle] ?? 0) < offset) low = middle + 1
    else high = middle
  }
  if (offsets[low] !== offset) throw malformed(`an entry at byte ${offset}`)
  return low
}

/** Gives deltas the kind of what they are made of. */
function spreadKinds({ count, bases, kinds }: Headers): void {
  const path: number[] = []
  for (let entry = 0; entry < count; entry++) {
    let at = entry
    while (kinds[at] === 0) {
      if (path.push(at) > count) throw malformed('deltas without a circle')
      at = bases[at] ?? 0
    }
    for (const delta of path.splice(0)) kinds[delta] = kinds[at] ?? 0
  }
}

function childrenOf({ count, bases, kinds }: Headers): Pick<PackTable, 'firstChild' | 'children'> {
  const firstChild = new Uint32Array(shared((count + 1) * 4))
  const isCounted = (entry: number): boolean => (bases[entry] ?? -1) >= 0 && kinds[entry] !== BLOB
  for (let entry = 0; entry < count; entry++) if (isCounted(entry)) increment(firstChild, (bases[entry] ?? 0) + 1)
  for (let entry = 0; entry < count; entry++)
    firstChild[entry + 1] = (firstChild[entry + 1] ?? 0) + (firstChild[entry] ?? 0)
  const children = new Uint32Array(shared((firstChild[count] ?? 0) * 4))
  const filled = firstChild.slice()
  for (let entry = 0; entry < count; entry++) {
    if (!isCounted(entry)) continue
    const base = bases[entry] ?? 0
    children[filled[base] ?? 0] = entry
    increment(filled, base)
  }
  return { firstChild, children }
}

function increment(counts: Uint32Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1
}

function malformed(expected: string): EngineError {
  return new EngineError('table-malformed', `pack index: expected ${expected}, got something else`)
}
