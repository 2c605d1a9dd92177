/**
 * `range`: parts of seeded torrents over a topic connection that is open already (PROTOCOL.md section 6).
 * Small payloads travel so, because a swarm of their own costs a connection. The asker checks the bytes himself:
 * nothing here proves them.
 */
import { asBytes, asDict, asInteger, bencodeDict, decodeBencode, encodeBencode } from './bencode.ts'
import { NetError } from './errors.ts'
import { RANGE_LENGTH_MAX, RANGE_PARALLEL_COUNT } from './limits.ts'
import type { TopicPeer } from './topic-peer.ts'
import { INFOHASH_LENGTH } from './torrent.ts'

export const KIND_RANGE = 'range'

export interface RangeQuestion {
  readonly infohash: Uint8Array
  readonly offset: number
  readonly length: number
}

/** The payload of a `range` question. */
export function encodeRangeQuestion(question: RangeQuestion): Uint8Array {
  return encodeBencode(bencodeDict({ h: question.infohash, n: BigInt(question.length), o: BigInt(question.offset) }))
}

/**
 * Reads the payload of a `range` question.
 * @throws NetError message-malformed
 */
export function decodeRangeQuestion(payload: Uint8Array): RangeQuestion {
  const dict = asDict(decodeBencode(payload))
  const infohash = asBytes(dict?.get('h'), INFOHASH_LENGTH, INFOHASH_LENGTH)
  const offset = asInteger(dict?.get('o'), 0, Number.MAX_SAFE_INTEGER - RANGE_LENGTH_MAX)
  const length = asInteger(dict?.get('n'), 1, RANGE_LENGTH_MAX)
  if (infohash === null || offset === null || length === null) {
    throw new NetError('message-malformed', 'range: expected infohash, offset and length within bounds')
  }
  return { infohash, offset, length }
}

export interface FetchRangeOptions {
  /** Milliseconds for each part of at most RANGE_LENGTH_MAX bytes. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

async function fetchPart(peer: TopicPeer, question: RangeQuestion, options: FetchRangeOptions): Promise<Uint8Array> {
  const bytes = await peer.request(KIND_RANGE, encodeRangeQuestion(question), {
    timeoutMs: options.timeoutMs,
    responseLengthMax: question.length,
    signal: options.signal,
  })
  if (bytes.length === question.length) return bytes
  throw new NetError('message-malformed', `range: expected ${question.length} bytes, got ${bytes.length}`)
}

/**
 * Fetches `length` bytes at `offset` of a torrent that `peer` seeds, in parts, a few at once. Unverified.
 * @throws NetError as TopicPeer.request, message-malformed
 */
export async function fetchRange(
  peer: TopicPeer,
  question: RangeQuestion,
  options: FetchRangeOptions,
): Promise<Uint8Array> {
  const whole = new Uint8Array(question.length)
  let next = 0
  const work = async (): Promise<void> => {
    while (next < question.length) {
      const at = next
      const length = Math.min(RANGE_LENGTH_MAX, question.length - at)
      next += length
      whole.set(await fetchPart(peer, { ...question, offset: question.offset + at, length }, options), at)
    }
  }
  await Promise.all(Array.from({ length: RANGE_PARALLEL_COUNT }, work))
  return whole
}
