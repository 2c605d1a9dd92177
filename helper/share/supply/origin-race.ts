/**
 * When the origin is asked for what peers or web seeds are bringing slowly, and who of both goes on (PROTOCOL.md section 10). Nobody's word
 * says how fast the origin would be, so it is asked, and both bring for a moment: whoever shares a slow line with it is no slower than it,
 * and stays. What the origin brought then is remembered, so that it is asked once, however often others slow down again.
 * Pure; the time is told. Time in which nobody looked does not count.
 */
import {
  ORIGIN_BEGUN_LENGTH,
  ORIGIN_RACE_MS,
  ORIGIN_RACE_MS_MIN,
  SLOW_LEFT_MS,
  SLOW_LENGTH,
  SLOW_WINDOW_MS,
} from './limits.ts'

/** What comes from elsewhere than the origin. */
export interface Arrivals {
  /** Bytes that came. */
  readonly cameLength: number
  /** Bytes that are still to come. */
  readonly leftLength: number
}

/** What the origin has answered so far. */
export interface OriginArrivals {
  readonly keptLength: number
  readonly isFull: boolean
}

/** 'ask' the origin as well; 'leave' the rest to it; 'drop' its answer. */
export type Verdict = 'wait' | 'ask' | 'leave' | 'drop'

/** Milliseconds between two looks. */
export const ORIGIN_LOOK_MS = 250
/** So many times quicker the origin has to be: it may have to send twice as much. */
const QUICKER_FACTOR = 2

interface Look {
  readonly atMs: number
  readonly length: number
}

export class OriginRace {
  readonly #slowLength: number
  /** On the clock of times in which somebody looked. */
  #nowMs = 0
  #lookedAtMs = 0
  #looks: Look[] = []
  /** When the origin had begun to send. */
  #begun: Look | null = null
  /** Bytes per millisecond that the origin sent beside others; null as long as that is not known. */
  #originRate: number | null = null

  /** @param downloadLimit bytes per second that may come of others at most, null for any */
  constructor(downloadLimit: number | null) {
    const limit = ((downloadLimit ?? Number.POSITIVE_INFINITY) * SLOW_WINDOW_MS) / 1000
    this.#slowLength = Math.min(SLOW_LENGTH, limit / 2)
  }

  /** Something begins to come, of which nothing has come yet. */
  begin(nowMs: number): void {
    this.#lookedAtMs = nowMs
    this.#looks = []
  }

  /** @param answer null while the origin is not asked */
  look(nowMs: number, { cameLength, leftLength }: Arrivals, answer: OriginArrivals | null): Verdict {
    this.#nowMs += Math.min(nowMs - this.#lookedAtMs, 2 * ORIGIN_LOOK_MS)
    this.#lookedAtMs = nowMs
    const came = this.#cameInWindow(cameLength)
    if (leftLength <= 0) return answer === null ? 'wait' : 'drop'
    if (came === null) return 'wait'
    if (answer !== null) return this.#compare(came, answer)
    const isSlow = came < this.#slowLength && leftLength * SLOW_WINDOW_MS > came * SLOW_LEFT_MS
    if (!isSlow) return 'wait'
    if (this.#originRate === null) return 'ask'
    return this.#isQuicker(this.#originRate, came) ? 'leave' : 'wait'
  }

  /** Bytes in the last SLOW_WINDOW_MS, null before so much time has gone. */
  #cameInWindow(length: number): number | null {
    const atMs = this.#nowMs
    this.#looks.push({ atMs, length })
    while ((this.#looks[1]?.atMs ?? atMs) < atMs - SLOW_WINDOW_MS) this.#looks.shift()
    const [oldest] = this.#looks
    return oldest === undefined || oldest.atMs > atMs - SLOW_WINDOW_MS ? null : length - oldest.length
  }

  #compare(came: number, { keptLength, isFull }: OriginArrivals): Verdict {
    if (isFull) return 'leave'
    if (keptLength < ORIGIN_BEGUN_LENGTH) return 'wait'
    this.#begun ??= { atMs: this.#nowMs, length: keptLength }
    const durationMs = this.#nowMs - this.#begun.atMs
    if (durationMs < ORIGIN_RACE_MS_MIN) return 'wait'
    const rate = (keptLength - this.#begun.length) / durationMs
    if (this.#isQuicker(rate, came)) return 'leave'
    if (durationMs < ORIGIN_RACE_MS) return 'wait'
    this.#originRate = rate
    return 'drop'
  }

  #isQuicker(originRate: number, came: number): boolean {
    return originRate * SLOW_WINDOW_MS > QUICKER_FACTOR * came
  }
}
