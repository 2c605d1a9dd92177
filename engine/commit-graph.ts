/**
 * The commits of a history in typed arrays: name, root tree, parents. The outside fills it (from `git log`, from a
 * commit-graph file, …) in any order; nothing here depends on that order.
 */

import type { CommitTable } from './commit-table.ts'
import { assert, EngineError } from './errors.ts'
import { hashLengthOf, type ObjectFormat, type Oid, oidFromBytes, writeOid, writeOidOfDigits } from './oid.ts'
import { OidIndex } from './oid-index.ts'

const MISSING = 0
const PRESENT = 1
const CAPACITY_FIRST = 1024

export class CommitGraph {
  readonly format: ObjectFormat
  readonly hashLength: number
  /** Taken as a whole; what comes later is below. */
  #table: CommitTable | null = null
  readonly #index: OidIndex
  #present = new Uint8Array(CAPACITY_FIRST)
  #trees: Uint8Array<ArrayBuffer>
  #parentStart = new Int32Array(CAPACITY_FIRST)
  #parentCount = new Int32Array(CAPACITY_FIRST)
  #parents = new Int32Array(CAPACITY_FIRST)
  #parentsUsed = 0
  readonly #scratch: Uint8Array

  constructor(format: ObjectFormat) {
    this.format = format
    this.hashLength = hashLengthOf(format)
    this.#index = new OidIndex(this.hashLength)
    this.#scratch = new Uint8Array(hashLengthOf(format))
    this.#trees = new Uint8Array(CAPACITY_FIRST * hashLengthOf(format))
  }

  /** Adds a commit; a second time with the same name changes nothing. Names are lowercase hex of the right length. */
  add(commit: string, tree: string, parents: readonly string[]): void {
    writeOid(commit, this.#scratch, 0)
    const row = this.#open()
    if (row < 0) return
    writeOid(tree, this.#trees, row * this.hashLength)
    for (const parent of parents) {
      writeOid(parent, this.#scratch, 0)
      this.#addParent(row, this.#numberOfScratch())
    }
  }

  /**
   * The same for a line of text, `<commit> <tree> <parent>…` in lowercase hex between `start` and `end`, which is just
   * past the last digit or past one more space. @throws oid-malformed on a line of another shape
   */
  addLine(bytes: Uint8Array, start: number, end: number): void {
    const step = this.hashLength * 2 + 1
    const nameCount = Math.floor((end - start + 1) / step)
    if (nameCount < 2 || end - start > nameCount * step || end - start < nameCount * step - 1)
      throw oddLine(end - start)
    writeOidOfDigits(bytes, start, this.#scratch, 0, this.hashLength)
    const row = this.#open()
    if (row < 0) return
    writeOidOfDigits(bytes, start + step, this.#trees, row * this.hashLength, this.hashLength)
    for (let index = 2; index < nameCount; index++) {
      writeOidOfDigits(bytes, start + index * step, this.#scratch, 0, this.hashLength)
      this.#addParent(row, this.#numberOfScratch())
    }
  }

  /**
   * Adds every commit of a table; those that are known already stay as they are. Free of cost for an empty graph, which
   * takes the table as it is; linear otherwise.
   */
  addTable(table: CommitTable): void {
    assert(table.hashLength === this.hashLength, 'a table of the same object format')
    if (this.count === 0) {
      this.#table = table
      return
    }
    const { hashLength } = this
    for (let commit = 0; commit < table.count; commit++) {
      this.#scratch.set(table.oids.subarray(commit * hashLength, (commit + 1) * hashLength))
      const row = this.#open()
      if (row < 0) continue
      this.#trees.set(table.treeOf(commit), row * hashLength)
      const parentCount = table.parentCountOf(commit)
      for (let index = 0; index < parentCount; index++) {
        const parent = table.parentOf(commit, index)
        this.#scratch.set(table.oids.subarray(parent * hashLength, (parent + 1) * hashLength))
        this.#addParent(row, this.#numberOfScratch())
      }
    }
  }

  /** Commits, and parents that are named but not there. */
  get count(): number {
    return this.#first + this.#index.count
  }

  /** Number of a commit that is in the graph. @throws object-missing */
  numberOf(oid: string): number {
    const number = this.#find(oid)
    if (number < 0) throw missing(oid)
    return number
  }

  has(oid: string): boolean {
    return this.#find(oid) >= 0
  }

  oidOf(number: number): Oid {
    return oidFromBytes(this.nameOf(number), 0, this.hashLength)
  }

  /** The raw name; a view, valid until a commit is added. */
  nameOf(number: number): Uint8Array {
    const at = (number < this.#first ? number : number - this.#first) * this.hashLength
    const oids = number < this.#first ? this.#table?.oids : this.#index.oids
    return oids?.subarray(at, at + this.hashLength) ?? this.#scratch
  }

  /** The same into `target`, for many in a row. */
  copyName(number: number, target: Uint8Array): void {
    const oids = this.#table !== null && number < this.#first ? this.#table.oids : this.#index.oids
    const at = (number < this.#first ? number : number - this.#first) * this.hashLength
    for (let i = 0; i < target.length; i++) target[i] = oids[at + i] ?? 0
  }

  treeOf(number: number): Oid {
    return oidFromBytes(this.treeNameOf(number), 0, this.hashLength)
  }

  /** The raw name of a commit's tree; a view, valid until a commit is added. */
  treeNameOf(number: number): Uint8Array {
    if (this.#table !== null && number < this.#first) return this.#table.treeOf(number)
    const at = (number - this.#first) * this.hashLength
    return this.#trees.subarray(at, at + this.hashLength)
  }

  parentCountOf(number: number): number {
    if (this.#table !== null && number < this.#first) return this.#table.parentCountOf(number)
    const row = number - this.#first
    if (this.#present[row] === MISSING) throw missing(this.oidOf(number))
    return this.#parentCount[row] ?? 0
  }

  /** Number of the parent at `index`, 0-based. */
  parentOf(number: number, index: number): number {
    if (this.#table !== null && number < this.#first) return this.#table.parentOf(number, index)
    return this.#parents[(this.#parentStart[number - this.#first] ?? 0) + index] ?? -1
  }

  /** Commits of the table come first. */
  get #first(): number {
    return this.#table?.count ?? 0
  }

  /** Number of a commit that is there, or -1. */
  #find(oid: string): number {
    writeOid(oid, this.#scratch, 0)
    const known = this.#table?.find(this.#scratch, 0) ?? -1
    if (known >= 0) return known
    const row = this.#index.find(this.#scratch, 0)
    return row >= 0 && this.#present[row] === PRESENT ? this.#first + row : -1
  }

  /** Starts the commit whose name is in the scratch; its row, or -1 if it is there already. */
  #open(): number {
    const row = this.#numberOfScratch() - this.#first
    if (row < 0 || this.#present[row] === PRESENT) return -1
    this.#parentStart[row] = this.#parentsUsed
    this.#present[row] = PRESENT
    return row
  }

  #addParent(row: number, parent: number): void {
    if (this.#parentsUsed === this.#parents.length) this.#parents = grow(this.#parents)
    this.#parents[this.#parentsUsed++] = parent
    this.#parentCount[row] = (this.#parentCount[row] ?? 0) + 1
  }

  #numberOfScratch(): number {
    const known = this.#table?.find(this.#scratch, 0) ?? -1
    if (known >= 0) return known
    const row = this.#index.add(this.#scratch, 0)
    if (row >= this.#present.length) this.#grow()
    return this.#first + row
  }

  #grow(): void {
    const capacity = this.#present.length * 2
    this.#present = growBytes(this.#present, capacity)
    this.#trees = growBytes(this.#trees, capacity * this.hashLength)
    this.#parentStart = grow(this.#parentStart, capacity)
    this.#parentCount = grow(this.#parentCount, capacity)
  }
}

function grow(array: Int32Array<ArrayBuffer>, capacity = array.length * 2): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(capacity)
  grown.set(array)
  return grown
}

function growBytes(array: Uint8Array<ArrayBuffer>, capacity: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(capacity)
  grown.set(array)
  return grown
}

function oddLine(length: number): EngineError {
  return new EngineError(
    'oid-malformed',
    `line of a commit: expected its name, its tree's and its parents', got ${length} bytes of something else`,
  )
}

function missing(oid: string): EngineError {
  return new EngineError(
    'object-missing',
    `commit ${oid}: expected it in the repository, got nothing, try \`git fsck\` or \`git fetch --unshallow\``,
    { oid },
  )
}
