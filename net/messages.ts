/**
 * The messages of the peer extension `gittorrent1` (PROTOCOL.md section 3): bencoded dictionaries, one per BEP 10 message.
 * Pure: bytes to values and back. Keys that are unknown are ignored, types that are unknown give null.
 */
import {
  asBytes,
  asDict,
  asInteger,
  type Bencode,
  bencodeDict,
  decodeBencode,
  encodeBencode,
  fromLatin1,
  latin1,
} from './bencode.ts'
import { NetError } from './errors.ts'
import {
  REASON_LENGTH_MAX,
  REQUEST_KIND_LENGTH_MAX,
  REQUEST_PAYLOAD_LENGTH_MAX,
  RESPONSE_CHUNK_LENGTH,
  RESPONSE_LENGTH_MAX,
  STREAM_LENGTH_MAX,
} from './limits.ts'

export const EXTENSION_NAME = 'gittorrent1'
export const PROTOCOL_VERSION = 1

export type Message =
  /** Asks; `lengthMax` is the longest answer in bytes that the asker takes. */
  | {
      readonly type: 'request'
      readonly id: number
      readonly kind: string
      readonly payload: Uint8Array
      readonly lengthMax: number
    }
  /** Announces an answer of `length` bytes, null for a stream; chunks follow. */
  | { readonly type: 'response'; readonly id: number; readonly length: number | null }
  | { readonly type: 'chunk'; readonly id: number; readonly bytes: Uint8Array }
  /** The stream is complete. */
  | { readonly type: 'end'; readonly id: number }
  /** The asker has taken `length` bytes more. */
  | { readonly type: 'credit'; readonly id: number; readonly length: number }
  /** The request is refused. */
  | { readonly type: 'error'; readonly id: number; readonly reason: string }
  /** The asker no longer wants the answer. */
  | { readonly type: 'cancel'; readonly id: number }

export type MessageOf<T extends Message['type']> = Extract<Message, { type: T }>

const ID_MAX = 2 ** 31 - 1
const KIND = /^[a-z0-9-]+$/
const REASON = /^[a-z0-9-]+$/
const CODE = { request: 'q', response: 'r', chunk: 'd', end: 'f', credit: 'c', error: 'e', cancel: 'x' } as const

function need<T>(value: T | null, what: string): T {
  if (value === null) throw new NetError('message-malformed', `extension message: expected ${what}`)
  return value
}

function asWord(value: Bencode | undefined, lengthMax: number, shape: RegExp): string | null {
  const bytes = asBytes(value, 1, lengthMax)
  const text = bytes === null ? '' : latin1(bytes)
  return shape.test(text) ? text : null
}

/**
 * Reads one message; null if its type is unknown (a later version's).
 * @throws NetError message-malformed, message-limit
 */
export function parseMessage(bytes: Uint8Array): Message | null {
  const dict = need(asDict(decodeBencode(bytes)), 'a dictionary')
  const code = latin1(need(asBytes(dict.get('t'), 1, 16), 'a type'))
  const id = need(asInteger(dict.get('i'), 1, ID_MAX), 'an id')
  switch (code) {
    case CODE.request:
      return {
        type: 'request',
        id,
        kind: need(asWord(dict.get('k'), REQUEST_KIND_LENGTH_MAX, KIND), 'a kind'),
        payload: need(asBytes(dict.get('p'), 0, REQUEST_PAYLOAD_LENGTH_MAX), 'a payload within bounds'),
        lengthMax: need(asInteger(dict.get('m'), 0, STREAM_LENGTH_MAX), 'a longest answer within bounds'),
      }
    case CODE.response:
      if (!dict.has('n')) return { type: 'response', id, length: null }
      return { type: 'response', id, length: need(asInteger(dict.get('n'), 0, RESPONSE_LENGTH_MAX), 'a length') }
    case CODE.chunk:
      return { type: 'chunk', id, bytes: need(asBytes(dict.get('b'), 1, RESPONSE_CHUNK_LENGTH), 'a chunk') }
    case CODE.credit:
      return { type: 'credit', id, length: need(asInteger(dict.get('n'), 1, RESPONSE_LENGTH_MAX), 'a credit') }
    case CODE.error:
      return { type: 'error', id, reason: need(asWord(dict.get('e'), REASON_LENGTH_MAX, REASON), 'a reason') }
    case CODE.cancel:
      return { type: 'cancel', id }
    case CODE.end:
      return { type: 'end', id }
    default:
      return null
  }
}

function fieldsOf(message: Message): Record<string, Bencode | undefined> {
  switch (message.type) {
    case 'request':
      return { k: fromLatin1(message.kind), p: message.payload, m: BigInt(message.lengthMax) }
    case 'response':
      return { n: message.length === null ? undefined : BigInt(message.length) }
    case 'credit':
      return { n: BigInt(message.length) }
    case 'chunk':
      return { b: message.bytes }
    case 'error':
      return { e: fromLatin1(message.reason) }
    case 'cancel':
    case 'end':
      return {}
  }
}

/** The bytes of `message`. */
export function encodeMessage(message: Message): Uint8Array {
  return encodeBencode(bencodeDict({ i: BigInt(message.id), t: fromLatin1(CODE[message.type]), ...fieldsOf(message) }))
}
