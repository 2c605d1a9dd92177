// Fuzz target: an info dictionary that somebody handed over, under its own infohash.
// It may throw NetError only.

import { createHash } from 'node:crypto'
import { NetError } from '../../net/index.ts'
import { checkTorrent } from '../../net/torrent.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(info: Uint8Array): void {
  const infohash = createHash('sha1').update(info).digest()
  try {
    checkTorrent({ infohash, info, lengthBytes: 100, pieceLengthBytes: 16 })
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  return [Buffer.from(`d6:lengthi100e4:name1:n12:piece lengthi16e6:pieces140:${'p'.repeat(140)}e`)]
}

export const dictionary = [...BENCODE_WORDS, '5:filesle', '7:privatei1e', '12:piece length', '6:lengthi100e']
