/**
 * Connections by the host that they come from, so that one stranger cannot take all of them. This machine itself is not bounded: behind
 * a reverse proxy everybody comes from it, and a test network is on it.
 */

import { classOfHost } from './address.ts'

export class HostCount {
  readonly #countMax: number
  readonly #counts = new Map<string, number>()

  constructor(countMax: number) {
    this.#countMax = countMax
  }

  /** How to leave again, to be called once; null if the host has enough connections. */
  enter(host: string): (() => void) | null {
    const count = this.#counts.get(host) ?? 0
    if (count >= this.#countMax && classOfHost(host) !== 'loopback') return null
    this.#counts.set(host, count + 1)
    return () => {
      const left = (this.#counts.get(host) ?? 1) - 1
      if (left > 0) this.#counts.set(host, left)
      else this.#counts.delete(host)
    }
  }
}
