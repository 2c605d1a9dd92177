/**
 * Membership in one swarm (BEP 3, 6, 9, 10): connections in, pieces out, and the other way round. Says to each peer what is
 * here, dispatches its messages, and leaves the choices to Intake (what to ask of whom) and Outflow (whom to serve and show
 * what). No sockets, timers or chance of its own: connections, a clock, a random source and `tick` come from outside, so
 * that a hundred members can be simulated in memory.
 */
import { NetError } from '../errors.ts'
import { KEEP_ALIVE_MS } from '../limits.ts'
import type { Worth } from '../places.ts'
import type { Clock } from '../rate.ts'
import type { CheckedTorrent, Source, Store } from '../torrent.ts'
import { Availability } from './availability.ts'
import { Bitfield } from './bitfield.ts'
import { answerMetadata, decodeHello, EXTENDED_HANDSHAKE, encodeHello, METADATA_ID } from './extension.ts'
import { Intake } from './intake.ts'
import { Outflow } from './outflow.ts'
import { type SwarmLink, SwarmPeer } from './swarm-peer.ts'
import {
  encodeBytesMessage,
  encodeExtended,
  encodeMessage,
  ID,
  KEEP_ALIVE,
  parseMessages,
  type WireMessage,
} from './wire-messages.ts'

export interface SwarmOptions {
  readonly torrent: CheckedTorrent
  readonly source: Source
  /** Null for a member that only serves. */
  readonly write: Store['write'] | null
  /** Pieces that are there; kept up to date from then on. */
  readonly have: Bitfield
  /** Pieces that are wanted. */
  readonly wanted: Bitfield
  readonly onPiece: (index: number) => void
  /** The last wanted piece has been written. */
  readonly onDone: () => void
  readonly onFailure: (error: NetError) => void
}

export interface SwarmSurroundings {
  readonly clock: Clock
  /** 0 ≤ x < 1. */
  readonly random: () => number
}

/** What a connection tells its swarm. */
export interface SwarmEnd {
  /** A run of whole messages of the peer, without the handshake. */
  receive(run: Uint8Array): void
  /** The backlog has become smaller. */
  drained(): void
  closed(): void
  /** What its place is worth. */
  readonly worth: Worth
  /** It brings nothing, and has had time to. */
  isMute(): boolean
}

export class Swarm {
  readonly #options: SwarmOptions
  readonly #clock: Clock
  readonly #peers = new Set<SwarmPeer>()
  readonly #availability: Availability
  readonly #intake: Intake | null
  readonly #outflow: Outflow
  /** What one who has everything has. */
  readonly #all: Bitfield
  #hasLeft = false

  constructor(options: SwarmOptions, { clock, random }: SwarmSurroundings) {
    this.#options = options
    this.#clock = clock
    const { torrent, have, wanted, source, write, onFailure } = options
    this.#availability = new Availability(torrent.pieceCount)
    this.#all = Bitfield.full(torrent.pieceCount)
    const shared = {
      torrent,
      have,
      availability: this.#availability,
      random,
      clock,
      peers: this.#peers,
      send: (peer: SwarmPeer, parts: readonly Uint8Array[]) => this.#send(peer, parts),
      onFailure,
    }
    this.#outflow = new Outflow({ ...shared, source })
    this.#intake =
      write === null ? null : new Intake({ ...shared, wanted, write, onPiece: (index) => this.#onPiece(index) })
  }

  /** True when every wanted piece is here. */
  get isDone(): boolean {
    return this.#intake?.isDone ?? true
  }

  /** There are peers, and all of them choke us. */
  get isInLine(): boolean {
    return this.#peers.size > 0 && [...this.#peers].every(({ isChoking }) => isChoking)
  }

  /** Bytes of blocks that were lacking and came; not of messages about anything else. */
  get takenLength(): number {
    return this.#intake?.takenLength ?? 0
  }

  /** Takes a connection whose handshakes are done; null after `leave`. How many there are is for the caller to bound. */
  join(link: SwarmLink): SwarmEnd | null {
    if (this.#hasLeft) return null
    const peer = new SwarmPeer(link, this.#options.torrent.pieceCount, this.#clock)
    this.#peers.add(peer)
    this.#greet(peer)
    this.#outflow.join(peer)
    return {
      receive: (run) => this.#receive(peer, run),
      drained: () => void this.#outflow.serve(peer),
      closed: () => this.#remove(peer),
      worth: peer,
      isMute: () => peer.isMute(this.#clock.nowMs()),
    }
  }

  #greet(peer: SwarmPeer): void {
    const { have, torrent, wanted } = this.#options
    const parts: Uint8Array[] = []
    const isNothingSaid = this.#outflow.isVeiled || have.count === 0
    if (!isNothingSaid && have.isFull && peer.link.fast) parts.push(encodeMessage(ID.haveAll))
    else if (!isNothingSaid) parts.push(encodeBytesMessage(ID.bitfield, have.bytes))
    else if (peer.link.fast) parts.push(encodeMessage(ID.haveNone))
    if (peer.link.extended) {
      const wantsSome = this.#intake !== null && !wanted.isFull
      const hello = encodeHello(torrent.info.length, wantsSome, this.#outflow.isVeiled ? 'all-late' : 'lacking')
      parts.push(encodeExtended(EXTENDED_HANDSHAKE, hello))
    }
    if (parts.length > 0) this.#send(peer, parts)
  }

  #send(peer: SwarmPeer, parts: readonly Uint8Array[]): void {
    if (peer.isGone) return
    const nowMs = this.#clock.nowMs()
    const haves = peer.haves.take(nowMs)
    if (haves === null && parts.length === 0) return
    peer.lastSentAtMs = nowMs
    peer.link.send(haves === null ? parts : [haves, ...parts])
  }

  #remove(peer: SwarmPeer): void {
    if (!this.#peers.delete(peer)) return
    peer.isGone = true
    this.#availability.removePeer(peer.pieces)
    this.#intake?.releaseAll(peer)
    this.#outflow.leave(peer)
    this.#intake?.refill()
  }

  #receive(peer: SwarmPeer, run: Uint8Array): void {
    try {
      for (const message of parseMessages(run)) {
        if (peer.isGone) return
        const reason = this.#dispatch(peer, message)
        if (reason !== null) throw new NetError('message-malformed', reason)
      }
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      peer.link.drop(error.message, false)
    }
  }

  /** Returns why the connection must end, null if it need not. */
  #dispatch(peer: SwarmPeer, message: WireMessage): string | null {
    switch (message.type) {
      case 'choke':
      case 'unchoke':
        return this.#onChoke(peer, message.type === 'choke')
      case 'interested':
      case 'not-interested':
        return this.#onInterest(peer, message.type === 'interested')
      case 'have':
        return this.#onHave(peer, message.index)
      case 'have-all':
        return this.#onPieces(peer, peer.pieces.lackingOf(this.#all.bytes))
      case 'have-none':
        return this.#onPieces(peer, [])
      case 'bitfield':
        if (message.bytes.length !== peer.pieces.bytes.length) return 'bitfield: wrong length'
        return this.#onPieces(peer, peer.pieces.lackingOf(message.bytes))
      case 'request':
        return this.#outflow.onRequest(peer, message)
      case 'cancel':
        return this.#outflow.onCancel(peer, message) ? null : this.#onNeedless(peer)
      case 'reject':
        return this.#intake?.onReject(peer, message) === true ? null : this.#onNeedless(peer)
      case 'piece':
        this.#intake?.onBlock(peer, message.index, message.offset, message.bytes)
        return null
      case 'hint':
        return message.index < this.#options.torrent.pieceCount ? this.#onNeedless(peer) : 'a hint out of bounds'
      case 'extended':
        return this.#onExtended(peer, message.id, message.payload)
    }
  }

  #onChoke(peer: SwarmPeer, isChoking: boolean): string | null {
    if (!peer.stateBucket.take()) return 'too many messages that choke and unchoke'
    if (peer.isChoking === isChoking) return null
    peer.isChoking = isChoking
    // With BEP 6 the peer rejects one by one what it will not bring.
    if (isChoking && !peer.link.fast) this.#intake?.releaseAll(peer)
    if (!isChoking) this.#intake?.fill(peer)
    return null
  }

  #onInterest(peer: SwarmPeer, isInterested: boolean): string | null {
    if (!peer.interestBucket.take()) return 'too many messages about interest'
    if (peer.isInterested === isInterested) return null
    peer.isInterested = isInterested
    this.#outflow.onInterest(peer)
    return null
  }

  #onHave(peer: SwarmPeer, index: number): string | null {
    if (index >= peer.pieces.pieceCount) return 'have: no such piece'
    const isNew = !peer.pieces.has(index)
    this.#onMorePieces(peer, [index])
    return isNew ? null : this.#onNeedless(peer)
  }

  #onNeedless(peer: SwarmPeer): string | null {
    return peer.needlessBucket.take() ? null : 'too many messages that change nothing'
  }

  #onMorePieces(peer: SwarmPeer, indexes: readonly number[]): void {
    peer.hasSaidPieces = true
    let isWanted = false
    for (const index of indexes) {
      const isNew = peer.pieces.set(index)
      if (isNew) this.#availability.addPiece(index)
      this.#outflow.onHave(peer, index)
      isWanted ||= isNew && this.#intake?.wants(index) === true
    }
    if (!isWanted) return
    this.#beInterested(peer)
    this.#intake?.fill(peer)
  }

  /** @param indexes pieces that it had not said before */
  #onPieces(peer: SwarmPeer, indexes: readonly number[]): string | null {
    if (!peer.stateBucket.take()) return 'too many messages about all that it has'
    // Who has become complete, and aria2 for several new pieces, say so instead of by haves. Nobody takes pieces back.
    if (peer.hasSaidPieces) {
      this.#onMorePieces(peer, indexes)
      return null
    }
    peer.hasSaidPieces = true
    for (const index of indexes) peer.pieces.set(index)
    this.#availability.addPeer(peer.pieces)
    this.#outflow.onPieces(peer)
    if (indexes.some((index) => this.#intake?.wants(index) === true)) this.#beInterested(peer)
    return null
  }

  /** Never taken back before the download is done: a peer that has nothing for us now will have something soon. */
  #beInterested(peer: SwarmPeer): void {
    if (peer.amInterested) return
    peer.amInterested = true
    this.#send(peer, [encodeMessage(ID.interested)])
  }

  #onExtended(peer: SwarmPeer, id: number, payload: Uint8Array): string | null {
    if (!peer.extensionBucket.take()) return 'too many extension messages'
    if (id === EXTENDED_HANDSHAKE) {
      const hello = decodeHello(payload)
      peer.metadataId = hello.metadataId ?? peer.metadataId
      peer.depthMax = hello.requestCountMax ?? peer.depthMax
      peer.haves.need = hello.haveNeed
      if (hello.wantsSome) this.#outflow.showAll(peer)
      return null
    }
    if (id !== METADATA_ID) return null
    if (peer.metadataId === null) return 'a question for metadata that cannot be answered'
    const answer = answerMetadata(payload, this.#options.torrent.info)
    if (answer !== null) this.#send(peer, [encodeExtended(peer.metadataId, answer)])
    return null
  }

  #onPiece(index: number): void {
    if (this.#hasLeft) return
    const nowMs = this.#clock.nowMs()
    const isNew = !this.#isInCrowd(index)
    const untriedCount = [...this.#peers].filter(({ isUntried }) => isUntried).length
    for (const peer of this.#peers) {
      peer.haves.add(index, isNew, peer.isUntried ? untriedCount : 0, nowMs)
      if (peer.haves.isDue(nowMs)) this.#send(peer, [])
    }
    this.#options.onPiece(index)
    if (this.#intake?.isDone === true) this.#onDone()
  }

  /** Another one that downloads has piece `index`. */
  #isInCrowd(index: number): boolean {
    for (const { haves, pieces } of this.#peers) {
      if (haves.need === 'lacking' && !pieces.isFull && pieces.has(index)) return true
    }
    return false
  }

  #onDone(): void {
    for (const peer of this.#peers) {
      // What was not worth telling before, too: so that the peer sees that nothing is lacking any more.
      const isSaidAtOnce = this.#options.have.isFull && peer.haves.need !== 'all'
      if (isSaidAtOnce) peer.haves.clear()
      const parts = isSaidAtOnce ? [encodeMessage(ID.haveAll)] : []
      if (peer.amInterested) parts.push(encodeMessage(ID.notInterested))
      this.#send(peer, parts)
      peer.amInterested = false
    }
    this.#options.onDone()
  }

  /** Looks after everything that time changes; to be called several times a second while there are connections. */
  tick(): void {
    const nowMs = this.#clock.nowMs()
    this.#outflow.tick(nowMs)
    this.#intake?.tick(nowMs)
    for (const peer of this.#peers) {
      if (nowMs - peer.lastSentAtMs > KEEP_ALIVE_MS) this.#send(peer, [KEEP_ALIVE])
      else if (peer.haves.isDue(nowMs)) this.#send(peer, [])
    }
  }

  /** Ends all connections; nothing is told to the caller any more. */
  leave(): void {
    this.#hasLeft = true
    for (const peer of [...this.#peers]) {
      peer.link.drop('we leave the swarm', false)
      this.#remove(peer)
    }
  }
}
