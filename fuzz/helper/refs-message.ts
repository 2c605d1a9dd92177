/**
 * Fuzz target of kind `refs`: question and answer. Refusal and HelperError may come out; items of an answer are signed.
 */

import { HelperError } from '../../helper/errors.ts'
import {
  decodeRecordsAnswer,
  decodeRefsQuestion,
  encodeRecordsAnswer,
  encodeRefsQuestion,
} from '../../helper/publish/refs-message.ts'
import { isGenuineItem, Refusal, signItem } from '../../net/index.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const question = decodeRefsQuestion(bytes)
    const again = decodeRefsQuestion(encodeRefsQuestion(question))
    if (JSON.stringify(question) !== JSON.stringify(again)) throw new Error('another question')
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
  }
  try {
    if (!decodeRecordsAnswer(bytes).every(isGenuineItem)) throw new Error('an item that nobody signed')
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const item = signItem(Buffer.alloc(32, 5), { salt: Buffer.from('salt'), seq: 1, value: Buffer.from('value') })
  return [
    encodeRefsQuestion(null),
    encodeRefsQuestion({ hash: 'ab'.repeat(32), offset: 1_048_576 }),
    encodeRecordsAnswer([item, item]),
  ]
}

export const dictionary = [...BENCODE_WORDS, '1:h32:', '1:o', '1:r', '1:k32:', '3:sig64:']
