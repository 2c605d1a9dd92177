/**
 * The commits of a history in typed arrays: name, root tree, parents. The outside fills it (from `git log`, from a
 * commit-graph file, …) in any order; nothing here depends on that order.
 */

import { EngineError } from './errors.ts'
import { hashLengthOf, type ObjectFormat, type Oid, oidFromBytes, writeOid } from './oid.ts'
import { OidIndex } from './oid-index.ts'

const MISSING = 0
const PRESENT = 1

export class CommitGraph {
  readonly format: ObjectFormat
  readonly index: OidIndex
  #present = new Uint8Array(1024)
  #trees = new Uint8Array(0)
  #parentStart = new Int32Array(1024)
  #parentCount = new Int32Array(1024)
  #parents = new Int32Array(1024)
  #parentsUsed = 0
  readonly #scratch: Uint8Array

  constructor(format: ObjectFormat) {
    this.format = format
    this.index = new OidIndex(hashLengthOf(format))
    this.#scratch = new Uint8Array(hashLengthOf(format))
  }

  /** Adds a commit; a second time with the same name changes nothing. Names are lowercase hex of the right length. */
  add(commit: string, tree: string, parents: readonly string[]): void {
    const number = this.#numberOf(commit)
    if (this.#present[number] === PRESENT) return
    this.#parentStart[number] = this.#parentsUsed
    this.#parentCount[number] = parents.length
    this.#present[number] = PRESENT
    for (const parent of parents) {
      const parentNumber = this.#numberOf(parent)
      if (this.#parentsUsed === this.#parents.length) this.#parents = grow(this.#parents)
      this.#parents[this.#parentsUsed++] = parentNumber
    }
    const at = number * this.index.hashLength
    writeOid(tree, this.#trees, at)
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

  #numberOf(oid: string): number {
    writeOid(oid, this.#scratch, 0)
    const number = this.index.add(this.#scratch, 0)
    if (number >= this.#present.length) this.#growCommits()
    if (this.#trees.length < this.#present.length * this.index.hashLength) {
      const trees = new Uint8Array(this.#present.length * this.index.hashLength)
      trees.set(this.#trees)
      this.#trees = trees
    }
    return number
  }

  #growCommits(): void {
    const present = new Uint8Array(this.#present.length * 2)
    present.set(this.#present)
    this.#present = present
    this.#parentStart = grow(this.#parentStart)
    this.#parentCount = grow(this.#parentCount)
  }
}

function grow(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(array.length * 2)
  grown.set(array)
  return grown
}

function missing(oid: string): EngineError {
  return new EngineError(
    'object-missing',
    `commit ${oid}: expected it in the repository, got nothing, try \`git fsck\` or \`git fetch --unshallow\``,
    { oid },
  )
}
