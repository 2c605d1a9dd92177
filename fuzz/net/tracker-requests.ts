// Fuzz target: requests to our tracker; a first byte of 0 makes the rest a datagram, any other the target of a GET request.
// The latter may throw NetError only. What is understood is within bounds, and what a datagram gets before its sender has proved
// where he is is no longer than itself.
import { NetError } from '../../net/index.ts'
import { TRACKER_ANSWER_COUNT_MAX, TRACKER_SCRAPE_COUNT_MAX } from '../../net/limits.ts'
import { parseHttpRequest } from '../../net/tracker/http-request.ts'
import type { AnnounceRequest, ScrapeRequest } from '../../net/tracker/request.ts'
import { encodeUdpConnection, parseUdpRequest } from '../../net/tracker/udp-request.ts'

export function fuzz(bytes: Uint8Array): void {
  const rest = bytes.subarray(1)
  if (bytes[0] === 0) fuzzDatagram(rest)
  else fuzzTarget(Buffer.from(rest).toString('latin1'))
}

function fuzzDatagram(packet: Uint8Array): void {
  const request = parseUdpRequest(packet)
  if (request === null) return
  const { transaction, connectionId, asks } = request
  if (transaction.length !== 4) throw new Error('a transaction of another length')
  if ((connectionId === null) !== (asks === null)) throw new Error('asks without having proved anything')
  if (encodeUdpConnection(transaction, new Uint8Array(8)).length > packet.length) throw new Error('more than was sent')
  if (asks !== null) check(asks)
}

function fuzzTarget(target: string): void {
  try {
    check(parseHttpRequest(target))
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

function check(asks: AnnounceRequest | ScrapeRequest): void {
  const infohashes = asks.kind === 'scrape' ? asks.infohashes : [asks.infohash, asks.peerId]
  if (infohashes.length > TRACKER_SCRAPE_COUNT_MAX || infohashes.length === 0) throw new Error('another count')
  if (!infohashes.every(({ length }) => length === 20)) throw new Error('an infohash of another length')
  if (asks.kind === 'scrape') return
  const { port, wantedCount } = asks
  const isWithin = port >= 0 && port <= 65_535 && wantedCount >= 0 && wantedCount <= TRACKER_ANSWER_COUNT_MAX
  if (!isWithin || !Number.isInteger(port + wantedCount)) throw new Error('numbers out of bounds')
}

export function seeds(): Uint8Array[] {
  const hash = '%aa'.repeat(20)
  const [connectionId, transaction, infohash] = ['0102030405060708', '61626364', 'aa'.repeat(20)]
  const announcement = `${infohash}${infohash}${'0'.repeat(48)}00000002${'0'.repeat(16)}ffffffff1b59`
  return [
    `/announce?info_hash=${hash}&peer_id=aaaaaaaaaaaaaaaaaaaa&port=7001&left=0&event=started&numwant=50&compact=1`,
    `/scrape?info_hash=${hash}&info_hash=aaaaaaaaaaaaaaaaaaaa`,
  ]
    .map((target) => Buffer.from(` ${target}`))
    .concat(
      [
        `000000041727101980${'00000000'}${transaction}`,
        `00${connectionId}00000001${transaction}${announcement}`,
        `00${connectionId}00000002${transaction}${infohash}${infohash}`,
      ].map((packet) => Buffer.from(packet, 'hex')),
    )
}

export const dictionary = [
  '/announce?',
  '/scrape?',
  '&info_hash=',
  '&peer_id=',
  '&port=',
  '&numwant=-1',
  '%00',
  '\0\0\x04\x17\x27\x10\x19\x80',
]
