/**
 * Whose turn it is among addresses that strangers named: one of the network, then of the host, that had fewest turns, else who came first. So a
 * crowd on few hosts or networks comes after everybody else, however early it came; where all share a host, it is first come, first served.
 * Pure bookkeeping.
 */
import { type Address, networkOf } from './address.ts'

export class Turns {
  readonly #ofNetworks = new Map<string, number>()
  readonly #ofHosts = new Map<string, number>()

  /** Notes that `address` had a turn; `count` -1 takes one back. */
  note({ host }: Address, count: 1 | -1 = 1): void {
    add(this.#ofNetworks, networkOf(host), count)
    add(this.#ofHosts, host, count)
  }

  /** The index in `waiting` of who is next, -1 if nobody waits. Looks at all of them. */
  next(waiting: readonly Address[]): number {
    let next = -1
    let [leastOfNetwork, leastOfHost] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (const [index, { host }] of waiting.entries()) {
      const ofNetwork = this.#ofNetworks.get(networkOf(host)) ?? 0
      const ofHost = this.#ofHosts.get(host) ?? 0
      if (ofNetwork > leastOfNetwork || (ofNetwork === leastOfNetwork && ofHost >= leastOfHost)) continue
      next = index
      leastOfNetwork = ofNetwork
      leastOfHost = ofHost
    }
    return next
  }
}

function add(counts: Map<string, number>, key: string, count: 1 | -1): void {
  const sum = (counts.get(key) ?? 0) + count
  if (sum > 0) counts.set(key, sum)
  else counts.delete(key)
}
