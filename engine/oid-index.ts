/**
 * A set of object names that numbers its members in order of arrival: open addressing over typed arrays, because a
 * history has millions of names and a Map of strings costs ten times the memory. Object names are uniform already, so
 * the first four bytes serve as hash. Who mines names that begin alike slows his own repository only; where a stranger can
 * invent names, the table is given a bound on how many may lie in a row.
 */

import { prefixOf } from './bytes.ts'
import { EngineError } from './errors.ts'

const EMPTY = -1

export class OidIndex {
  readonly hashLength: number
  /** Number of members; members have the numbers 0 … count - 1. */
  count = 0
  /** Raw names, member k at k · hashLength. Replaced when it grows. */
  oids: Uint8Array
  #slots: Int32Array
  readonly #runLengthMax: number

  /** @param runLengthMax more names in a row than this are refused with EngineError 'pack-limit' */
  constructor(hashLength: number, capacity = 1024, runLengthMax = Number.POSITIVE_INFINITY) {
    this.hashLength = hashLength
    this.#runLengthMax = runLengthMax
    this.oids = new Uint8Array(capacity * hashLength)
    let slots = 2048
    while (slots < capacity * 2) slots *= 2
    this.#slots = new Int32Array(slots).fill(EMPTY)
  }

  /** Number of the name at `bytes[offset…]`, or -1. */
  find(bytes: Uint8Array, offset: number): number {
    return this.#slots[this.#slotOf(bytes, offset)] ?? EMPTY
  }

  /** Number of the name at `bytes[offset…]`, which becomes a member if it was none. */
  add(bytes: Uint8Array, offset: number): number {
    const slot = this.#slotOf(bytes, offset)
    const known = this.#slots[slot] ?? EMPTY
    if (known !== EMPTY) return known
    const number = this.count++
    const at = number * this.hashLength
    if (at + this.hashLength > this.oids.length) this.#growOids()
    for (let i = 0; i < this.hashLength; i++) this.oids[at + i] = bytes[offset + i] ?? 0
    this.#slots[slot] = number
    if (this.count * 2 > this.#slots.length) this.#growSlots()
    return number
  }

  #slotOf(bytes: Uint8Array, offset: number): number {
    const mask = this.#slots.length - 1
    let slot = prefixOf(bytes, offset) & mask
    for (let runLength = 0; runLength <= this.#runLengthMax; runLength++) {
      const number = this.#slots[slot] ?? EMPTY
      if (number === EMPTY || this.#equals(number, bytes, offset)) return slot
      slot = (slot + 1) & mask
    }
    throw new EngineError(
      'pack-limit',
      `object names: expected hashes, got more than ${this.#runLengthMax} that begin alike`,
    )
  }

  #equals(number: number, bytes: Uint8Array, offset: number): boolean {
    const at = number * this.hashLength
    for (let i = 0; i < this.hashLength; i++) if (this.oids[at + i] !== bytes[offset + i]) return false
    return true
  }

  #growOids(): void {
    const grown = new Uint8Array(this.oids.length * 2 + this.hashLength)
    grown.set(this.oids)
    this.oids = grown
  }

  #growSlots(): void {
    const mask = this.#slots.length * 2 - 1
    const grown = new Int32Array(mask + 1).fill(EMPTY)
    for (let number = 0; number < this.count; number++) {
      let slot = prefixOf(this.oids, number * this.hashLength) & mask
      while (grown[slot] !== EMPTY) slot = (slot + 1) & mask
      grown[slot] = number
    }
    this.#slots = grown
  }
}
