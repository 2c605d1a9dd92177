/**
 * DNS messages (RFC 1035, EDNS of RFC 6891) as far as a TXT look-up needs them: one question out, strings and the
 * AD flag (RFC 4035: the resolver has validated DNSSEC) back. Node's own resolver hides that flag. Pure, bounded, no recursion.
 */
import { HelperError } from '../errors.ts'

export interface TxtAnswer {
  /** The character strings of each TXT record joined, in the order of the answer. */
  readonly texts: readonly string[]
  /** The resolver says that DNSSEC vouches for the answer. */
  readonly isAuthenticated: boolean
  /** Seconds that the answer may be kept, the least of all records; null without one. */
  readonly ttlSeconds: number | null
  /** Too long for a datagram: ask again over TCP. */
  readonly isTruncated: boolean
}

const TYPE_TXT = 16
const TYPE_OPT = 41
const CLASS_IN = 1
const RECURSION_DESIRED = 0x0100
const AUTHENTIC_DATA = 0x0020
const TRUNCATED = 0x0200
const NAME_ERROR = 3
const LABEL_COUNT_MAX = 128

/** A recursive query for TXT records with DNSSEC answers wanted (DO, AD). @throws HelperError 'name-unresolved' */
export function encodeTxtQuery(id: number, name: string): Uint8Array {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'))
  if (labels.some(({ length }) => length < 1 || length > 63) || name.length > 253)
    throw new HelperError('name-unresolved', `DNS: expected a domain name, got '${name}'`)
  const header = Buffer.alloc(12)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(RECURSION_DESIRED | AUTHENTIC_DATA, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(1, 10)
  const question = labels.flatMap((label) => [Buffer.from([label.length]), label])
  // The OPT record: root name, 1232 bytes of payload, DO.
  const option = Buffer.from([0, 0, TYPE_OPT, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0])
  return Buffer.concat([header, ...question, Buffer.from([0, 0, TYPE_TXT, 0, CLASS_IN]), option])
}

/** Reads the answer to the query with this id; null if it is none. @throws HelperError 'name-unresolved' for a server's error */
export function decodeTxtAnswer(bytes: Uint8Array, id: number): TxtAnswer | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.length < 12 || view.readUInt16BE(0) !== id || (view.readUInt16BE(2) & 0x8000) === 0) return null
  const flags = view.readUInt16BE(2)
  const code = flags & 0x000f
  if (code !== 0 && code !== NAME_ERROR)
    throw new HelperError('name-unresolved', `DNS: expected an answer, got error ${code}`)
  const texts: string[] = []
  let ttlSeconds: number | null = null
  try {
    let at = 12
    for (let n = view.readUInt16BE(4); n > 0; n--) at = skipName(view, at) + 4
    for (let n = view.readUInt16BE(6); n > 0; n--) {
      at = skipName(view, at)
      const [type, ttl, length] = [view.readUInt16BE(at), view.readUInt32BE(at + 4), view.readUInt16BE(at + 8)]
      at += 10
      if (type === TYPE_TXT) {
        texts.push(textOf(view.subarray(at, at + length), length))
        ttlSeconds = Math.min(ttl, ttlSeconds ?? ttl)
      }
      at += length
    }
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
  const isAuthenticated = (flags & AUTHENTIC_DATA) !== 0
  return { texts, isAuthenticated, ttlSeconds, isTruncated: (flags & TRUNCATED) !== 0 }
}

/** Offset behind a name; a compression pointer ends one. @throws RangeError past the end */
function skipName(view: Buffer, from: number): number {
  let at = from
  for (let n = 0; n < LABEL_COUNT_MAX; n++) {
    const length = view.readUInt8(at)
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    at += 1 + length
  }
  throw new RangeError('DNS name without end')
}

function textOf(rdata: Buffer, length: number): string {
  if (rdata.length !== length) throw new RangeError('DNS record past the end')
  const parts: Buffer[] = []
  for (let at = 0; at < rdata.length; ) {
    const size = rdata.readUInt8(at)
    parts.push(rdata.subarray(at + 1, at + 1 + size))
    at += 1 + size
  }
  return Buffer.concat(parts).toString('latin1')
}
