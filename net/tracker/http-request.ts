/**
 * Requests to our tracker over HTTP and the answers (BEP 3, BEP 7, BEP 23, scrape of BEP 48). Bytes only, no sockets.
 * Strict: a path of ours, each known key once, lengths and numbers as they must be. Unknown keys are ignored, and so are `ip`, `ipv4` and
 * `ipv6`: a peer is where it was seen. Answers are always compact, as BEP 23 allows.
 */
import { compactAddresses } from '../address.ts'
import { type Bencode, bencodeDict, encodeBencode, fromLatin1, latin1 } from '../bencode.ts'
import { NetError } from '../errors.ts'
import { TRACKER_INTERVAL_MS, TRACKER_SCRAPE_COUNT_MAX } from '../limits.ts'
import { INFOHASH_LENGTH } from '../torrent.ts'
import type { Answer, Counts } from './announced-peers.ts'
import { type AnnounceRequest, type ScrapeRequest, wantedCountOf } from './request.ts'

const EVENTS = new Set(['', 'started', 'completed', 'stopped', 'paused'])

function malformed(expected: string): NetError {
  return new NetError('message-malformed', `tracker request: expected ${expected}`)
}

/** Reads the target of a GET request: `/announce?…` or `/scrape?…`. @throws NetError message-malformed, message-limit */
export function parseHttpRequest(target: string): AnnounceRequest | ScrapeRequest {
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const query = parseQuery(mark < 0 ? '' : target.slice(mark + 1))
  if (path === '/announce') return announceOf(query)
  if (path !== '/scrape') throw malformed('/announce or /scrape')
  const infohashes = (query.get('info_hash') ?? []).map((bytes) => exactly(bytes, 'info_hash'))
  if (infohashes.length === 0) throw malformed('info_hash')
  if (infohashes.length > TRACKER_SCRAPE_COUNT_MAX)
    throw new NetError('message-limit', `tracker request: expected at most ${TRACKER_SCRAPE_COUNT_MAX} infohashes`)
  return { kind: 'scrape', infohashes }
}

function announceOf(query: ReadonlyMap<string, readonly string[]>): AnnounceRequest {
  const only = (name: string): string | undefined => {
    const values = query.get(name) ?? []
    if (values.length > 1) throw malformed(`one ${name}`)
    return values[0]
  }
  const event = only('event') ?? ''
  if (!EVENTS.has(event)) throw malformed('an event of BEP 3')
  const wanted = only('numwant')
  return {
    kind: 'announce',
    infohash: exactly(only('info_hash'), 'info_hash'),
    peerId: exactly(only('peer_id'), 'peer_id'),
    port: integer(only('port'), 'port', 65_535),
    seeding: integer(only('left') ?? '1', 'left', 2 ** 64) === 0,
    stopped: event === 'stopped',
    wantedCount: wantedCountOf(wanted === undefined || wanted === '-1' ? -1 : integer(wanted, 'numwant', 2 ** 31)),
  }
}

/** Values by key, percent-decoded to bytes written as latin1 text. */
function parseQuery(query: string): Map<string, string[]> {
  const values = new Map<string, string[]>()
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const [, key = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? []
    const known = values.get(percentDecoded(key)) ?? []
    known.push(percentDecoded(value))
    values.set(percentDecoded(key), known)
  }
  return values
}

function percentDecoded(text: string): string {
  if (/[^\x21-\x7e]|%(?![0-9a-fA-F]{2})/.test(text)) throw malformed('percent encoding')
  return text.replaceAll(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function exactly(value: string | undefined, name: string): Uint8Array {
  if (value?.length !== INFOHASH_LENGTH) throw malformed(`${INFOHASH_LENGTH} bytes of ${name}`)
  return fromLatin1(value)
}

function integer(value: string | undefined, name: string, max: number): number {
  const number = value !== undefined && /^\d{1,20}$/.test(value) ? Number(value) : -1
  if (number < 0 || number > max) throw malformed(`${name} of 0 to ${max}`)
  return number
}

/** The answer to an announcement. */
export function encodeHttpAnswer({ seederCount, leecherCount, peers }: Answer): Uint8Array {
  const { v4, v6 } = compactAddresses(peers)
  return encodeBencode(
    bencodeDict({
      complete: BigInt(seederCount),
      incomplete: BigInt(leecherCount),
      interval: BigInt(TRACKER_INTERVAL_MS / 1000),
      peers: v4,
      peers6: v6.length === 0 ? undefined : v6,
    }),
  )
}

/** The answer to a scrape, in which nobody counts downloads. */
export function encodeHttpScrape(infohashes: readonly Uint8Array[], counts: readonly Counts[]): Uint8Array {
  const files = infohashes.map((infohash, index): [string, Bencode] => {
    const { seederCount = 0, leecherCount = 0 } = counts[index] ?? {}
    const fields = { complete: BigInt(seederCount), downloaded: 0n, incomplete: BigInt(leecherCount) }
    return [latin1(infohash), bencodeDict(fields)]
  })
  return encodeBencode(bencodeDict({ files: new Map(files) }))
}

/** Why a request is refused, in the words of BEP 3. */
export function encodeHttpFailure(reason: string): Uint8Array {
  return encodeBencode(bencodeDict({ 'failure reason': fromLatin1(reason) }))
}
