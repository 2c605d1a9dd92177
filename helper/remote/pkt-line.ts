/**
 * pkt-lines of git's wire protocol (gitprotocol-common, gitprotocol-v2): four hexadecimal digits of length that count
 * themselves, then the payload; 0000 flush, 0001 delimiter, 0002 response end. `raw` keeps the bytes as they came, so
 * that what is only relayed is not encoded anew.
 */
import { HelperError, printable } from '../errors.ts'
import { PACKET_LENGTH_BYTES_MAX } from '../limits.ts'
import type { ByteReader } from './byte-reader.ts'

export type PacketKind = 'data' | 'flush' | 'delimiter' | 'end'

export interface Packet {
  readonly kind: PacketKind
  /** The whole packet, length digits included. */
  readonly raw: Buffer
  /** Empty unless kind is data. */
  readonly payload: Buffer
}

const NO_BYTES = Buffer.alloc(0)
const SPECIAL: readonly PacketKind[] = ['flush', 'delimiter', 'end']

/** Reads one packet, null at the end of the stream. Throws origin-protocol for bad digits, length 3, or a short end. */
export async function readPacket(reader: ByteReader): Promise<Packet | null> {
  const digits = await reader.exactly(4)
  if (digits === null) return null
  const length = parseLength(digits.toString('latin1'))
  const kind = SPECIAL[length]
  if (kind !== undefined) return { kind, raw: digits, payload: NO_BYTES }
  if (length === 4) return { kind: 'data', raw: digits, payload: NO_BYTES }
  const payload = await reader.exactly(length - 4)
  if (payload === null) throw malformed(`${length - 4} bytes of payload`, 'the end of the connection')
  return { kind: 'data', raw: joined(digits, payload), payload }
}

/**
 * Finds the end of an answer in chunks as they come, without putting packets together: a pack passes through as it is.
 * Throws origin-protocol as readPacket does.
 */
export class AnswerScanner {
  private readonly last: PacketKind
  private digits = ''
  private payloadBytesLeft = 0

  constructor(last: 'flush' | 'end') {
    this.last = last
  }

  /** Returns the offset behind the packet that ends the answer, or -1 when it is not in this chunk. */
  endIn(chunk: Buffer): number {
    let offset = 0
    while (offset < chunk.length) {
      const skipped = Math.min(this.payloadBytesLeft, chunk.length - offset)
      offset += skipped
      this.payloadBytesLeft -= skipped
      const missing = 4 - this.digits.length
      this.digits += chunk.toString('latin1', offset, offset + missing)
      offset = Math.min(offset + missing, chunk.length)
      if (this.digits.length < 4) continue
      const length = parseLength(this.digits)
      this.digits = ''
      if (SPECIAL[length] === this.last) return offset
      this.payloadBytesLeft = Math.max(0, length - 4)
    }
    return -1
  }
}

/** Encodes one data packet. Throws limit past 65516 bytes of payload. */
export function encodePacket(payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload)
  const length = bytes.length + 4
  if (length > PACKET_LENGTH_BYTES_MAX) throw new HelperError('limit', `cannot write a packet of ${length} bytes`)
  return Buffer.concat([Buffer.from(length.toString(16).padStart(4, '0')), bytes], length)
}

/** Returns the payload as text without its final LF. */
export function textOf(packet: Packet): string {
  const { payload } = packet
  return payload.toString('utf8', 0, payload.at(-1) === 0x0a ? payload.length - 1 : payload.length)
}

/** Header and payload are mostly neighbours in one chunk; then no byte is copied. */
function joined(head: Buffer, tail: Buffer): Buffer {
  if (head.buffer === tail.buffer && head.byteOffset + head.length === tail.byteOffset) {
    return Buffer.from(head.buffer, head.byteOffset, head.length + tail.length)
  }
  return Buffer.concat([head, tail])
}

function parseLength(text: string): number {
  const length = /^[0-9a-fA-F]{4}$/.test(text) ? Number.parseInt(text, 16) : Number.NaN
  if (!(length <= PACKET_LENGTH_BYTES_MAX) || length === 3) {
    throw malformed('four hexadecimal digits up to fff0', `'${printable(text)}'`)
  }
  return length
}

function malformed(expected: string, got: string): HelperError {
  return new HelperError(
    'origin-protocol',
    `cannot read a packet: expected ${expected}, got ${got}, try plain git, and over ssh whether the login prints anything`,
  )
}
