/**
 * Datagrams to our tracker and the answers (BEP 15, with scrape). Bytes only, no sockets.
 * What is too short, or no request, is nothing: it gets no answer. Bytes behind an announcement (BEP 41) are ignored, and so is the
 * address in it: a peer is where it was seen. No answer is longer than what the least IPv6 path carries.
 */
import { COMPACT_V4_LENGTH, COMPACT_V6_LENGTH, compactAddresses } from '../address.ts'
import { concatBytes, fromLatin1 } from '../bencode.ts'
import { TRACKER_INTERVAL_MS, TRACKER_SCRAPE_COUNT_MAX } from '../limits.ts'
import { INFOHASH_LENGTH } from '../torrent.ts'
import type { Answer, Counts } from './announced-peers.ts'
import { type AnnounceRequest, type ScrapeRequest, wantedCountOf } from './request.ts'

const MAGIC = 0x41727101980n
const ACTION = { connect: 0, announce: 1, scrape: 2, error: 3 } as const
const EVENT_STOPPED = 3
const HEAD_LENGTH = 16
const ANNOUNCE_LENGTH = 98
/** 1,280 bytes (RFC 8200, section 5) without the headers of IPv6 and UDP. */
const DATAGRAM_LENGTH_MAX = 1_232
const ANSWER_HEAD_LENGTH = 20

export interface UdpRequest {
  /** 4 bytes that the answer repeats. */
  readonly transaction: Uint8Array
  /** 8 bytes, to be checked by the caller; null where one is asked for. */
  readonly connectionId: Uint8Array | null
  readonly asks: AnnounceRequest | ScrapeRequest | null
}

/** Reads a datagram; null if it is no request. */
export function parseUdpRequest(packet: Uint8Array): UdpRequest | null {
  if (packet.length < HEAD_LENGTH) return null
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  const transaction = packet.slice(12, HEAD_LENGTH)
  const action = view.getUint32(8)
  if (action === ACTION.connect)
    return view.getBigUint64(0) === MAGIC ? { transaction, connectionId: null, asks: null } : null
  const asks =
    action === ACTION.announce ? announceOf(packet, view) : action === ACTION.scrape ? scrapeOf(packet) : null
  return asks === null ? null : { transaction, connectionId: packet.slice(0, 8), asks }
}

function announceOf(packet: Uint8Array, view: DataView): AnnounceRequest | null {
  if (packet.length < ANNOUNCE_LENGTH) return null
  return {
    kind: 'announce',
    infohash: packet.slice(16, 36),
    peerId: packet.slice(36, 56),
    seeding: view.getBigUint64(64) === 0n,
    stopped: view.getUint32(80) === EVENT_STOPPED,
    wantedCount: wantedCountOf(view.getInt32(92)),
    port: view.getUint16(96),
  }
}

function scrapeOf(packet: Uint8Array): ScrapeRequest | null {
  const count = (packet.length - HEAD_LENGTH) / INFOHASH_LENGTH
  if (!Number.isInteger(count) || count < 1 || count > TRACKER_SCRAPE_COUNT_MAX) return null
  const infohashes = Array.from({ length: count }, (_, index) => {
    const at = HEAD_LENGTH + index * INFOHASH_LENGTH
    return packet.slice(at, at + INFOHASH_LENGTH)
  })
  return { kind: 'scrape', infohashes }
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4)
  return bytes
}

/** The answer to one who asks for a connection id. */
export function encodeUdpConnection(transaction: Uint8Array, connectionId: Uint8Array): Uint8Array {
  return concatBytes([words(ACTION.connect), transaction, connectionId])
}

/** The answer to an announcement, with those peers that are of the asker's family. */
export function encodeUdpAnswer(transaction: Uint8Array, answer: Answer, family: 4 | 6): Uint8Array {
  const { v4, v6 } = compactAddresses(answer.peers)
  const [peers, entryLength] = family === 4 ? [v4, COMPACT_V4_LENGTH] : [v6, COMPACT_V6_LENGTH]
  const countMax = Math.floor((DATAGRAM_LENGTH_MAX - ANSWER_HEAD_LENGTH) / entryLength)
  const head = words(TRACKER_INTERVAL_MS / 1000, answer.leecherCount, answer.seederCount)
  return concatBytes([words(ACTION.announce), transaction, head, peers.subarray(0, countMax * entryLength)])
}

/** The answer to a scrape, in which nobody counts downloads. */
export function encodeUdpScrape(transaction: Uint8Array, counts: readonly Counts[]): Uint8Array {
  const rows = counts.map(({ seederCount, leecherCount }) => words(seederCount, 0, leecherCount))
  return concatBytes([words(ACTION.scrape), transaction, ...rows])
}

/** Why a request is refused. */
export function encodeUdpFailure(transaction: Uint8Array, reason: string): Uint8Array {
  return concatBytes([words(ACTION.error), transaction, fromLatin1(reason)])
}
