// Fuzz target: `range` questions. It may throw NetError only; what is understood is asked again in the same bytes,
// but for keys that are unknown.
import { NetError } from '../../net/index.ts'
import { decodeRangeQuestion, encodeRangeQuestion } from '../../net/range.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const question = decodeRangeQuestion(bytes)
    const written = encodeRangeQuestion(question)
    if (Buffer.compare(encodeRangeQuestion(decodeRangeQuestion(written)), written) !== 0)
      throw new Error('a question changes')
    if (!Number.isSafeInteger(question.offset + question.length)) throw new Error('an end that is no exact number')
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  return [encodeRangeQuestion({ infohash: new Uint8Array(20), offset: 5, length: 100 })]
}

export const dictionary = BENCODE_WORDS
