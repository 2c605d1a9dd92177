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
  SLOW_NEXT_MS,
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

/** 'ask' the origin as well; 'leave' all to it; 'hand-over': it is to bring what has not come; 'drop' its answer. */
export type Verdict = 'wait' | 'ask' | 'leave' | 'hand-over' | 'drop'

/** Milliseconds between two looks. */
export const ORIGIN_LOOK_MS = 250
/** Where more than half is there, the rest may take so many times as long as that did. */
const REST_FACTOR = 2
/** So many times quicker the origin has to be: it may have to send twice as much. */
const QUICKER_FACTOR = 2

interface Look {
  readonly atMs: number
  readonly length: number
}

export class OriginRace {
  /** Bytes per millisecond. */
  readonly #slowRate: number
  /** On the clock of times in which somebody looked. */
  #nowMs = 0
  #lookedAtMs = 0
  #looks: Look[] = []
  /** Milliseconds that have to be seen before anything is decided. */
  #seenMsMin = SLOW_WINDOW_MS
  /** When what comes began. */
  #beganAtMs: number | null = null
  #slowSinceMs: number | null = null
  /** When the origin had begun to send the answer that is awaited. */
  #begun: Look | null = null
  /** Bytes per millisecond that the origin sent beside others; null as long as that is not known. */
  #originRate: number | null = null

  /** @param downloadLimit bytes per second that may come of others at most, null for any */
  constructor(downloadLimit: number | null) {
    const limit = (downloadLimit ?? Number.POSITIVE_INFINITY) / 1000
    this.#slowRate = Math.min(SLOW_LENGTH / SLOW_WINDOW_MS, limit / 2)
  }

  /** Something begins to come, of which nothing has come yet. What comes after another has failed is judged sooner. */
  begin(nowMs: number): void {
    if (this.#beganAtMs !== null) this.#seenMsMin = SLOW_NEXT_MS
    this.#beganAtMs = this.#nowMs
    this.#slowSinceMs = null
    this.#lookedAtMs = nowMs
    this.#looks = []
  }

  /** @param answer null while the origin is not asked */
  look(nowMs: number, arrivals: Arrivals, answer: OriginArrivals | null): Verdict {
    this.#nowMs += Math.min(nowMs - this.#lookedAtMs, 2 * ORIGIN_LOOK_MS)
    this.#lookedAtMs = nowMs
    if (answer === null) this.#begun = null
    const { cameLength, leftLength } = arrivals
    const came = this.#rateOf(cameLength)
    if (leftLength <= 0) return answer === null ? 'wait' : 'drop'
    if (answer?.isFull === true) return 'leave'
    if (came === null) return 'wait'
    const isHalfThere = cameLength > leftLength
    if (answer !== null) return this.#compare(came, answer, isHalfThere)
    const isSlow = came < this.#slowRate && leftLength > came * SLOW_LEFT_MS
    if (!isSlow) {
      this.#slowSinceMs = null
      return 'wait'
    }
    if (isHalfThere) return this.#isRestLate(came, leftLength) ? 'hand-over' : 'wait'
    if (this.#originRate === null) return 'ask'
    return this.#isQuicker(this.#originRate, came) ? 'leave' : 'wait'
  }

  /** Bytes per millisecond in the last SLOW_WINDOW_MS, null before enough of them have gone. */
  #rateOf(length: number): number | null {
    const atMs = this.#nowMs
    this.#looks.push({ atMs, length })
    while ((this.#looks[1]?.atMs ?? atMs) < atMs - SLOW_WINDOW_MS) this.#looks.shift()
    const [oldest] = this.#looks
    const seenMs = atMs - (oldest?.atMs ?? atMs)
    return seenMs < this.#seenMsMin ? null : (length - (oldest?.length ?? 0)) / seenMs
  }

  /** Of what has come by half: what is slow for that long again, and will be for much longer than the first half took. */
  #isRestLate(came: number, leftLength: number): boolean {
    this.#slowSinceMs ??= this.#nowMs
    const isForLong = this.#nowMs - this.#slowSinceMs >= SLOW_WINDOW_MS
    return isForLong && leftLength > came * REST_FACTOR * (this.#nowMs - (this.#beganAtMs ?? 0))
  }

  #compare(came: number, { keptLength }: OriginArrivals, isHalfThere: boolean): Verdict {
    if (keptLength < ORIGIN_BEGUN_LENGTH) return 'wait'
    this.#begun ??= { atMs: this.#nowMs, length: keptLength }
    const durationMs = this.#nowMs - this.#begun.atMs
    if (durationMs < ORIGIN_RACE_MS_MIN) return 'wait'
    const rate = (keptLength - this.#begun.length) / durationMs
    if (this.#isQuicker(rate, came)) return isHalfThere ? 'hand-over' : 'leave'
    if (durationMs < ORIGIN_RACE_MS) return 'wait'
    this.#originRate = rate
    return 'drop'
  }

  #isQuicker(originRate: number, came: number): boolean {
    return originRate > QUICKER_FACTOR * came
  }
}
