/**
 * What addresses were good for, to all downloads of one net together: downloads that go on side by side first turn to those that have brought
 * something, then to those that no other is trying, or has found to bring nothing. It decides about turns only; nobody is left out.
 * Bounded, because strangers name addresses.
 */
import { type Address, formatAddress } from './address.ts'
import { TRIES_COUNT_MAX } from './limits.ts'

const GOOD = -1

export class Tries {
  /** Those tried longest ago first. */
  readonly #counts = new Map<string, number>()

  /** How often an address was tried and brought nothing, tries that are under way included; -1 if it has brought something. */
  countOf(address: Address): number {
    return this.#counts.get(formatAddress(address)) ?? 0
  }

  isGood(address: Address): boolean {
    return this.countOf(address) === GOOD
  }

  begin(address: Address): void {
    const count = this.countOf(address)
    this.#note(address, count === GOOD ? GOOD : count + 1)
  }

  /** The address has brought something. */
  worked(address: Address): void {
    this.#note(address, GOOD)
  }

  #note(address: Address, count: number): void {
    const key = formatAddress(address)
    this.#counts.delete(key)
    this.#counts.set(key, count)
    const [oldest] = this.#counts.keys()
    if (this.#counts.size > TRIES_COUNT_MAX && oldest !== undefined) this.#counts.delete(oldest)
  }
}
