/**
 * Who sent the bad block: a hash only says that some block of a piece is wrong. Blocks are remembered per piece with their
 * sender until the piece is decided. A bad piece of one sender convicts him; a bad piece of several is kept as block hashes
 * and decided when the good piece is known. If that never helps, all its senders go.
 * Pure bookkeeping; senders are any values.
 */
import { createHash } from 'node:crypto'
import { BAD_PIECE_COUNT_MAX } from '../limits.ts'

interface Block<Sender> {
  readonly sender: Sender
  readonly bytes: Uint8Array
}

interface Suspect<Sender> {
  readonly sender: Sender
  readonly offset: number
  readonly digest: string
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex')
}

export class Blame<Sender> {
  readonly #blocks = new Map<number, Map<number, Block<Sender>>>()
  readonly #suspects = new Map<number, Suspect<Sender>[]>()
  readonly #failureCount = new Map<number, number>()

  /** A block that was asked for has come. The bytes are kept, not copied. */
  record(piece: number, offset: number, bytes: Uint8Array, sender: Sender): void {
    let blocks = this.#blocks.get(piece)
    if (blocks === undefined) {
      blocks = new Map()
      this.#blocks.set(piece, blocks)
    }
    if (!blocks.has(offset)) blocks.set(offset, { sender, bytes })
  }

  /** The piece was wrong; returns those who are guilty beyond doubt. */
  failed(piece: number): Sender[] {
    const blocks = this.#take(piece)
    const senders = new Set([...blocks.values()].map((block) => block.sender))
    const count = (this.#failureCount.get(piece) ?? 0) + 1
    this.#failureCount.set(piece, count)
    if (senders.size === 1 || count >= BAD_PIECE_COUNT_MAX) return [...senders]
    const suspects = this.#suspects.get(piece) ?? []
    for (const [offset, block] of blocks) suspects.push({ sender: block.sender, offset, digest: digestOf(block.bytes) })
    this.#suspects.set(piece, suspects)
    return []
  }

  /** The piece was right; returns those whose earlier blocks of it were not. */
  verified(piece: number): Sender[] {
    const blocks = this.#take(piece)
    const suspects = this.#suspects.get(piece) ?? []
    this.#suspects.delete(piece)
    this.#failureCount.delete(piece)
    const guilty = new Set<Sender>()
    for (const { sender, offset, digest } of suspects) {
      const good = blocks.get(offset)
      if (good !== undefined && digestOf(good.bytes) !== digest) guilty.add(sender)
    }
    return [...guilty]
  }

  #take(piece: number): Map<number, Block<Sender>> {
    const blocks = this.#blocks.get(piece) ?? new Map<number, Block<Sender>>()
    this.#blocks.delete(piece)
    return blocks
  }
}
