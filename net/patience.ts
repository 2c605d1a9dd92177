/**
 * When a download has waited long enough (PROTOCOL.md section 9): nothing at all comes of those who are connected, too long no
 * block that is lacking, or too few of them. Pure; the time is told. Time in which nobody looked does not count: then this machine was
 * too busy to take what came, or slept, and peers are not to blame.
 */
import { DOWNLOAD_ALIVE_LENGTH } from './limits.ts'

export interface PatienceOptions {
  /** Milliseconds within which a block must come, and twice of them for DOWNLOAD_ALIVE_LENGTH bytes. */
  readonly stallTimeoutMs: number
  /** Milliseconds within which the first block must come, while somebody is to bring it. */
  readonly startTimeoutMs: number
}

/** What a look finds. */
export interface Arrivals {
  /** Bytes of lacking blocks that came so far. */
  readonly takenLength: number
  /** Bytes that are still lacking. */
  readonly leftLength: number
  /** Somebody is connected who should be bringing something. */
  readonly isExpectant: boolean
}

/** Looks within the shorter time-out. */
const LOOK_COUNT = 8
const LOOK_INTERVAL_MS_MIN = 10

export class Patience {
  /** How often to look. */
  readonly intervalMs: number
  readonly #options: PatienceOptions
  #lookedAtMs: number
  /** On the clock of times in which somebody looked. */
  #nowMs = 0
  #takenAtMs = 0
  #takenLength = 0
  #aliveAtMs = 0
  #aliveLength = 0
  #expectantAtMs: number | null = null

  constructor(options: PatienceOptions, nowMs: number) {
    const { stallTimeoutMs, startTimeoutMs } = options
    this.#options = options
    this.#lookedAtMs = nowMs
    this.intervalMs = Math.max(LOOK_INTERVAL_MS_MIN, Math.min(stallTimeoutMs, startTimeoutMs) / LOOK_COUNT)
  }

  /** True when it has come to an end. */
  isOver(realNowMs: number, { takenLength, leftLength, isExpectant }: Arrivals): boolean {
    this.#nowMs += Math.min(realNowMs - this.#lookedAtMs, 2 * this.intervalMs)
    this.#lookedAtMs = realNowMs
    const nowMs = this.#nowMs
    if (takenLength > this.#takenLength) this.#takenAtMs = nowMs
    this.#takenLength = takenLength
    if (takenLength - this.#aliveLength >= Math.min(DOWNLOAD_ALIVE_LENGTH, leftLength)) {
      this.#aliveAtMs = nowMs
      this.#aliveLength = takenLength
    }
    this.#expectantAtMs = isExpectant ? (this.#expectantAtMs ?? nowMs) : null
    const { stallTimeoutMs, startTimeoutMs } = this.#options
    const isMute = takenLength === 0 && this.#expectantAtMs !== null && nowMs - this.#expectantAtMs > startTimeoutMs
    return isMute || nowMs - this.#takenAtMs > stallTimeoutMs || nowMs - this.#aliveAtMs > 2 * stallTimeoutMs
  }
}
