/**
 * Compressed entries on their way from placement to a body: in memory, or put aside by the outside when they are many.
 * The engine only passes on what names them there. Where bytes are held never shows in a body.
 */

import { concatBytes } from './bytes.ts'

/** Bytes that the outside keeps, under a name that means something to it alone. */
export interface SpilledBytes {
  readonly name: string
  readonly length: number
}

export type HeldBytes = Uint8Array | SpilledBytes

/** Takes the compressed entries of one shard, in order. Appended arrays may be kept and must not change any more. */
export interface ByteSink {
  append(bytes: Uint8Array): void
  finish(): HeldBytes
}

/** The way back to what was put aside. */
export interface SpillStore {
  /** Bytes `from` up to `to`. */
  read(spilled: SpilledBytes, from: number, to: number): Promise<Uint8Array>
  /** Called once, when the bytes are not needed any more. */
  release(spilled: SpilledBytes): Promise<void>
}

/** Holds everything in memory. */
export class MemorySink implements ByteSink {
  readonly #parts: Uint8Array[] = []

  append(bytes: Uint8Array): void {
    this.#parts.push(bytes)
  }

  finish(): Uint8Array {
    return concatBytes(this.#parts)
  }
}
