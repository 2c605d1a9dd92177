/**
 * Addresses that sent what they must not send. A ban covers all addresses of the same owner: a whole /64 of IPv6, on loopback only
 * host and port. Bans end by themselves and are bounded in number; the oldest go first.
 */
import { type Address, ownerOf } from './address.ts'
import { BAN_COUNT_MAX, BAN_DURATION_MS } from './limits.ts'
import { type Clock, MONOTONIC } from './rate.ts'

export class Bans {
  readonly #untilMs = new Map<string, number>()
  readonly #clock: Clock

  /** @param earlier bans of an earlier run: name, and milliseconds that are left */
  constructor(clock: Clock = MONOTONIC, earlier: readonly (readonly [string, number])[] = []) {
    this.#clock = clock
    for (const [key, leftMs] of earlier) this.#untilMs.set(key, clock.nowMs() + leftMs)
  }

  /** Bans that are in force: name, and milliseconds that are left. */
  left(): [string, number][] {
    const nowMs = this.#clock.nowMs()
    return [...this.#untilMs]
      .map(([key, untilMs]): [string, number] => [key, untilMs - nowMs])
      .filter(([, ms]) => ms > 0)
  }

  add(address: Address): void {
    const key = ownerOf(address)
    this.#untilMs.delete(key)
    const oldest = this.#untilMs.size >= BAN_COUNT_MAX ? this.#untilMs.keys().next().value : undefined
    if (oldest !== undefined) this.#untilMs.delete(oldest)
    this.#untilMs.set(key, this.#clock.nowMs() + BAN_DURATION_MS)
  }

  has(address: Address): boolean {
    const until = this.#untilMs.get(ownerOf(address))
    return until !== undefined && until > this.#clock.nowMs()
  }
}
