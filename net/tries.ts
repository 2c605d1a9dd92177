/**
 * What addresses were good for, to all downloads of one net together: downloads that go on side by side first turn to those that have brought
 * something, then to those that no other is trying, or has found to bring nothing. It decides about turns only; nobody is left out.
 * Addresses are named as formatAddress does. Bounded, because strangers name them.
 */
import { TRIES_COUNT_MAX } from './limits.ts'

const GOOD = -1

export class Tries {
  /** Those tried longest ago first. */
  readonly #counts = new Map<string, number>()

  /** How often an address was tried and brought nothing, tries that are under way included; -1 if it has brought something. */
  countOf(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  isGood(key: string): boolean {
    return this.countOf(key) === GOOD
  }

  begin(key: string): void {
    const count = this.countOf(key)
    this.#note(key, count === GOOD ? GOOD : count + 1)
  }

  /** The address has brought something. */
  worked(key: string): void {
    this.#note(key, GOOD)
  }

  #note(key: string, count: number): void {
    this.#counts.delete(key)
    this.#counts.set(key, count)
    const [oldest] = this.#counts.keys()
    if (this.#counts.size > TRIES_COUNT_MAX && oldest !== undefined) this.#counts.delete(oldest)
  }
}
