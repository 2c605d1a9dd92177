/**
 * Delta choice inside one shard of one segment (FORMAT.md, "Placement"): a spanning tree over the version graph, grown
 * as Prim's algorithm does. First the spine (the segment's newest version of each path, against the object at that path
 * at the segment's older end), then always the cheapest pending pair of an object and a placed neighbour, then what no
 * edge reached, against versions of the same name. Depth counts across segments and is bounded; a vertex at the bound
 * is stood in for by an ancestor in its own delta chain.
 *
 * Everything here is integer arithmetic on contents and on the order of discovery. The cache behind `contents` may
 * forget, never choose.
 */

import type { DeltaBase, DeltaEncoder } from './delta-encode.ts'
import { deltaLengthMax, weightOf } from './delta-rules.ts'
import { contentOf, type EntryTools, EntryWriter, type PlacedEntries } from './entry-writer.ts'
import type { FormatParameters } from './format.ts'
import type { TableViews } from './object-table.ts'
import { PlacementQueue } from './placement-queue.ts'

/** One shard of one segment. Numbers are rows of the object table; "member" is an index into `members`. */
export interface ShardSegment {
  /** Numbers of the objects to place, in order of discovery. */
  readonly members: Int32Array
  /** Neighbours of member m are edgeTo[edgeStart[m] … edgeStart[m + 1]): numbers, of this segment or older. */
  readonly edgeStart: Int32Array
  readonly edgeTo: Int32Array
  /** Members of the spine, in order, and the older object at the same path; -1 where there is none. */
  readonly spine: Int32Array
  readonly spineOlds: Int32Array
  /** Per member the newest older object with the same name key; -1 where there is none. */
  readonly sameName: Int32Array
}

/** The placed objects of a shard, in placement order. */
export type PlacedShard = PlacedEntries

interface Candidate {
  readonly order: number
  readonly base: number
  readonly length: number
  /** Null when too many wait: it is encoded again when it is placed, to the same bytes. */
  readonly delta: Uint8Array | null
}

const NONE = -1

export interface PlacementTools extends EntryTools {
  readonly encoder: DeltaEncoder
  /** Bytes of deltas that may wait for their turn. */
  readonly pendingLengthMax: number
}

/** Adds the numbers whose contents placing a shard surely needs, as far as the table tells by now. */
export function addNeeded(
  needed: Set<number>,
  shard: ShardSegment,
  { table, parameters }: Pick<EntryTools, 'table' | 'parameters'>,
): void {
  const { members, edgeTo, spineOlds } = shard
  const own = new Set(members)
  for (const number of members) needed.add(number)
  for (const number of edgeTo) {
    if (!own.has(number)) needed.add(standIn(number, parameters.depthMax, table, parameters))
  }
  for (const number of spineOlds) {
    if (number !== NONE) needed.add(standIn(number, parameters.spineDepthMax, table, parameters))
  }
}

/** Places every member of the shard. @throws object-missing */
export async function placeShard(shard: ShardSegment, tools: PlacementTools): Promise<PlacedShard> {
  const placement = new Placement(shard, tools)
  await placement.load()
  await placement.placeSpine()
  await placement.offerOlder()
  await placement.drain()
  await placement.placeUnreached()
  return placement.result()
}

class Placement {
  readonly #shard: ShardSegment
  readonly #tools: PlacementTools
  readonly #memberOf = new Map<number, number>()
  readonly #isPlaced: Uint8Array
  readonly #best: (Candidate | null)[]
  readonly #queue = new PlacementQueue()
  readonly #writer: EntryWriter
  #pendingLength = 0

  constructor(shard: ShardSegment, tools: PlacementTools) {
    this.#shard = shard
    this.#tools = tools
    this.#writer = new EntryWriter(tools)
    this.#isPlaced = new Uint8Array(shard.members.length)
    this.#best = new Array<Candidate | null>(shard.members.length).fill(null)
    shard.members.forEach((number, member) => {
      this.#memberOf.set(number, member)
    })
  }

  /** Asks for everything that will surely be needed in one go. */
  async load(): Promise<void> {
    const needed = new Set<number>()
    addNeeded(needed, this.#shard, this.#tools)
    await this.#tools.contents.load([...needed])
  }

  async placeSpine(): Promise<void> {
    const { spine, spineOlds } = this.#shard
    for (let i = 0; i < spine.length; i++) {
      const member = spine[i] ?? 0
      if (this.#isPlaced[member] === 1) continue
      const old = spineOlds[i] ?? NONE
      const candidates = old === NONE ? [] : [old]
      for (const neighbour of this.#neighboursOf(member)) if (!this.#memberOf.has(neighbour)) candidates.push(neighbour)
      if (candidates.length === 0 && this.#shard.sameName[member] !== NONE)
        candidates.push(this.#shard.sameName[member] ?? 0)
      await this.#placeBest(member, candidates, this.#spineLimit)
    }
  }

  /** Lets the older objects make their offers to members that are not placed yet. */
  async offerOlder(): Promise<void> {
    for (let member = 0; member < this.#shard.members.length; member++) {
      if (this.#isPlaced[member] === 1) continue
      for (const neighbour of this.#neighboursOf(member)) {
        if (!this.#memberOf.has(neighbour)) await this.#offer(this.#standIn(neighbour, this.#depthLimit), member)
      }
    }
  }

  /** Places the cheapest pending pair until none is left. */
  async drain(): Promise<void> {
    for (let pair = this.#queue.pop(); pair !== null; pair = this.#queue.pop()) {
      const best = this.#best[pair.member] ?? null
      if (this.#isPlaced[pair.member] === 1 || best === null || best.order !== pair.order) continue
      await this.#place(pair.member, best.base, best.delta ?? (await this.#encodeAgain(pair.member, best)))
    }
  }

  /** Newest first, each against the nearest placed versions of its name; what it reaches follows at once. */
  async placeUnreached(): Promise<void> {
    const { members, sameName } = this.#shard
    const { names } = this.#tools.table
    const groups = new Map<number, number[]>()
    const positions = new Int32Array(members.length)
    members.forEach((number, member) => {
      const name = names[number] ?? 0
      const group = groups.get(name)
      if (group === undefined) groups.set(name, [member])
      else positions[member] = group.push(member) - 1
    })
    for (let member = members.length - 1; member >= 0; member--) {
      if (this.#isPlaced[member] === 1) continue
      const group = groups.get(names[members[member] ?? 0] ?? 0) ?? []
      const candidates = this.#nearestPlaced(group, positions[member] ?? 0)
      const older = sameName[member] ?? NONE
      if (older !== NONE && candidates.length === 0) candidates.push(older)
      await this.#placeBest(member, candidates, this.#depthLimit)
      await this.drain()
    }
  }

  result(): PlacedShard {
    return this.#writer.finish()
  }

  get #depthLimit(): number {
    return this.#tools.parameters.depthMax
  }

  get #spineLimit(): number {
    return this.#tools.parameters.spineDepthMax
  }

  #neighboursOf(member: number): Int32Array {
    const { edgeStart, edgeTo } = this.#shard
    return edgeTo.subarray(edgeStart[member], edgeStart[member + 1])
  }

  #standIn(number: number, depthLimit: number): number {
    return standIn(number, depthLimit, this.#tools.table, this.#tools.parameters)
  }

  /** Up to `sameNameCount` placed members on each side of a position, nearest first, the earlier side first. */
  #nearestPlaced(group: readonly number[], position: number): number[] {
    const found: number[] = []
    for (const step of [-1, 1]) {
      let left = this.#tools.parameters.sameNameCount
      for (let at = position + step; at >= 0 && at < group.length && left > 0; at += step) {
        const member = group[at] ?? 0
        if (this.#isPlaced[member] !== 1) continue
        found.push(this.#shard.members[member] ?? 0)
        left--
      }
    }
    return found
  }

  /** Places a member against the lightest of some placed objects, or whole. */
  async #placeBest(member: number, candidates: readonly number[], depthLimit: number): Promise<void> {
    const tried = new Set<number>()
    let bestBase = NONE
    let bestDelta: Uint8Array | null = null
    let bestWeight = Number.MAX_SAFE_INTEGER
    for (const candidate of candidates) {
      const base = this.#standIn(candidate, depthLimit)
      if (tried.has(base)) continue
      tried.add(base)
      const delta = await this.#tryDelta(base, member, bestDelta?.length ?? null)
      if (delta === null) continue
      const weight = this.#weigh(delta.length, base)
      if (weight >= bestWeight) continue
      bestBase = base
      bestDelta = delta
      bestWeight = weight
    }
    await this.#place(member, bestBase, bestDelta)
  }

  #weigh(length: number, base: number): number {
    return weightOf(length, this.#tools.table.depths[base] ?? 0, this.#tools.parameters)
  }

  /** Queues the pair (base, member) if its delta is shorter than the best one known. */
  async #offer(base: number, member: number): Promise<void> {
    const best = this.#best[member] ?? null
    if (best !== null && best.base === base) return
    const delta = await this.#tryDelta(base, member, best?.length ?? null)
    if (delta === null) return
    const order = this.#queue.push(this.#weigh(delta.length, base), member)
    const { length } = delta
    this.#setBest(member, {
      order,
      base,
      length,
      delta: this.#pendingLength < this.#tools.pendingLengthMax ? delta : null,
    })
  }

  #setBest(member: number, best: Candidate | null): void {
    this.#pendingLength += (best?.delta?.length ?? 0) - (this.#best[member]?.delta?.length ?? 0)
    this.#best[member] = best
  }

  async #encodeAgain(member: number, { base }: Candidate): Promise<Uint8Array> {
    const number = this.#shard.members[member] ?? 0
    const { contents, encoder } = this.#tools
    const source = await contents.open(base, await this.#contentOf(base))
    const target = await contents.open(number, await this.#contentOf(number))
    // A looser bound than the first time: the bound can end the search, never change what it finds.
    const delta = encoder.encode(source, target, target.length)
    if (delta === null) throw new Error('a delta could not be encoded a second time')
    return delta
  }

  /** The delta of a member against a base when it is shorter than half the object and than `lengthBest`. */
  async #tryDelta(base: number, member: number, lengthBest: number | null): Promise<Uint8Array | null> {
    const number = this.#shard.members[member] ?? 0
    const { parameters, table, contents, encoder } = this.#tools
    const source = contents.get(base) ?? (await this.#contentOf(base))
    const target = contents.get(number) ?? (await this.#contentOf(number))
    const lengthMax = deltaLengthMax(source.length, target.length, lengthBest, table.hashLength, parameters)
    if (lengthMax === null) return null
    // Nearly always both are here, and nothing has to be waited for.
    if (source.isWhole && target.isWhole) return encoder.encode(source, target, lengthMax)
    return encoder.encode(await contents.open(base, source), await contents.open(number, target), lengthMax)
  }

  async #place(member: number, base: number, delta: Uint8Array | null): Promise<void> {
    const { table } = this.#tools
    const number = this.#shard.members[member] ?? 0
    this.#isPlaced[member] = 1
    this.#setBest(member, null)
    table.bases[number] = delta === null ? NONE : base
    table.depths[number] = delta === null ? 0 : (table.depths[base] ?? 0) + 1
    await this.#writer.write(number, delta)
    const offering = this.#standIn(number, this.#depthLimit)
    for (const neighbour of this.#neighboursOf(member)) {
      const other = this.#memberOf.get(neighbour)
      if (other !== undefined && this.#isPlaced[other] !== 1) await this.#offer(offering, other)
    }
  }

  #contentOf(number: number): Promise<DeltaBase> {
    return contentOf(number, this.#tools.contents)
  }
}

/** The object itself while its depth leaves room for one more level, else the ancestor that stands in for it. */
function standIn(
  number: number,
  depthLimit: number,
  { depths, bases }: TableViews,
  { depthStep }: FormatParameters,
): number {
  if ((depths[number] ?? 0) < depthLimit) return number
  let ancestor = number
  while ((depths[ancestor] ?? 0) > depthLimit - depthStep) ancestor = bases[ancestor] ?? 0
  return ancestor
}
