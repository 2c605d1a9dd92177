/**
 * Kind `refs` of the peer extension: what a peer knows of a publisher's records, and its refs documents page by page.
 * Bytes to values and back. Items are checked for their signature when they are read; which of them holds is judge.ts's.
 */
import {
  asBytes,
  asDict,
  asInteger,
  asList,
  type Bencode,
  bencodeDict,
  decodeBencode,
  decodeItem,
  encodeBencode,
  encodeItem,
  type MutableItem,
  NetError,
  Refusal,
} from '../../net/index.ts'
import { HelperError } from '../errors.ts'
import { RECORDS_ANSWER_COUNT_MAX, REFS_DOCUMENT_LENGTH_MAX } from './limits.ts'

export const REFS_KIND = 'refs'

/** Null asks for records; else a page of the document with this SHA-256 (hexadecimal), from `offset`. */
export type RefsQuestion = { readonly hash: string; readonly offset: number } | null

export function encodeRefsQuestion(question: RefsQuestion): Uint8Array {
  const page = question === null ? {} : { h: Buffer.from(question.hash, 'hex'), o: BigInt(question.offset) }
  return encodeBencode(bencodeDict({ v: 1n, ...page }))
}

/** @throws Refusal malformed */
export function decodeRefsQuestion(bytes: Uint8Array): RefsQuestion {
  const dict = asDict(read(bytes) ?? undefined)
  if (dict === null || (asInteger(dict.get('v'), 1, Number.MAX_SAFE_INTEGER) ?? 0) < 1) throw new Refusal('malformed')
  if (!dict.has('h')) return null
  const hash = asBytes(dict.get('h'), 32, 32)
  const offset = asInteger(dict.get('o'), 0, REFS_DOCUMENT_LENGTH_MAX)
  if (hash === null || offset === null) throw new Refusal('malformed')
  return { hash: Buffer.from(hash).toString('hex'), offset }
}

export function encodeRecordsAnswer(items: readonly MutableItem[]): Uint8Array {
  return encodeBencode(bencodeDict({ r: items.slice(0, RECORDS_ANSWER_COUNT_MAX).map(encodeItem), v: 1n }))
}

/** The genuine items of an answer. @throws HelperError 'record-malformed' */
export function decodeRecordsAnswer(bytes: Uint8Array): MutableItem[] {
  const list = asList(asDict(read(bytes) ?? undefined)?.get('r'))
  if (list === null || list.length > RECORDS_ANSWER_COUNT_MAX)
    throw new HelperError('record-malformed', 'answer to refs: expected a list of records, got something else')
  return list.flatMap((entry) => {
    const encoded = asBytes(entry, 1, 2048)
    try {
      return encoded === null ? [] : [decodeItem(encoded)]
    } catch (error) {
      if (error instanceof NetError) return []
      throw error
    }
  })
}

function read(bytes: Uint8Array): Bencode | null {
  try {
    return decodeBencode(bytes)
  } catch (error) {
    if (error instanceof NetError) return null
    throw error
  }
}
