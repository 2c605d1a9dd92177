/**
 * What a run leaves to the next ones: peers of each topic that worked, DHT nodes, and who is banned until when; so that
 * a second run needs no bootstrap and a liar does not come back with the next command.
 * Pure bookkeeping over bytes: the embedding room keeps them, time (milliseconds since 1970) is handed in. Bounded, the
 * oldest go first. Two runs at once: each merges into what the other has left. What cannot be read counts as nothing.
 */
import { type Address, compactAddress, expandAddress, formatAddress } from './address.ts'
import {
  asBytes,
  asDict,
  asInteger,
  asList,
  type Bencode,
  bencodeDict,
  decodeBencode,
  encodeBencode,
  fromLatin1,
  latin1,
} from './bencode.ts'
import {
  BAN_COUNT_MAX,
  BAN_DURATION_MS,
  KNOWN_AGE_MS_MAX,
  KNOWN_FAILURE_COUNT_MAX,
  KNOWN_LENGTH_MAX,
  KNOWN_NODE_COUNT_MAX,
  KNOWN_PEER_COUNT_MAX,
  KNOWN_TOPIC_COUNT_MAX,
} from './limits.ts'
import { INFOHASH_LENGTH } from './torrent.ts'

const VERSION = 1
const BAN_KEY_LENGTH_MAX = 64

interface KnownPeer {
  readonly address: Address
  readonly workedAtMs: number
  /** Times in a row that it could not be used since. */
  failureCount: number
}

export class KnownPeers {
  /** By topic (hex), the one used least recently first; then by address. */
  readonly #topics = new Map<string, Map<string, KnownPeer>>()
  readonly #nodes = new Map<string, Address>()
  readonly #bans = new Map<string, number>()

  /** Reads what `encode` wrote, leaving out what is too old at `nowMs`; null or malformed bytes are an empty memory. */
  static decode(bytes: Uint8Array | null, nowMs: number): KnownPeers {
    const known = new KnownPeers()
    try {
      const dict = bytes === null || bytes.length > KNOWN_LENGTH_MAX ? null : asDict(decodeBencode(bytes))
      if (dict === null || asInteger(dict.get('v'), VERSION, VERSION) === null) return known
      const seen = [...(asDict(dict.get('t')) ?? [])].flatMap(([topic, peers]) => peersIn(topic, peers, nowMs))
      for (const { topic, ...peer } of seen.sort((a, b) => a.workedAtMs - b.workedAtMs)) known.#note(topic, peer)
      known.noteNodes((asList(dict.get('n')) ?? []).flatMap((node) => addressIn(node) ?? []))
      for (const ban of asList(dict.get('b')) ?? []) {
        const [key, until] = asList(ban) ?? []
        const name = asBytes(key, 1, BAN_KEY_LENGTH_MAX)
        const untilMs = asInteger(until, 0, Number.MAX_SAFE_INTEGER)
        if (name !== null && untilMs !== null) known.noteBan(latin1(name), untilMs - nowMs, nowMs)
      }
      return known
    } catch {
      return new KnownPeers()
    }
  }

  /** True if no topic has a peer. */
  get isEmpty(): boolean {
    return this.#topics.size === 0
  }

  get counts(): { topicCount: number; peerCount: number; nodeCount: number } {
    const peerCount = [...this.#topics.values()].reduce((sum, peers) => sum + peers.size, 0)
    return { topicCount: this.#topics.size, peerCount, nodeCount: this.#nodes.size }
  }

  /** Peers of a topic that may work: those first that did when they were last tried, then the latest. */
  peersOf(topic: Uint8Array): Address[] {
    const peers = [...(this.#topics.get(Buffer.from(topic).toString('hex'))?.values() ?? [])]
    return peers
      .filter(isHopeful)
      .sort((a, b) => a.failureCount - b.failureCount || b.workedAtMs - a.workedAtMs)
      .map(({ address }) => address)
  }

  noteWorked(topic: Uint8Array, address: Address, nowMs: number): void {
    this.#note(topic, { address, workedAtMs: nowMs, failureCount: 0 })
  }

  /** Of two memories of one peer the later one counts, of the same time the one with more failures. */
  #note(topic: Uint8Array, peer: KnownPeer): void {
    if (compactAddress(peer.address) === null) return
    const key = Buffer.from(topic).toString('hex')
    const peers = this.#topics.get(key) ?? new Map<string, KnownPeer>()
    this.#topics.delete(key)
    this.#topics.set(key, peers)
    dropOldest(this.#topics, KNOWN_TOPIC_COUNT_MAX)
    const name = formatAddress(peer.address)
    const before = peers.get(name) ?? peer
    const isLater = peer.workedAtMs - before.workedAtMs || peer.failureCount - before.failureCount
    peers.delete(name)
    peers.set(name, isLater >= 0 ? { ...peer } : before)
    dropOldest(peers, KNOWN_PEER_COUNT_MAX)
  }

  /** Notes that a known peer could not be used; others need not be noted. It may be back soon: only the third time in a row counts. */
  noteFailed(topic: Uint8Array, address: Address): void {
    const peer = this.#topics.get(Buffer.from(topic).toString('hex'))?.get(formatAddress(address))
    if (peer !== undefined) peer.failureCount = Math.min(peer.failureCount + 1, KNOWN_FAILURE_COUNT_MAX)
  }

  nodes(): Address[] {
    return [...this.#nodes.values()]
  }

  noteNodes(nodes: readonly Address[]): void {
    for (const node of nodes) {
      if (compactAddress(node) === null) continue
      this.#nodes.delete(formatAddress(node))
      this.#nodes.set(formatAddress(node), node)
      dropOldest(this.#nodes, KNOWN_NODE_COUNT_MAX)
    }
  }

  /** Bans by their owner (address.ts), with the milliseconds that each still lasts. */
  bans(nowMs: number): [string, number][] {
    return [...this.#bans]
      .map(([key, untilMs]): [string, number] => [key, untilMs - nowMs])
      .filter(([, left]) => left > 0)
  }

  noteBan(key: string, leftMs: number, nowMs: number): void {
    if (leftMs <= 0 || key.length > BAN_KEY_LENGTH_MAX) return
    this.#bans.delete(key)
    this.#bans.set(key, nowMs + Math.min(leftMs, BAN_DURATION_MS))
    dropOldest(this.#bans, BAN_COUNT_MAX)
  }

  /** Adds what `later` has seen. */
  merge(later: KnownPeers, nowMs: number): void {
    for (const [key, peers] of later.#topics) {
      for (const peer of peers.values()) this.#note(Buffer.from(key, 'hex'), peer)
    }
    this.noteNodes(later.nodes())
    for (const [key, leftMs] of later.bans(nowMs)) this.noteBan(key, leftMs, nowMs)
  }

  /** At most KNOWN_LENGTH_MAX bytes; peers that failed too often are left out. */
  encode(nowMs: number): Uint8Array {
    const topics: [string, Bencode][] = []
    for (const [key, peers] of this.#topics) {
      const listed = [...peers.values()].filter(isHopeful).flatMap(({ address, workedAtMs, failureCount }) => {
        const compact = compactAddress(address)
        const failures = failureCount === 0 ? [] : [BigInt(failureCount)]
        return compact === null ? [] : [[compact, BigInt(Math.floor(workedAtMs)), ...failures]]
      })
      if (listed.length > 0) topics.push([latin1(Buffer.from(key, 'hex')), listed])
    }
    const bans = this.bans(nowMs).map(([key, leftMs]) => [fromLatin1(key), BigInt(Math.floor(nowMs + leftMs))])
    const nodes = this.nodes().flatMap((node) => compactAddress(node) ?? [])
    return encodeBencode(bencodeDict({ b: bans, n: nodes, t: new Map(topics), v: BigInt(VERSION) }))
  }
}

function peersIn(topic: string, peers: Bencode, nowMs: number) {
  if (topic.length !== INFOHASH_LENGTH) return []
  return (asList(peers) ?? []).flatMap((peer) => {
    const [compact, worked, failures = 0n] = asList(peer) ?? []
    const address = addressIn(compact)
    // A clock that went back must not make an entry immortal.
    const workedAtMs = asInteger(worked, nowMs - KNOWN_AGE_MS_MAX, nowMs)
    const failureCount = asInteger(failures, 0, KNOWN_FAILURE_COUNT_MAX)
    if (address === null || workedAtMs === null || failureCount === null) return []
    return [{ topic: fromLatin1(topic), address, workedAtMs, failureCount }]
  })
}

function isHopeful({ failureCount }: KnownPeer): boolean {
  return failureCount < KNOWN_FAILURE_COUNT_MAX
}

function addressIn(value: Bencode | undefined): Address | null {
  const bytes = asBytes(value, 0, 18)
  return bytes === null ? null : expandAddress(bytes)
}

function dropOldest(map: Map<string, unknown>, countMax: number): void {
  const [oldest] = map.keys()
  if (map.size > countMax && oldest !== undefined) map.delete(oldest)
}
