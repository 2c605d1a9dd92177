/**
 * Which of the pieces that come here one peer is told of, and when. In a crowd each member would send all others a packet for
 * each piece, which costs more than the pieces themselves. So a peer that can bear it is told late, of several pieces together
 * and along with whatever else is said to it; at once only of what nobody else in the crowd has, because everybody waits for
 * that, and of what a source has shown us, because it waits for that itself. Of a crowd of which nothing comes, and that takes
 * nothing, each is told the later the more it is. Bookkeeping only: `Swarm` sends.
 */
import type { Bitfield } from './bitfield.ts'
import { encodeHaves } from './wire-messages.ts'

/**
 * What a peer needs to hear (key `gt1h` of its hello), once it has brought or taken something: 'all' at once; 'all-late', as a source does that shows its pieces by and
 * by: what it showed us at once, the others late; or 'lacking', late: only pieces that it lacks.
 */
export type HaveNeed = 'all' | 'all-late' | 'lacking'

/** Milliseconds from one time that a peer is told to the next: where a piece is new to the crowd, and where others have it already. */
const NEW_INTERVAL_MS = 100
const OTHER_INTERVAL_MS = 500
/** The same, times their number, for those who have brought and taken nothing, and would have to hear at once: so forty cost as much as one. */
const UNTRIED_INTERVAL_MS = 12
/** Pieces that wait for company at the most: they fill a packet. */
const WAITING_COUNT_MAX = 128

export class Haves {
  need: HaveNeed = 'all'
  /** What the peer has, and has shown; kept up to date by whoever made this. */
  readonly #pieces: Bitfield
  readonly #joinedAtMs: number
  #waiting: number[] = []
  #toldAtMs = Number.NEGATIVE_INFINITY
  /** When those that wait have to go. */
  #dueAtMs = Number.POSITIVE_INFINITY

  constructor(pieces: Bitfield, joinedAtMs: number) {
    this.#pieces = pieces
    this.#joinedAtMs = joinedAtMs
  }

  /**
   * Piece `index` has come.
   * @param isNew nobody else in the crowd has it
   * @param untriedCount the peer has neither brought nor taken anything, as so many have not; 0 if it has
   */
  add(index: number, isNew: boolean, untriedCount: number, nowMs: number): void {
    if (this.need === 'lacking' && this.#pieces.has(index)) return
    this.#waiting.push(index)
    const isAwaited = this.need === 'all' || this.#pieces.has(index)
    const awaitedMs = Math.min(OTHER_INTERVAL_MS, UNTRIED_INTERVAL_MS * untriedCount)
    const intervalMs = isAwaited ? awaitedMs : isNew ? NEW_INTERVAL_MS : OTHER_INTERVAL_MS
    const isFull = this.#waiting.length >= WAITING_COUNT_MAX
    if (untriedCount > 0 && isAwaited) this.#toldAtMs = Math.max(this.#toldAtMs, this.#joinedAtMs)
    this.#dueAtMs = Math.min(this.#dueAtMs, isFull ? nowMs : this.#toldAtMs + intervalMs)
  }

  /** True if what waits should not wait any longer. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueAtMs
  }

  /** Messages about what waits, and forgets it; null if there is nothing to tell. */
  take(nowMs: number): Uint8Array | null {
    if (this.#waiting.length === 0) return null
    // Some may have come to the peer from elsewhere meanwhile.
    const indexes = this.need === 'lacking' ? this.#waiting.filter((index) => !this.#pieces.has(index)) : this.#waiting
    this.clear()
    if (indexes.length === 0) return null
    this.#toldAtMs = nowMs
    return encodeHaves(indexes)
  }

  /** Nothing of what waits need be told any more. */
  clear(): void {
    this.#waiting = []
    this.#dueAtMs = Number.POSITIVE_INFINITY
  }
}
