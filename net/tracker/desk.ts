/**
 * Judges what is asked of our tracker, whichever way it came: how often one may ask, what may be asked about, and what is answered.
 */
import { type Address, ownerOf } from '../address.ts'
import { TRACKER_BURST_COUNT, TRACKER_RATE_PER_S, TRACKER_SOURCE_COUNT_MAX } from '../limits.ts'
import { KeyedBuckets } from '../rate.ts'
import { AnnouncedPeers, type Answer, type Counts } from './announced-peers.ts'
import type { AnnounceRequest, ScrapeRequest } from './request.ts'

/** One who asks. */
export interface Asker {
  /** Where he was seen. */
  readonly from: Address
  /** Our own address as he dialled it; null where that is not known. */
  readonly reachedAt: string | null
  /** The only addresses that he can be told; null: all. */
  readonly onlyFamily: 4 | 6 | null
}

export class Desk {
  readonly #isAllowed: (infohashHex: string) => boolean
  readonly #peers = new AnnouncedPeers()
  readonly #rates = new KeyedBuckets(TRACKER_RATE_PER_S, TRACKER_BURST_COUNT, TRACKER_SOURCE_COUNT_MAX)

  constructor(isAllowed: (infohashHex: string) => boolean) {
    this.#isAllowed = isAllowed
  }

  /** False if this host has asked too often. */
  admits({ from }: Asker): boolean {
    return this.#rates.take(ownerOf(from))
  }

  /** The answer to an announcement; null if nobody may meet about this infohash here. */
  announce(request: AnnounceRequest, { from, reachedAt, onlyFamily }: Asker): Answer | null {
    const { peerId, port, seeding, stopped, wantedCount } = request
    const infohashHex = hexOf(request.infohash)
    if (!this.#isAllowed(infohashHex)) return null
    return this.#peers.announce({
      infohashHex,
      peerIdHex: hexOf(peerId),
      address: { host: from.host, port },
      owner: ownerOf(from),
      seeding,
      stopped,
      wantedCount,
      onlyFamily,
      reachedAt,
    })
  }

  /** How many are there for each infohash, nobody for those that are not let in. */
  counts({ infohashes }: ScrapeRequest): Counts[] {
    return infohashes.map(hexOf).map((infohashHex) => {
      return this.#isAllowed(infohashHex) ? this.#peers.counts(infohashHex) : { seederCount: 0, leecherCount: 0 }
    })
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
