/**
 * Which line of a pack has which object: what git's index of the pack says of places, turned round. A name may be in several lines,
 * once in each; `git index-pack` appends delta bases that the pack lacks, and those are nobody's.
 */

import type { PackIndex } from '../../../engine/index.ts'

const NOBODY = -1

export class LineMembers {
  /** Objects of all lines. */
  readonly count: number
  readonly #hashLength: number
  readonly #oids: Uint8Array
  /** By place in the index: number of the line, NOBODY for what was appended. */
  readonly #lines: Int16Array
  readonly #isNoted: Uint8Array

  /** @param ends where in the pack the bodies of each line end, ascending */
  constructor({ count, oids, offsets }: PackIndex, hashLength: number, ends: readonly number[]) {
    this.#hashLength = hashLength
    this.#oids = oids
    this.#lines = new Int16Array(count)
    this.#isNoted = new Uint8Array(count)
    let memberCount = 0
    for (const [place, offset] of offsets.entries()) {
      const line = lineAt(offset, ends)
      this.#lines[place] = line
      if (line !== NOBODY) memberCount++
    }
    this.count = memberCount
  }

  /** Notes that a line should have the object; true if it does, and that was not noted before. */
  note(oid: Uint8Array, line: number): boolean {
    for (let place = this.#firstPlace(oid); this.#compareAt(place, oid) === 0; place++) {
      if (this.#lines[place] !== line) continue
      if (this.#isNoted[place] === 1) return false
      this.#isNoted[place] = 1
      return true
    }
    return false
  }

  /** Names, in hex, of members that were not noted, at most `count` at a time. */
  *unnoted(count: number): Generator<string[]> {
    let names: string[] = []
    for (const [place, line] of this.#lines.entries()) {
      if (line === NOBODY || this.#isNoted[place] === 1) continue
      const at = place * this.#hashLength
      names.push(Buffer.from(this.#oids.subarray(at, at + this.#hashLength)).toString('hex'))
      if (names.length < count) continue
      yield names
      names = []
    }
    if (names.length > 0) yield names
  }

  /** The first place whose name is not below, by bisection. */
  #firstPlace(oid: Uint8Array): number {
    let low = 0
    let high = this.#lines.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compareAt(middle, oid) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Below zero if the name at a place is less than `oid`, above zero if it is greater, or there is none. */
  #compareAt(place: number, oid: Uint8Array): number {
    if (place >= this.#lines.length) return 1
    const at = place * this.#hashLength
    for (let i = 0; i < this.#hashLength; i++) {
      const difference = (this.#oids[at + i] ?? 0) - (oid[i] ?? 0)
      if (difference !== 0) return difference
    }
    return 0
  }
}

/** The line whose bodies an offset lies in. */
function lineAt(offset: number, ends: readonly number[]): number {
  let low = 0
  let high = ends.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (offset >= (ends[middle] ?? 0)) low = middle + 1
    else high = middle
  }
  return low < ends.length ? low : NOBODY
}
