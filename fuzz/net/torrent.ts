// Fuzz target: an info dictionary that somebody handed over, under its own infohash.
import { createHash } from 'node:crypto'
import { NetError } from '../../net/index.ts'
import { checkTorrent } from '../../net/torrent.ts'

export function fuzz(info: Uint8Array): void {
  const infohash = createHash('sha1').update(info).digest()
  try {
    checkTorrent({ infohash, info, lengthBytes: 100, pieceLengthBytes: 16 })
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}
