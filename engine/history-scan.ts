/**
 * Does a pack hold all that one commit reaches, and nothing else? It does if every object that one of its
 * commits or trees names is in it, and every object in it but that commit is named by another: names are hashes, so there are
 * no circles, and what is named by somebody is reached from the one that is named by nobody. So the union of all names is enough,
 * and nothing has to be walked from the tip.
 * In a segment of the format commits and trees come before blobs (FORMAT.md, "Bodies"), and every delta base before its delta. So they
 * can be read while the pack still arrives, and blobs, most of its bytes, are never inflated; what git has indexed afterwards is
 * only compared. A pack in another order is not one of the format, and is refused.
 */

import { applyDeltaInto, readCopies, readDeltaHeader } from './delta-apply.ts'
import { EngineError } from './errors.ts'
import { ExactInflater } from './inflate-exact.ts'
import { OBJECT_RING_LENGTH, OID_RUN_LENGTH_MAX, PACK_READ_LENGTH, REBUILT_AGAIN_LENGTH_MAX } from './limits.ts'
import { BLOB, COMMIT, ENTRY_BLOB, ENTRY_GITLINK, type ObjectType, TAG, TREE } from './object.ts'
import { ObjectRing } from './object-ring.ts'
import { type Oid, writeOid, writeOidOfDigits } from './oid.ts'
import { OidIndex } from './oid-index.ts'
import {
  type EntryHeader,
  entryHeaderLengthMax,
  PACK_OFS_DELTA,
  PACK_REF_DELTA,
  readEntryHeader,
} from './pack-entry.ts'
import type { PackIndex } from './pack-index.ts'
import { SourceWindow, streamLengthMax } from './pack-reader.ts'
import { NO_STARTS, splitTree, startCountMax, type TreeStarts } from './tree-starts.ts'

const TREE_LINE = 'tree '.length
const PARENT_LINE = 'parent '.length
const LETTER_P = 0x70

/** Instead of the number of a delta base: the entry is whole; it is a blob, or made of one; it cannot be in the format. */
const WHOLE = -1
const OF_BLOB = -2
const OUT_OF_FORMAT = -3

export interface ScannedPack {
  /** Bytes of the pack without its trailer. */
  readonly length: number
  /** Fills an array with the bytes of the pack from `offset` on, which have arrived. */
  readonly read: (offset: number, into: Uint8Array) => void
  readonly hashLength: number
  /** Objects that it has. */
  readonly objectCount: number
  /** Hash of the object format. */
  readonly hash: (bytes: Uint8Array) => Uint8Array
  readonly limits?: ScanLimits
}

/** Bounds of one reading; a caller may lower them. */
export interface ScanLimits {
  /** Bytes of objects that are kept, a multiple of 8. */
  readonly ringLength: number
  /** Most bytes that are rebuilt because they were not kept. */
  readonly rebuiltAgainLengthMax: number
}

const SCAN_LIMITS: ScanLimits = {
  ringLength: OBJECT_RING_LENGTH,
  rebuiltAgainLengthMax: REBUILT_AGAIN_LENGTH_MAX,
}

/** One reading of a pack: `scan` for each segment, in order, then `matches`. Whatever throws EngineError has ended it. */
export class HistoryScan {
  readonly #length: number
  readonly #read: (offset: number, into: Uint8Array) => void
  readonly #hashLength: number
  readonly #objectCount: number
  readonly #hash: (bytes: Uint8Array) => Uint8Array
  readonly #headerLengthMax: number
  readonly #inflater = new ExactInflater()
  #ring: ObjectRing
  readonly #limits: ScanLimits
  /** All names: of what was read, and of what that names. */
  readonly #names: OidIndex
  /** By number of the name: the kind as which it was named, 0 for never; the entry that has it plus one, 0 for none. */
  readonly #named: Uint8Array
  readonly #owners: Int32Array
  /** By entry that was read, in order of offsets: where it starts, its length, its kind, the entry it is a delta of, its record in the ring. */
  readonly #offsets: Float64Array
  #lengths: Uint32Array
  readonly #kinds: Uint8Array
  #bases: Int32Array
  #positions: Float64Array
  #entryCount = 0
  /** Where the blobs of segments start and end, in turns. */
  readonly #blobRanges: number[] = []
  #rebuiltAgainLength = 0
  readonly #name: Uint8Array
  /** The delta at hand, what is read ahead, the entry that is read again: each is gone with the next. */
  #delta = new Uint8Array(4096)
  #ahead = new Uint8Array(PACK_READ_LENGTH)
  #again = new Uint8Array(4096)

  constructor({ length, read, hashLength, objectCount, hash, limits = SCAN_LIMITS }: ScannedPack) {
    this.#limits = limits
    this.#ring = new ObjectRing(limits.ringLength)
    this.#length = length
    this.#read = read
    this.#hashLength = hashLength
    this.#objectCount = objectCount
    this.#hash = hash
    this.#headerLengthMax = entryHeaderLengthMax(hashLength)
    this.#names = new OidIndex(hashLength, objectCount + 1, OID_RUN_LENGTH_MAX)
    this.#named = new Uint8Array(objectCount)
    this.#owners = new Int32Array(objectCount)
    this.#offsets = new Float64Array(objectCount)
    this.#lengths = new Uint32Array(objectCount)
    this.#kinds = new Uint8Array(objectCount)
    this.#bases = new Int32Array(objectCount)
    this.#positions = new Float64Array(objectCount)
    this.#name = new Uint8Array(hashLength)
  }

  /**
   * Reads the commits and trees of the next segment, whose body is in the pack from `start` to `end`.
   * @returns false when this cannot be the pack any more
   * @throws EngineError 'pack-limit' when it takes too much to find out, others when the segment is malformed
   */
  scan(start: number, end: number): boolean {
    const window = this.#windowUpTo(end)
    const first = this.#entryCount
    for (let at = start; at < end; ) {
      const header = this.#headerAt(window, at, end)
      const base = this.#baseOf(header, at, first)
      if (base === OF_BLOB) {
        this.#blobRanges.push(at, end)
        return true
      }
      if (base === OUT_OF_FORMAT || this.#entryCount === this.#objectCount) return false
      const streamStart = at + header.headerLength
      const stream = window.view(streamStart, Math.min(streamLengthMax(header.length), end - streamStart))
      const entry = this.#entryCount++
      this.#offsets[entry] = at
      this.#bases[entry] = base
      this.#kinds[entry] = base === WHOLE ? header.type : (this.#kinds[base] ?? 0)
      const streamLength = this.#rebuild(entry, header.length, stream)
      if (streamLength === 0 || !this.#nameEntry(entry)) return false
      this.#lengths[entry] = header.headerLength + streamLength
      at = streamStart + streamLength
    }
    return true
  }

  /** Lets go of what only reading needs, half of all; to be called before the index is read. */
  endReading(): void {
    this.#ring = new ObjectRing(0)
    this.#lengths = new Uint32Array(0)
    this.#bases = new Int32Array(0)
    this.#positions = new Float64Array(0)
  }

  /**
   * True if what was read is all of the pack, and the pack is what `tip` reaches.
   * @param index what git has made of the pack; its offsets are in another order afterwards
   * @throws EngineError 'pack-malformed'
   */
  matches(tip: Oid, index: PackIndex): boolean {
    if (index.count !== this.#names.count) return false
    writeOid(tip, this.#name, 0)
    const tipNumber = this.#names.find(this.#name, 0)
    for (let at = 0, before = -1; at < index.count; at++) {
      const number = this.#names.find(index.oids, at * this.#hashLength)
      // The index of a pack that has an object twice has its name twice.
      if (number < 0 || number === before) return false
      before = number
      const entry = this.#ownerOf(number)
      const kind = entry === WHOLE ? BLOB : this.#kinds[entry]
      if (number === tipNumber ? kind !== COMMIT || this.#named[number] !== 0 : this.#named[number] !== kind)
        return false
    }
    return this.#hasOnlyBlobsBeside(index.offsets.sort((a, b) => a - b))
  }

  /** One at a time. */
  #windowUpTo(end: number): SourceWindow {
    const read = (at: number, length: number): Uint8Array => {
      this.#ahead = atLeast(this.#ahead, length)
      const bytes = this.#ahead.subarray(0, length)
      this.#read(at, bytes)
      return bytes
    }
    return new SourceWindow({ length: end, read }, null)
  }

  /** True if git has found the same entries, and where nothing was read nothing but blobs. */
  #hasOnlyBlobsBeside(offsets: Float64Array): boolean {
    const window = this.#windowUpTo(this.#length)
    let entry = 0
    let range = 0
    for (const offset of offsets) {
      if (entry < this.#entryCount && offset === this.#offsets[entry]) {
        entry++
        continue
      }
      while (range < this.#blobRanges.length && offset >= (this.#blobRanges[range + 1] ?? 0)) range += 2
      const start = this.#blobRanges[range] ?? Number.POSITIVE_INFINITY
      const end = this.#blobRanges[range + 1] ?? 0
      if (offset < start || !this.#isBlob(this.#headerAt(window, offset, end), offset, start)) return false
    }
    return entry === this.#entryCount
  }

  /** True for a blob, or what is made of one; the blobs of this segment start at `blobStart`. */
  #isBlob(header: EntryHeader, offset: number, blobStart: number): boolean {
    if (header.type === PACK_OFS_DELTA) return offset - header.distance >= blobStart
    if (header.type === PACK_REF_DELTA) return this.#entryNamed(header.deltaBase) === WHOLE
    return header.type === BLOB
  }

  #headerAt(window: SourceWindow, at: number, end: number): EntryHeader {
    return readEntryHeader(window.view(at, Math.min(this.#headerLengthMax, end - at)), 0, this.#hashLength)
  }

  /** The entry that one is a delta of; `first` is the first of its segment. */
  #baseOf(header: EntryHeader, offset: number, first: number): number {
    switch (header.type) {
      case BLOB:
        return OF_BLOB
      case TAG:
        return OUT_OF_FORMAT
      case PACK_OFS_DELTA:
        return this.#entryAt(offset - header.distance, first)
      case PACK_REF_DELTA: {
        const base = this.#entryNamed(header.deltaBase)
        return base === WHOLE ? OF_BLOB : base
      }
      default:
        return WHOLE
    }
  }

  #entryNamed(oid: Uint8Array): number {
    const number = this.#names.find(oid, 0)
    return number < 0 ? WHOLE : this.#ownerOf(number)
  }

  /** Number of a name, -1 if there are more of them than objects. */
  #addName(bytes: Uint8Array, at: number): number {
    const number = this.#names.add(bytes, at)
    return number < this.#objectCount ? number : -1
  }

  /** The entry that has a name, WHOLE if none that was read has. */
  #ownerOf(number: number): number {
    return (this.#owners[number] ?? 0) - 1
  }

  /** The entry at `offset`, at or behind the entry `first`, by bisection. */
  #entryAt(offset: number, first: number): number {
    let low = first
    let high = this.#entryCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#offsets[middle] ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return low < this.#entryCount && this.#offsets[low] === offset ? low : OUT_OF_FORMAT
  }

  /** Gives an entry its name. @returns false if another one has it */
  #nameEntry(entry: number): boolean {
    const position = this.#positions[entry] ?? 0
    const { length } = this.#ring.contentOf(position)
    const header = `${this.#kinds[entry] === COMMIT ? 'commit' : 'tree'} ${length}\0`
    const number = this.#addName(this.#hash(this.#ring.headed(position, header, length)), 0)
    if (number < 0 || this.#owners[number] !== 0) return false
    this.#owners[number] = entry + 1
    return true
  }

  /**
   * Puts an entry into the ring and marks what it names.
   * @param length of its inflated content; @param stream where that starts, and more
   * @returns length of the stream, 0 when too much is named
   */
  #rebuild(entry: number, length: number, stream: Uint8Array): number {
    const base = this.#bases[entry] ?? WHOLE
    if (length > this.#ring.objectLengthMax) throw tooLong(length)
    if (base === WHOLE) {
      const { position } = this.#ring.reserve(length, startCountMax(length, this.#hashLength), 0)
      const streamLength = this.#inflater.inflateInto(this.#ring.contentOf(position, length), stream)
      return this.#finish(entry, position, length, NO_STARTS, []) ? streamLength : 0
    }
    // Before the delta, because that may take others.
    this.#hold(base)
    this.#delta = atLeast(this.#delta, length)
    const delta = this.#delta.subarray(0, length)
    const streamLength = this.#inflater.inflateInto(delta, stream)
    return this.#applyTo(base, entry, delta) ? streamLength : 0
  }

  #applyTo(base: number, entry: number, delta: Uint8Array): boolean {
    const { resultLength } = readDeltaHeader(delta)
    if (resultLength > this.#ring.objectLengthMax) throw tooLong(resultLength)
    const room = this.#ring.reserve(
      resultLength,
      startCountMax(resultLength, this.#hashLength),
      this.#positions[base] ?? 0,
    )
    this.#positions[base] = room.beside
    applyDeltaInto(this.#ring.contentOf(room.position, resultLength), this.#ring.contentOf(room.beside), delta)
    const copies = this.#kinds[entry] === TREE ? readCopies(delta) : []
    return this.#finish(entry, room.position, resultLength, this.#startsOf(room.beside), copies)
  }

  /** Has an entry that was read before in the ring again. */
  #hold(entry: number): void {
    const path: number[] = []
    for (let at = entry; at !== WHOLE && !this.#ring.holds(this.#positions[at] ?? 0); at = this.#bases[at] ?? WHOLE)
      path.push(at)
    for (let at = path.pop(); at !== undefined; at = path.pop()) {
      const entryLength = this.#lengths[at] ?? 0
      this.#again = atLeast(this.#again, entryLength)
      const bytes = this.#again.subarray(0, entryLength)
      this.#read(this.#offsets[at] ?? 0, bytes)
      const { length, headerLength } = readEntryHeader(bytes, 0, this.#hashLength)
      this.#rebuild(at, length, bytes.subarray(headerLength))
      this.#rebuiltAgainLength += this.#ring.contentOf(this.#positions[at] ?? 0).length + REBUILDING_COST
      if (this.#rebuiltAgainLength > this.#limits.rebuiltAgainLengthMax) throw tooLong(this.#rebuiltAgainLength)
    }
  }

  /** Ends the record of an object and marks what it names. */
  #finish(entry: number, position: number, length: number, base: TreeStarts, copies: readonly number[]): boolean {
    const bytes = this.#ring.contentOf(position, length)
    const isTree = this.#kinds[entry] === TREE
    const startCount = isTree ? this.#markTree(bytes, this.#ring.startsAt(position, length), base, copies) : 0
    if (startCount < 0 || (!isTree && !this.#markCommit(bytes))) return false
    this.#ring.commit(position, length, startCount)
    this.#positions[entry] = position
    return true
  }

  #startsOf(position: number): TreeStarts {
    const at = this.#ring.startsAt(position, this.#ring.contentOf(position).length)
    return { at, end: at + this.#ring.startCountOf(position) }
  }

  /** Marks what a tree names that its delta base does not. @returns count of starts, -1 when too much is named */
  #markTree(bytes: Uint8Array, startsAt: number, base: TreeStarts, copies: readonly number[]): number {
    const { words } = this.#ring
    return splitTree(bytes, this.#hashLength, { words, startsAt, base, copies }, ({ kind, oidStart }) => {
      return kind === ENTRY_GITLINK || this.#mark(bytes, oidStart, kind === ENTRY_BLOB ? BLOB : TREE)
    })
  }

  #markCommit(bytes: Uint8Array): boolean {
    let at = TREE_LINE
    let kind: typeof TREE | typeof COMMIT = TREE
    do {
      writeOidOfDigits(bytes, at, this.#name, 0, this.#hashLength)
      if (!this.#mark(this.#name, 0, kind)) return false
      at += 2 * this.#hashLength + 1
      kind = COMMIT
      const isParent = bytes[at] === LETTER_P
      at += PARENT_LINE
      if (!isParent) return true
    } while (at < bytes.length)
    return true
  }

  /** Notes that an object is named; false if more are named than there are, or one as two kinds. */
  #mark(bytes: Uint8Array, at: number, kind: ObjectType): boolean {
    const number = this.#addName(bytes, at)
    if (number < 0) return false
    if (this.#named[number] === 0) this.#named[number] = kind
    return this.#named[number] === kind
  }
}

/** An array to be filled with `length` bytes: the one at hand, or a new one of twice that length. */
function atLeast(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  return length <= bytes.length ? bytes : new Uint8Array(2 * length)
}

/** What rebuilding an entry costs beside its bytes, as bytes. */
const REBUILDING_COST = 1024

function tooLong(length: number): EngineError {
  return new EngineError('pack-limit', `history: expected less to rebuild, got ${length} bytes`)
}
