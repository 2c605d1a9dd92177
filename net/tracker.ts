/**
 * Asking a tracker for peers of an infohash and telling it about us: HTTP (BEP 3, 7, 23) and UDP (BEP 15), IPv4 and IPv6.
 * Own code in place of bittorrent-tracker's client, which reads answers without bound and dies of a body that breaks off.
 * One call is one announce: the caller decides when to come back. No redirects, no scrape, no WebSocket.
 */

import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import dns from 'node:dns'
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import {
  type Address,
  COMPACT_V4_LENGTH,
  COMPACT_V6_LENGTH,
  expandAddresses,
  isDialable,
  plainHost,
} from './address.ts'
import { asBytes, asDict, asInteger, asList, concatBytes, decodeBencode, latin1 } from './bencode.ts'
import { NetError } from './errors.ts'
import { LOOKUP_ADDRESS_COUNT_MAX, TRACKER_ANSWER_LENGTH_MAX, TRACKER_RESEND_MS, TRACKER_TIMEOUT_MS } from './limits.ts'

export interface AnnounceOptions {
  readonly infohash: Uint8Array
  readonly peerId: Uint8Array
  /** TCP port that peers may dial; null if nobody can, then port 1 is told and the tracker asked to forget us soon. */
  readonly port: number | null
  readonly event: 'started' | 'stopped' | null
  /** True if we have everything. */
  readonly seeding: boolean
  readonly signal: AbortSignal
}

/** Told when nobody can dial us, because trackers refuse port 0; skipped in answers. */
const NO_PORT = 1

/** True if `url` names a tracker of a kind that is spoken here. */
export function isTrackerUrl(url: string): boolean {
  return URL.canParse(url) && ['http:', 'https:', 'udp:'].includes(new URL(url).protocol)
}

/** Host of a tracker, for its address class. */
export function trackerHost(url: string): string {
  // WHATWG parses the host of an unknown scheme loosely, so borrow http's rules
  return new URL(url.replace(/^udp:/, 'http:')).hostname.replace(/^\[|\]$/g, '')
}

/**
 * Announces once and returns the peers that the tracker names.
 * @throws NetError timeout, aborted, message-malformed, message-limit, peer-refused, peer-gone
 */
export async function announceToTracker(url: string, options: AnnounceOptions): Promise<Address[]> {
  const timeout = AbortSignal.timeout(TRACKER_TIMEOUT_MS)
  const signal = AbortSignal.any([options.signal, timeout])
  try {
    return await (url.startsWith('udp:') ? announceByUdp(url, options, signal) : announceByHttp(url, options, signal))
  } catch (error) {
    if (options.signal.aborted) throw new NetError('aborted', `tracker ${url}: aborted`)
    if (timeout.aborted) throw new NetError('timeout', `tracker ${url}: expected an answer in ${TRACKER_TIMEOUT_MS} ms`)
    if (error instanceof NetError) throw error
    throw new NetError(
      'peer-gone',
      `tracker ${url}: ${error instanceof Error ? error.message : String(error)}`,
      {},
      error,
    )
  }
}

function percentEncoded(bytes: Uint8Array): string {
  return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}

function httpQuery(url: string, options: AnnounceOptions): URL {
  const query = [
    `info_hash=${percentEncoded(options.infohash)}`,
    `peer_id=${percentEncoded(options.peerId)}`,
    `port=${options.port ?? NO_PORT}`,
    'uploaded=0',
    'downloaded=0',
    `left=${options.seeding ? 0 : 1}`,
    'compact=1',
    `numwant=${options.event === 'stopped' ? 0 : LOOKUP_ADDRESS_COUNT_MAX}`,
    ...(options.event === null ? [] : [`event=${options.event}`]),
  ].join('&')
  return new URL(`${url}${url.includes('?') ? '&' : '?'}${query}`)
}

async function announceByHttp(url: string, options: AnnounceOptions, signal: AbortSignal): Promise<Address[]> {
  const body = await fetchBytes(httpQuery(url, options), signal)
  return parseTrackerAnswer(body)
}

function fetchBytes(url: URL, signal: AbortSignal): Promise<Uint8Array> {
  const get = url.protocol === 'https:' ? httpsGet : httpGet
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, agent: false, headers: { connection: 'close' } }, (response) => {
      const parts: Uint8Array[] = []
      let length = 0
      response.on('error', reject)
      response.on('data', (part: Uint8Array) => {
        length += part.length
        parts.push(part)
        if (length > TRACKER_ANSWER_LENGTH_MAX) {
          request.destroy(new NetError('message-limit', `tracker: more than ${TRACKER_ANSWER_LENGTH_MAX} bytes`))
        }
      })
      response.on('end', () => {
        if (response.statusCode === 200) resolve(concatBytes(parts))
        else reject(new NetError('peer-refused', `tracker: HTTP status ${response.statusCode}`, { reason: 'http' }))
      })
    })
    request.on('error', reject)
  })
}

function compactList(bytes: Uint8Array, entryLength: number): Address[] {
  return expandAddresses(bytes, entryLength).filter(({ port }) => port !== NO_PORT)
}

/**
 * The peers in an HTTP tracker's answer, compact or as dictionaries.
 * @throws NetError message-malformed, peer-refused (the tracker gave a failure reason)
 */
export function parseTrackerAnswer(body: Uint8Array): Address[] {
  const answer = asDict(decodeBencode(body, { canonical: false }))
  if (answer === null) throw new NetError('message-malformed', 'tracker: expected a dictionary')
  if (answer.has('failure reason'))
    throw new NetError('peer-refused', 'tracker: it gave a failure', { reason: 'failure' })
  const addresses: Address[] = []
  for (const entry of asList(answer.get('peers')) ?? []) {
    const host = asBytes(asDict(entry)?.get('ip'), 1, 45)
    const port = asInteger(asDict(entry)?.get('port'), NO_PORT + 1, 65535)
    if (host === null || port === null) continue
    const address = { host: plainHost(latin1(host)), port }
    if (isDialable(address)) addresses.push(address)
  }
  const compact = asBytes(answer.get('peers'), 0, TRACKER_ANSWER_LENGTH_MAX)
  if (compact !== null) addresses.push(...compactList(compact, COMPACT_V4_LENGTH))
  const compact6 = asBytes(answer.get('peers6'), 0, TRACKER_ANSWER_LENGTH_MAX)
  if (compact6 !== null) addresses.push(...compactList(compact6, COMPACT_V6_LENGTH))
  return addresses.slice(0, LOOKUP_ADDRESS_COUNT_MAX)
}

const UDP_MAGIC = 0x41727101980n
const ACTION = { connect: 0, announce: 1, error: 3 } as const
const UDP_EVENT = { none: 0, started: 2, stopped: 3 } as const

function connectRequest(transaction: Uint8Array): Buffer {
  const packet = Buffer.alloc(16)
  packet.writeBigUInt64BE(UDP_MAGIC, 0)
  packet.writeUInt32BE(ACTION.connect, 8)
  packet.set(transaction, 12)
  return packet
}

function announceRequest(connectionId: Uint8Array, transaction: Uint8Array, options: AnnounceOptions): Buffer {
  const packet = Buffer.alloc(98)
  packet.set(connectionId, 0)
  packet.writeUInt32BE(ACTION.announce, 8)
  packet.set(transaction, 12)
  packet.set(options.infohash, 16)
  packet.set(options.peerId, 36)
  packet.writeBigUInt64BE(options.seeding ? 0n : 1n, 64)
  packet.writeUInt32BE(UDP_EVENT[options.event ?? 'none'], 80)
  packet.set(randomBytes(4), 88)
  packet.writeInt32BE(options.event === 'stopped' ? 0 : LOOKUP_ADDRESS_COUNT_MAX, 92)
  packet.writeUInt16BE(options.port ?? NO_PORT, 96)
  return packet
}

/** What one datagram of a UDP tracker says; null if it is none of this transaction's. @param family of the tracker's address, and of the peers that it names */
export function parseUdpTrackerAnswer(
  packet: Uint8Array,
  transaction: Uint8Array,
  family: 4 | 6,
): { connectionId: Uint8Array } | { peers: Address[] } | { failed: true } | null {
  if (packet.length < 8 || Buffer.compare(packet.subarray(4, 8), transaction) !== 0) return null
  const action = new DataView(packet.buffer, packet.byteOffset, 4).getUint32(0)
  if (action === ACTION.connect && packet.length >= 16) return { connectionId: packet.slice(8, 16) }
  if (action === ACTION.announce && packet.length >= 20) {
    const peers = compactList(packet.subarray(20), family === 4 ? COMPACT_V4_LENGTH : COMPACT_V6_LENGTH)
    return { peers: peers.slice(0, LOOKUP_ADDRESS_COUNT_MAX) }
  }
  return action === ACTION.error ? { failed: true } : null
}

/** The first address of each family that a host has. */
function addressesOf(host: string): Promise<{ host: string; family: 4 | 6 }[]> {
  return new Promise((resolve, reject) => {
    dns.lookup(host, { all: true }, (error, found) => {
      if (error !== null) return reject(error)
      const firstOf = (family: 4 | 6): { host: string; family: 4 | 6 }[] => {
        const first = found.find((address) => address.family === family)
        return first === undefined ? [] : [{ host: first.address, family }]
      }
      resolve([...firstOf(4), ...firstOf(6)])
    })
  })
}

/** Asks under both families where a tracker has two; the first answer counts. */
async function announceByUdp(url: string, options: AnnounceOptions, signal: AbortSignal): Promise<Address[]> {
  const port = Number(new URL(url.replace(/^udp:/, 'http:')).port || 80)
  const done = new AbortController()
  const ending = AbortSignal.any([signal, done.signal])
  const aborted = new Promise<never>((_, reject) => {
    ending.addEventListener('abort', () => reject(new NetError('aborted', `tracker ${url}: aborted`)), { once: true })
  })
  aborted.catch(() => {})
  try {
    const addresses = await Promise.race([addressesOf(trackerHost(url)), aborted])
    const asked = addresses.map(({ host, family }) => exchange(host, port, family, options, aborted))
    return await Promise.any(asked)
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error
  } finally {
    done.abort()
  }
}

/** Connects, so that the system tells when nobody is there, and announces under the connection id that comes back. */
async function exchange(
  host: string,
  port: number,
  family: 4 | 6,
  options: AnnounceOptions,
  aborted: Promise<never>,
): Promise<Address[]> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  const transaction = randomBytes(4)
  let packet = connectRequest(transaction)
  let resend: NodeJS.Timeout | undefined
  const answered = new Promise<Address[]>((resolve, reject) => {
    const send = (): void => socket.send(packet, (error) => error !== null && reject(error))
    socket.on('error', reject)
    socket.on('message', (bytes) => {
      const answer = parseUdpTrackerAnswer(bytes, transaction, family)
      if (answer === null) return
      if ('peers' in answer) resolve(answer.peers)
      else if ('failed' in answer) reject(new NetError('peer-refused', 'tracker: error', { reason: 'failure' }))
      else {
        packet = announceRequest(answer.connectionId, transaction, options)
        send()
      }
    })
    socket.once('connect', () => {
      resend = setInterval(send, TRACKER_RESEND_MS)
      send()
    })
    socket.connect(port, host)
  })
  try {
    return await Promise.race([answered, aborted])
  } finally {
    clearInterval(resend)
    socket.removeAllListeners('connect')
    socket.close()
  }
}
