/**
 * The one webtorrent client of a process, made when the first swarm needs it (its import costs 230 ms unbundled).
 * It gets no discovery, no port and no dialling of its own: connections are ours (listener.ts, connection.ts) and are
 * handed in as ready duplex streams. Every wire is guarded, every bad piece blamed on its sender.
 */
import type WebTorrent from 'webtorrent'
import type { Torrent as WebTorrentTorrent } from 'webtorrent'
import type { Address } from './address.ts'
import { Blame } from './blame.ts'
import { chunkStore } from './chunk-store.ts'
import type { Connection } from './connection.ts'
import { NetError } from './errors.ts'
import { SWARM_CONNECTION_COUNT_MAX } from './limits.ts'
import { type CheckedTorrent, type Source, type Store, torrentFile } from './torrent.ts'
import { guardWire } from './wire-guard.ts'

export interface SwarmClientOptions {
  readonly peerId: Uint8Array
  readonly ban: (address: Address) => void
  readonly trace: (line: string) => void
}

export interface SwarmOptions {
  readonly torrent: CheckedTorrent
  readonly source: Source
  /** Null for a swarm that has everything and only serves. */
  readonly write: Store['write'] | null
  /** One bit per piece that is there, most significant first; null if all are. */
  readonly have: Uint8Array | null
  readonly onPiece: (index: number) => void
  /** The last piece has been written. */
  readonly onDone: () => void
  readonly onFailure: (error: NetError) => void
}

const FAILED_PIECE = /^Piece (\d+) failed verification$/

export class SwarmClient {
  readonly #options: SwarmClientOptions
  #client: Promise<WebTorrent> | null = null
  #closing: Promise<void> | null = null

  constructor(options: SwarmClientOptions) {
    this.#options = options
  }

  /** Joins a swarm; resolves when it takes connections. */
  async join(options: SwarmOptions): Promise<Swarm> {
    if (this.#closing !== null) throw new NetError('closed', 'swarm: the net is closed')
    this.#client ??= openClient(this.#options)
    const client = await this.#client
    if (client.destroyed) throw new NetError('closed', 'swarm: the net is closed')
    const store = chunkStore(options.torrent, options.source, { write: options.write, onFailure: options.onFailure })
    const torrent = client.add(torrentFile(options.torrent), {
      preloadedStore: store,
      storeCacheSlots: 0,
      announce: [],
      strategy: 'sequential',
      ...(options.have === null ? { skipVerify: true } : { bitfield: options.have }),
    })
    const swarm = new Swarm(torrent, options, this.#options)
    await new Promise<void>((resolve, reject) => {
      torrent.once('ready', resolve)
      torrent.once('close', () => reject(new NetError('closed', 'swarm: left before it was ready')))
    })
    return swarm
  }

  /** Leaves all swarms; idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const client = await this.#client?.catch(() => null)
    if (client === null || client === undefined || client.destroyed) return
    await new Promise<void>((resolve) => client.destroy(() => resolve()))
  }
}

async function openClient(options: SwarmClientOptions): Promise<WebTorrent> {
  const { default: Client } = await import('webtorrent')
  const client = new Client({
    peerId: options.peerId,
    // It insists on a listening port: give it one on loopback that takes nobody, and close that at once.
    torrentPort: { host: '127.0.0.1', port: 0 },
    maxConns: SWARM_CONNECTION_COUNT_MAX,
    dht: false,
    tracker: false,
    lsd: false,
    utp: false,
    utPex: false,
    natUpnp: false,
    natPmp: false,
    webSeeds: false,
    secure: 0,
  })
  client.setMaxListeners(0)
  client._connPool?.tcpServer.removeAllListeners('connection')
  client._connPool?.tcpServer.on('connection', (socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    client.once('listening', resolve)
    client.once('error', (error: Error) => reject(new NetError('listen-failed', `swarm: ${error.message}`, {}, error)))
  })
  client.on('error', (error) => options.trace(`swarm: ${String(error)}`))
  client._connPool?.tcpServer.close()
  return client
}

/** Membership in one swarm. */
export class Swarm {
  readonly #torrent: WebTorrentTorrent
  readonly #connections = new Map<string, Connection>()
  readonly #options: SwarmOptions
  readonly #client: SwarmClientOptions
  readonly #blame = new Blame<Connection>()

  constructor(torrent: WebTorrentTorrent, options: SwarmOptions, client: SwarmClientOptions) {
    this.#torrent = torrent
    this.#options = options
    this.#client = client
    torrent.setMaxListeners(0)
    torrent.on('error', (error: Error) => {
      options.onFailure(new NetError('store-failed', `swarm: ${error.message}`, {}, error))
    })
    torrent.on('warning', (error: Error) => this.#onWarning(error))
    torrent.on('verified', (index: number) => this.#onVerified(index))
    torrent.on('done', () => options.onDone())
    torrent.on('wire', (wire, address: string) => this.#onWire(wire, address))
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Gives the swarm a connection, before or after its handshake; false if there are enough. */
  addConnection(connection: Connection): boolean {
    if (this.#torrent.destroyed || this.#connections.size >= SWARM_CONNECTION_COUNT_MAX) return false
    const key = keyOf(connection)
    if (this.#connections.has(key)) return false
    this.#connections.set(key, connection)
    connection.once('close', () => this.#connections.delete(key))
    return this.#torrent.addPeer(connection)
  }

  /** Ends all connections and forgets the swarm; the store stays. */
  leave(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#torrent.destroyed) resolve()
      else this.#torrent.destroy({}, () => resolve())
      for (const connection of this.#connections.values()) connection.destroy()
    })
  }

  #onWire(wire: WebTorrentTorrent['wires'][number], address: string): void {
    const connection = this.#connections.get(address)
    if (connection === undefined) {
      wire.destroy()
      return
    }
    guardWire(wire, {
      drop: (reason) => connection.destroy(new NetError('message-limit', `swarm: ${reason}`)),
      onBlock: (piece, offset, bytes) => this.#blame.record(piece, offset, bytes, connection),
    })
  }

  #onWarning(error: Error): void {
    this.#client.trace(`swarm: ${error.message}`)
    const index = FAILED_PIECE.exec(error.message)?.[1]
    if (index !== undefined) this.#punish(this.#blame.failed(Number(index)))
  }

  #onVerified(index: number): void {
    this.#punish(this.#blame.verified(index))
    this.#options.onPiece(index)
  }

  #punish(guilty: readonly Connection[]): void {
    for (const connection of guilty) {
      this.#client.ban(connection.dialled ?? connection.remote)
      connection.destroy(
        new NetError('message-malformed', `swarm: ${connection.id} sent bytes that are not of this piece`),
      )
    }
  }
}

/** As webtorrent writes it, without brackets around IPv6. */
function keyOf(connection: Connection): string {
  return `${connection.remoteAddress}:${connection.remotePort}`
}
