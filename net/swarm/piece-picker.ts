/**
 * Which block to ask of a peer next, and the pieces that are under way in memory.
 * While others download too, what only the sources have goes first and by chance, so that no two ask the source for the
 * same; what has spread already comes in order from the start, so that a reader can follow. Alone, all comes in order.
 * A piece is one peer's until there is nothing else to ask for; when all is asked for, late blocks are asked for twice.
 */

import { BLOCK_ASKER_COUNT_MAX, SWARM_CANDIDATE_COUNT_MAX, SWARM_OPEN_LENGTH_MAX } from '../limits.ts'
import { type CheckedTorrent, pieceLengthOf } from '../torrent.ts'
import type { Availability } from './availability.ts'
import type { Bitfield } from './bitfield.ts'
import { BLOCK_LENGTH, type Block } from './wire-messages.ts'

interface OpenPiece {
  readonly index: number
  readonly bytes: Uint8Array
  /** By block: how many peers are asked for it, and when the first one was, whether he still is or not; 0 before. */
  readonly askerCounts: Uint8Array
  readonly askedAtMs: Float64Array
  /** By block: 1 once it is here. */
  readonly arrived: Uint8Array
  arrivedCount: number
  /** Blocks that are neither here nor asked for. */
  freeCount: number
  /** Whose piece it is; null when that one has gone or given up. */
  owner: object | null
}

/**
 * Which piece to begin: in order (null); with others that download, of whom so many have everything (number); or adjoining
 * ones, far from where the others are ('run').
 */
export type PieceOrder = number | null | 'run'

export interface PickerOptions {
  readonly torrent: CheckedTorrent
  readonly have: Bitfield
  /** Pieces that are wanted; what is not is never asked for. */
  readonly wanted: Bitfield
  readonly availability: Availability
  /** 0 ≤ x < 1. */
  readonly random: () => number
}

export class PiecePicker {
  readonly #options: PickerOptions
  /** Wanted pieces that are neither here nor under way, ascending. */
  readonly #missing: number[] = []
  readonly #open = new Map<number, OpenPiece>()
  /** Those of `#open` that have free blocks. */
  readonly #free = new Set<OpenPiece>()
  #openLength = 0
  /** By peer: the piece that it began last. */
  readonly #begun = new WeakMap<object, number>()

  constructor(options: PickerOptions) {
    this.#options = options
    for (let index = 0; index < options.torrent.pieceCount; index++) {
      if (options.wanted.has(index) && !options.have.has(index)) this.#missing.push(index)
    }
  }

  /** True when every wanted piece is here. */
  get isDone(): boolean {
    return this.#missing.length === 0 && this.#open.size === 0
  }

  /** True when every wanted piece is here or under way. */
  get isEnding(): boolean {
    return this.#missing.length === 0
  }

  /** True if piece `index` is wanted and not here. */
  wants(index: number): boolean {
    return this.#options.wanted.has(index) && !this.#options.have.has(index)
  }

  /**
   * The next block to ask `peer` for, now marked as asked; null if there is none.
   * @param order see PieceOrder
   */
  next(peer: object, pieces: Bitfield, order: PieceOrder, nowMs: number): Block | null {
    let own: OpenPiece | null = null
    let left: OpenPiece | null = null
    let any: OpenPiece | null = null
    for (const open of this.#free) {
      if (!pieces.has(open.index)) continue
      if (open.owner === peer) own = open
      else if (open.owner === null) left ??= open
      else any ??= open
      if (own !== null) break
    }
    const open = own ?? left ?? this.#begin(peer, pieces, order) ?? any
    if (open === null) return null
    if (open !== any) open.owner = peer
    for (let block = 0; block < open.arrived.length; block++) {
      if (open.arrived[block] === 0 && open.askerCounts[block] === 0) return this.#ask(open, block, nowMs)
    }
    return null
  }

  /**
   * A block that somebody else was first asked for before `askedBeforeMs`, to be asked for a second time.
   * @param isAsked true for blocks that this peer was asked for himself
   */
  again(
    pieces: Bitfield,
    isAsked: (index: number, offset: number) => boolean,
    askedBeforeMs: number,
    nowMs: number,
  ): Block | null {
    for (const open of this.#open.values()) {
      if (!pieces.has(open.index)) continue
      for (let block = 0; block < open.arrived.length; block++) {
        const isDue = open.arrived[block] === 0 && (open.askedAtMs[block] ?? 0) < askedBeforeMs
        const isBounded = (open.askerCounts[block] ?? 0) < BLOCK_ASKER_COUNT_MAX
        if (isDue && isBounded && !isAsked(open.index, block * BLOCK_LENGTH)) return this.#ask(open, block, nowMs)
      }
    }
    return null
  }

  /** A block is under way, and somebody was first asked for it before `askedBeforeMs`. */
  isLate({ index, offset }: Block, askedBeforeMs: number): boolean {
    const open = this.#open.get(index)
    const block = offset / BLOCK_LENGTH
    return open !== undefined && open.arrived[block] === 0 && (open.askedAtMs[block] ?? 0) < askedBeforeMs
  }

  /** A peer will not bring a block that it was asked for. */
  release(peer: object, { index, offset }: Block): void {
    const open = this.#open.get(index)
    if (open === undefined) return
    if (open.owner === peer) open.owner = null
    const block = offset / BLOCK_LENGTH
    const askers = open.askerCounts[block] ?? 0
    if (askers === 0) return
    open.askerCounts[block] = askers - 1
    if (askers > 1 || open.arrived[block] === 1) return
    open.freeCount += 1
    this.#free.add(open)
  }

  /**
   * A block that was asked for has come, after it was released maybe; its bytes are copied. Returns the view of it in its piece,
   * null if it was here.
   */
  arrived(peer: object, block: Block, bytes: Uint8Array): Uint8Array | null {
    const open = this.#open.get(block.index)
    const number = block.offset / BLOCK_LENGTH
    if (open === undefined || open.arrived[number] === 1) return null
    const askers = open.askerCounts[number] ?? 0
    if (askers > 0) open.askerCounts[number] = askers - 1
    else this.#takeFree(open)
    open.arrived[number] = 1
    open.arrivedCount += 1
    open.bytes.set(bytes, block.offset)
    if (open.owner === null) open.owner = peer
    return open.bytes.subarray(block.offset, block.offset + bytes.length)
  }

  /** The bytes of piece `index` when all its blocks are here. */
  whole(index: number): Uint8Array | null {
    const open = this.#open.get(index)
    return open !== undefined && open.arrivedCount === open.arrived.length ? open.bytes : null
  }

  /** Forgets a piece that is written, or begins a wrong one anew. */
  close(index: number, isRight: boolean): void {
    const open = this.#open.get(index)
    if (open === undefined) return
    this.#open.delete(index)
    this.#free.delete(open)
    this.#openLength -= open.bytes.length
    if (!isRight) this.#missing.splice(this.#placeOf(index), 0, index)
  }

  #ask(open: OpenPiece, block: number, nowMs: number): Block {
    if (open.askerCounts[block] === 0) this.#takeFree(open)
    open.askerCounts[block] = (open.askerCounts[block] ?? 0) + 1
    open.askedAtMs[block] ||= nowMs
    const offset = block * BLOCK_LENGTH
    return { index: open.index, offset, length: Math.min(BLOCK_LENGTH, open.bytes.length - offset) }
  }

  /** One of the free blocks is not free any more. */
  #takeFree(open: OpenPiece): void {
    open.freeCount -= 1
    if (open.freeCount === 0) this.#free.delete(open)
  }

  #begin(peer: object, pieces: Bitfield, order: PieceOrder): OpenPiece | null {
    if (this.#openLength > SWARM_OPEN_LENGTH_MAX) return null
    const index = order === 'run' ? this.#chooseOfRun(peer, pieces) : this.#choose(pieces, order)
    if (index === null) return null
    this.#begun.set(peer, index)
    this.#missing.splice(this.#placeOf(index), 1)
    const bytes = new Uint8Array(pieceLengthOf(this.#options.torrent, index))
    const blockCount = Math.ceil(bytes.length / BLOCK_LENGTH)
    const open: OpenPiece = {
      index,
      bytes,
      askerCounts: new Uint8Array(blockCount),
      askedAtMs: new Float64Array(blockCount),
      arrived: new Uint8Array(blockCount),
      arrivedCount: 0,
      freeCount: blockCount,
      owner: null,
    }
    this.#open.set(index, open)
    this.#free.add(open)
    this.#openLength += bytes.length
    return open
  }

  #choose(pieces: Bitfield, completeCount: number | null): number | null {
    const { availability, random } = this.#options
    const rareCountMax = Math.max(1, completeCount ?? 0)
    let first: number | null = null
    let rare: number | null = null
    let rareCount = 0
    let seenCount = 0
    for (const index of this.#missing) {
      if (!pieces.has(index)) continue
      if (completeCount === null) return index
      if (availability.of(index) > rareCountMax) first ??= index
      else if (random() * ++rareCount < 1) rare = index
      if (++seenCount === SWARM_CANDIDATE_COUNT_MAX) break
    }
    return rare ?? first
  }

  /** The piece behind the one that the peer began last, else one amid the longest run, which others have just begun if at all. */
  #chooseOfRun(peer: object, pieces: Bitfield): number | null {
    const next = (this.#begun.get(peer) ?? -2) + 1
    if (this.#missing[this.#placeOf(next)] === next && pieces.has(next)) return next
    let start = 0
    let best = 0
    let bestLength = 0
    for (let at = 0; at < this.#missing.length; at++) {
      if (this.#missing[at] !== (this.#missing[at - 1] ?? -1) + 1) start = at
      if (at + 1 - start <= bestLength) continue
      best = start
      bestLength = at + 1 - start
    }
    const index = this.#missing[best + (bestLength >> 1)]
    return index !== undefined && pieces.has(index) ? index : this.#choose(pieces, null)
  }

  /** Where `index` stands, or would stand, in the ascending list. */
  #placeOf(index: number): number {
    let low = 0
    let high = this.#missing.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#missing[middle] ?? 0) < index) low = middle + 1
      else high = middle
    }
    return low
  }
}
