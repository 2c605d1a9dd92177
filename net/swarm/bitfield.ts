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

  /** Indexes that are set in `bytes`, which has the length of ours, and not here, ascending. Quick where there are none. */
  lackingOf(bytes: Uint8Array): number[] {
    const indexes: number[] = []
    for (let at = 0; at < this.bytes.length; at++) {
      const lacking = (bytes[at] ?? 0) & ~(this.bytes[at] ?? 0)
      if (lacking === 0) continue
      const end = Math.min(8 * at + 8, this.pieceCount)
      for (let index = 8 * at; index < end; index++) if ((lacking & (0x80 >> (index & 7))) !== 0) indexes.push(index)
    }
    return indexes
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
