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

import type { Deflate } from './deflate.ts'
import type { DeltaBase, DeltaEncoder } from './delta-encode.ts'
import { DELTA_OBJECT_LENGTH_MIN, type FormatParameters } from './format.ts'
import type { ByteSink, HeldBytes } from './held-bytes.ts'
import { type DeflatePart, deflateLong, type StreamObject } from './long-entry.ts'
import type { TableViews } from './object-table.ts'
import { oidFromBytes } from './oid.ts'
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

/**
 * Contents by number: `get` answers from memory, `load` brings what is absent, `open` brings the bytes of something of
 * which only the length was kept.
 */
export interface Contents {
  get(number: number): DeltaBase | null
  load(numbers: readonly number[]): Promise<void>
  open(number: number, known: DeltaBase): Promise<DeltaBase>
}

/** The placed objects of a shard in placement order; parallel arrays. */
export interface PlacedShard {
  readonly numbers: Int32Array
  /** Number of the delta base, -1 for an object stored whole. */
  readonly bases: Int32Array
  readonly depths: Uint8Array
  /** Length before compression: of the delta, or of the whole object. */
  readonly lengths: Float64Array
  /** Compressed data of entry i: data[dataEnds[i - 1] … dataEnds[i]). */
  readonly dataEnds: Float64Array
  readonly data: HeldBytes
}

interface Candidate {
  readonly order: number
  readonly base: number
  readonly length: number
  /** Null when too many wait: it is encoded again when it is placed, to the same bytes. */
  readonly delta: Uint8Array | null
}

const WEIGHT_UNIT = 64
const NONE = -1
const NO_BYTES = new Uint8Array(0)

export interface PlacementTools {
  readonly table: TableViews
  readonly contents: Contents
  readonly encoder: DeltaEncoder
  readonly deflate: Deflate
  readonly deflatePart: DeflatePart
  readonly stream: StreamObject
  readonly sink: ByteSink
  /** Bytes of deltas that may wait for their turn. */
  readonly pendingLengthMax: number
  readonly parameters: FormatParameters
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
  readonly #order: number[] = []
  readonly #lengths: number[] = []
  readonly #dataEnds: number[] = []
  #dataLength = 0
  #pendingLength = 0

  constructor(shard: ShardSegment, tools: PlacementTools) {
    this.#shard = shard
    this.#tools = tools
    this.#isPlaced = new Uint8Array(shard.members.length)
    this.#best = new Array<Candidate | null>(shard.members.length).fill(null)
    shard.members.forEach((number, member) => {
      this.#memberOf.set(number, member)
    })
  }

  /** Asks for everything that will surely be needed in one go. */
  async load(): Promise<void> {
    const { members, edgeTo, spineOlds } = this.#shard
    const older = new Set<number>()
    for (const number of edgeTo) if (!this.#memberOf.has(number)) older.add(this.#standIn(number, this.#depthLimit))
    for (const number of spineOlds) if (number !== NONE) older.add(this.#standIn(number, this.#spineLimit))
    await this.#tools.contents.load([...members, ...older])
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
    const count = this.#order.length
    const { table } = this.#tools
    const numbers = new Int32Array(count)
    const bases = new Int32Array(count)
    const depths = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const number = this.#shard.members[this.#order[i] ?? 0] ?? 0
      numbers[i] = number
      bases[i] = table.bases[number] ?? NONE
      depths[i] = table.depths[number] ?? 0
    }
    const lengths = Float64Array.from(this.#lengths)
    const dataEnds = Float64Array.from(this.#dataEnds)
    return { numbers, bases, depths, lengths, dataEnds, data: this.#tools.sink.finish() }
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

  /** The object itself while its depth leaves room for one more level, else the ancestor that stands in for it. */
  #standIn(number: number, depthLimit: number): number {
    const { depths, bases } = this.#tools.table
    if ((depths[number] ?? 0) < depthLimit) return number
    let ancestor = number
    while ((depths[ancestor] ?? 0) > depthLimit - this.#tools.parameters.depthStep) ancestor = bases[ancestor] ?? 0
    return ancestor
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
    return length * (WEIGHT_UNIT + this.#tools.parameters.depthPenalty * (this.#tools.table.depths[base] ?? 0))
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
    const source = await this.#contentOf(base)
    const target = await this.#contentOf(number)
    // A looser bound than the first time: the bound can end the search, never change what it finds.
    const delta = await this.#encode(base, source, number, target, target.length)
    if (delta === null) throw new Error('a delta could not be encoded a second time')
    return delta
  }

  /** The delta of a member against a base when it is shorter than half the object and than `lengthBest`. */
  async #tryDelta(base: number, member: number, lengthBest: number | null): Promise<Uint8Array | null> {
    const number = this.#shard.members[member] ?? 0
    const source = await this.#contentOf(base)
    const target = await this.#contentOf(number)
    const most = this.#tools.parameters.deltaObjectLengthMax
    const { length } = target
    if (length < DELTA_OBJECT_LENGTH_MIN || source.length < DELTA_OBJECT_LENGTH_MIN) return null
    if (length > most || source.length > most) return null
    const whole = (length >> 1) - this.#tools.table.hashLength
    const lengthMax = lengthBest === null ? whole : Math.min(whole, lengthBest - 1)
    if (lengthMax < 8 || length - source.length > lengthMax) return null
    return this.#encode(base, source, number, target, lengthMax)
  }

  async #encode(
    base: number,
    source: DeltaBase,
    number: number,
    target: DeltaBase,
    lengthMax: number,
  ): Promise<Uint8Array | null> {
    const { contents, encoder } = this.#tools
    if (source.length === source.bytes.length && target.length === target.bytes.length) {
      return encoder.encode(source, target, lengthMax)
    }
    return encoder.encode(await contents.open(base, source), await contents.open(number, target), lengthMax)
  }

  async #place(member: number, base: number, delta: Uint8Array | null): Promise<void> {
    const { table } = this.#tools
    const number = this.#shard.members[member] ?? 0
    this.#isPlaced[member] = 1
    this.#setBest(member, null)
    table.bases[number] = delta === null ? NONE : base
    table.depths[number] = delta === null ? 0 : (table.depths[base] ?? 0) + 1
    this.#order.push(member)
    await this.#write(number, delta)
    const offering = this.#standIn(number, this.#depthLimit)
    for (const neighbour of this.#neighboursOf(member)) {
      const other = this.#memberOf.get(neighbour)
      if (other !== undefined && this.#isPlaced[other] !== 1) await this.#offer(offering, other)
    }
  }

  /** Compresses a delta, or the whole object where there is none, into the sink. */
  async #write(number: number, delta: Uint8Array | null): Promise<void> {
    const { table, parameters, deflate, deflatePart, stream } = this.#tools
    const whole = delta === null ? await this.#contentOf(number) : null
    const length = delta?.length ?? whole?.length ?? 0
    if (length > parameters.longEntryLength) {
      const oid = oidFromBytes(table.oids, number * table.hashLength, table.hashLength)
      const content = delta === null ? stream(oid) : [delta]
      for await (const piece of deflateLong(content, parameters.entryPartLength, deflatePart)) this.#append(piece)
    } else {
      const bytes = delta ?? (whole === null ? NO_BYTES : (await this.#tools.contents.open(number, whole)).bytes)
      this.#append(deflate(bytes))
    }
    this.#lengths.push(length)
    this.#dataEnds.push(this.#dataLength)
  }

  #append(bytes: Uint8Array): void {
    this.#tools.sink.append(bytes)
    this.#dataLength += bytes.length
  }

  async #contentOf(number: number): Promise<DeltaBase> {
    const known = this.#tools.contents.get(number)
    if (known !== null) return known
    await this.#tools.contents.load([number])
    const loaded = this.#tools.contents.get(number)
    if (loaded === null) throw new Error('a content cache forgot what it had just loaded')
    return loaded
  }
}
