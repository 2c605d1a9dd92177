/**
 * The one TCP port on which peers reach us, for topics and swarms alike, and for several nets where secrets differ: whoever greets
 * with TLS names the secret that he holds, the others come to the net without one. Bound to the given address only.
 * Counts connections by host and in all, waits a bounded time for the handshake, and hands the connection on by infohash.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { type Address, ANY_HOST_V4, ANY_HOST_V6, formatAddress, ownerOf, plainHost } from './address.ts'
import { Connection } from './connection.ts'
import { NetError } from './errors.ts'
import type { Gates } from './gates.ts'
import { HostCount } from './host-count.ts'
import {
  HANDSHAKE_TIMEOUT_MS,
  INCOMING_CONNECTION_COUNT_MAX,
  INCOMING_PER_HOST_COUNT_MAX,
  PENDING_CONNECTION_COUNT_MAX,
} from './limits.ts'
import { makeRoom } from './places.ts'
import { MONOTONIC } from './rate.ts'
import { SharedSecret } from './secret.ts'

/** The first byte of a TLS greeting (RFC 8446, 5.1: content type handshake); a plain handshake begins with 0x13. */
const TLS_HANDSHAKE = 0x16

/** What a system without IPv6 says to its wildcard address, by where it was switched off. */
const WITHOUT_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL'])

/** One net's part of the port. */
export interface Door {
  /** What has to be proved by whoever comes in here; null: nothing. */
  readonly secret: SharedSecret | null
  /** True if connections of this address are refused. */
  readonly isBanned: (address: Address) => boolean
  /** Takes the connection, or returns false, then it is dropped. */
  readonly route: (connection: Connection) => boolean
}

export class Listener {
  readonly address: Address
  readonly #server: Server
  readonly #gates: Gates
  readonly #doors = new Set<Door>()
  /** Who came in, and to which door; null until that is known. */
  readonly #sockets = new Map<Socket, Door | null>()
  readonly #hosts = new HostCount(INCOMING_PER_HOST_COUNT_MAX)
  /** On those sockets, as soon as it is known what to wait for. */
  readonly #connections = new Set<Connection>()
  /** Without a handshake yet, the oldest first. */
  readonly #pending = new Set<Socket>()

  private constructor(server: Server, listen: Address, gates: Gates) {
    this.#server = server
    this.#gates = gates
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port
    this.address = { host: listen.host, port }
    server.on('connection', (socket) => this.#onSocket(socket))
    server.on('error', () => {})
  }

  /**
   * Starts to listen; drops who comes as long as there is no door. `::` means all addresses, IPv4 as well, or IPv4 alone where there is no IPv6.
   * @throws NetError listen-failed
   */
  static open(listen: Address, gates: Gates): Promise<Listener> {
    return Listener.#bind(listen, gates).catch((error: unknown) => {
      const isWithoutIPv6 = error instanceof Error && 'code' in error && WITHOUT_IPV6.has(String(error.code))
      if (listen.host === ANY_HOST_V6 && isWithoutIPv6) return Listener.open({ ...listen, host: ANY_HOST_V4 }, gates)
      const what = error instanceof Error ? error.message : String(error)
      throw new NetError('listen-failed', `cannot listen on ${formatAddress(listen)}: ${what}`, {}, error)
    })
  }

  static #bind(listen: Address, gates: Gates): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true })
      server.once('error', reject)
      server.listen({ host: listen.host, port: listen.port }, () => resolve(new Listener(server, listen, gates)))
    })
  }

  /** Lets a net answer on the port; returns how to close its door, which drops whoever came in there. */
  addDoor(door: Door): () => void {
    this.#doors.add(door)
    return () => {
      this.#doors.delete(door)
      for (const [socket, cameTo] of this.#sockets) if (cameTo === door) socket.destroy()
    }
  }

  #onSocket(socket: Socket): void {
    socket.on('error', () => {})
    const host = plainHost(socket.remoteAddress ?? '')
    const remote = { host, port: socket.remotePort ?? 0 }
    const isWelcome = host !== '' && [...this.#doors].some((door) => !door.isBanned(remote))
    const leave = isWelcome ? this.#hosts.enter(host) : null
    if (leave === null || !this.#hasRoomFor(remote)) {
      leave?.()
      socket.destroy()
      return
    }
    this.#keep(socket, leave)
    const [only, ...others] = this.#doors
    if (only !== undefined && others.length === 0) this.#letIn(socket, only.secret !== null)
    else this.#awaitGreeting(socket)
  }

  #hasRoomFor(remote: Address): boolean {
    const { size } = this.#sockets
    return makeRoom(this.#connections, INCOMING_CONNECTION_COUNT_MAX, ownerOf(remote), MONOTONIC.nowMs(), size)
  }

  #keep(socket: Socket, leave: () => void): void {
    this.#sockets.set(socket, null)
    // Silent ones cannot keep others out: the oldest of them makes room.
    const [oldest] = this.#pending
    if (this.#pending.size >= PENDING_CONNECTION_COUNT_MAX) oldest?.destroy()
    this.#pending.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#pending.delete(socket)
      leave()
    })
  }

  /** Looks at the first byte and leaves it where it is. */
  #awaitGreeting(socket: Socket): void {
    const giveUp = (): void => void socket.destroy()
    const timer = setTimeout(giveUp, HANDSHAKE_TIMEOUT_MS)
    socket.once('close', () => clearTimeout(timer))
    socket.once('end', giveUp)
    socket.once('readable', () => {
      const greeting: Buffer | null = socket.read()
      if (greeting === null) return
      clearTimeout(timer)
      socket.off('end', giveUp)
      socket.unshift(greeting)
      this.#letIn(socket, greeting[0] === TLS_HANDSHAKE)
    })
  }

  /** Waits for the handshake of one who has to prove a secret first, or of one who need not. */
  #letIn(socket: Socket, isSecret: boolean): void {
    const enter = (secret: SharedSecret | null): void => {
      const door = this.#doorOf(secret)
      if (door === null || !this.#sockets.has(socket)) socket.destroy()
      else this.#sockets.set(socket, door)
    }
    if (!isSecret) enter(null)
    const secrets = [...this.#doors].flatMap(({ secret }) => secret ?? [])
    const guarded = isSecret ? SharedSecret.guardIncoming(socket, secrets, enter) : socket
    const connection = new Connection(guarded, this.#gates, false)
    this.#connections.add(connection)
    connection.once('close', () => {
      this.#connections.delete(connection)
      socket.destroy()
    })
    connection.whenHandshake.then((handshake) => {
      this.#pending.delete(socket)
      if (handshake === null || connection.destroyed) return
      const door = this.#sockets.get(socket) ?? null
      // The door may have been closed meanwhile.
      const isOpen = door !== null && this.#doors.has(door) && !door.isBanned(connection.remote)
      if (!isOpen || !door.route(connection)) connection.destroy()
    })
  }

  #doorOf(secret: SharedSecret | null): Door | null {
    return [...this.#doors].find((door) => door.secret === secret) ?? null
  }

  /** Stops listening and drops every connection that came in; idempotent. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#sockets.keys()) socket.destroy()
    })
  }
}
