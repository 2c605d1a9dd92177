/**
 * Fuzz target of the `chain` question. Only Refusal may come out; a question that is understood is
 * asked again in the same way.
 */

import { isDeepStrictEqual } from 'node:util'
import { decodeChainQuestion, encodeChainQuestion } from '../../helper/share/chain-message.ts'
import { Refusal } from '../../net/index.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const question = decodeChainQuestion(bytes)
    if (!isDeepStrictEqual(decodeChainQuestion(encodeChainQuestion(question)), question))
      throw new Error('a question changes')
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
  }
}

export function seeds(): Uint8Array[] {
  return [
    encodeChainQuestion({ format: 'sha1', chainCountMax: 1 }),
    encodeChainQuestion({ format: 'sha256', chainCountMax: 512 }),
  ]
}

export const dictionary = [...BENCODE_WORDS, '1:c', '1:f', '4:sha1', '6:sha256', '6:sha512']
