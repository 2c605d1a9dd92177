/**
 * The addresses of one download: who waits to be dialled, and who was met or waits and need not be named again.
 * Bounded, because strangers name them: where too many wait, the longest waiting of the network (/24, IPv6: /48) with most of them gives
 * way, and may be named again; of who was met, the oldest is forgotten. Pure bookkeeping: chance is handed in.
 */
import { type Address, formatAddress, networkOf } from './address.ts'
import { DOWNLOAD_MET_COUNT_MAX, DOWNLOAD_REDIAL_COUNT_MAX, DOWNLOAD_WAITING_COUNT_MAX } from './limits.ts'
import { Shares } from './shares.ts'
import type { Tries } from './tries.ts'
import { Turns } from './turns.ts'

export interface WaitingAddress {
  readonly address: Address
  /** The same, as formatAddress names it. */
  readonly key: string
  /** How often it may be dialled after the next time. */
  readonly redialCount: number
}

export class DownloadAddresses {
  readonly #waiting = new Set<WaitingAddress>()
  readonly #shares = new Shares<WaitingAddress>()
  /** Of those that were taken and have not left yet. */
  readonly #turns = new Turns()
  /** Those that wait, too. */
  readonly #met = new Set<string>()
  readonly #tries: Tries

  /** @param tries of all downloads that go on side by side */
  constructor(tries: Tries) {
    this.#tries = tries
  }

  /** Addresses that wait. */
  get waitingCount(): number {
    return this.#waiting.size
  }

  /** True if one waits that was never dialled. */
  get hasUnmet(): boolean {
    return this.#redialCountMax() === DOWNLOAD_REDIAL_COUNT_MAX
  }

  /** Has an address wait unless it was met or waits already. */
  offer(address: Address): void {
    const key = formatAddress(address)
    if (this.#met.has(key)) return
    this.#met.add(key)
    const [oldest] = this.#met
    if (this.#met.size > DOWNLOAD_MET_COUNT_MAX && oldest !== undefined) this.#met.delete(oldest)
    this.wait(address, DOWNLOAD_REDIAL_COUNT_MAX)
  }

  /** Has one wait that was dialled before. */
  wait(address: Address, redialCount: number): void {
    const entry = { address, key: formatAddress(address), redialCount }
    this.#waiting.add(entry)
    this.#shares.add(networkOf(address.host), entry)
    const left = this.#waiting.size > DOWNLOAD_WAITING_COUNT_MAX ? this.#shares.oldestOfLargest() : null
    if (left === null) return
    this.#remove(left)
    this.#met.delete(left.key)
  }

  /**
   * Takes the next one to dial out, null if none waits: who was dialled before comes after all that were not; of those one of the network and host with
   * fewest that were taken and have not left; of those one that was tried in vain least often by all downloads; of those by chance.
   * @param random 0 ≤ x < 1
   */
  next(random: () => number): WaitingAddress | null {
    const redialCountMax = this.#redialCountMax()
    const first = [...this.#waiting].filter(({ redialCount }) => redialCount === redialCountMax)
    const start = Math.floor(random() * first.length)
    const turned = inOrderOfTries([...first.slice(start), ...first.slice(0, start)], this.#tries)
    return this.#taken(turned[this.#turns.next(turned.map(({ address }) => address))] ?? null)
  }

  /** Takes one out, null if it does not wait. */
  take(address: Address): WaitingAddress | null {
    const key = formatAddress(address)
    const entry = [...this.#waiting].find((waiting) => waiting.key === key) ?? null
    return this.#taken(entry)
  }

  #taken(entry: WaitingAddress | null): WaitingAddress | null {
    if (entry === null) return null
    this.#remove(entry)
    this.#turns.note(entry.address)
    this.#tries.begin(entry.key)
    return entry
  }

  /** One that was taken has no place any more. */
  left(address: Address): void {
    this.#turns.note(address, -1)
  }

  #remove(entry: WaitingAddress): void {
    this.#waiting.delete(entry)
    this.#shares.delete(networkOf(entry.address.host), entry)
  }

  /** -1 if none waits. */
  #redialCountMax(): number {
    let max = -1
    for (const { redialCount } of this.#waiting) max = Math.max(max, redialCount)
    return max
  }
}

function inOrderOfTries(entries: readonly WaitingAddress[], tries: Tries): WaitingAddress[] {
  const counted = entries.map((entry) => ({ entry, count: tries.countOf(entry.key) }))
  return counted.sort((a, b) => a.count - b.count).map(({ entry }) => entry)
}
