/**
 * Connection ids of our UDP tracker (BEP 15): they prove that whoever announces receives what is sent to his address. Nothing is
 * stored: an id is a MAC over the address and the time, valid for two to four minutes (BEP 15 asks for two at least).
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { TRACKER_CONNECTION_ID_AGE_MS } from '../limits.ts'
import { type Clock, MONOTONIC } from '../rate.ts'

export const CONNECTION_ID_LENGTH = 8

export class ConnectionIds {
  readonly #secret = randomBytes(32)
  readonly #clock: Clock

  constructor(clock: Clock = MONOTONIC) {
    this.#clock = clock
  }

  /** The id that `host` is told now. */
  of(host: string): Uint8Array {
    return this.#idOf(host, this.#period())
  }

  /** True if `id` was told to `host`, in this period or the one before. */
  has(host: string, id: Uint8Array): boolean {
    if (id.length !== CONNECTION_ID_LENGTH) return false
    const period = this.#period()
    return [period, period - 1].some((each) => timingSafeEqual(this.#idOf(host, each), id))
  }

  #period(): number {
    return Math.floor(this.#clock.nowMs() / TRACKER_CONNECTION_ID_AGE_MS)
  }

  #idOf(host: string, period: number): Uint8Array {
    return createHmac('sha256', this.#secret).update(`${period} ${host}`).digest().subarray(0, CONNECTION_ID_LENGTH)
  }
}
