// Fuzz target: the codec that the dependencies see.
// It may refuse with an Error, what it accepts it can write again.

import { createRequire } from 'node:module'
import { BENCODE_WORDS } from '../driver/seeds.ts'

const codec: { decode(bytes: Uint8Array): unknown; encode(value: unknown): Uint8Array } = createRequire(
  import.meta.url,
)('bencode')

export function fuzz(bytes: Uint8Array): void {
  let value: unknown
  try {
    value = codec.decode(bytes)
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError || !(error instanceof Error)) throw error
    return
  }
  codec.encode(value)
}

export function seeds(): Uint8Array[] {
  return ['d1:ai1e1:bl3:abcd0:i-5eeee', 'd1:b1:x1:a1:ye', 'li0ele4:spamdee', 'i9007199254740991e'].map((text) =>
    Buffer.from(text),
  )
}

export const dictionary = [...BENCODE_WORDS, '9:__proto__', '11:constructor', '4:\xff\xfe\xfd\xfc']
