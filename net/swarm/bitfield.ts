/**
 * Which pieces somebody has: one bit per piece, most significant bit first, as the `bitfield` message carries it (BEP 3).
 * Counts its set bits as they are set, so that "has everything" costs nothing. Indexes are not checked here: whoever
 * hands in a stranger's number compares it with the piece count first.
 */

export class Bitfield {
  readonly bytes: Uint8Array
  readonly pieceCount: number
  #count = 0

  /** @param bytes copied; bits beyond `pieceCount` are cleared. Absent: no bit is set. */
  constructor(pieceCount: number, bytes?: Uint8Array) {
    this.pieceCount = pieceCount
    this.bytes = new Uint8Array(Math.ceil(pieceCount / 8))
    if (bytes === undefined) return
    for (let index = 0; index < pieceCount; index++) {
      if (((bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0) this.set(index)
    }
  }

  /** A field with every bit set. */
  static full(pieceCount: number): Bitfield {
    return new Bitfield(pieceCount, new Uint8Array(Math.ceil(pieceCount / 8)).fill(0xff))
  }

  /** Number of bits that are set. */
  get count(): number {
    return this.#count
  }

  get isFull(): boolean {
    return this.#count === this.pieceCount
  }

  has(index: number): boolean {
    return ((this.bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
  }

  /** Sets a bit; false if it was set already. */
  set(index: number): boolean {
    if (this.has(index)) return false
    this.bytes[index >> 3] = (this.bytes[index >> 3] ?? 0) | (0x80 >> (index & 7))
    this.#count += 1
    return true
  }

  clear(index: number): void {
    if (!this.has(index)) return
    this.bytes[index >> 3] = (this.bytes[index >> 3] ?? 0) & ~(0x80 >> (index & 7))
    this.#count -= 1
  }
}
