/**
 * One net: one peer id, one DHT node, one swarm client, behind a front that it may share with others, and everything built on them.
 * Composes the other files; decides only routing (topic, download or seed, by the infohash of a handshake).
 * The DHT node and the swarm client are made when they are first needed.
 */
import { randomBytes } from 'node:crypto'
import { type Address, type AddressClass, ANY_HOST_V4, classOfHost, isAnyHost } from './address.ts'
import type { AnswerStream } from './answer-stream.ts'
import { AnswerBudget, Refusal } from './answers.ts'
import { AskService, type FindByName } from './ask.ts'
import { Bans } from './bans.ts'
import { type Connection, dial } from './connection.ts'
import { type Dht, openDht } from './dht.ts'
import type { DownloadOptions } from './download.ts'
import { type Download, Downloads } from './downloads.ts'
import { NetError } from './errors.ts'
import type { Gates } from './gates.ts'
import type { KnownPeers } from './known-peers.ts'
import { ANSWER_LENGTH_ALL_MAX, KNOWN_SAVE_INTERVAL_MS } from './limits.ts'
import type { Door, Listener } from './listener.ts'
import { Lsd, lsdInterfaces, lsdWay } from './lsd.ts'
import { KIND_RANGE } from './range.ts'
import { MONOTONIC } from './rate.ts'
import type { SharedSecret } from './secret.ts'
import { type Seed, Seeds } from './seeds.ts'
import { SwarmClient } from './swarm-client.ts'
import { type Topic, TopicSwarm } from './topic.ts'
import { checkTorrent, INFOHASH_LENGTH, type Source, type Torrent } from './torrent.ts'
import { isTrackerUrl } from './tracker.ts'
import { dhtWay, rememberedWay, staticWay, trackerWay, type WayIn } from './ways.ts'

export interface NetOptions {
  /** TCP address for peers (and UDP for the DHT); null: dial only. Port 0 takes any. */
  readonly listen: Address | null
  /** Static peers; names are allowed. */
  readonly peers: readonly Address[]
  /** http, https and udp tracker URLs. */
  readonly trackers: readonly string[]
  /** Run a DHT node. It knows only `dhtBootstrap`, never the public routers by itself. */
  readonly dht: boolean
  readonly dhtBootstrap: readonly Address[]
  /** The net lasts for one task only: its DHT node asks, but is not there to be asked. False unless given. */
  readonly isPassing?: boolean | undefined
  /** Milliseconds for which our DHT node keeps items of others without a refresh; two hours unless given. */
  readonly dhtItemAgeMsMax?: number | undefined
  /** Local service discovery, on interfaces with private addresses or that of `listen`. */
  readonly lsd: boolean
  /** Ask connected peers for others, and tell them of those that are here; true unless given. */
  readonly gossip?: boolean | undefined
  /** The local network is the user's own, so topics that are not public may be asked for there, too. */
  readonly isLsdTrusted?: boolean
  /**
   * Shared by all who may talk to us, 32 random bytes or more: others cannot connect, nor read along, nor tell which topics
   * are meant. The trackers are then the user's own, whatever their addresses. Absent: everybody may.
   */
  readonly secret?: Uint8Array | undefined
  /** What earlier runs learnt, and who keeps what this one learns; absent: nothing is remembered. */
  readonly memory?: NetMemory | undefined
  /** Bytes per second, all connections together; absent or 0: no limit. */
  readonly uploadLimit?: number | undefined
  readonly downloadLimit?: number | undefined
  /** Instead of both: limits that the net shares with what else moves bytes; whoever made them closes them, after the net. */
  readonly gates?: Gates | undefined
  readonly trace?: ((line: string) => void) | undefined
}

export interface NetMemory {
  /** The net adds to it. */
  readonly known: KnownPeers
  /** Keeps what is known; called now and then, and when the net closes. */
  save(): Promise<void>
}

export interface TopicHandlers {
  /**
   * Answers a question; throw Refusal to say why not, anything else is told as "failed".
   * @param owner who is charged for it: a host, a network of IPv6 (/64), on loopback a connection
   */
  onRequest(kind: string, payload: Uint8Array, owner: string): Promise<Uint8Array | AnswerStream>
}

export interface TopicOptions {
  readonly announce: boolean
  /** False keeps the topic from every way in that strangers hear of; true unless given. */
  readonly isPublic?: boolean
}

export interface Net {
  /** Where peers reach us, null if we do not listen. */
  readonly address: Address | null
  /** Where the DHT node is, null if there is none (yet). */
  readonly dhtAddress: Address | null
  /** Names of the ways in that are configured; empty means that nobody can be found. */
  readonly ways: readonly string[]
  /** With a secret the topic has another name on the wire, which holders of it work out from this one. */
  joinTopic(topicHash: Uint8Array, handlers: TopicHandlers, options: TopicOptions): Topic
  /** Serves a torrent from `source`, to its swarm and to `range` questions. @throws NetError torrent-malformed */
  seed(torrent: Torrent, source: Source): Seed
  /** @throws NetError torrent-malformed, torrent-busy */
  download(torrent: Torrent, options: DownloadOptions): Download
  /** Answers those who dial a name to learn which torrent holds it (PROTOCOL.md section 7); returns how to stop. */
  answerAsks(find: FindByName): () => void
  /** The DHT node, opened if need be, to get and put items; null if there is none or its port is taken. */
  dht(): Promise<Dht | null>
  close(): Promise<void>
}

const PEER_ID_PREFIX = '-GT0001-'
const LOOPBACK_V4 = '127.0.0.1'

function makePeerId(): Uint8Array {
  return Buffer.concat([Buffer.from(PEER_ID_PREFIX), randomBytes(INFOHASH_LENGTH - PEER_ID_PREFIX.length)])
}

/** Class of what others could dial: a wildcard address counts as public, because it is reachable as one. */
function ownClassOf(listen: Address | null): AddressClass {
  if (listen === null || isAnyHost(listen.host)) return 'public'
  return classOfHost(listen.host)
}

/** The most public of some addresses. */
function mostPublic(addresses: readonly Address[]): AddressClass {
  const classes = addresses.map((address) => classOfHost(address.host))
  return classes.includes('public') ? 'public' : classes.includes('private') ? 'private' : 'loopback'
}

/** What the nets of one process share. */
export interface Front {
  readonly gates: Gates
  readonly listener: Listener | null
  /** There are several nets. */
  readonly isShared: boolean
  /** Each net goes once; the last one closes it. */
  leave(): Promise<void>
}

/** A net behind a front; `nets.ts` opens it. */
export class OpenNet implements Net {
  readonly #options: NetOptions
  readonly #front: Front
  readonly #peerId = makePeerId()
  readonly #secret: SharedSecret | null
  readonly #bans: Bans
  readonly #budget = new AnswerBudget(ANSWER_LENGTH_ALL_MAX)
  readonly #swarms: SwarmClient
  readonly #seeds: Seeds
  readonly #asks: AskService
  readonly #topics = new Map<string, TopicSwarm>()
  readonly #downloads: Downloads
  readonly #outgoing = new Set<Connection>()
  readonly #trace: (line: string) => void
  #closeDoor: () => void = () => {}
  #dht: Promise<Dht> | null = null
  #lsd: Lsd | null = null
  #saving: NodeJS.Timeout | null = null
  #ways: readonly WayIn[] = []
  #closing: Promise<void> | null = null
  dhtAddress: Address | null = null

  constructor(options: NetOptions, secret: SharedSecret | null, front: Front) {
    this.#options = options
    this.#trace = options.trace ?? (() => {})
    this.#front = front
    this.#secret = secret
    this.#bans = new Bans(MONOTONIC, options.memory?.known.bans(Date.now()))
    const ban = (address: Address): void => this.#bans.add(address)
    const onBrought = (address: Address): void => this.#downloads.noteBrought(address)
    const isProven = (key: string): boolean => this.#downloads.hasBrought(key)
    this.#swarms = new SwarmClient({ peerId: this.#peerId, ban, onBrought, isProven, trace: this.#trace })
    this.#seeds = new Seeds(this.#swarms)
    this.#downloads = new Downloads({
      client: this.#swarms,
      seeds: this.#seeds,
      dial: (address, signal) => this.#dial(address, signal),
      isBanned: (address) => this.#bans.has(address),
    })
    this.#asks = new AskService(this.#peerId, this.#trace)
  }

  get address(): Address | null {
    return this.#front.listener?.address ?? null
  }

  get ways(): readonly string[] {
    return this.#ways.map((way) => way.name)
  }

  /** Lets peers in, and prepares the ways to find others. */
  async open(): Promise<void> {
    const { listen, isPassing, peers, trackers, dht, dhtBootstrap, lsd, isLsdTrusted, memory } = this.#options
    const door: Door = {
      secret: this.#secret,
      isBanned: (address) => this.#bans.has(address),
      route: (connection) => this.#route(connection),
    }
    this.#closeDoor = this.#front.listener?.addDoor(door) ?? this.#closeDoor
    const ownClass = ownClassOf(listen)
    const interfaces = lsd ? lsdInterfaces(listen?.host ?? null) : []
    if (interfaces.length > 0) this.#lsd = new Lsd(interfaces, this.#trace)
    if (memory !== undefined) {
      this.#saving = setInterval(() => void this.#remember(), KNOWN_SAVE_INTERVAL_MS).unref()
    }
    this.#ways = [
      ...(memory === undefined ? [] : [rememberedWay(memory.known)]),
      ...(peers.length > 0 ? [staticWay(peers)] : []),
      ...(this.#lsd === null ? [] : [lsdWay(this.#lsd, isLsdTrusted ? 'private' : 'public')]),
      ...trackers.filter(isTrackerUrl).map((url) => trackerWay(url, this.#peerId, ownClass, this.#secret !== null)),
      ...(dht ? [dhtWay(() => this.#openDht(), mostPublic(dhtBootstrap), ownClass)] : []),
    ]
    // A node that listens, and stays, is there to be asked by others, too.
    if (dht && listen !== null && isPassing !== true) await this.#openDht()
  }

  async dht(): Promise<Dht | null> {
    if (!this.#options.dht || this.#closing !== null) return null
    return this.#openDht().catch(() => null)
  }

  #openDht(): Promise<Dht> {
    this.#dht ??= this.#bindDht()
    return this.#dht
  }

  async #bindDht(): Promise<Dht> {
    const { dhtBootstrap, memory, dhtItemAgeMsMax: itemAgeMsMax, isPassing: isReadOnly } = this.#options
    const reach = mostPublic(dhtBootstrap)
    // Nodes of a private network have no place in the public one, nor the other way round.
    const known = (memory?.known.nodes() ?? []).filter(({ host }) => classOfHost(host) === reach)
    const bootstrap = [...dhtBootstrap, ...(dhtBootstrap.length > 0 ? known : [])]
    const isLocal = bootstrap.length > 0 && reach === 'loopback'
    const host = this.address?.host ?? (isLocal ? LOOPBACK_V4 : ANY_HOST_V4)
    const v4Host = host.includes(':') ? ANY_HOST_V4 : host
    const open = (port: number): Promise<Dht> =>
      openDht({ listen: { host: v4Host, port }, bootstrap, trace: this.#trace, itemAgeMsMax, isReadOnly })
    const wanted = this.address?.port ?? 0
    // The TCP port's number if it is free, so that one port forward serves both. Another net's node may have it.
    const dht = await open(wanted).catch((error: unknown) => {
      if (this.#options.listen?.port === 0 || wanted === 0 || this.#front.isShared) return open(0)
      throw error
    })
    this.dhtAddress = dht.address
    return dht
  }

  joinTopic(topicHash: Uint8Array, handlers: TopicHandlers, options: TopicOptions): Topic {
    if (this.#closing !== null) throw new NetError('closed', 'topic: the net is closed')
    if (topicHash.length !== INFOHASH_LENGTH) throw new NetError('torrent-malformed', 'topic: expected 20 bytes')
    const infohash = this.#secret?.topicOf(topicHash) ?? topicHash
    const key = Buffer.from(infohash).toString('hex')
    if (this.#topics.has(key)) throw new NetError('torrent-busy', `topic ${key}: joined already`)
    const topic = new TopicSwarm({
      infohash: infohash.slice(),
      peerId: this.#peerId,
      ways: options.isPublic === false ? this.#ways.filter(({ reach }) => reach !== 'public') : this.#ways,
      announce: options.announce,
      ownAddress: this.address,
      gossips: this.#options.gossip ?? true,
      budget: this.#budget,
      dial: (address, signal) => this.#dial(address, signal),
      isBanned: (address) => this.#bans.has(address),
      ban: (address) => this.#bans.add(address),
      onDialled: (address, worked) => this.#noteDialled(infohash, address, worked),
      answer: (kind, payload, owner) => this.#answer(handlers, kind, payload, owner),
      trace: this.#trace,
      onClose: () => this.#topics.delete(key),
    })
    this.#topics.set(key, topic)
    return topic
  }

  #noteDialled(topic: Uint8Array, address: Address, worked: boolean): void {
    const known = this.#options.memory?.known
    if (worked) known?.noteWorked(topic, address, Date.now())
    else known?.noteFailed(topic, address)
  }

  async #answer(
    handlers: TopicHandlers,
    kind: string,
    payload: Uint8Array,
    owner: string,
  ): Promise<Uint8Array | AnswerStream> {
    if (kind !== KIND_RANGE) return handlers.onRequest(kind, payload, owner)
    try {
      return await this.#seeds.answerRange(payload)
    } catch (error) {
      if (error instanceof NetError) throw new Refusal('malformed')
      throw error
    }
  }

  async #dial(address: Address, signal: AbortSignal): Promise<Connection> {
    const connection = await dial(address, this.#front.gates, this.#secret, signal)
    this.#outgoing.add(connection)
    connection.once('close', () => this.#outgoing.delete(connection))
    if (this.#closing !== null) connection.destroy()
    return connection
  }

  #route(connection: Connection): boolean {
    const key = Buffer.from(connection.handshake?.infohash ?? []).toString('hex')
    const topic = this.#topics.get(key)
    if (topic !== undefined) return topic.accept(connection)
    if (this.#downloads.has(key)) return this.#downloads.accept(connection, key)
    return this.#seeds.has(key) ? this.#seeds.accept(connection, key) : this.#asks.accept(connection)
  }

  answerAsks(find: FindByName): () => void {
    return this.#asks.add(find)
  }

  seed(torrent: Torrent, source: Source): Seed {
    if (this.#closing !== null) throw new NetError('closed', 'seed: the net is closed')
    return this.#seeds.add(checkTorrent(torrent), source, null)
  }

  download(torrent: Torrent, options: DownloadOptions): Download {
    if (this.#closing !== null) throw new NetError('closed', 'download: the net is closed')
    return this.#downloads.begin(checkTorrent(torrent), options)
  }

  /** Hands what was learnt to whoever keeps it; what cannot be kept is lost. */
  async #remember(): Promise<void> {
    const { memory } = this.#options
    if (memory === undefined) return
    const dht = await this.#dht?.catch(() => null)
    memory.known.noteNodes(dht?.nodes() ?? [])
    for (const [key, leftMs] of this.#bans.left()) memory.known.noteBan(key, leftMs, Date.now())
    await memory.save().catch((error: unknown) => this.#trace(`memory: ${String(error)}`))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#downloads.close()
    await Promise.all([...this.#topics.values()].map((topic) => topic.close()))
    this.#seeds.close()
    this.#swarms.close()
    this.#closeDoor()
    for (const connection of this.#outgoing) connection.destroy()
    if (this.#saving !== null) clearInterval(this.#saving)
    this.#lsd?.close()
    await this.#remember()
    const dht = await this.#dht?.catch(() => null)
    await dht?.close()
    await this.#front.leave()
  }
}
