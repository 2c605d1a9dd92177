/**
 * Which objects the older segments of a line hold, and under which number: membership by exact set difference
 * (FORMAT.md, "Membership"). A line can branch off another after any of its segments; it then sees the older segments
 * of its parent and adds its own. Fine segments over a coarse checkpoint are such a branch, release branches too.
 */

import type { ObjectType } from './object.ts'
import { allocateTable, type TableBuffers, type TableViews, viewTable } from './object-table.ts'
import { oidFromBytes, writeOid } from './oid.ts'
import { RowIndex } from './row-index.ts'

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

  /** Makes room for `count` more rows and counts them in; returns the number of the first. They have no base yet. */
  extend(count: number): number {
    const first = this.count
    this.count += count
    if (this.count > this.#capacity) {
      while (this.count > this.#capacity) this.#capacity *= 2
      this.views = viewTable(this.buffers, this.#capacity)
    }
    this.views.bases.fill(NONE, first, this.count)
    return first
  }

  /** Adds one row; returns its number. */
  append(oid: string, type: ObjectType, name: number): number {
    const number = this.extend(1)
    const { oids, types, names, hashLength } = this.views
    writeOid(oid, oids, number * hashLength)
    types[number] = type
    names[number] = name
    return number
  }

  oidOf(number: number): string {
    return oidFromBytes(this.views.oids, number * this.views.hashLength, this.views.hashLength)
  }
}

/** The rows of one segment before they are part of a line; sections as segment-rows.ts stores them. */
export interface RowSections {
  readonly count: number
  readonly oids: Uint8Array
  readonly types: Uint8Array
  readonly depths: Uint8Array
  readonly nameAt: (row: number) => number
}

export class LineState {
  readonly rows: ObjectRows
  readonly #parent: LineState | null
  readonly #parentSegmentCount: number
  /** Objects of this line alone, in order of arrival. */
  readonly #index: RowIndex
  /** How many of them there were at the end of each closed segment. */
  readonly #ends: number[] = []
  #sameNameBefore = new Int32Array(1024)
  readonly #latest = new Map<number, number>()
  readonly #scratch: Uint8Array

  /** A line that sees the first `parentSegmentCount` segments of `parent`, or an empty one. */
  constructor(rows: ObjectRows, parent: LineState | null = null, parentSegmentCount = 0) {
    this.rows = rows
    this.#parent = parent
    this.#parentSegmentCount = parentSegmentCount
    this.#index = new RowIndex(rows)
    this.#scratch = new Uint8Array(rows.views.hashLength)
  }

  /** Number of an object of this line so far, or -1. */
  find(oid: string): number {
    writeOid(oid, this.#scratch, 0)
    return this.findBytes(this.#scratch, 0)
  }

  /** The same for the name at `bytes[offset…]`. */
  findBytes(bytes: Uint8Array, offset: number): number {
    return this.#findBefore(bytes, offset, this.#index.count)
  }

  /** Adds an object that `find` does not know to the open segment; returns its number. */
  add(oid: string, type: ObjectType, name: number): number {
    const number = this.rows.append(oid, type, name)
    this.#index.add(number, 1)
    return number
  }

  /** The same for many objects; returns the number of the first, the others follow it. */
  addRows({ count, oids, types, depths, nameAt }: RowSections): number {
    const first = this.rows.extend(count)
    const { views } = this.rows
    views.oids.set(oids, first * views.hashLength)
    views.types.set(types, first)
    views.depths.set(depths, first)
    for (let row = 0; row < count; row++) views.names[first + row] = nameAt(row)
    this.#index.add(first, count)
    return first
  }

  /** Newest object with a name key in the closed segments, or -1. */
  latestOf(type: number, name: number): number {
    return this.#latestBefore(keyOf(type, name), this.#ends[this.#ends.length - 1] ?? 0)
  }

  /** Ends the open segment: its objects, in order of discovery, become the newest of their names. */
  closeSegment(): void {
    const { names, types } = this.rows.views
    const { count } = this.#index
    if (count > this.#sameNameBefore.length) {
      const grown = new Int32Array(Math.max(count, this.#sameNameBefore.length * 2))
      grown.set(this.#sameNameBefore)
      this.#sameNameBefore = grown
    }
    for (let member = this.#ends[this.#ends.length - 1] ?? 0; member < count; member++) {
      const row = this.#index.rowOf(member)
      const name = names[row] ?? 0
      const key = keyOf(types[row] ?? 0, name)
      this.#sameNameBefore[member] = this.#latest.get(key) ?? NONE
      this.#latest.set(key, member)
    }
    this.#ends.push(count)
  }

  /** Looks among the first `memberCount` objects of this line and in what it sees of its parent. */
  #findBefore(bytes: Uint8Array, offset: number, memberCount: number): number {
    const member = this.#index.find(bytes, offset)
    if (member !== NONE && member < memberCount) return this.#index.rowOf(member)
    return this.#parent === null ? NONE : this.#parent.#findBefore(bytes, offset, this.#parentMemberCount)
  }

  #latestBefore(key: number, memberCount: number): number {
    let member = this.#latest.get(key) ?? NONE
    while (member !== NONE && member >= memberCount) member = this.#sameNameBefore[member] ?? NONE
    if (member !== NONE) return this.#index.rowOf(member)
    return this.#parent === null ? NONE : this.#parent.#latestBefore(key, this.#parentMemberCount)
  }

  /** Objects of the parent in the segments that this line sees. */
  get #parentMemberCount(): number {
    return this.#parent === null ? 0 : (this.#parent.#ends[this.#parentSegmentCount - 1] ?? 0)
  }
}

/** Name keys of different types can be equal, and no delta crosses types. */
function keyOf(type: number, name: number): number {
  return type * 2 ** 32 + name
}
