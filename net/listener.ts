/**
 * The one TCP port on which peers reach us, for topics and swarms alike. Bound to the given address only.
 * Counts connections by host and in all, waits a bounded time for the handshake, and hands the connection on by infohash.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { type Address, classOfHost, plainHost } from './address.ts'
import { Connection, type Gates } from './connection.ts'
import { NetError } from './errors.ts'
import { INCOMING_CONNECTION_COUNT_MAX, INCOMING_PER_HOST_COUNT_MAX, PENDING_CONNECTION_COUNT_MAX } from './limits.ts'
import type { SocketGuard } from './secret.ts'

export interface ListenerOptions {
  readonly listen: Address
  readonly gates: Gates
  readonly guard: SocketGuard
  /** True if connections of this address are refused. */
  readonly isBanned: (address: Address) => boolean
  /** Takes the connection, or returns false, then it is dropped. */
  readonly route: (connection: Connection) => boolean
}

export class Listener {
  readonly address: Address
  readonly #server: Server
  readonly #options: ListenerOptions
  readonly #connections = new Set<Connection>()
  readonly #perHost = new Map<string, number>()
  /** Without a handshake yet, the oldest first. */
  readonly #pending = new Set<Connection>()
  #closing: Promise<void> | null = null

  private constructor(server: Server, options: ListenerOptions) {
    this.#server = server
    this.#options = options
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : options.listen.port
    this.address = { host: options.listen.host, port }
    server.on('connection', (socket) => this.#onSocket(socket))
    server.on('error', () => {})
  }

  /**
   * Starts to listen.
   * @throws NetError listen-failed
   */
  static open(options: ListenerOptions): Promise<Listener> {
    const { host, port } = options.listen
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true })
      server.once('error', (error) => {
        reject(new NetError('listen-failed', `cannot listen on ${host}:${port}: ${error.message}`, {}, error))
      })
      server.listen({ host, port }, () => resolve(new Listener(server, options)))
    })
  }

  #onSocket(socket: Socket): void {
    const host = plainHost(socket.remoteAddress ?? '')
    const remote = { host, port: socket.remotePort ?? 0 }
    const isCrowded = classOfHost(host) !== 'loopback' && (this.#perHost.get(host) ?? 0) >= INCOMING_PER_HOST_COUNT_MAX
    const isFull = this.#connections.size >= INCOMING_CONNECTION_COUNT_MAX
    if (host === '' || isCrowded || isFull || this.#options.isBanned(remote)) {
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    const { gates, guard } = this.#options
    this.#keep(new Connection(guard.guardIncoming(socket), gates, false), host)
  }

  #keep(connection: Connection, host: string): void {
    this.#connections.add(connection)
    this.#perHost.set(host, (this.#perHost.get(host) ?? 0) + 1)
    // Silent ones cannot keep others out: the oldest of them makes room.
    const [oldest] = this.#pending
    if (this.#pending.size >= PENDING_CONNECTION_COUNT_MAX) oldest?.destroy()
    this.#pending.add(connection)
    connection.once('close', () => {
      this.#connections.delete(connection)
      this.#pending.delete(connection)
      const left = (this.#perHost.get(host) ?? 1) - 1
      if (left > 0) this.#perHost.set(host, left)
      else this.#perHost.delete(host)
    })
    connection.whenHandshake.then((handshake) => {
      this.#pending.delete(connection)
      if (handshake === null || connection.destroyed) return
      if (this.#closing !== null || !this.#options.route(connection)) connection.destroy()
    })
  }

  /** Stops listening and drops every connection that came in; idempotent. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const connection of this.#connections) connection.destroy()
    })
    return this.#closing
  }
}
