/**
 * Does a pack hold the whole history of one commit, and nothing else? It does if every object that one of its commits or trees
 * names is in it, and every object in it but that commit is named by another: names are hashes, so there are no circles,
 * and what is named by somebody is reached from the one that is named by nobody. So the union of all names is enough,
 * and nothing has to be walked from the tip.
 * What a tree takes from its delta base entry by entry needs no second look: git/git's trees have 58 million entries, of which
 * 0.75 million are new. Refused as unanswerable: tags, which no link holds, and families of deltas that need too much memory.
 */

import { applyDelta, readCopies, readDeltaHeader } from './delta-apply.ts'
import { EngineError } from './errors.ts'
import { ExactInflater } from './inflate-exact.ts'
import { REFERENCE_HELD_LENGTH_MAX } from './limits.ts'
import { BLOB, COMMIT, ENTRY_BLOB, ENTRY_GITLINK, type ObjectType, TAG, TREE, TreeCursor } from './object.ts'
import { type Oid, oidFromBytes, writeOidOfDigits } from './oid.ts'
import type { ByteSource } from './pack-reader.ts'
import { finderOf, type PackTable } from './pack-table.ts'

const TREE_LINE = 'tree '.length
const PARENT_LINE = 'parent '.length
const LETTER_P = 0x70

/** A tree or commit on the way down its deltas. */
interface Rebuilt {
  readonly bytes: Uint8Array
  /** Where the entries of a tree start, and where the last one ends; empty for a commit. */
  readonly starts: Uint32Array
}

/** An entry whose delta base is rebuilt. */
interface Waiting {
  readonly entry: number
  readonly base: Rebuilt | null
  /** Nobody else waits with this base. */
  readonly isLast: boolean
}

/** Marks what the commits and trees of one share of a pack name. */
export class ReferenceMarks {
  readonly #table: PackTable
  readonly #source: ByteSource
  /** By number of the name: the kind as which it was named, 0 for never. */
  readonly #named: Uint8Array
  readonly #find: (bytes: Uint8Array, at: number) => number
  readonly #inflater = new ExactInflater()
  readonly #name: Uint8Array
  #starts = new Uint32Array(4096)
  /** The delta at hand; each is gone with the next. */
  #delta = new Uint8Array(4096)
  /** Bytes of the bases that somebody waits with. */
  #heldLength = 0

  /** @param named shared by all shares: one byte per object, zero in the beginning */
  constructor(table: PackTable, source: ByteSource, named: Uint8Array) {
    this.#table = table
    this.#source = source
    this.#named = named
    this.#find = finderOf(table)
    this.#name = new Uint8Array(table.hashLength)
  }

  /**
   * Looks at every `shareCount`th family of deltas.
   * @returns false when something is named that is not there, or not as what it is named
   * @throws EngineError when the pack cannot be read so
   */
  mark(share: number, shareCount: number): boolean {
    const { count, kinds, bases } = this.#table
    let family = 0
    for (let entry = 0; entry < count; entry++) {
      if (kinds[entry] === TAG) throw unanswerable('no tag')
      if (kinds[entry] === BLOB || bases[entry] !== -1) continue
      if (family++ % shareCount === share && !this.#markFamily(entry)) return false
    }
    return true
  }

  /** A whole object and all deltas that hang on it. */
  #markFamily(root: number): boolean {
    const { firstChild, children } = this.#table
    const waiting: Waiting[] = [{ entry: root, base: null, isLast: true }]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { entry, base, isLast } = next
      const rebuilt = this.#rebuild(entry, base)
      if (rebuilt === null) return false
      if (base !== null && isLast) this.#heldLength -= heldLengthOf(base)
      const first = firstChild[entry] ?? 0
      const end = firstChild[entry + 1] ?? 0
      if (end > first) this.#hold(heldLengthOf(rebuilt))
      for (let at = first; at < end; at++)
        waiting.push({ entry: children[at] ?? 0, base: rebuilt, isLast: at === first })
    }
    return true
  }

  #hold(length: number): void {
    this.#heldLength += length
    if (this.#heldLength > REFERENCE_HELD_LENGTH_MAX) throw tooLong(this.#heldLength)
  }

  #rebuild(entry: number, base: Rebuilt | null): Rebuilt | null {
    const { offsets, headerLengths, lengths, kinds } = this.#table
    const start = (offsets[entry] ?? 0) + (headerLengths[entry] ?? 0)
    const stream = this.#source.read(start, (offsets[entry + 1] ?? 0) - start)
    const content = this.#inflate(stream, lengths[entry] ?? 0, base !== null)
    const bytes = base === null ? content : this.#apply(base, content)
    if (kinds[entry] === COMMIT) return this.#markCommit(bytes) ? { bytes, starts: NO_STARTS } : null
    const copies = base === null ? [] : readCopies(content)
    const starts = this.#markTree(bytes, base?.starts ?? NO_STARTS, copies)
    return starts === null ? null : { bytes, starts }
  }

  #inflate(stream: Uint8Array, length: number, isDelta: boolean): Uint8Array {
    if (length > REFERENCE_HELD_LENGTH_MAX) throw tooLong(length)
    if (!isDelta) return this.#inflater.inflate(stream, length)
    if (length > this.#delta.length) this.#delta = new Uint8Array(2 * length)
    const delta = this.#delta.subarray(0, length)
    this.#inflater.inflateInto(delta, stream)
    return delta
  }

  #apply(base: Rebuilt, delta: Uint8Array): Uint8Array {
    const { resultLength } = readDeltaHeader(delta)
    if (resultLength > REFERENCE_HELD_LENGTH_MAX) throw tooLong(resultLength)
    return applyDelta(base.bytes, delta)
  }

  #markCommit(bytes: Uint8Array): boolean {
    const { hashLength } = this.#table
    let at = TREE_LINE
    let kind: typeof TREE | typeof COMMIT = TREE
    do {
      writeOidOfDigits(bytes, at, this.#name, 0, hashLength)
      if (!this.#mark(this.#name, 0, kind)) return false
      at += 2 * hashLength + 1
      kind = COMMIT
      const isParent = bytes[at] === LETTER_P
      at += PARENT_LINE
      if (!isParent) return true
    } while (at < bytes.length)
    return true
  }

  /**
   * Marks what a tree names that its delta base does not.
   * @param baseStarts where the base's entries start; @param copies what was taken from the base, see readCopies
   * @returns where the entries start, one more for the end; null when something is named that is not there
   */
  #markTree(bytes: Uint8Array, baseStarts: Uint32Array, copies: readonly number[]): Uint32Array | null {
    const cursor = new TreeCursor(bytes, this.#table.hashLength)
    let count = 0
    let copy = 0
    for (let at = 0; at < bytes.length; ) {
      while (copy < copies.length && (copies[copy] ?? 0) + (copies[copy + 1] ?? 0) <= at) copy += 3
      const start = copies[copy] ?? Number.POSITIVE_INFINITY
      if (start <= at) {
        const shift = start - (copies[copy + 2] ?? 0)
        const first = firstFrom(baseStarts, at - shift)
        const end =
          baseStarts[first] === at - shift
            ? firstFrom(baseStarts, start - shift + (copies[copy + 1] ?? 0) + 1) - 1
            : first
        if (end > first) {
          this.#reserveStarts(count + end - first)
          // Mostly a name has taken the place of another, and nothing has moved.
          if (shift === 0) this.#starts.set(baseStarts.subarray(first, end), count)
          else
            for (let entry = first; entry < end; entry++)
              this.#starts[count + entry - first] = (baseStarts[entry] ?? 0) + shift
          count += end - first
          at = (baseStarts[end] ?? 0) + shift
          continue
        }
      }
      cursor.seek(at)
      cursor.next()
      if (
        cursor.kind !== ENTRY_GITLINK &&
        !this.#mark(bytes, cursor.oidStart, cursor.kind === ENTRY_BLOB ? BLOB : TREE)
      )
        return null
      this.#reserveStarts(count + 1)
      this.#starts[count++] = at
      at = cursor.oidStart + this.#table.hashLength
    }
    this.#reserveStarts(count + 1)
    this.#starts[count] = bytes.length
    return this.#starts.slice(0, count + 1)
  }

  #reserveStarts(count: number): void {
    if (count <= this.#starts.length) return
    const grown = new Uint32Array(2 * count)
    grown.set(this.#starts)
    this.#starts = grown
  }

  /** Notes that an object is named; false if it is not there, or is something else. */
  #mark(bytes: Uint8Array, at: number, kind: ObjectType): boolean {
    const number = this.#find(bytes, at)
    if (number < 0) return false
    if (this.#named[number] === kind) return true
    if (this.#table.kinds[this.#table.entries[number] ?? 0] !== kind) return false
    this.#named[number] = kind
    return true
  }
}

/**
 * True if all objects but `tip` are named, after all shares were marked.
 * @param named what ReferenceMarks filled in
 */
export function areAllNamedBut(tip: Oid, table: PackTable, named: Uint8Array): boolean {
  const number = numberOf(tip, table)
  if (number < 0 || table.kinds[table.entries[number] ?? 0] !== COMMIT) return false
  return named[number] === 0 && named.indexOf(0) === number && named.indexOf(0, number + 1) < 0
}

/** Number of a name, by bisection: -1 if it is not there. */
function numberOf(oid: Oid, { hashLength, count, oids }: PackTable): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (oidFromBytes(oids, middle * hashLength, hashLength) < oid) low = middle + 1
    else high = middle
  }
  return low < count && oidFromBytes(oids, low * hashLength, hashLength) === oid ? low : -1
}

/** Index of the first start at or behind `offset`, by bisection. */
function firstFrom(starts: Uint32Array, offset: number): number {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((starts[middle] ?? 0) < offset) low = middle + 1
    else high = middle
  }
  return low
}

const NO_STARTS = new Uint32Array(0)

function heldLengthOf({ bytes, starts }: Rebuilt): number {
  return bytes.length + starts.byteLength
}

function tooLong(length: number): EngineError {
  const what = `pack: expected at most ${REFERENCE_HELD_LENGTH_MAX} bytes of trees and commits at a time, got ${length}`
  return new EngineError('pack-limit', what)
}

function unanswerable(expected: string): EngineError {
  return new EngineError('object-type', `pack: expected ${expected}, got one`)
}
