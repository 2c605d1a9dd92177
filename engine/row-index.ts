/**
 * Finds rows of the object table by name: open addressing over typed arrays, without a copy of the names. Members are
 * numbered in order of arrival. Object names are uniform already, so the first four bytes serve as hash; an attacker who
 * mines colliding prefixes slows his own repository only.
 */

import { prefixOf } from './bytes.ts'

const EMPTY = -1
const MEMBER_COUNT_FIRST = 1024

/** Where the names are: the name of row r at r · hashLength. Replaced when the table grows. */
export interface NamedRows {
  readonly views: { readonly hashLength: number; readonly oids: Uint8Array }
}

export class RowIndex {
  /** Members have the numbers 0 … count - 1. */
  count = 0
  readonly #table: NamedRows
  /** Row of each member. */
  #rows = new Int32Array(MEMBER_COUNT_FIRST)
  #slots = new Int32Array(MEMBER_COUNT_FIRST * 2).fill(EMPTY)

  constructor(table: NamedRows) {
    this.#table = table
  }

  rowOf(member: number): number {
    return this.#rows[member] ?? EMPTY
  }

  /** Member with the name at `bytes[offset…]`, or -1. */
  find(bytes: Uint8Array, offset: number): number {
    const mask = this.#slots.length - 1
    for (let slot = prefixOf(bytes, offset) & mask; ; slot = (slot + 1) & mask) {
      const member = this.#slots[slot] ?? EMPTY
      if (member === EMPTY || this.#equals(member, bytes, offset)) return member
    }
  }

  /** Adds the rows from `first` on, whose names are in the table and are no members yet. */
  add(first: number, count: number): void {
    this.#reserve(this.count + count)
    const { oids, hashLength } = this.#table.views
    for (let row = first; row < first + count; row++) {
      this.#rows[this.count] = row
      this.#insert(this.count++, prefixOf(oids, row * hashLength))
    }
  }

  #insert(member: number, prefix: number): void {
    const mask = this.#slots.length - 1
    let slot = prefix & mask
    while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & mask
    this.#slots[slot] = member
  }

  #equals(member: number, bytes: Uint8Array, offset: number): boolean {
    const { oids, hashLength } = this.#table.views
    const at = (this.#rows[member] ?? 0) * hashLength
    for (let i = 0; i < hashLength; i++) if (oids[at + i] !== bytes[offset + i]) return false
    return true
  }

  /** At least half of the slots stay empty. */
  #reserve(count: number): void {
    if (count * 2 <= this.#slots.length) return
    let slotCount = this.#slots.length
    while (slotCount < count * 2) slotCount *= 2
    const rows = new Int32Array(slotCount / 2)
    rows.set(this.#rows)
    this.#rows = rows
    this.#slots = new Int32Array(slotCount).fill(EMPTY)
    const { oids, hashLength } = this.#table.views
    for (let member = 0; member < this.count; member++) {
      this.#insert(member, prefixOf(oids, (rows[member] ?? 0) * hashLength))
    }
  }
}
