/**
 * Fuzz target of the `chain` question. Only HelperError and NetError may come out; a question that is understood is
 * asked again for the same object format.
 */

import { HelperError } from '../../helper/errors.ts'
import { decodeChainQuestion, encodeChainQuestion } from '../../helper/share/chain-message.ts'
import { NetError } from '../../net/index.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const format = decodeChainQuestion(bytes)
    if (decodeChainQuestion(encodeChainQuestion(format)) !== format) throw new Error('a question changes')
  } catch (error) {
    if (!(error instanceof HelperError || error instanceof NetError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  return [encodeChainQuestion('sha1'), encodeChainQuestion('sha256')]
}

export const dictionary = [...BENCODE_WORDS, '1:f', '4:sha1', '6:sha256', '6:sha512']
