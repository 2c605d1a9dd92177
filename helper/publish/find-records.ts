/**
 * Asks the network for a publisher's records: peers of the topic first (they need no DHT, and have everything at once),
 * then the DHT by target. Nothing is judged here; items are genuine, and of whom they say. A peer that does not answer,
 * or sends what is no answer, is passed over.
 */
import { createHash } from 'node:crypto'
import { itemTarget, type MutableItem, type Net, NetError, type Topic, type TopicPeer } from '../../net/index.ts'
import { HelperError, messageOf } from '../errors.ts'
import { RECORDS_ANSWER_COUNT_MAX, REFS_PAGE_LENGTH, REFS_PEER_COUNT_MAX, REFS_TIMEOUT_MS } from '../limits.ts'
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
  readonly #trace: Trace
  #offers: readonly PeerOffer[] = []

  constructor(net: Net, trace: Trace) {
    this.#net = net
    this.#trace = trace
  }

  get offers(): readonly PeerOffer[] {
    return this.#offers
  }

  /** Waits for a peer of the topic and asks those that are there. */
  async askPeers(topic: Topic, waitMs: number, signal: AbortSignal): Promise<void> {
    await topic.waitForPeer({ timeoutMs: waitMs, signal })
    const peers = topic.peers().slice(0, REFS_PEER_COUNT_MAX)
    const options = { timeoutMs: REFS_TIMEOUT_MS, responseLengthMax: ANSWER_LENGTH_MAX, signal }
    const offers = await Promise.all(
      peers.map(async (peer) => {
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
  async document(hash: string, length: number, signal: AbortSignal): Promise<Uint8Array | null> {
    for (const { peer } of this.#offers) {
      try {
        const bytes = await readDocument(peer, hash, length, signal)
        if (createHash('sha256').update(bytes).digest('hex') === hash) return bytes
        peer.drop()
      } catch (error) {
        if (!(error instanceof NetError)) throw error
        this.#trace(() => `refs document: ${error.message}`)
      }
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
