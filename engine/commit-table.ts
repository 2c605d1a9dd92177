/**
 * Commits as a commit-graph file holds them (gitformat-commit-graph(5)): names in ascending order, and for each a row
 * with its tree and the places of its parents. Read where they lie: nothing is built for a commit that nobody asks for.
 */

/** After the tree's name: two parents, then generation and date. */
export const COMMIT_TAIL_LENGTH = 16
export const NO_PARENT = 0x70000000
/** On a second parent: the others are in the edges. On an edge: it is the last one. */
export const HIGH_BIT = 0x80000000

export class CommitTable {
  readonly hashLength: number
  /** Commits; their numbers are 0 … count - 1. */
  readonly count: number
  /** Raw names, commit k at k · hashLength. */
  readonly oids: Uint8Array
  readonly #rows: Uint8Array
  readonly #rowView: DataView
  readonly #edges: DataView
  /** Names ascend up to each of these numbers, and start anew there. */
  readonly #runEnds: readonly number[]

  /** `rows` and `edges` are as in CDAT and EDGE, with places in this table; all bounds have been checked. */
  constructor(hashLength: number, oids: Uint8Array, rows: Uint8Array, edges: DataView, runEnds: readonly number[]) {
    this.hashLength = hashLength
    this.count = oids.length / hashLength
    this.oids = oids
    this.#rows = rows
    this.#rowView = new DataView(rows.buffer, rows.byteOffset, rows.byteLength)
    this.#edges = edges
    this.#runEnds = runEnds
  }

  /** Number of the commit with the name at `bytes[offset…]`, or -1. Logarithmic. */
  find(bytes: Uint8Array, offset: number): number {
    let start = 0
    for (const end of this.#runEnds) {
      let low = start
      for (let high = end; low < high; ) {
        const middle = (low + high) >> 1
        if (compareNames(this.oids, middle * this.hashLength, bytes, offset, this.hashLength) < 0) low = middle + 1
        else high = middle
      }
      if (low < end && compareNames(this.oids, low * this.hashLength, bytes, offset, this.hashLength) === 0) return low
      start = end
    }
    return -1
  }

  /** Raw name of a commit's tree; a view. */
  treeOf(commit: number): Uint8Array {
    const at = commit * (this.hashLength + COMMIT_TAIL_LENGTH)
    return this.#rows.subarray(at, at + this.hashLength)
  }

  parentCountOf(commit: number): number {
    const [first, second] = [this.#word(commit, 0), this.#word(commit, 1)]
    if (first === NO_PARENT) return 0
    if (second === NO_PARENT) return 1
    if (second < HIGH_BIT) return 2
    let edge = second - HIGH_BIT
    while (this.#edges.getUint32(edge * 4) < HIGH_BIT) edge++
    return edge - (second - HIGH_BIT) + 2
  }

  /** Number of the parent at `index`, 0-based and below the count of parents. */
  parentOf(commit: number, index: number): number {
    if (index === 0) return this.#word(commit, 0)
    const second = this.#word(commit, 1)
    if (second < HIGH_BIT) return second
    return this.#edges.getUint32((second - HIGH_BIT + index - 1) * 4) % HIGH_BIT
  }

  #word(commit: number, index: number): number {
    return this.#rowView.getUint32(commit * (this.hashLength + COMMIT_TAIL_LENGTH) + this.hashLength + index * 4)
  }
}

/** Negative, zero or positive as the name at a[at…] sorts before, with or after that at b[bt…]. */
export function compareNames(a: Uint8Array, at: number, b: Uint8Array, bt: number, length: number): number {
  for (let i = 0; i < length; i++) {
    const difference = (a[at + i] ?? 0) - (b[bt + i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
