// Fuzz target: signed items as peers hand them on. Only NetError may come out; what is taken is signed, and written in the
// same bytes.
import { decodeItem, encodeItem, isGenuineItem, NetError, signItem } from '../../net/index.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const item = decodeItem(bytes)
    if (!isGenuineItem(item)) throw new Error('an item that nobody signed')
    // Further keys are ignored, so only what we write ourselves comes back as it is.
    if (Buffer.compare(encodeItem(decodeItem(encodeItem(item))), encodeItem(item)) !== 0)
      throw new Error('another item')
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const seed = Buffer.alloc(32, 7)
  return ['', 'salt'].map((salt) =>
    encodeItem(signItem(seed, { salt: Buffer.from(salt), seq: 3, value: Buffer.from('value') })),
  )
}

export const dictionary = [...BENCODE_WORDS, '1:k32:', '4:salt', '3:seq', '3:sig64:', '1:v']
