/**
 * The addresses that one topic knows: who waits to be dialled, who is being dialled, who is connected, who failed when.
 * Bounded; when it is full, a new address takes the place of one that failed, else it is not taken. Those of networks and hosts of
 * which fewest were dialled are next.
 * Pure bookkeeping: time is handed in.
 */
import { type Address, formatAddress } from './address.ts'
import { REDIAL_DELAY_MS, TOPIC_ADDRESS_COUNT_MAX } from './limits.ts'
import { Turns } from './turns.ts'

type State = 'waiting' | 'dialling' | 'connected' | 'failed'

interface Entry {
  readonly address: Address
  state: State
  failedAtMs: number
  /** It is dialled before all others. */
  isPreferred: boolean
}

export class AddressBook {
  readonly #entries = new Map<string, Entry>()
  readonly #waiting: Entry[] = []
  /** Of those that do not wait. */
  readonly #turns = new Turns()
  #diallingCount = 0

  /** Addresses waiting or being dialled. */
  get openCount(): number {
    return this.#waiting.length + this.#diallingCount
  }

  get waitingCount(): number {
    return this.#waiting.length
  }

  /** Addresses that wait to be dialled. */
  get waiting(): Address[] {
    return this.#waiting.map(({ address }) => address)
  }

  get diallingCount(): number {
    return this.#diallingCount
  }

  /** Takes note of an address; true if it is to be dialled. */
  offer(address: Address, nowMs: number): boolean {
    const key = formatAddress(address)
    const known = this.#entries.get(key)
    if (known !== undefined) {
      if (known.state !== 'failed' || nowMs - known.failedAtMs < REDIAL_DELAY_MS) return false
      this.#turns.note(address, -1)
      this.#enqueue(known)
      return true
    }
    if (this.#entries.size >= TOPIC_ADDRESS_COUNT_MAX && !this.#dropOneFailed()) return false
    const entry: Entry = { address, state: 'waiting', failedAtMs: 0, isPreferred: false }
    this.#entries.set(key, entry)
    this.#enqueue(entry)
    return true
  }

  #enqueue(entry: Entry): void {
    entry.state = 'waiting'
    this.#waiting.push(entry)
  }

  /** Has an address dialled before all others; false if it does not wait. */
  prefer(address: Address): boolean {
    const entry = this.#entries.get(formatAddress(address))
    if (entry?.state !== 'waiting') return false
    entry.isPreferred = true
    return true
  }

  #dropOneFailed(): boolean {
    for (const [key, entry] of this.#entries) {
      if (entry.state !== 'failed') continue
      this.#entries.delete(key)
      this.#turns.note(entry.address, -1)
      return true
    }
    return false
  }

  /** The next address to dial, null if none waits. */
  next(): Address | null {
    const preferred = this.#waiting.findIndex(({ isPreferred }) => isPreferred)
    const at = preferred >= 0 ? preferred : this.#turns.next(this.#waiting.map(({ address }) => address))
    const [entry] = at < 0 ? [] : this.#waiting.splice(at, 1)
    if (entry === undefined) return null
    this.#turns.note(entry.address)
    entry.state = 'dialling'
    entry.isPreferred = false
    this.#diallingCount += 1
    return entry.address
  }

  /** Says how the dialling ended. */
  dialled(address: Address, connected: boolean, nowMs: number): void {
    const entry = this.#entries.get(formatAddress(address))
    if (entry?.state !== 'dialling') return
    this.#diallingCount -= 1
    entry.state = connected ? 'connected' : 'failed'
    entry.failedAtMs = nowMs
  }

  /** Says that a connection has ended. */
  lost(address: Address, nowMs: number): void {
    const entry = this.#entries.get(formatAddress(address))
    if (entry?.state !== 'connected') return
    entry.state = 'failed'
    entry.failedAtMs = nowMs
  }
}
