/**
 * Brings connections and swarms together: answers handshakes, keeps one connection per peer, and gives every swarm that
 * has connections its beat. Connections are ours (listener.ts, connection.ts); what is said on them is net/swarm's.
 * Two peers that dial each other at once must drop the same one of the two connections: the one that the greater peer id
 * dialled goes. Only connections of the same host are compared, because a peer id is free to copy.
 * Where a swarm has all the connections that it may, one of which nothing comes makes room for the next (places.ts).
 */
import { type Address, formatAddress } from './address.ts'
import type { Connection } from './connection.ts'
import { NetError } from './errors.ts'
import { DOWNLOAD_MUTE_MS, SWARM_CONNECTION_COUNT_MAX, SWARM_UNREAD_LENGTH_MAX } from './limits.ts'
import { makeRoom } from './places.ts'
import { MONOTONIC } from './rate.ts'
import { Bitfield } from './swarm/bitfield.ts'
import { OutsideLink, type OutsideSource } from './swarm/outside.ts'
import { Swarm, type SwarmEnd, type SwarmOptions } from './swarm/swarm.ts'
import type { SwarmLink } from './swarm/swarm-peer.ts'
import { encodeHandshake, ID } from './swarm/wire-messages.ts'
import type { CheckedTorrent, Source } from './torrent.ts'

/** Milliseconds between two beats. */
const BEAT_MS = 50
const HANDSHAKE_LENGTH = 68

export interface SwarmClientOptions {
  readonly peerId: Uint8Array
  readonly ban: (address: Address) => void
  /** An address has brought a block that was lacking. */
  readonly onBrought: (address: Address) => void
  /** True of such an address, named as formatAddress does. */
  readonly isProven: (key: string) => boolean
  readonly trace: (line: string) => void
}

export class SwarmClient {
  readonly #options: SwarmClientOptions
  readonly #members = new Set<Membership>()
  #beat: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(options: SwarmClientOptions) {
    this.#options = options
  }

  /** Joins a swarm. @throws NetError closed */
  join(options: SwarmOptions): Membership {
    if (this.#isClosed) throw new NetError('closed', 'swarm: the net is closed')
    const swarm = new Swarm(options, { clock: MONOTONIC, random: Math.random })
    const member = new Membership(swarm, options.torrent, this.#options, () => this.#members.delete(member))
    this.#members.add(member)
    this.#beat ??= setInterval(() => this.#tick(), BEAT_MS)
    return member
  }

  /** Joins a swarm to serve it only. */
  serve(torrent: CheckedTorrent, source: Source): Membership {
    return this.join({
      torrent,
      source,
      write: null,
      have: Bitfield.full(torrent.pieceCount),
      wanted: new Bitfield(torrent.pieceCount),
      onPiece: () => {},
      onDone: () => {},
      onFailure: (error) => this.#options.trace(error.message),
    })
  }

  #tick(): void {
    for (const member of this.#members) member.tick()
    if (this.#members.size > 0 || this.#beat === null) return
    clearInterval(this.#beat)
    this.#beat = null
  }

  /** Leaves all swarms; idempotent. */
  close(): void {
    this.#isClosed = true
    for (const member of [...this.#members]) member.leave()
    this.#tick()
  }
}

/** Membership in one swarm, over TCP. */
export class Membership {
  readonly #swarm: Swarm
  readonly #torrent: CheckedTorrent
  readonly #client: SwarmClientOptions
  readonly #onLeave: () => void
  readonly #connections = new Set<Connection>()
  readonly #ends = new Map<Connection, SwarmEnd>()
  readonly #outsiders = new Set<OutsideLink>()
  #hasLeft = false

  constructor(swarm: Swarm, torrent: CheckedTorrent, client: SwarmClientOptions, onLeave: () => void) {
    this.#swarm = swarm
    this.#torrent = torrent
    this.#client = client
    this.#onLeave = onLeave
  }

  /** Connections, those still greeting included. */
  get connectionCount(): number {
    return this.#connections.size
  }

  /** Sources outside the swarm that were not left yet. */
  get outsiderCount(): number {
    return this.#outsiders.size
  }

  /** True when every wanted piece is here. */
  get isDone(): boolean {
    return this.#swarm.isDone
  }

  /** There are peers, and all of them let us wait our turn. */
  get isInLine(): boolean {
    return this.#swarm.isInLine
  }

  /** Bytes of blocks that were lacking and came. */
  get takenLength(): number {
    return this.#swarm.takenLength
  }

  /** Asks a source outside the swarm as well, until it fails; `onLeft` is called once, when it is not asked any more. */
  addOutsider(source: OutsideSource, onLeft: () => void): void {
    if (this.#hasLeft) return
    const link = new OutsideLink(source, this.#torrent, (reason) => {
      this.#client.trace(`swarm: ${source.name}: ${reason}`)
      this.#outsiders.delete(link)
      onLeft()
    })
    const end = this.#swarm.join(link)
    if (end === null) return
    this.#outsiders.add(link)
    link.attach(end)
  }

  /** Nothing is lacking any more. */
  dismissOutsiders(): void {
    for (const link of this.#outsiders) link.drop('nothing is lacking')
  }

  /** Connections that we dialled, and of which nothing comes, or no handshake. */
  muteConnections(): Connection[] {
    const nowMs = MONOTONIC.nowMs()
    const isMute = (connection: Connection): boolean =>
      this.#ends.get(connection)?.isMute() ?? nowMs - connection.worth.activeAtMs >= DOWNLOAD_MUTE_MS
    return [...this.#connections].filter((connection) => connection.outgoing && isMute(connection))
  }

  /** Takes a connection, before or after the peer's handshake; false if there are enough, of whom nobody can leave. */
  addConnection(connection: Connection): boolean {
    if (this.#hasLeft || connection.destroyed) return false
    if (!makeRoom(this.#connections, SWARM_CONNECTION_COUNT_MAX, connection.owner, MONOTONIC.nowMs())) return false
    this.#connections.add(connection)
    connection.once('close', () => {
      this.#connections.delete(connection)
      this.#ends.delete(connection)
    })
    connection.wants = (messageId) => messageId <= ID.extended
    connection.write(encodeHandshake(this.#torrent.infohash, this.#client.peerId))
    void connection.whenHandshake.then(() => this.#onHandshake(connection))
    return true
  }

  #onHandshake(connection: Connection): void {
    const { handshake } = connection
    if (handshake === null || connection.destroyed || this.#hasLeft) return
    const isOther = Buffer.compare(handshake.infohash, this.#torrent.infohash) !== 0
    const isUs = Buffer.compare(handshake.peerId, this.#client.peerId) === 0
    const end = isOther || isUs || this.#isSecond(connection) ? null : this.#swarm.join(this.#linkOf(connection))
    if (end === null) return void connection.destroy()
    connection.worth = end.worth
    this.#ends.set(connection, end)
    attach(connection, end)
  }

  /** True if `connection` has to go because its peer has a better one; drops a worse one. */
  #isSecond(connection: Connection): boolean {
    const id = connection.handshake?.peerId ?? new Uint8Array(0)
    const keepsOutgoing = Buffer.compare(this.#client.peerId, id) < 0
    for (const other of this.#connections) {
      if (other === connection || other.remoteAddress !== connection.remoteAddress || other.handshake === null) continue
      if (Buffer.compare(other.handshake.peerId, id) !== 0) continue
      const isBetter = connection.outgoing === keepsOutgoing && other.outgoing !== keepsOutgoing
      const goes = isBetter ? other : connection
      goes.isSecond = true
      if (goes === connection) return true
      other.destroy()
    }
    return false
  }

  #linkOf(connection: Connection): SwarmLink {
    const client = this.#client
    const address = connection.dialled ?? connection.remote
    const key = formatAddress(address)
    return {
      name: connection.id,
      fast: connection.handshake?.fast === true,
      extended: connection.handshake?.extended === true,
      get backlogLength() {
        return connection.writableLength
      },
      backlogLengthMax: connection.backlogLengthMax,
      get isProven() {
        return client.isProven(key)
      },
      send: (parts) => {
        for (const part of parts) connection.say(part, SWARM_UNREAD_LENGTH_MAX)
      },
      onBrought: () => client.onBrought(address),
      drop: (reason, isGuilty) => {
        client.trace(`swarm: ${connection.id}: ${reason}`)
        if (isGuilty) client.ban(address)
        connection.destroy(new NetError('message-malformed', `swarm: ${connection.id}: ${reason}`))
      },
    }
  }

  /** Beats the swarm, if there is anybody in it. */
  tick(): void {
    if (this.#connections.size + this.#outsiders.size > 0) this.#swarm.tick()
  }

  /** Ends all connections and forgets the swarm; the store stays. Idempotent. */
  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.#swarm.leave()
    for (const connection of this.#connections) connection.destroy()
    this.#onLeave()
  }
}

/** Hands the stream over, past the handshake that begins it. */
function attach(connection: Connection, end: SwarmEnd): void {
  let handshakeLeft = HANDSHAKE_LENGTH
  connection.on('data', (run: Uint8Array) => {
    const skipped = Math.min(handshakeLeft, run.length)
    handshakeLeft -= skipped
    if (run.length > skipped) end.receive(run.subarray(skipped))
  })
  connection.on('drain', () => end.drained())
  connection.once('close', () => end.closed())
}
