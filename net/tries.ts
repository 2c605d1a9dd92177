/**
 * How often addresses were tried in vain, by all downloads of one net together: downloads that go on side by side first try those that no other
 * is trying, or has found to bring nothing. It decides about turns only; nobody is left out. Bounded, because strangers name addresses.
 */
import { type Address, formatAddress } from './address.ts'
import { TRIES_COUNT_MAX } from './limits.ts'

export class Tries {
  /** Those tried longest ago first. */
  readonly #counts = new Map<string, number>()

  /** Tries that brought nothing, those that are under way included. */
  countOf(address: Address): number {
    return this.#counts.get(formatAddress(address)) ?? 0
  }

  begin(address: Address): void {
    const key = formatAddress(address)
    const count = this.#counts.get(key) ?? 0
    this.#counts.delete(key)
    this.#counts.set(key, count + 1)
    const [oldest] = this.#counts.keys()
    if (this.#counts.size > TRIES_COUNT_MAX && oldest !== undefined) this.#counts.delete(oldest)
  }

  /** What the address failed to bring before does not matter any more. */
  worked(address: Address): void {
    this.#counts.delete(formatAddress(address))
  }
}
