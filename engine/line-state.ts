/**
 * Which objects the older segments of a line hold, and under which number: membership by exact set difference
 * (FORMAT.md, "Membership"). A line can branch off another after any of its segments; it then sees the older segments
 * of its parent and adds its own. Fine segments over a coarse checkpoint are such a branch, release branches too.
 */

import type { ObjectType } from './object.ts'
import { allocateTable, type TableBuffers, type TableViews, viewTable } from './object-table.ts'
import { oidFromBytes, writeOid } from './oid.ts'
import { OidIndex } from './oid-index.ts'

const NONE = -1
const TABLE_CAPACITY_FIRST = 1 << 16

/** Rows for the objects of all lines of one repository. */
export class ObjectRows {
  buffers: TableBuffers
  views: TableViews
  count = 0
  #capacity = TABLE_CAPACITY_FIRST

  constructor(hashLength: number) {
    this.buffers = allocateTable(hashLength, this.#capacity)
    this.views = viewTable(this.buffers)
  }

  /** Adds a row for the name at `bytes[offset…]`; returns its number. */
  append(bytes: Uint8Array, offset: number, type: ObjectType, name: number): number {
    if (this.count === this.#capacity) {
      this.#capacity *= 2
      this.views = viewTable(this.buffers, this.#capacity)
    }
    const number = this.count++
    const { oids, hashLength } = this.views
    for (let i = 0; i < hashLength; i++) oids[number * hashLength + i] = bytes[offset + i] ?? 0
    this.views.types[number] = type
    this.views.names[number] = name
    this.views.bases[number] = NONE
    return number
  }

  oidOf(number: number): string {
    return oidFromBytes(this.views.oids, number * this.views.hashLength, this.views.hashLength)
  }
}

export class LineState {
  readonly rows: ObjectRows
  /** Segments that have been closed. */
  segmentCount = 0
  readonly #parent: LineState | null
  readonly #parentSegmentCount: number
  readonly #index: OidIndex
  #numbers = new Int32Array(1024)
  #segmentOf = new Int32Array(1024)
  #sameNameBefore = new Int32Array(1024)
  readonly #latest = new Map<number, number>()
  readonly #scratch: Uint8Array
  #firstOpen = 0

  /** A line that sees the first `parentSegmentCount` segments of `parent`, or an empty one. */
  constructor(rows: ObjectRows, parent: LineState | null = null, parentSegmentCount = 0) {
    this.rows = rows
    this.#parent = parent
    this.#parentSegmentCount = parentSegmentCount
    this.#index = new OidIndex(rows.views.hashLength)
    this.#scratch = new Uint8Array(rows.views.hashLength)
  }

  /** Number of an object of this line so far, or -1. */
  find(oid: string): number {
    writeOid(oid, this.#scratch, 0)
    return this.#findBefore(this.#scratch, this.segmentCount + 1)
  }

  /** Adds an object that `find` does not know to the open segment. */
  add(oid: string, type: ObjectType, name: number): number {
    writeOid(oid, this.#scratch, 0)
    return this.addBytes(this.#scratch, 0, type, name)
  }

  /** The same for the name at `bytes[offset…]`. */
  addBytes(bytes: Uint8Array, offset: number, type: ObjectType, name: number): number {
    const number = this.rows.append(bytes, offset, type, name)
    const local = this.#index.add(bytes, offset)
    if (local === this.#numbers.length) this.#grow()
    this.#numbers[local] = number
    this.#segmentOf[local] = this.segmentCount
    return number
  }

  /** Newest object with a name key in the closed segments, or -1. */
  latestOf(name: number): number {
    return this.#latestBefore(name, this.segmentCount)
  }

  /** Ends the open segment: its objects, in order of discovery, become the newest of their names. */
  closeSegment(): void {
    const { names } = this.rows.views
    for (let local = this.#firstOpen; local < this.#index.count; local++) {
      const name = names[this.#numbers[local] ?? 0] ?? 0
      this.#sameNameBefore[local] = this.#latest.get(name) ?? NONE
      this.#latest.set(name, local)
    }
    this.#firstOpen = this.#index.count
    this.segmentCount++
  }

  #findBefore(oid: Uint8Array, segmentCount: number): number {
    const local = this.#index.find(oid, 0)
    if (local !== NONE && (this.#segmentOf[local] ?? 0) < segmentCount) return this.#numbers[local] ?? NONE
    return this.#parent === null ? NONE : this.#parent.#findBefore(oid, this.#parentSegmentCount)
  }

  #latestBefore(name: number, segmentCount: number): number {
    let local = this.#latest.get(name) ?? NONE
    while (local !== NONE && (this.#segmentOf[local] ?? 0) >= segmentCount) local = this.#sameNameBefore[local] ?? NONE
    if (local !== NONE) return this.#numbers[local] ?? NONE
    return this.#parent === null ? NONE : this.#parent.#latestBefore(name, this.#parentSegmentCount)
  }

  #grow(): void {
    this.#numbers = grow(this.#numbers)
    this.#segmentOf = grow(this.#segmentOf)
    this.#sameNameBefore = grow(this.#sameNameBefore)
  }
}

function grow(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(array.length * 2)
  grown.set(array)
  return grown
}
