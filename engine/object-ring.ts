/**
 * The newest objects that somebody may make deltas of, in a ring of fixed size: the oldest give way. A record is the object, room
 * for git's header right before it (so that both are hashed in one go), and where the entries of a tree start. One array for all:
 * a history has gigabytes of trees, and as many arrays would keep nothing but the garbage collector busy.
 */

/** Two numbers, length and count of starts, and room for git's header. */
const LENGTHS_LENGTH = 8
const HEADER_ROOM = 32
const CONTENT_AT = LENGTHS_LENGTH + HEADER_ROOM

/** A record's position counts all bytes that were ever reserved; it is 0 for what was never there. */
export class ObjectRing {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  /** Longest object. */
  readonly objectLengthMax: number
  readonly #length: number
  #head: number

  /** @param length in bytes, a multiple of 8; two objects of `objectLengthMax` always fit */
  constructor(length: number) {
    const buffer = new ArrayBuffer(length)
    this.bytes = new Uint8Array(buffer)
    this.words = new Uint32Array(buffer)
    this.objectLengthMax = Math.floor((length * 3) / 16)
    this.#length = length
    this.#head = length
  }

  /** True while the record at `position` is there. */
  holds(position: number): boolean {
    return position >= this.#head - this.#length && position > 0
  }

  /**
   * Makes room for an object of `length` bytes with up to `startCount` starts, at the expense of the oldest.
   * @param beside position of a record that has to stay, 0 for none
   * @returns its position, and that of `beside`, which may have moved; nothing is there before `commit`
   */
  reserve(length: number, startCount: number, beside: number): { position: number; beside: number } {
    const needed = recordLength(length, startCount)
    let kept = beside
    if (kept > 0 && this.#startFor(needed) + needed - this.#length > kept) kept = this.#move(kept)
    return { position: this.#startFor(needed), beside: kept }
  }

  /** Ends a record that was reserved; its starts were written at `startsAt`. */
  commit(position: number, length: number, startCount: number): void {
    const at = (position % this.#length) >> 2
    this.words[at] = length
    this.words[at + 1] = startCount
    this.#head = position + recordLength(length, startCount)
  }

  /** The object of the record at `position`, of `length` bytes while it is reserved. */
  contentOf(position: number, length = this.words[(position % this.#length) >> 2] ?? 0): Uint8Array {
    const at = (position % this.#length) + CONTENT_AT
    return this.bytes.subarray(at, at + length)
  }

  /** The object with what git hashes before it: `header` in ASCII. */
  headed(position: number, header: string, length: number): Uint8Array {
    const at = (position % this.#length) + CONTENT_AT
    for (let i = 0; i < header.length; i++) this.bytes[at - header.length + i] = header.charCodeAt(i)
    return this.bytes.subarray(at - header.length, at + length)
  }

  /** Index in `words` of the first start of the record at `position`, whose object has `length` bytes. */
  startsAt(position: number, length: number): number {
    return ((position % this.#length) + CONTENT_AT + length + 3) >> 2
  }

  startCountOf(position: number): number {
    return this.words[((position % this.#length) >> 2) + 1] ?? 0
  }

  /** Where a record of so many bytes goes: it does not wrap around. */
  #startFor(needed: number): number {
    const left = this.#length - (this.#head % this.#length)
    return needed <= left ? this.#head : this.#head + left
  }

  /** Makes a record the newest. */
  #move(position: number): number {
    const at = position % this.#length
    const length = this.words[at >> 2] ?? 0
    const startCount = this.startCountOf(position)
    const to = this.#startFor(recordLength(length, startCount))
    this.bytes.copyWithin(to % this.#length, at, at + recordLength(length, startCount))
    this.commit(to, length, startCount)
    return to
  }
}

/** A multiple of 8. */
function recordLength(length: number, startCount: number): number {
  return (CONTENT_AT + length + 3 + 4 * startCount + 7) & ~7
}
