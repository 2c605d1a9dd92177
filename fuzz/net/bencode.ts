// Fuzz target: the strict codec of our own messages.
// What it accepts, it writes back byte for byte.

import { decodeBencode, encodeBencode, NetError } from '../../net/index.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  const value = orNothing(bytes)
  if (value !== null && Buffer.compare(encodeBencode(value), bytes) !== 0)
    throw new Error('accepted, but not canonical')
}

function orNothing(bytes: Uint8Array) {
  try {
    return decodeBencode(bytes)
  } catch (error) {
    if (error instanceof NetError) return null
    throw error
  }
}

export function seeds(): Uint8Array[] {
  return ['d1:ai1e1:bl3:abcd0:i-5eeee', 'li0ele4:spamde', 'i18446744073709551615e'].map((text) => Buffer.from(text))
}

export const dictionary = BENCODE_WORDS
