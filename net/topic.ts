/**
 * One topic: finds peers by all ways in, keeps connections to them, gossips addresses, and says when nobody is there.
 * "Nobody is there" is known as soon as every way in has answered and every address that came up has been tried,
 * so a caller without any way in learns it at once. Knows nothing of what the questions mean.
 */
import { setMaxListeners } from 'node:events'
import {
  type Address,
  type AddressClass,
  classOfHost,
  formatAddress,
  isDialable,
  mayHearOf,
  sameAddress,
} from './address.ts'
import { AddressBook } from './address-book.ts'
import type { AnswerStream } from './answer-stream.ts'
import { type AnswerBudget, Refusal } from './answers.ts'
import type { Connection } from './connection.ts'
import { NetError } from './errors.ts'
import { decodePeers, encodePeers } from './gossip.ts'
import {
  PEERS_INTERVAL_MS,
  PEERS_TIMEOUT_MS,
  PEERS_UNANSWERED_COUNT_MAX,
  REQUEST_PAYLOAD_LENGTH_MAX,
  TOPIC_CONNECTION_COUNT_MAX,
  TOPIC_DIAL_COUNT_MAX,
  TOPIC_DIALLED_COUNT_MAX,
  TOPIC_LOOKUP_INTERVAL_MS,
  TOPIC_PER_PEER_COUNT_MAX,
  TOPIC_SEARCH_FRESH_MS,
} from './limits.ts'
import { makeRoom } from './places.ts'
import { ConnectedPeer, KIND_PEERS, type TopicPeer } from './topic-peer.ts'
import { TopicWire } from './topic-wire.ts'
import type { WayIn } from './ways.ts'

/** How a way in did on its last round. */
export interface WayState {
  readonly name: string
  /** When it last had nothing more to say, in milliseconds since 1970; null before the first time. */
  readonly askedAtMs: number | null
  /** Why it did not work the last time; null if it did. */
  readonly failure: string | null
}

export interface Topic {
  /** The ways in that this topic uses, and how each did. */
  ways(): WayState[]
  /** Usable peers, one per peer id and host, the oldest connection first. */
  peers(): TopicPeer[]
  /** Resolves with the first usable peer, or null when all ways in have answered with none, at the deadline, or on abort. */
  waitForPeer(options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<TopicPeer | null>
  /** Somebody is about to become a peer: addresses wait to be dialled, or hellos are under way. */
  readonly isMeeting: boolean
  /** Addresses that wait for a place, and were not tried yet. */
  waiting(): Address[]
  /** Calls `listener` for every usable peer, those that are there at once; returns how to stop. */
  onPeer(listener: (peer: TopicPeer) => void): () => void
  /** Tries an address that the caller knows; it is trusted like a static peer. */
  addPeer(address: Address): void
  /** Has an address that waits for a place get the next one; false if it does not wait. */
  preferPeer(address: Address): boolean
  close(): Promise<void>
}

export interface TopicPorts {
  readonly infohash: Uint8Array
  readonly peerId: Uint8Array
  readonly ways: readonly WayIn[]
  readonly announce: boolean
  readonly ownAddress: Address | null
  /** Ask for addresses of others, and tell those that are here. */
  readonly gossips: boolean
  readonly budget: AnswerBudget
  readonly dial: (address: Address, signal: AbortSignal) => Promise<Connection>
  readonly isBanned: (address: Address) => boolean
  readonly ban: (address: Address) => void
  /** An address that was dialled became a peer, or did not. */
  readonly onDialled: (address: Address, worked: boolean) => void
  readonly answer: (
    kind: string,
    payload: Uint8Array,
    owner: string,
    lengthMax: number,
  ) => Promise<Uint8Array | AnswerStream>
  readonly trace: (line: string) => void
  readonly onClose: () => void
}

interface Dialled {
  readonly address: Address
  readonly atMs: number
}

export class TopicSwarm implements Topic {
  readonly #ports: TopicPorts
  readonly #book = new AddressBook()
  readonly #peers = new Set<ConnectedPeer>()
  readonly #greeting = new Set<TopicWire>()
  readonly #waiters = new Set<(peer: TopicPeer | null) => void>()
  readonly #listeners = new Set<(peer: TopicPeer) => void>()
  readonly #abort = new AbortController()
  readonly #round: NodeJS.Timeout
  readonly #gossip: NodeJS.Timeout
  readonly #wayStates = new Map<string, WayState>()
  #searchingCount = 0
  #searchedAtMs = 0
  #closing: Promise<void> | null = null

  constructor(ports: TopicPorts) {
    this.#ports = ports
    // One listener per address that is being dialled.
    setMaxListeners(0, this.#abort.signal)
    this.#round = setInterval(() => this.#search(), TOPIC_LOOKUP_INTERVAL_MS)
    this.#gossip = setInterval(() => this.#askAllForPeers(), PEERS_INTERVAL_MS)
    this.#search()
  }

  peers(): TopicPeer[] {
    const byId = new Map<string, TopicPeer>()
    for (const peer of this.#peers) {
      const key = `${peer.id} ${peer.remote.host}`
      if (!byId.has(key)) byId.set(key, peer)
    }
    return [...byId.values()]
  }

  ways(): WayState[] {
    return this.#ports.ways.map(({ name }) => this.#wayStates.get(name) ?? { name, askedAtMs: null, failure: null })
  }

  waitForPeer(options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<TopicPeer | null> {
    const first = this.peers()[0]
    if (first !== undefined) return Promise.resolve(first)
    const isStale = performance.now() - this.#searchedAtMs > TOPIC_SEARCH_FRESH_MS
    if (this.#isSettled() && isStale && this.#closing === null) this.#search()
    if (this.#isSettled() || options.signal?.aborted) return Promise.resolve(null)
    return new Promise((resolve) => {
      const settle = (peer: TopicPeer | null): void => {
        if (!this.#waiters.delete(settle)) return
        clearTimeout(timer)
        options.signal?.removeEventListener('abort', onAbort)
        resolve(peer)
      }
      const onAbort = (): void => settle(null)
      const timer = setTimeout(() => settle(null), options.timeoutMs)
      options.signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiters.add(settle)
    })
  }

  waiting(): Address[] {
    return this.#book.waiting
  }

  onPeer(listener: (peer: TopicPeer) => void): () => void {
    this.#listeners.add(listener)
    for (const peer of this.peers()) listener(peer)
    return () => this.#listeners.delete(listener)
  }

  addPeer(address: Address): void {
    this.#offer(address, 'loopback', true)
  }

  preferPeer(address: Address): boolean {
    return this.#book.prefer(address)
  }

  /** Takes a connection whose handshake named this topic; false if there are enough, of whom nobody can leave. */
  accept(connection: Connection): boolean {
    if (this.#closing !== null) return false
    const wires = [...this.#greeting, ...[...this.#peers].map(({ wire }) => wire)]
    const there = new Set(wires.map((wire) => wire.connection).filter(({ destroyed }) => !destroyed))
    if (!makeRoom(there, TOPIC_CONNECTION_COUNT_MAX, connection.owner, performance.now())) return false
    void this.#greet(connection, null)
    return true
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearInterval(this.#round)
    clearInterval(this.#gossip)
    this.#abort.abort()
    for (const settle of [...this.#waiters]) settle(null)
    for (const wire of [...this.#greeting]) wire.close()
    for (const peer of [...this.#peers]) peer.wire.close()
    this.#ports.onClose()
    await Promise.allSettled(this.#ports.ways.map((way) => way.leave(this.#ports.infohash)))
  }

  get isMeeting(): boolean {
    return this.#book.waitingCount + this.#greeting.size > 0
  }

  #isSettled(): boolean {
    return this.#searchingCount === 0 && this.#book.openCount === 0 && this.#greeting.size === 0
  }

  #settle(): void {
    if (this.#isSettled()) for (const settle of [...this.#waiters]) settle(null)
  }

  /** Asks every way in once. */
  #search(): void {
    const { infohash, ways, announce, ownAddress, trace } = this.#ports
    this.#searchedAtMs = performance.now()
    for (const way of ways) {
      this.#searchingCount += 1
      const found = way.find({
        infohash,
        announcePort: announce && ownAddress !== null ? ownAddress.port : null,
        seeding: announce,
        onAddress: (address, source) => this.#offer(address, source, way.name === 'static'),
        signal: this.#abort.signal,
      })
      found
        .then(
          () => null,
          (error: unknown) => (error instanceof Error ? error.message : String(error)),
        )
        .then((failure) => {
          if (failure !== null) trace(`${way.name}: ${failure}`)
          this.#wayStates.set(way.name, { name: way.name, askedAtMs: Date.now(), failure })
        })
        .finally(() => {
          this.#searchingCount -= 1
          this.#settle()
        })
    }
  }

  #offer(address: Address, source: AddressClass, mayBeName: boolean): void {
    const { ownAddress } = this.#ports
    if (this.#closing !== null || this.#ports.isBanned(address)) return
    if (!mayBeName && (!isDialable(address) || !mayHearOf(source, classOfHost(address.host)))) return
    if (ownAddress !== null && sameAddress(address, ownAddress)) return
    if (this.#book.offer(address, performance.now())) this.#dialNext()
  }

  #dialNext(): void {
    while (this.#closing === null && this.#book.diallingCount < TOPIC_DIAL_COUNT_MAX && this.#book.waitingCount > 0) {
      const dialled = [...this.#peers].filter(({ wire, connected }) => wire.connection.outgoing && connected)
      if (dialled.length + this.#book.diallingCount >= TOPIC_DIALLED_COUNT_MAX) {
        const useless = dialled.find(({ isUseless }) => isUseless)
        if (useless === undefined) return
        useless.wire.close()
      }
      const address = this.#book.next()
      if (address === null) return
      void this.#dial(address)
    }
  }

  async #dial(address: Address): Promise<void> {
    let peer: ConnectedPeer | null = null
    const dialledAtMs = performance.now()
    try {
      const connection = await this.#ports.dial(address, this.#abort.signal)
      peer = this.#closing === null ? await this.#greet(connection, { address, atMs: dialledAtMs }) : null
      if (this.#closing !== null) connection.destroy()
    } catch (error) {
      this.#ports.trace(`topic: ${error instanceof Error ? error.message : String(error)}`)
    }
    this.#book.dialled(address, peer !== null, performance.now())
    if (peer !== null || this.#closing === null) this.#ports.onDialled(address, peer !== null)
    if (peer !== null) peer.wire.connection.once('close', () => this.#book.lost(address, performance.now()))
    this.#dialNext()
    this.#settle()
  }

  /** Exchanges hellos; null if no usable peer comes of it. */
  async #greet(connection: Connection, dialled: Dialled | null): Promise<ConnectedPeer | null> {
    const { infohash, peerId, ownAddress, budget } = this.#ports
    const wire = new TopicWire(connection, {
      infohash,
      peerId,
      listenPort: ownAddress?.port ?? null,
      budget,
      answer: (kind, payload, lengthMax) => this.#answer(wire, kind, payload, lengthMax),
    })
    this.#greeting.add(wire)
    const hello = await wire.hello
    this.#greeting.delete(wire)
    const id = Buffer.from(connection.handshake?.peerId ?? []).toString('hex')
    const isOther = connection.handshake !== null && Buffer.compare(connection.handshake.infohash, infohash) !== 0
    // A peer id is free to copy: it must not keep its owner out from another host.
    const host = connection.remoteAddress
    const sameCount = [...this.#peers].filter((peer) => peer.id === id && peer.remote.host === host).length
    const isUs = id === Buffer.from(peerId).toString('hex')
    if (hello === null || connection.destroyed || isOther || isUs || sameCount >= TOPIC_PER_PEER_COUNT_MAX) {
      connection.destroy()
      this.#settle()
      return null
    }
    const told = hello.listenPort === null ? null : { host: connection.remoteAddress, port: hello.listenPort }
    const ports = { ban: this.#ports.ban, onDismissed: () => this.#dialNext() }
    const greetedMs = dialled === null ? null : performance.now() - dialled.atMs
    return this.#admit(new ConnectedPeer(id, dialled?.address ?? told, wire, greetedMs, ports))
  }

  #admit(peer: ConnectedPeer): ConnectedPeer {
    this.#peers.add(peer)
    peer.wire.connection.once('close', () => {
      this.#peers.delete(peer)
      this.#dialNext()
    })
    this.#ports.trace(`topic: peer ${formatAddress(peer.address ?? peer.remote)}`)
    for (const settle of [...this.#waiters]) settle(peer)
    for (const listener of this.#listeners) listener(peer)
    void this.#askForPeers(peer)
    return peer
  }

  async #answer(
    wire: TopicWire,
    kind: string,
    payload: Uint8Array,
    lengthMax: number,
  ): Promise<Uint8Array | AnswerStream> {
    if (payload.length > REQUEST_PAYLOAD_LENGTH_MAX) throw new Refusal('too-long')
    if (kind === KIND_PEERS) return this.#peersFor(wire.connection)
    const answer = await this.#ports.answer(kind, payload, wire.connection.owner, lengthMax)
    const asker = [...this.#peers].find((peer) => peer.wire === wire)
    asker?.noteActive()
    return answer
  }

  #peersFor(connection: Connection): Uint8Array {
    if (!this.#ports.gossips) return encodePeers([])
    const listener = classOfHost(connection.remoteAddress)
    const addresses: Address[] = []
    for (const peer of this.#peers) {
      if (peer.address === null || peer.wire.connection === connection) continue
      if (mayHearOf(listener, classOfHost(peer.address.host))) addresses.push(peer.address)
    }
    // Whoever came first, and be it a hundred times, is not all that others hear of.
    return encodePeers(shuffled(addresses))
  }

  #askAllForPeers(): void {
    for (const peer of this.#peers) void this.#askForPeers(peer)
  }

  async #askForPeers(peer: ConnectedPeer): Promise<void> {
    if (!this.#ports.gossips) return
    try {
      const options = { timeoutMs: PEERS_TIMEOUT_MS, responseLengthMax: REQUEST_PAYLOAD_LENGTH_MAX }
      const answer = await peer.request(KIND_PEERS, new Uint8Array(0), options)
      peer.unansweredCount = 0
      for (const address of decodePeers(answer)) this.#offer(address, classOfHost(peer.remote.host), false)
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      // Whose line is full of something else may be late.
      const isUnanswered = error.code === 'timeout' && !peer.isBusy
      peer.unansweredCount = isUnanswered ? peer.unansweredCount + 1 : 0
      const isMute = peer.unansweredCount >= PEERS_UNANSWERED_COUNT_MAX
      if (error.code === 'message-malformed' || isMute) peer.wire.close()
    }
  }
}

function shuffled<T>(things: readonly T[]): T[] {
  return things
    .map((thing) => ({ thing, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ thing }) => thing)
}
