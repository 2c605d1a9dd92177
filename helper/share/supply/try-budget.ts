/**
 * How much a conversation may still try, claims of chains or snapshots: their number is bounded, and so is the time that is lost with what
 * was no good, with what offers nothing, and with waiting for somebody else.
 */

import { CLAIM_SECOND_LENGTH, CLAIM_WASTE_MS_MAX } from './limits.ts'

export class TryBudget {
  readonly #tryCountMax: number
  #tryCount = 0
  #wastedMs = 0

  constructor(tryCountMax: number) {
    this.#tryCountMax = tryCountMax
  }

  /** Tries so far. */
  get tryCount(): number {
    return this.#tryCount
  }

  /** Milliseconds that may still be lost; 0 when nothing more is to be tried. */
  get leftMs(): number {
    return this.#tryCount < this.#tryCountMax ? Math.max(0, CLAIM_WASTE_MS_MAX - this.#wastedMs) : 0
  }

  noteTry(): void {
    this.#tryCount++
  }

  /** Notes that the time since `sinceMs` was lost, but for what bytes that came are worth. */
  noteLost(sinceMs: number, cameLength = 0): void {
    const earnedMs = (1000 * cameLength) / CLAIM_SECOND_LENGTH
    this.#wastedMs += Math.max(0, performance.now() - sinceMs - earnedMs)
  }
}
