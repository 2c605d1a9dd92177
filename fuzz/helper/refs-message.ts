/**
 * Fuzz target of kind `refs`: questions and answers of peers, and the signed items in them. Only the errors of the rooms may come
 * out; every item that is taken in is signed by its key, and every question reads the same when it is written again.
 */
import { deepStrictEqual } from 'node:assert'
import { HelperError } from '../../helper/errors.ts'
import {
  decodeRecordsAnswer,
  decodeRefsQuestion,
  encodeRecordsAnswer,
  encodeRefsQuestion,
} from '../../helper/publish/refs-message.ts'
import { isGenuineItem, NetError, Refusal, signItem } from '../../net/index.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    if (!decodeRecordsAnswer(bytes).every(isGenuineItem)) throw new Error('an item that nobody signed')
  } catch (error) {
    if (!(error instanceof HelperError || error instanceof NetError)) throw error
  }
  try {
    const question = decodeRefsQuestion(bytes)
    deepStrictEqual(decodeRefsQuestion(encodeRefsQuestion(question)), question)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const seed = Buffer.alloc(32, 1)
  const items = ['', 'gt1:r:project'].map((salt) =>
    signItem(seed, { salt: Buffer.from(salt), seq: 1_795_000_000, value: Buffer.from('d1:vi1ee') }),
  )
  const page = encodeRefsQuestion({ hash: 'ab'.repeat(32), offset: 1024 * 1024 })
  return [encodeRecordsAnswer(items), encodeRecordsAnswer([]), encodeRefsQuestion(null), page]
}

export const dictionary = [...BENCODE_WORDS, '1:h32:', '1:o', '1:r', '1:k32:', '4:salt', '3:seq', '3:sig64:']
