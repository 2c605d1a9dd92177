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
  readonly index: OidIndex
  #present = new Uint8Array(CAPACITY_FIRST)
  #trees: Uint8Array<ArrayBuffer>
  #parentStart = new Int32Array(CAPACITY_FIRST)
  #parentCount = new Int32Array(CAPACITY_FIRST)
  #parents = new Int32Array(CAPACITY_FIRST)
  #parentsUsed = 0
  readonly #scratch: Uint8Array

  constructor(format: ObjectFormat) {
    this.format = format
    this.index = new OidIndex(hashLengthOf(format))
    this.#scratch = new Uint8Array(hashLengthOf(format))
    this.#trees = new Uint8Array(CAPACITY_FIRST * hashLengthOf(format))
  }

  /** Adds a commit; a second time with the same name changes nothing. Names are lowercase hex of the right length. */
  add(commit: string, tree: string, parents: readonly string[]): void {
    writeOid(commit, this.#scratch, 0)
    const number = this.#open()
    if (number < 0) return
    writeOid(tree, this.#trees, number * this.index.hashLength)
    for (const parent of parents) {
      writeOid(parent, this.#scratch, 0)
      this.#addParent(number, this.#numberOfScratch())
    }
  }

  /**
   * The same for a line of text, `<commit> <tree> <parent>…` in lowercase hex between `start` and `end`, which is just
   * past the last digit or past one more space. @throws oid-malformed on a line of another shape
   */
  addLine(bytes: Uint8Array, start: number, end: number): void {
    const step = this.index.hashLength * 2 + 1
    const nameCount = Math.floor((end - start + 1) / step)
    if (nameCount < 2 || end - start > nameCount * step || end - start < nameCount * step - 1)
      throw oddLine(end - start)
    writeOidOfDigits(bytes, start, this.#scratch, 0, this.index.hashLength)
    const number = this.#open()
    if (number < 0) return
    writeOidOfDigits(bytes, start + step, this.#trees, number * this.index.hashLength, this.index.hashLength)
    for (let index = 2; index < nameCount; index++) {
      writeOidOfDigits(bytes, start + index * step, this.#scratch, 0, this.index.hashLength)
      this.#addParent(number, this.#numberOfScratch())
    }
  }

  /** Adds every commit of a table; those that are known already stay as they are. Linear in the table. */
  addTable(table: CommitTable): void {
    const { hashLength } = this.index
    assert(table.hashLength === hashLength, 'a table of the same object format')
    this.index.reserve(this.count + table.count)
    const numbers = new Int32Array(table.count)
    for (let row = 0; row < table.count; row++) numbers[row] = this.index.add(table.oids, row * hashLength)
    this.#fit()
    for (let row = 0, parent = 0; row < table.count; row++) {
      const number = numbers[row] ?? 0
      const parentEnd = table.parentEnds[row] ?? 0
      if (this.#present[number] === MISSING) {
        this.#begin(number)
        for (let i = 0, at = row * hashLength, to = number * hashLength; i < hashLength; i++) {
          this.#trees[to + i] = table.trees[at + i] ?? 0
        }
        for (; parent < parentEnd; parent++) this.#addParent(number, numbers[table.parents[parent] ?? 0] ?? 0)
      }
      parent = parentEnd
    }
  }

  /** All commits as a table, in the order of their numbers. @throws object-missing where a parent is not there */
  toTable(): CommitTable {
    const { hashLength, oids } = this.index
    const parentEnds = new Int32Array(this.count)
    const parents = new Int32Array(this.#parentsUsed)
    let used = 0
    for (let number = 0; number < this.count; number++) {
      const parentCount = this.parentCountOf(number)
      for (let index = 0; index < parentCount; index++) parents[used++] = this.parentOf(number, index)
      parentEnds[number] = used
    }
    const length = this.count * hashLength
    return {
      hashLength,
      count: this.count,
      oids: oids.subarray(0, length),
      trees: this.#trees.subarray(0, length),
      parentEnds,
      parents,
    }
  }

  get count(): number {
    return this.index.count
  }

  /** Number of a commit that is in the graph. @throws object-missing */
  numberOf(oid: string): number {
    writeOid(oid, this.#scratch, 0)
    const number = this.index.find(this.#scratch, 0)
    if (number < 0 || this.#present[number] === MISSING) throw missing(oid)
    return number
  }

  has(oid: string): boolean {
    writeOid(oid, this.#scratch, 0)
    const number = this.index.find(this.#scratch, 0)
    return number >= 0 && this.#present[number] === PRESENT
  }

  oidOf(number: number): Oid {
    return oidFromBytes(this.index.oids, number * this.index.hashLength, this.index.hashLength)
  }

  treeOf(number: number): Oid {
    return oidFromBytes(this.#trees, number * this.index.hashLength, this.index.hashLength)
  }

  parentCountOf(number: number): number {
    if (this.#present[number] === MISSING) throw missing(this.oidOf(number))
    return this.#parentCount[number] ?? 0
  }

  /** Number of the parent at `index`, 0-based. */
  parentOf(number: number, index: number): number {
    return this.#parents[(this.#parentStart[number] ?? 0) + index] ?? -1
  }

  /** Starts the commit whose name is in the scratch; its number, or -1 if it is there already. */
  #open(): number {
    const number = this.#numberOfScratch()
    if (this.#present[number] === PRESENT) return -1
    this.#begin(number)
    return number
  }

  #begin(number: number): void {
    this.#parentStart[number] = this.#parentsUsed
    this.#present[number] = PRESENT
  }

  #addParent(number: number, parent: number): void {
    if (this.#parentsUsed === this.#parents.length) this.#parents = grow(this.#parents)
    this.#parents[this.#parentsUsed++] = parent
    this.#parentCount[number] = (this.#parentCount[number] ?? 0) + 1
  }

  #numberOfScratch(): number {
    const number = this.index.add(this.#scratch, 0)
    if (number >= this.#present.length) this.#fit()
    return number
  }

  /** Makes room for all numbers of the index. */
  #fit(): void {
    let capacity = this.#present.length
    while (capacity < this.count) capacity *= 2
    if (capacity === this.#present.length) return
    this.#present = growBytes(this.#present, capacity)
    this.#trees = growBytes(this.#trees, capacity * this.index.hashLength)
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
