/**
 * The downloading side of a swarm: asks peers for blocks, joins them to pieces, checks those, writes them, finds out who
 * sent wrong ones. Blocks of a peer that has fallen silent are asked of others; at the end, what is late is asked for twice.
 */

import { NetError } from '../errors.ts'
import {
  DOWNLOAD_MUTE_MS,
  DOWNLOAD_TRY_MS,
  DOWNLOAD_UNTRIED_MUTE_MS,
  PEER_SILENCE_MS,
  PEER_SNUB_MS,
  PEER_UNTRIED_SNUB_MS,
  UNASKED_BLOCK_COUNT_MAX,
  UNWRITTEN_LENGTH_MAX,
} from '../limits.ts'
import type { Clock } from '../rate.ts'
import { type CheckedTorrent, isPiece, type Store } from '../torrent.ts'
import type { Availability } from './availability.ts'
import type { Bitfield } from './bitfield.ts'
import { Blame } from './blame.ts'
import { type PieceOrder, PiecePicker } from './piece-picker.ts'
import type { AskedBlock, SwarmPeer } from './swarm-peer.ts'
import { BLOCK_LENGTH, type Block, encodeMessage, ID } from './wire-messages.ts'

/** At the end a block is asked for again when it is later than this, or than twice what its second peer usually takes. */
const LATE_MS_MIN = 250
/** What those hold who never brought anything goes to one that has and is idle after so many times what he takes, at least so soon. */
const FREED_FACTOR = 4
const FREED_MS_MIN = 50
/** Blocks of others that an idle peer is asked for at once. */
const AGAIN_COUNT = 8

export interface IntakePorts {
  readonly torrent: CheckedTorrent
  readonly have: Bitfield
  readonly wanted: Bitfield
  readonly availability: Availability
  readonly write: Store['write']
  readonly random: () => number
  readonly clock: Clock
  readonly peers: ReadonlySet<SwarmPeer>
  readonly send: (peer: SwarmPeer, parts: readonly Uint8Array[]) => void
  /** A piece is written and right. */
  readonly onPiece: (index: number) => void
  readonly onFailure: (error: NetError) => void
}

export class Intake {
  readonly #ports: IntakePorts
  readonly #picker: PiecePicker
  readonly #blame = new Blame<SwarmPeer>()
  readonly #blocksPerPiece: number
  /** How many that never brought anything were asked for a block beside who holds it, by #keyOf. */
  readonly #tryCounts = new Map<number, number>()
  #unwrittenLength = 0
  /** When a block came last that was lacking. */
  #takenAtMs = Number.NEGATIVE_INFINITY
  /** Bytes of blocks that were asked for and not there yet, whether they turn out right or not. */
  takenLength = 0

  constructor(ports: IntakePorts) {
    this.#ports = ports
    this.#picker = new PiecePicker(ports)
    this.#blocksPerPiece = Math.ceil(ports.torrent.pieceLengthBytes / BLOCK_LENGTH)
  }

  get isDone(): boolean {
    return this.#picker.isDone
  }

  wants(index: number): boolean {
    return this.#picker.wants(index)
  }

  #keyOf(index: number, offset: number): number {
    return index * this.#blocksPerPiece + Math.floor(offset / BLOCK_LENGTH)
  }

  /** Asks a peer for as much as it is good for. */
  fill(peer: SwarmPeer): void {
    if (peer.isChoking || !peer.amInterested || peer.isGone || this.#unwrittenLength > UNWRITTEN_LENGTH_MAX) return
    if (peer.asked.size >= peer.depth || peer.isSnubbed) return
    const nowMs = this.#ports.clock.nowMs()
    if (peer.passedAtMs !== null && nowMs - peer.passedAtMs < DOWNLOAD_MUTE_MS && this.#isMoving(nowMs)) return
    const isRunner = peer.link.prefersRuns === true && this.#ports.peers.size > 1
    const order = isRunner ? 'run' : this.#completeCount()
    const requests = this.#askNext(peer, order, nowMs)
    if (peer.asked.size === 0 && this.#freeFor(peer, nowMs)) requests.push(...this.#askNext(peer, order, nowMs))
    // Only who has brought something is asked for what others hold: else many that bring nothing would hold it together.
    if (peer.asked.size === 0)
      requests.push(...(peer.hasBrought ? this.#askAgain(peer, nowMs) : this.#try(peer, nowMs)))
    if (requests.length > 0) this.#ports.send(peer, requests)
  }

  #askNext(peer: SwarmPeer, order: PieceOrder, nowMs: number): Uint8Array[] {
    const requests: Uint8Array[] = []
    while (peer.asked.size < peer.depth) {
      const block = this.#picker.next(peer, peer.pieces, order, nowMs)
      if (block === null) break
      requests.push(this.#note(peer, block, nowMs))
    }
    return requests
  }

  /**
   * Takes late blocks from those who never brought anything, for one that has and waits for nothing; true if there were some. They stay asked for them,
   * and are passed over for a while, or until they bring one. Who has brought something elsewhere takes from nobody of his kind: all are late at once then.
   */
  #freeFor(peer: SwarmPeer, nowMs: number): boolean {
    let count = 0
    if (!peer.isProven) return false
    const fittingMs = Math.min(LATE_MS_MIN, Math.max(FREED_MS_MIN, FREED_FACTOR * peer.latencyMs))
    const lateMs = peer.hasBrought ? fittingMs : DOWNLOAD_TRY_MS
    for (const other of this.#ports.peers) {
      if (other.hasBrought || (!peer.hasBrought && other.isProven) || count >= peer.depth) continue
      for (const [key, block] of other.asked) {
        if (!block.isHeld || !peer.pieces.has(block.index)) continue
        if (!this.#picker.isLate(block, nowMs - lateMs)) continue
        other.asked.set(key, { ...block, isHeld: false })
        this.#picker.release(other, block)
        other.passedAtMs = nowMs
        count += 1
      }
    }
    return count > 0
  }

  #note(peer: SwarmPeer, { index, offset, length }: Block, nowMs: number, isHeld = true): Uint8Array {
    if (peer.asked.size === 0) peer.lastBlockAtMs = nowMs
    peer.asked.set(this.#keyOf(index, offset), { index, offset, length, atMs: nowMs, isHeld })
    return encodeMessage(ID.request, index, offset, length)
  }

  #askAgain(peer: SwarmPeer, nowMs: number): Uint8Array[] {
    const lateMs = this.#picker.isEnding ? Math.max(LATE_MS_MIN, 2 * peer.latencyMs) : PEER_SNUB_MS
    const isAsked = (index: number, offset: number): boolean => peer.asked.has(this.#keyOf(index, offset))
    const requests: Uint8Array[] = []
    while (requests.length < Math.min(AGAIN_COUNT, peer.depth)) {
      const block = this.#picker.again(peer.pieces, isAsked, nowMs - lateMs, nowMs)
      if (block === null) break
      requests.push(this.#note(peer, block, nowMs))
    }
    return requests
  }

  /**
   * While nothing comes, a block that is late with those who never brought anything: nobody waits to be tried until all of them have left. The
   * longer it is late, the more may be tried with it, so that a long way to all of them costs few blocks twice.
   */
  #try(peer: SwarmPeer, nowMs: number): Uint8Array[] {
    if (this.#isMoving(nowMs)) return []
    for (const other of this.#ports.peers) {
      if (other.hasBrought) continue
      for (const [key, block] of other.asked) {
        if (!block.isHeld || !peer.pieces.has(block.index)) continue
        const tryCount = this.#tryCounts.get(key) ?? 0
        if (!this.#picker.isLate(block, nowMs - lateForTries(tryCount))) continue
        this.#tryCounts.set(key, tryCount + 1)
        return [this.#note(peer, block, nowMs, false)]
      }
    }
    return []
  }

  #isMoving(nowMs: number): boolean {
    return nowMs - this.#takenAtMs < DOWNLOAD_MUTE_MS
  }

  /** Complete peers when somebody else downloads, null when all that are there have everything. */
  #completeCount(): number | null {
    let count = 0
    for (const peer of this.#ports.peers) if (peer.pieces.isFull) count += 1
    return count === this.#ports.peers.size ? null : count
  }

  /** Takes a block; one that nobody asked for counts against its sender. */
  onBlock(peer: SwarmPeer, index: number, offset: number, bytes: Uint8Array): void {
    const key = this.#keyOf(index, offset)
    const asked = peer.asked.get(key)
    if (asked === undefined || asked.offset !== offset || asked.length !== bytes.length) {
      peer.unaskedCount += 1
      if (peer.unaskedCount > UNASKED_BLOCK_COUNT_MAX) peer.link.drop('too many blocks that nobody asked for', false)
      return
    }
    const nowMs = this.#ports.clock.nowMs()
    peer.asked.delete(key)
    peer.broughtLength += bytes.length
    peer.onBlock(nowMs - asked.atMs, nowMs)
    const kept = this.#picker.arrived(peer, asked, bytes)
    if (kept !== null) {
      this.takenLength += bytes.length
      this.#takenAtMs = nowMs
      if (!peer.isOfUse) peer.link.onBrought?.()
      peer.isOfUse = true
      this.#blame.record(index, offset, kept, peer)
      this.#cancel(key, asked)
      this.#checkPiece(index)
    }
    this.fill(peer)
  }

  /** Takes back what others were asked for, too. */
  #cancel(key: number, block: Block): void {
    for (const other of this.#ports.peers) {
      // One that was silent, or passed over, keeps what it was asked for: only a block of it makes it worth asking again.
      if (other.isSnubbed || other.passedAtMs !== null || !other.asked.delete(key)) continue
      this.#ports.send(other, [encodeMessage(ID.cancel, block.index, block.offset, block.length)])
      this.fill(other)
    }
  }

  #checkPiece(index: number): void {
    const { torrent, write, onPiece, onFailure } = this.#ports
    const bytes = this.#picker.whole(index)
    if (bytes === null) return
    if (!isPiece(torrent, index, bytes)) {
      this.#picker.close(index, false)
      this.#punish(this.#blame.failed(index))
      return
    }
    this.#punish(this.#blame.verified(index))
    this.#unwrittenLength += bytes.length
    write(index * torrent.pieceLengthBytes, bytes).then(
      () => {
        this.#unwrittenLength -= bytes.length
        this.#ports.have.set(index)
        this.#picker.close(index, true)
        onPiece(index)
        // Some ran dry while too much was waiting for the disk.
        if (this.#unwrittenLength <= UNWRITTEN_LENGTH_MAX) this.refill()
      },
      (error: unknown) => onFailure(storeFailure(error)),
    )
  }

  /** Asks those who wait for nothing for what has become free, first those who have brought something. */
  refill(except: SwarmPeer | null = null): void {
    const unproven: SwarmPeer[] = []
    for (const peer of this.#ports.peers) {
      if (peer === except || peer.asked.size > 0) continue
      if (peer.isProven) this.fill(peer)
      else unproven.push(peer)
    }
    for (const peer of unproven) this.fill(peer)
  }

  #punish(guilty: readonly SwarmPeer[]): void {
    for (const peer of guilty) peer.link.drop('sent bytes that are not of this piece', true)
  }

  /** The peer will not bring a block; returns whether it was asked for it. */
  onReject(peer: SwarmPeer, { index, offset, length }: Block): boolean {
    const key = this.#keyOf(index, offset)
    const asked = peer.asked.get(key)
    if (asked?.offset !== offset || asked.length !== length) return false
    peer.asked.delete(key)
    this.#release(peer, asked)
    this.#noteFree(peer)
    return true
  }

  /** One that was silent and has its probe taken back, by itself, is no more silent than one that was passed over. */
  #noteFree(peer: SwarmPeer): void {
    if (!peer.isSnubbed || peer.asked.size > 0) return
    peer.isSnubbed = false
    peer.passedAtMs = this.#ports.clock.nowMs()
  }

  #release(peer: SwarmPeer, asked: AskedBlock): void {
    if (asked.isHeld) this.#picker.release(peer, asked)
  }

  /** The peer will bring nothing of what it was asked for. */
  releaseAll(peer: SwarmPeer): void {
    for (const asked of peer.asked.values()) this.#release(peer, asked)
    peer.asked.clear()
    this.#noteFree(peer)
  }

  /** Looks after silent and idle peers; to be called several times a second. */
  tick(nowMs: number): void {
    for (const peer of this.#ports.peers) {
      const silentMs = peer.asked.size === 0 ? 0 : nowMs - peer.lastBlockAtMs
      if (silentMs > PEER_SILENCE_MS) peer.link.drop('brings nothing of what it was asked for', false)
      else if (silentMs > (peer.hasBrought ? PEER_SNUB_MS : PEER_UNTRIED_SNUB_MS) && !peer.isSnubbed) this.#snub(peer)
    }
    this.refill()
  }

  /** Leaves one block asked for, as a probe, and gives all to others, the probe too: nobody may keep a block by silence. */
  #snub(peer: SwarmPeer): void {
    const [probe, ...rest] = peer.asked.values()
    this.releaseAll(peer)
    peer.depth = 1
    peer.isSnubbed = true
    if (probe !== undefined) peer.asked.set(this.#keyOf(probe.index, probe.offset), { ...probe, isHeld: false })
    this.#ports.send(
      peer,
      rest.map(({ index, offset, length }) => encodeMessage(ID.cancel, index, offset, length)),
    )
    this.refill(peer)
  }
}

/** Milliseconds after which one more is tried: one after the first DOWNLOAD_TRY_MS, three after the second, and so on, then any number. */
function lateForTries(tryCount: number): number {
  return Math.min(DOWNLOAD_UNTRIED_MUTE_MS, DOWNLOAD_TRY_MS * (1 + Math.floor(Math.log2(tryCount + 1))))
}

/** What the caller's store threw, as an error of this room. */
export function storeFailure(error: unknown): NetError {
  if (error instanceof NetError) return error
  return new NetError('store-failed', `store: ${error instanceof Error ? error.message : String(error)}`, {}, error)
}
