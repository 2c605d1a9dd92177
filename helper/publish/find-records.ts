/**
 * Asks the network for a publisher's records: peers of the topic first (they need no DHT, and have everything at once),
 * then the DHT by target. Nothing is judged here; items are genuine, and of whom they say. A peer that does not answer,
 * or sends what is no answer, is passed over.
 */
import { createHash } from 'node:crypto'
import { itemTarget, type MutableItem, type Net, NetError, type Topic, type TopicPeer } from '../../net/index.ts'
import { HelperError, messageOf } from '../errors.ts'
import {
  FURTHER_PEER_WAIT_MS,
  LATE_PEER_WAIT_MS,
  PEER_POLL_MS,
  RECORDS_ANSWER_COUNT_MAX,
  REFS_PAGE_LENGTH,
  REFS_PEER_COUNT_MAX,
  REFS_TIMEOUT_MS,
} from '../limits.ts'
import type { Trace } from '../trace.ts'
import { decodeRecordsAnswer, encodeRefsQuestion, REFS_KIND } from './refs-message.ts'

const ANSWER_LENGTH_MAX = RECORDS_ANSWER_COUNT_MAX * 2048

/** A peer and the records that it told of. */
export interface PeerOffer {
  readonly peer: TopicPeer
  readonly items: readonly MutableItem[]
}

/** Where records come from, for the time of one question. */
export class RecordSource {
  readonly #net: Net
  readonly #topic: Topic
  readonly #trace: Trace
  readonly #signal: AbortSignal
  readonly #asked = new Set<string>()
  #waitedMs = 0
  #offers: readonly PeerOffer[] = []

  constructor(net: Net, topic: Topic, trace: Trace, signal: AbortSignal) {
    this.#net = net
    this.#topic = topic
    this.#trace = trace
    this.#signal = signal
  }

  get offers(): readonly PeerOffer[] {
    return this.#offers
  }

  /** Waits for a peer of the topic and asks those that are there. */
  async askPeers(waitMs: number): Promise<void> {
    await this.#topic.waitForPeer({ timeoutMs: waitMs, signal: this.#signal })
    await this.#ask(this.#unasked())
  }

  /**
   * Asks peers that have come since, and waits for one while patience lasts: long where nobody is there at all, for a publisher
   * who has just announced, short where somebody is. False if none came.
   */
  async more(): Promise<boolean> {
    while (!this.#signal.aborted && this.#offers.length < REFS_PEER_COUNT_MAX) {
      const fresh = this.#unasked()
      if (fresh.length > 0) {
        await this.#ask(fresh)
        return true
      }
      if (this.#waitedMs > (this.#offers.length > 0 ? FURTHER_PEER_WAIT_MS : LATE_PEER_WAIT_MS)) return false
      const startedMs = performance.now()
      // Looks again when the last look is old.
      if (this.#topic.peers().length === 0)
        await this.#topic.waitForPeer({ timeoutMs: PEER_POLL_MS, signal: this.#signal })
      await new Promise((resolve) => setTimeout(resolve, PEER_POLL_MS))
      this.#waitedMs += performance.now() - startedMs
    }
    return false
  }

  #unasked(): TopicPeer[] {
    const peers = this.#topic.peers().filter(({ id }) => !this.#asked.has(id))
    return peers.slice(0, REFS_PEER_COUNT_MAX - this.#offers.length)
  }

  async #ask(peers: readonly TopicPeer[]): Promise<void> {
    const options = { timeoutMs: REFS_TIMEOUT_MS, responseLengthMax: ANSWER_LENGTH_MAX, signal: this.#signal }
    const offers = await Promise.all(
      peers.map(async (peer) => {
        this.#asked.add(peer.id)
        try {
          return { peer, items: decodeRecordsAnswer(await peer.request(REFS_KIND, encodeRefsQuestion(null), options)) }
        } catch (error) {
          this.#trace(() => `refs of ${peer.remote.host}:${peer.remote.port}: ${messageOf(error)}`)
          if (error instanceof HelperError) peer.drop()
          return null
        }
      }),
    )
    this.#offers = [...this.#offers, ...offers.filter((offer) => offer !== null)]
  }

  /** All genuine items under a target (20 bytes): of peers and of the DHT. */
  async find(target: Uint8Array, salt: Uint8Array): Promise<MutableItem[]> {
    const wanted = Buffer.from(target)
    const told = this.#offers
      .flatMap(({ items }) => items)
      .filter((item) => wanted.equals(itemTarget(item.key, item.salt)))
    const stored = (await (await this.#net.dht())?.getItems(target, salt)) ?? []
    return distinct([...told, ...stored])
  }

  /** What peers told of `key`, whatever the salt. */
  toldOf(isWanted: (item: MutableItem) => boolean): MutableItem[] {
    return distinct(this.#offers.flatMap(({ items }) => items).filter(isWanted))
  }

  /** A refs document, whole and with the SHA-256 that was asked for, or null if no peer has it. */
  async document(hash: string, length: number): Promise<Uint8Array | null> {
    const tried = new Set<TopicPeer>()
    do {
      for (const { peer } of this.#offers) {
        if (tried.has(peer)) continue
        tried.add(peer)
        const bytes = await this.#documentOf(peer, hash, length)
        if (bytes !== null) return bytes
      }
    } while (await this.more())
    return null
  }

  async #documentOf(peer: TopicPeer, hash: string, length: number): Promise<Uint8Array | null> {
    try {
      const bytes = await readDocument(peer, hash, length, this.#signal)
      if (createHash('sha256').update(bytes).digest('hex') === hash) return bytes
      peer.drop()
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      this.#trace(() => `refs document: ${error.message}`)
    }
    return null
  }
}

async function readDocument(peer: TopicPeer, hash: string, length: number, signal: AbortSignal): Promise<Uint8Array> {
  const pages: Uint8Array[] = []
  const options = { timeoutMs: REFS_TIMEOUT_MS, responseLengthMax: REFS_PAGE_LENGTH, signal }
  for (let offset = 0; offset < length; ) {
    const page = await peer.request(REFS_KIND, encodeRefsQuestion({ hash, offset }), options)
    if (page.length === 0) throw new NetError('message-malformed', 'refs document: expected a page, got nothing')
    pages.push(page)
    offset += page.length
  }
  return Buffer.concat(pages)
}

function distinct(items: readonly MutableItem[]): MutableItem[] {
  return [...new Map(items.map((item) => [Buffer.from(item.signature).toString('hex'), item])).values()]
}
