/**
 * Local service discovery (BEP 14, IPv4): peers of a topic in the same network, asked by one multicast datagram.
 * Who listens joins the group, takes note of who announces himself, and answers each announcement by unicast, so that
 * one who cannot be dialled finds somebody too and nobody waits for the next round. Who only dials never joins.
 * Sends on private interfaces with a reach of one hop, and hears only senders with private addresses: on a public
 * network nobody is told. The datagrams are in lsd-message.ts.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type Address, type AddressClass, classOfHost, formatAddress, isAnyHost } from './address.ts'
import {
  LSD_ANNOUNCE_PAUSE_MS,
  LSD_ANSWER_WAIT_MS,
  LSD_ASK_PAUSE_MS,
  LSD_BURST_COUNT,
  LSD_INTERFACE_COUNT_MAX,
  LSD_RATE_PER_S,
  LSD_SOURCE_COUNT_MAX,
} from './limits.ts'
import { decodeLsdMessage, encodeLsdMessage } from './lsd-message.ts'
import { KeyedBuckets } from './rate.ts'
import type { FindOptions, WayIn } from './ways.ts'

/** The IPv4 group that BEP 14 names. */
const LSD_GROUP: Address = { host: '239.192.152.143', port: 6771 }
const COOKIE_LENGTH = 8

interface Sought {
  readonly announcePort: number | null
  readonly onAddress: FindOptions['onAddress']
}

/** Addresses of the interfaces to speak on, for a listener at `listenHost` (null: none); public ones never. */
export function lsdInterfaces(listenHost: string | null): string[] {
  if (listenHost !== null && !isAnyHost(listenHost)) {
    return isIPv4(listenHost) && classOfHost(listenHost) !== 'public' ? [listenHost] : []
  }
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? [])
  const own = addresses.filter(({ family, address }) => family === 'IPv4' && classOfHost(address) === 'private')
  return own.map(({ address }) => address).slice(0, LSD_INTERFACE_COUNT_MAX)
}

export class Lsd {
  readonly #group: Address
  readonly #interfaces: readonly string[]
  readonly #trace: (line: string) => void
  readonly #cookie = randomBytes(COOKIE_LENGTH).toString('hex')
  readonly #sought = new Map<string, Sought>()
  readonly #sentAtMs = new Map<string, number>()
  readonly #rates = new KeyedBuckets(LSD_RATE_PER_S, LSD_BURST_COUNT, LSD_SOURCE_COUNT_MAX)
  readonly #sockets: Socket[] = []
  #groupSocket: Promise<Socket | null> | null = null
  #ownSockets: Promise<Socket[]> | null = null
  #isClosed = false

  /** @param interfaces addresses to speak on; sockets are opened when they are first needed */
  constructor(interfaces: readonly string[], trace: (line: string) => void, group: Address = LSD_GROUP) {
    this.#interfaces = interfaces
    this.#trace = trace
    this.#group = group
  }

  /** Says once what is sought or announced, and resolves when those who answer at once have answered. */
  async find({ infohash, announcePort, onAddress, signal }: FindOptions): Promise<void> {
    const key = Buffer.from(infohash).toString('hex')
    this.#sought.set(key, { announcePort, onAddress })
    const pauseMs = announcePort === null ? LSD_ASK_PAUSE_MS : LSD_ANNOUNCE_PAUSE_MS
    if (performance.now() - (this.#sentAtMs.get(key) ?? -pauseMs) < pauseMs) return
    this.#sentAtMs.set(key, performance.now())
    if (announcePort !== null) await this.#listen()
    const message = { port: announcePort ?? 0, infohashes: [key], cookie: this.#cookie }
    const datagram = encodeLsdMessage(message, formatAddress(this.#group))
    for (const socket of await this.#open()) {
      if (!this.#isClosed) socket.send(datagram, this.#group.port, this.#group.host, () => {})
    }
    await pause(LSD_ANSWER_WAIT_MS, signal)
  }

  /** Forgets a topic: it is neither sought nor answered for any more. */
  forget(infohash: Uint8Array): void {
    const key = Buffer.from(infohash).toString('hex')
    this.#sought.delete(key)
    this.#sentAtMs.delete(key)
  }

  /** Ends everything; idempotent. */
  close(): void {
    this.#isClosed = true
    this.#sought.clear()
    for (const socket of this.#sockets.splice(0)) socket.close()
  }

  /** Joins the group, to be found. */
  #listen(): Promise<Socket | null> {
    this.#groupSocket ??= this.#bind({ port: this.#group.port }, (socket) => {
      for (const address of this.#interfaces) socket.addMembership(this.#group.host, address)
      socket.on('message', (bytes, from) => this.#onGroupMessage(socket, bytes, from))
    })
    return this.#groupSocket
  }

  /** One socket per interface, from which is asked and where answers arrive. */
  #open(): Promise<Socket[]> {
    this.#ownSockets ??= Promise.all(this.#interfaces.map((address) => this.#bindOwn(address))).then((found) =>
      found.flatMap((socket) => socket ?? []),
    )
    return this.#ownSockets
  }

  #bindOwn(address: string): Promise<Socket | null> {
    return this.#bind({ port: 0, address }, (socket) => {
      socket.setMulticastInterface(address)
      socket.setMulticastTTL(1)
      socket.on('message', (bytes, from) => this.#heard(bytes, from))
    })
  }

  /** A bound socket, null if that is not possible here. */
  #bind(where: { port: number; address?: string }, prepare: (socket: Socket) => void): Promise<Socket | null> {
    return new Promise((resolve) => {
      const socket = createSocket({ type: 'udp4', reuseAddr: where.port !== 0 })
      const fail = (error: unknown): void => {
        this.#trace(`lsd: ${error instanceof Error ? error.message : String(error)}`)
        socket.close()
        resolve(null)
      }
      socket.once('error', fail)
      socket.bind({ ...where, exclusive: false }, () => {
        socket.off('error', fail)
        socket.on('error', () => {})
        try {
          if (this.#isClosed) throw new Error('closed')
          prepare(socket)
          this.#sockets.push(socket)
          resolve(socket)
        } catch (error) {
          fail(error)
        }
      })
    })
  }

  #onGroupMessage(socket: Socket, bytes: Uint8Array, from: RemoteInfo): void {
    for (const { key, sought } of this.#heard(bytes, from)) {
      if (sought.announcePort === null) continue
      const message = { port: sought.announcePort, infohashes: [key], cookie: this.#cookie }
      socket.send(encodeLsdMessage(message, formatAddress(this.#group)), from.port, from.address, () => {})
    }
  }

  /** What of a datagram concerns us; tells the topics where its sender listens. */
  #heard(bytes: Uint8Array, from: RemoteInfo): { key: string; sought: Sought }[] {
    const source = classOfHost(from.address)
    if (source === 'public' || !this.#rates.take(from.address)) return []
    const message = decodeLsdMessage(bytes)
    if (message === null || message.cookie === this.#cookie) return []
    const heard = message.infohashes.flatMap((key) => {
      const sought = this.#sought.get(key)
      return sought === undefined ? [] : [{ key, sought }]
    })
    if (message.port > 0) {
      for (const { sought } of heard) sought.onAddress({ host: from.address, port: message.port }, source)
    }
    return heard
  }
}

/** Local service discovery as a way in. @param reach 'public' unless the network is known to be the user's own */
export function lsdWay(lsd: Lsd, reach: AddressClass): WayIn {
  return {
    name: 'lsd',
    reach,
    find: (options) => lsd.find(options),
    leave: async (infohash) => lsd.forget(infohash),
  }
}

function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, durationMs)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}
