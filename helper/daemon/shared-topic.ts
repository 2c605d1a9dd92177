/**
 * Topics of a daemon that keeps several clones of one origin: a topic is joined once per net, so the clones share it. The
 * one whose chains changed last answers first; another one does where that refuses (another object format).
 * A topic is public as soon as one of its clones is, and then only those that are public answer on it.
 */
import { type Net, Refusal, type Topic, type TopicHandlers } from '../../net/index.ts'

export interface TopicOffer {
  readonly handlers: TopicHandlers
  /** Whether strangers may hear of it. */
  readonly isPublic: boolean
}

interface Shared {
  topic: Topic
  isPublic: boolean
  /** The newest last. */
  readonly offers: Map<object, TopicOffer>
}

export class SharedTopics {
  readonly #net: Net
  readonly #shared = new Map<string, Shared>()

  constructor(net: Net) {
    this.#net = net
  }

  /** Lets `owner` answer on a topic, or answer differently from now on. */
  offer(infohash: Uint8Array, owner: object, offer: TopicOffer): void {
    const key = Buffer.from(infohash).toString('hex')
    const known = this.#shared.get(key)
    if (known === undefined) {
      const offers = new Map([[owner, offer]])
      const { isPublic } = offer
      this.#shared.set(key, { topic: this.#join(infohash, offers, isPublic), isPublic, offers })
      return
    }
    known.offers.delete(owner)
    known.offers.set(owner, offer)
    this.#setPublic(infohash, known)
  }

  /** The topic that `owner` is on, null if none. */
  topicOf(infohash: Uint8Array, owner: object): Topic | null {
    const shared = this.#shared.get(Buffer.from(infohash).toString('hex'))
    return shared?.offers.has(owner) === true ? shared.topic : null
  }

  /** Takes the owner's answers back; the topic is left with its last owner. */
  async withdraw(infohash: Uint8Array, owner: object): Promise<void> {
    const key = Buffer.from(infohash).toString('hex')
    const shared = this.#shared.get(key)
    if (shared === undefined || !shared.offers.delete(owner)) return
    if (shared.offers.size > 0) return this.#setPublic(infohash, shared)
    this.#shared.delete(key)
    await shared.topic.close()
  }

  /** Joins anew when the offers have become more or less public. */
  #setPublic(infohash: Uint8Array, shared: Shared): void {
    const isPublic = [...shared.offers.values()].some((offer) => offer.isPublic)
    if (isPublic === shared.isPublic) return
    shared.isPublic = isPublic
    // Leaving frees the name at once; the farewells take their time.
    shared.topic.close().catch(() => {})
    shared.topic = this.#join(infohash, shared.offers, isPublic)
  }

  /** Leaves and joins every topic, so that all is announced anew. */
  announceAgain(): void {
    for (const [key, shared] of this.#shared) {
      shared.topic.close().catch(() => {})
      shared.topic = this.#join(Buffer.from(key, 'hex'), shared.offers, shared.isPublic)
    }
  }

  #join(infohash: Uint8Array, offers: ReadonlyMap<object, TopicOffer>, isPublic: boolean): Topic {
    const onRequest: TopicHandlers['onRequest'] = async (...question) => {
      let refusal = new Refusal('not-found')
      for (const offer of [...offers.values()].reverse()) {
        if (isPublic && !offer.isPublic) continue
        try {
          return await offer.handlers.onRequest(...question)
        } catch (error) {
          if (!(error instanceof Refusal)) throw error
          refusal = error
        }
      }
      throw refusal
    }
    return this.#net.joinTopic(infohash, { onRequest }, { announce: true, isPublic })
  }
}
