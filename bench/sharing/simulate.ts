/**
 * Meets a demand with one strategy and keeps the books: bytes live and shared, what others fetched too, how many swarms
 * and packs that makes, how many peers a byte has.
 */

import { CLIENT_KINDS, type ClientKind, type Fetch } from './demand.ts'
import { type SharedBytes, SharingLedger, WINDOWS_SECONDS } from './sharing-ledger.ts'
import { type Plan, type Sizes, type Strategy, storedBytes } from './strategies.ts'

const DAY_SECONDS = 86400

/** Bytes of one kind of client, or of all. */
export interface Books {
  fetches: number
  /** Stored bytes of what they needed, and what they got: in packs that others can use too, and live. */
  stored: number
  packed: number
  live: number
  /** By window of WINDOWS_SECONDS: bytes that at least one other client fetched within it, before or after. */
  readonly within: number[]
  /** By window: bytes that another client had fetched within it before; and ever before. */
  readonly before: number[]
  everBefore: number
}

export interface Outcome {
  readonly name: string
  readonly note: string
  readonly all: Books
  readonly kinds: Readonly<Partial<Record<ClientKind, Books>>>
  /** Different packs or segments that were fetched, in all and on an average day with a fetch. */
  readonly packs: number
  readonly packsPerDay: number
  /** Different infohashes, likewise. */
  readonly swarms: number
  readonly swarmsPerDay: number
  /** Fetches that take part in a swarm on one UTC day, on average over swarms and days. */
  readonly peersPerSwarm: number
  /** Average over the bytes in packs: other fetches of the same byte within a day before or after. */
  readonly peersPerByte: number
}

export function simulate(strategy: Strategy, demand: readonly Fetch[], sizes: Sizes): Outcome {
  const ledger = new SharingLedger(strategy.lines.map(({ bytesUpTo }) => bytesUpTo))
  const books = new Map<ClientKind, Books>(CLIENT_KINDS.map((kind) => [kind, emptyBooks()]))
  const census = new Census(strategy)
  for (const fetch of demand) {
    const plan = strategy.plan(fetch)
    const mine = books.get(fetch.kind)
    if (mine === undefined) continue
    mine.fetches++
    mine.stored += storedBytes(sizes, fetch)
    mine.live += plan.live
    for (const { id, byteCount } of plan.items) ledger.takeItem(id, byteCount, fetch)
    for (const { line, low, high } of plan.ranges) ledger.takeRange(line, low, high, fetch)
    census.count(plan, fetch.time)
  }
  for (const [kind, shared] of ledger.byKind) addShared(books.get(kind as ClientKind), shared)
  const all = emptyBooks()
  const kinds: Partial<Record<ClientKind, Books>> = {}
  for (const [kind, part] of books) {
    if (part.fetches === 0) continue
    kinds[kind] = part
    addBooks(all, part)
  }
  return { name: strategy.name, note: strategy.note, all, kinds, ...census.result(all.packed) }
}

function emptyBooks(): Books {
  const zeros = (): number[] => WINDOWS_SECONDS.map(() => 0)
  return { fetches: 0, stored: 0, packed: 0, live: 0, within: zeros(), before: zeros(), everBefore: 0 }
}

function addShared(books: Books | undefined, { total, within, before, everBefore }: SharedBytes): void {
  if (books === undefined) return
  books.packed += total
  books.everBefore += everBefore
  addEach(books.within, within)
  addEach(books.before, before)
}

function addBooks(sum: Books, part: Books): void {
  sum.fetches += part.fetches
  sum.stored += part.stored
  sum.packed += part.packed
  sum.live += part.live
  sum.everBefore += part.everBefore
  addEach(sum.within, part.within)
  addEach(sum.before, part.before)
}

function addEach(sums: number[], parts: readonly number[]): void {
  parts.forEach((part, index) => {
    sums[index] = (sums[index] ?? 0) + part
  })
}

type Range = Plan['ranges'][number]

/** Counts different packs, segments and swarms, and overlaps within a day. */
class Census {
  readonly #strategy: Strategy
  readonly #packs = new Set<string>()
  readonly #swarms = new Set<string>()
  readonly #ranges: Range[] = []
  #dayPacks = new Set<string>()
  #daySwarms = new Set<string>()
  #dayRanges: Range[] = []
  #day = Number.NaN
  #days = 0
  #dayPackSum = 0
  #daySwarmSum = 0
  #recent: { readonly time: number; readonly plan: Plan }[] = []
  #overlap = 0
  #joinSum = 0
  #hasSwarms = false
  /** By line, by height: how many segments end at or below it. */
  readonly #cutsUpTo: readonly Int32Array[]

  constructor(strategy: Strategy) {
    this.#strategy = strategy
    this.#cutsUpTo = strategy.lines.map(({ bytesUpTo, isCut }) => {
      const counts = new Int32Array(bytesUpTo.length)
      for (let height = 1; height < counts.length; height++)
        counts[height] = (counts[height - 1] ?? 0) + (isCut(height) ? 1 : 0)
      return counts
    })
  }

  count(plan: Plan, time: number): void {
    const day = Math.floor(time / DAY_SECONDS)
    if (day !== this.#day) this.#endDay(day)
    for (const { id } of plan.items) {
      this.#packs.add(id)
      this.#dayPacks.add(id)
      this.#swarms.add(id)
      this.#daySwarms.add(id)
    }
    this.#ranges.push(...plan.ranges)
    this.#dayRanges.push(...plan.ranges)
    for (const swarm of plan.swarms ?? []) {
      this.#hasSwarms = true
      this.#swarms.add(swarm)
      this.#daySwarms.add(swarm)
    }
    this.#joinSum += plan.items.length + (plan.swarms?.length ?? this.#segmentCount(plan.ranges))
    this.#recent = this.#recent.filter((other) => time - other.time <= DAY_SECONDS)
    if (plan.items.length === 0 && plan.ranges.length === 0) return
    for (const other of this.#recent) this.#overlap += 2 * this.#common(plan, other.plan)
    this.#recent.push({ time, plan })
  }

  result(
    packedBytes: number,
  ): Pick<Outcome, 'packs' | 'packsPerDay' | 'swarms' | 'swarmsPerDay' | 'peersPerSwarm' | 'peersPerByte'> {
    this.#endDay(Number.NaN)
    const packs = this.#packs.size + this.#segmentCount(this.#ranges)
    const days = Math.max(1, this.#days)
    const packsPerDay = this.#dayPackSum / days
    const swarmsPerDay = this.#hasSwarms ? this.#daySwarmSum / days : packsPerDay
    return {
      packs,
      packsPerDay,
      swarms: this.#hasSwarms ? this.#swarms.size : packs,
      swarmsPerDay,
      peersPerSwarm: swarmsPerDay === 0 ? 0 : this.#joinSum / (swarmsPerDay * days),
      peersPerByte: packedBytes === 0 ? 0 : this.#overlap / packedBytes,
    }
  }

  #endDay(next: number): void {
    if (!Number.isNaN(this.#day)) {
      this.#days++
      this.#dayPackSum += this.#dayPacks.size + this.#segmentCount(this.#dayRanges)
      this.#daySwarmSum += this.#daySwarms.size
    }
    this.#day = next
    this.#dayPacks = new Set()
    this.#daySwarms = new Set()
    this.#dayRanges = []
  }

  #segmentCount(ranges: readonly Range[]): number {
    let count = 0
    this.#cutsUpTo.forEach((cutsUpTo, line) => {
      let reached = 0
      const mine = ranges.filter((range) => range.line === line).sort((a, b) => a.low - b.low || a.high - b.high)
      for (const { low, high } of mine) {
        count += Math.max(0, (cutsUpTo[high] ?? 0) - (cutsUpTo[Math.max(low, reached)] ?? 0))
        reached = Math.max(reached, high)
      }
    })
    return count
  }

  /** Bytes that both plans take. */
  #common(a: Plan, b: Plan): number {
    let bytes = 0
    for (const item of a.items) if (b.items.some(({ id }) => id === item.id)) bytes += item.byteCount
    for (const mine of a.ranges) {
      for (const { line, low, high } of b.ranges) {
        if (line !== mine.line) continue
        const bytesUpTo = this.#strategy.lines[line]?.bytesUpTo
        const from = Math.max(low, mine.low)
        const to = Math.min(high, mine.high)
        if (from < to) bytes += (bytesUpTo?.[to] ?? 0) - (bytesUpTo?.[from] ?? 0)
      }
    }
    return bytes
  }
}
