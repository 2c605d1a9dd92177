/**
 * The uploading side of a swarm: takes requests, reads what they ask for, and sends it while the connection takes it, each
 * connection by itself, so that none waits for another. A complete source shows its pieces to a crowd a few at a time.
 */
import type { NetError } from '../errors.ts'
import { BLOCK_REQUEST_LENGTH_MAX } from '../limits.ts'
import type { Clock } from '../rate.ts'
import { type CheckedTorrent, pieceLengthOf, type Source } from '../torrent.ts'
import type { Availability } from './availability.ts'
import type { Bitfield } from './bitfield.ts'
import { CHOKE_INTERVAL_MS, decideChokes, hasPlace } from './chokes.ts'
import { storeFailure } from './intake.ts'
import type { SwarmPeer } from './swarm-peer.ts'
import { Unveiling } from './unveiling.ts'
import { BLOCK_LENGTH, type Block, encodeMessage, encodePieceHead, ID } from './wire-messages.ts'

/** Bytes read at a time for one peer. */
const RUN_LENGTH_MAX = 128 * 1024
/** Milliseconds for which a newcomer may turn out to be one of a crowd; its window grows meanwhile. */
const ALONE_AFTER_MS = 1_000

export interface OutflowPorts {
  readonly torrent: CheckedTorrent
  readonly have: Bitfield
  readonly source: Source
  readonly availability: Availability
  readonly random: () => number
  readonly clock: Clock
  readonly peers: ReadonlySet<SwarmPeer>
  readonly send: (peer: SwarmPeer, parts: readonly Uint8Array[]) => void
  readonly onFailure: (error: NetError) => void
}

export class Outflow {
  readonly #ports: OutflowPorts
  /** Null for a source that became complete only now: everybody knows already what it has. */
  readonly #unveiling: Unveiling<SwarmPeer> | null
  readonly #chokedAtMs = new Map<SwarmPeer, number>()
  #decidedAtMs: number
  /** Peers that download, as of the last tick. */
  #crowdCount = 0

  constructor(ports: OutflowPorts) {
    this.#ports = ports
    const { torrent, have, availability, random, clock } = ports
    this.#unveiling = have.isFull ? new Unveiling(torrent, availability, random) : null
    this.#decidedAtMs = clock.nowMs()
  }

  /** True if the source shows its pieces one by one. */
  get isVeiled(): boolean {
    return this.#unveiling !== null
  }

  join(peer: SwarmPeer): void {
    this.#chokedAtMs.set(peer, peer.joinedAtMs)
    this.#unveiling?.add(peer, peer.pieces, peer.joinedAtMs)
    this.#unveil()
  }

  leave(peer: SwarmPeer): void {
    this.#chokedAtMs.delete(peer)
    this.#unveiling?.remove(peer)
    if (!peer.amChoking) this.#giveFreePlaces()
  }

  onInterest(peer: SwarmPeer): void {
    if (!peer.isInterested) this.#giveFreePlaces()
    else if (peer.amChoking && hasPlace(this.#ports.peers, this.#ports.clock.nowMs())) this.#unchoke(peer)
  }

  /** A peer has said what it has; what it lacks is shown to it by and by. */
  onPieces(peer: SwarmPeer): void {
    this.#unveiling?.onPieces(peer)
    this.#unveil()
  }

  onHave(peer: SwarmPeer, index: number): void {
    if (this.#unveiling?.onHave(peer, index, this.#ports.clock.nowMs()) === true) this.#unveil()
  }

  /** Shows everything to a peer that wants only some of it. */
  showAll(peer: SwarmPeer): void {
    this.#show(peer, this.#unveiling?.showAll(peer) ?? [])
  }

  #unveil(): void {
    const isAlone = this.#crowdCount < 2
    const chosen = this.#unveiling?.next(isAlone, this.#ports.clock.nowMs()) ?? []
    for (const [peer, indexes] of chosen) this.#show(peer, indexes)
  }

  #show(peer: SwarmPeer, indexes: readonly number[]): void {
    if (indexes.length > 0)
      this.#ports.send(
        peer,
        indexes.map((index) => encodeMessage(ID.have, index)),
      )
  }

  /** Takes a request; returns why the connection must end, null if it need not. */
  onRequest(peer: SwarmPeer, block: Block): string | null {
    const { torrent, have, clock } = this.#ports
    if (block.index >= torrent.pieceCount || block.length > BLOCK_REQUEST_LENGTH_MAX) return 'a request out of bounds'
    const end = block.offset + block.length
    const isServable = !peer.amChoking && have.has(block.index) && block.length > 0
    if (!isServable || end > pieceLengthOf(torrent, block.index)) {
      if (peer.link.fast) this.#reject(peer, block)
      return peer.needlessBucket.take() ? null : 'too many requests that are not served'
    }
    peer.wanted.push(block)
    if (peer.asksTooMuch) return 'too many block requests'
    this.#unveiling?.onAsked(peer, block.index, clock.nowMs())
    void this.serve(peer)
    return null
  }

  /** Returns whether the peer waited for the block. */
  onCancel(peer: SwarmPeer, block: Block): boolean {
    const wasWaiting = peer.forget(block)
    if (wasWaiting && peer.link.fast) this.#reject(peer, block)
    return wasWaiting
  }

  #reject(peer: SwarmPeer, { index, offset, length }: Block): void {
    this.#ports.send(peer, [encodeMessage(ID.reject, index, offset, length)])
  }

  /** Sends what the peer has asked for, as long as its connection takes it. */
  async serve(peer: SwarmPeer): Promise<void> {
    if (peer.isBeingServed) return
    peer.isBeingServed = true
    try {
      while (peer.wanted.length > 0 && !peer.isGone && peer.link.backlogLength < peer.link.backlogLengthMax) {
        const run = peer.takeRun(Math.max(BLOCK_LENGTH, Math.min(RUN_LENGTH_MAX, peer.link.backlogLengthMax)))
        await this.#sendRun(peer, run)
      }
    } catch (error) {
      this.#ports.onFailure(storeFailure(error))
      peer.link.drop('what it asks for cannot be read', false)
    } finally {
      peer.isBeingServed = false
    }
  }

  async #sendRun(peer: SwarmPeer, run: readonly Block[]): Promise<void> {
    const [first] = run
    if (first === undefined) return
    const length = run.reduce((sum, block) => sum + block.length, 0)
    const offset = first.index * this.#ports.torrent.pieceLengthBytes + first.offset
    const bytes = await this.#ports.source.read(offset, length)
    if (bytes.length !== length) throw new Error(`expected ${length} bytes, got ${bytes.length}`)
    if (peer.isGone) return
    const parts = run.flatMap((block) => {
      const at = block.offset - first.offset
      return [encodePieceHead(block), bytes.subarray(at, at + block.length)]
    })
    peer.onTaken(length, this.#ports.clock.nowMs())
    this.#ports.send(peer, parts)
  }

  #unchoke(peer: SwarmPeer): void {
    peer.amChoking = false
    peer.unchokedAtMs = this.#ports.clock.nowMs()
    this.#ports.send(peer, [encodeMessage(ID.unchoke)])
  }

  #choke(peer: SwarmPeer, nowMs: number): void {
    peer.amChoking = true
    this.#chokedAtMs.set(peer, nowMs)
    this.#ports.send(peer, [encodeMessage(ID.choke)])
    if (peer.link.fast) for (const block of peer.wanted) this.#reject(peer, block)
    peer.wanted.length = 0
  }

  #giveFreePlaces(): void {
    const { peers, clock } = this.#ports
    const nowMs = clock.nowMs()
    for (const peer of peers) {
      if (!peer.isInterested || !peer.amChoking) continue
      if (!hasPlace(peers, nowMs)) return
      this.#unchoke(peer)
    }
  }

  /** To be called several times a second. */
  tick(nowMs: number): void {
    this.#tickUnveiling(nowMs)
    this.#giveFreePlaces()
    if (nowMs - this.#decidedAtMs < CHOKE_INTERVAL_MS) return
    this.#decidedAtMs = nowMs
    const { peers, have } = this.#ports
    const served = decideChokes(peers, have.isFull, nowMs, (peer) => nowMs - (this.#chokedAtMs.get(peer) ?? nowMs))
    for (const peer of peers) {
      if (!peer.amChoking && !served.has(peer)) this.#choke(peer, nowMs)
      else if (peer.amChoking && served.has(peer)) this.#unchoke(peer)
    }
  }

  #tickUnveiling(nowMs: number): void {
    const unveiling = this.#unveiling
    if (unveiling === null) return
    this.#crowdCount = 0
    for (const peer of this.#ports.peers) if (peer.isInterested && !peer.pieces.isFull) this.#crowdCount += 1
    for (const peer of this.#ports.peers) {
      const isAlone = this.#crowdCount < 2 && nowMs - peer.joinedAtMs > ALONE_AFTER_MS
      if (isAlone && unveiling.isVeiled(peer)) this.showAll(peer)
    }
    this.#unveil()
  }
}
