/**
 * Piece hashes of a payload that passes by (BEP 3: SHA-1 of pieces of one length, the last one shorter).
 */

import { createHash, type Hash } from 'node:crypto'

/** SHA-1 of consecutive pieces of a stream. */
export class PieceHasher {
  readonly #pieceLength: number
  readonly #digests: Uint8Array[] = []
  #hash: Hash = createHash('sha1')
  #filled = 0

  constructor(pieceLength: number) {
    this.#pieceLength = pieceLength
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, this.#pieceLength - this.#filled)
      this.#hash.update(bytes.subarray(at, at + count))
      this.#filled += count
      at += count
      if (this.#filled === this.#pieceLength) this.#close()
    }
  }

  finish(): Uint8Array {
    if (this.#filled > 0) this.#close()
    return Buffer.concat(this.#digests)
  }

  #close(): void {
    this.#digests.push(this.#hash.digest())
    this.#hash = createHash('sha1')
    this.#filled = 0
  }
}
