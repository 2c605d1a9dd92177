/**
 * How many of the connected peers have each piece; kept up incrementally, a peer at a time or a piece at a time.
 * The count is of what peers say: a complete peer that shows its pieces one by one counts for those that it has shown.
 */
import type { Bitfield } from './bitfield.ts'

export class Availability {
  readonly #counts: Uint16Array

  constructor(pieceCount: number) {
    this.#counts = new Uint16Array(pieceCount)
  }

  /** Peers that have piece `index`. */
  of(index: number): number {
    return this.#counts[index] ?? 0
  }

  addPiece(index: number): void {
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
  }

  addPeer(pieces: Bitfield): void {
    this.#change(pieces, 1)
  }

  removePeer(pieces: Bitfield): void {
    this.#change(pieces, -1)
  }

  #change(pieces: Bitfield, by: 1 | -1): void {
    if (pieces.count === 0) return
    for (let index = 0; index < this.#counts.length; index++) {
      if (pieces.has(index)) this.#counts[index] = (this.#counts[index] ?? 0) + by
    }
  }
}
