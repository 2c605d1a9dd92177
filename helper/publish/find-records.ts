/**
 * Asks the network for a publisher's records: peers of the topic first (they need no DHT, and have everything at once),
 * then the DHT by target. Nothing is judged here; items are genuine, and of whom they say. A peer that does not answer,
 * sends what is no answer, or knows nothing of the key, is passed over and takes nobody's place.
 */
import { createHash } from 'node:crypto'
import { itemTarget, type MutableItem, type Net, NetError, type Topic, type TopicPeer } from '../../net/index.ts'
import { HelperError, messageOf } from '../errors.ts'
import { RANGE_ALIVE_LENGTH, RANGE_PATIENCE_MS, SOURCE_GRACE_MS } from '../limits.ts'
import { raceOfPeers } from '../share/supply/race-of-peers.ts'
import type { Trace } from '../trace.ts'
import {
  FURTHER_PEER_WAIT_MS,
  LATE_PEER_WAIT_MS,
  PEER_POLL_MS,
  RECORDS_ANSWER_COUNT_MAX,
  RECORDS_TIMEOUT_MS,
  REFS_PAGE_LENGTH,
  REFS_PEER_ALL_COUNT_MAX,
  REFS_PEER_COUNT_MAX,
  REFS_TIMEOUT_MS,
} from './limits.ts'
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
  readonly #isOfPublisher: (item: MutableItem) => boolean
  readonly #asked = new Set<string>()
  /** Questions that are not answered yet. */
  readonly #open = new Set<Promise<void>>()
  #waitedMs = 0
  #offers: readonly PeerOffer[] = []

  /** @param isOfPublisher true for items of the key itself, which only those have who know something */
  constructor(
    net: Net,
    topic: Topic,
    trace: Trace,
    signal: AbortSignal,
    isOfPublisher: (item: MutableItem) => boolean,
  ) {
    this.#isOfPublisher = isOfPublisher
    this.#net = net
    this.#topic = topic
    this.#trace = trace
    this.#signal = signal
  }

  get offers(): readonly PeerOffer[] {
    return this.#offers
  }

  /** Waits for a peer of the topic and asks those that are there, until one knows something and others had a moment. */
  async askPeers(waitMs: number): Promise<void> {
    await this.#topic.waitForPeer({ timeoutMs: waitMs, signal: this.#signal })
    await this.#untilOffered(0)
  }

  /**
   * Asks peers that have come since, and waits for one while patience lasts: long where nobody is there at all, for a publisher
   * who has just announced, short where somebody is. False if none came.
   */
  async more(): Promise<boolean> {
    const before = this.#offers.length
    while (!this.#signal.aborted && before < REFS_PEER_COUNT_MAX) {
      await this.#untilOffered(before)
      if (this.#offers.length > before) return true
      if (this.#waitedMs > (before > 0 ? FURTHER_PEER_WAIT_MS : LATE_PEER_WAIT_MS)) return false
      const startedMs = performance.now()
      // Looks again when the last look is old.
      if (this.#topic.peers().length === 0)
        await this.#topic.waitForPeer({ timeoutMs: PEER_POLL_MS, signal: this.#signal })
      await pause(PEER_POLL_MS)
      this.#waitedMs += performance.now() - startedMs
    }
    return false
  }

  /** Asks who is there; waits until there are more than `count` offers and others had a moment, or nobody is left to answer. */
  async #untilOffered(count: number): Promise<void> {
    for (;;) {
      for (const peer of this.#unasked()) {
        const asking = this.#ask(peer).finally(() => this.#open.delete(asking))
        this.#open.add(asking)
      }
      if (this.#open.size === 0 || this.#signal.aborted) return
      if (this.#offers.length > count) {
        await Promise.race([Promise.all(this.#open), pause(SOURCE_GRACE_MS)])
        return
      }
      // Peers may come while those that are there are silent.
      await Promise.race([...this.#open, pause(PEER_POLL_MS)])
    }
  }

  #unasked(): TopicPeer[] {
    const peers = this.#topic.peers().filter(({ id }) => !this.#asked.has(id))
    return this.#offers.length < REFS_PEER_COUNT_MAX ? peers.slice(0, REFS_PEER_ALL_COUNT_MAX - this.#asked.size) : []
  }

  async #ask(peer: TopicPeer): Promise<void> {
    const options = { timeoutMs: RECORDS_TIMEOUT_MS, responseLengthMax: ANSWER_LENGTH_MAX, signal: this.#signal }
    this.#asked.add(peer.id)
    try {
      const items = decodeRecordsAnswer(await peer.request(REFS_KIND, encodeRefsQuestion(null), options))
      if (items.some(this.#isOfPublisher)) this.#offers = [...this.#offers, { peer, items }]
    } catch (error) {
      this.#trace(() => `refs of ${peer.remote.host}:${peer.remote.port}: ${messageOf(error)}`)
      if (error instanceof HelperError) peer.drop()
    }
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
  document(hash: string, length: number): Promise<Uint8Array | null> {
    const tried = new Set<TopicPeer>()
    return raceOfPeers({
      next: async () => {
        do {
          const offer = this.#offers.find(({ peer }) => !tried.has(peer))
          if (offer === undefined) continue
          tried.add(offer.peer)
          return offer.peer
        } while (await this.more())
        return null
      },
      attempt: (peer, signal) => this.#documentOf(peer, hash, length, signal),
      patienceMs: RANGE_PATIENCE_MS,
      aliveLength: RANGE_ALIVE_LENGTH,
      signal: this.#signal,
    })
  }

  async #documentOf(peer: TopicPeer, hash: string, length: number, signal: AbortSignal): Promise<Uint8Array> {
    try {
      const bytes = await readDocument(peer, hash, length, signal)
      if (createHash('sha256').update(bytes).digest('hex') === hash) return bytes
      peer.drop()
      throw new NetError('message-malformed', 'refs document: expected another SHA-256')
    } catch (error) {
      this.#trace(() => `refs document of ${peer.remote.host}:${peer.remote.port}: ${messageOf(error)}`)
      throw error
    }
  }
}

async function readDocument(peer: TopicPeer, hash: string, length: number, signal: AbortSignal): Promise<Uint8Array> {
  const pages: Uint8Array[] = []
  const options = { timeoutMs: REFS_TIMEOUT_MS, responseLengthMax: REFS_PAGE_LENGTH, signal }
  for (let offset = 0; offset < length; ) {
    const page = await peer.request(REFS_KIND, encodeRefsQuestion({ hash, offset }), options)
    // Shorter ones would turn one document into as many questions as it has bytes.
    const expected = Math.min(REFS_PAGE_LENGTH, length - offset)
    if (page.length !== expected)
      throw new NetError('message-malformed', `refs document: expected a page of ${expected} bytes, got ${page.length}`)
    pages.push(page)
    offset += page.length
  }
  return Buffer.concat(pages)
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}

function distinct(items: readonly MutableItem[]): MutableItem[] {
  return [...new Map(items.map((item) => [Buffer.from(item.signature).toString('hex'), item])).values()]
}
