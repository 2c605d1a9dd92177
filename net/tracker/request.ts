/**
 * What is asked of our tracker, whichever way it comes: an announcement (BEP 3), or how many are there (scrape, BEP 48).
 */
import { TRACKER_ANSWER_COUNT_DEFAULT, TRACKER_ANSWER_COUNT_MAX } from '../limits.ts'

export interface AnnounceRequest {
  readonly kind: 'announce'
  readonly infohash: Uint8Array
  readonly peerId: Uint8Array
  /** 0 to 65,535. */
  readonly port: number
  readonly seeding: boolean
  readonly stopped: boolean
  /** Peers that are wanted at most, within our own bounds. */
  readonly wantedCount: number
}

export interface ScrapeRequest {
  readonly kind: 'scrape'
  readonly infohashes: readonly Uint8Array[]
}

/** Peers that an asker gets at most; a negative number means that he did not say. */
export function wantedCountOf(wanted: number): number {
  return wanted < 0 ? TRACKER_ANSWER_COUNT_DEFAULT : Math.min(wanted, TRACKER_ANSWER_COUNT_MAX)
}
