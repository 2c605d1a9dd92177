/**
 * What this process serves. A seed is an entry in a table; the swarm client hears of it when the first peer comes and
 * forgets it when nobody has been there for a while, so thousands of seeds cost thousands of table entries.
 * Several callers may seed the same torrent: the latest source serves until it is closed.
 */
import { Refusal } from './answers.ts'
import type { Connection } from './connection.ts'
import { SWARM_IDLE_TIMEOUT_MS } from './limits.ts'
import { decodeRangeQuestion } from './range.ts'
import type { Membership, SwarmClient } from './swarm-client.ts'
import type { CheckedTorrent, Source } from './torrent.ts'

export interface SeedState {
  /** Bytes read for peers since the seed was added, blocks of the swarm and ranges together. */
  readonly servedLength: number
  /** Connections of the swarm. */
  readonly peerCount: number
}

export interface Seed {
  state(): SeedState
  /** Stops serving; idempotent. */
  close(): Promise<void>
}

/** What one caller serves a torrent from, and how much peers have had of it. */
interface Offered {
  readonly source: Source
  servedLength: number
}

interface Entry {
  readonly torrent: CheckedTorrent
  readonly sources: Offered[]
  swarm: Membership | null
  /** Since when no connection was seen, by the sweep; null while there are some. */
  idleSinceMs: number | null
}

const SWEEPS_PER_TIMEOUT = 4

export class Seeds {
  readonly #client: SwarmClient
  readonly #entries = new Map<string, Entry>()
  readonly #sweep: NodeJS.Timeout

  constructor(client: SwarmClient) {
    this.#client = client
    this.#sweep = setInterval(() => this.#forgetIdle(), SWARM_IDLE_TIMEOUT_MS / SWEEPS_PER_TIMEOUT)
    this.#sweep.unref()
  }

  has(infohashHex: string): boolean {
    return this.#entries.has(infohashHex)
  }

  /** @param swarm a membership that exists already, from a download that goes on as a seed */
  add(torrent: CheckedTorrent, source: Source, swarm: Membership | null): Seed {
    const key = torrent.infohashHex
    const entry = this.#entries.get(key) ?? { torrent, sources: [], swarm: null, idleSinceMs: null }
    if (swarm !== null) entry.swarm = swarm
    const offered = { source, servedLength: 0 }
    entry.sources.push(offered)
    this.#entries.set(key, entry)
    let isOpen = true
    return {
      state: () => ({ servedLength: offered.servedLength, peerCount: entry.swarm?.connectionCount ?? 0 }),
      close: async () => {
        if (!isOpen) return
        isOpen = false
        entry.sources.splice(entry.sources.lastIndexOf(offered), 1)
        if (entry.sources.length > 0) return
        this.#entries.delete(key)
        leave(entry)
      },
    }
  }

  /** Takes a connection whose handshake named one of our torrents. */
  accept(connection: Connection, infohashHex: string): boolean {
    const entry = this.#entries.get(infohashHex)
    if (entry === undefined) return false
    entry.swarm ??= this.#client.serve(entry.torrent, {
      read: (offset, length) => this.#read(entry, offset, length),
    })
    entry.idleSinceMs = null
    return entry.swarm.addConnection(connection)
  }

  /** Answers a `range` question. */
  async answerRange(payload: Uint8Array): Promise<Uint8Array> {
    const { infohash, offset, length } = decodeRangeQuestion(payload)
    const entry = this.#entries.get(Buffer.from(infohash).toString('hex'))
    if (entry === undefined) throw new Refusal('not-found')
    if (offset + length > entry.torrent.lengthBytes) throw new Refusal('out-of-range')
    return this.#read(entry, offset, length)
  }

  async #read(entry: Entry, offset: number, length: number): Promise<Uint8Array> {
    const offered = entry.sources.at(-1)
    if (offered === undefined) throw new Refusal('not-found')
    const bytes = await offered.source.read(offset, length)
    offered.servedLength += bytes.length
    return bytes
  }

  #forgetIdle(): void {
    for (const entry of this.#entries.values()) {
      if (entry.swarm === null) continue
      if (entry.swarm.connectionCount > 0) entry.idleSinceMs = null
      else entry.idleSinceMs ??= performance.now()
      const isIdle = entry.idleSinceMs !== null && performance.now() - entry.idleSinceMs > SWARM_IDLE_TIMEOUT_MS
      if (isIdle) leave(entry)
    }
  }

  /** Forgets everything; the swarms themselves end with their client. */
  close(): void {
    clearInterval(this.#sweep)
    this.#entries.clear()
  }
}

function leave(entry: Entry): void {
  entry.swarm?.leave()
  entry.swarm = null
}
