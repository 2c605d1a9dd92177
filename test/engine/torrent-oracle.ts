/**
 * The infohash of a file as npm's create-torrent and bencode compute it; they share no code with ours.
 */

import { createHash } from 'node:crypto'
import bencode from 'bencode-oracle'
import createTorrent from 'create-torrent'

/** The infohash, as hex, of the metainfo file that `create-torrent` writes. `pieceLength` in bytes. */
export function infohashOfOracle(name: string, payload: Uint8Array, pieceLength: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const input = Object.assign(Buffer.from(payload), { name })
    const options = { name, pieceLength, announceList: [], comment: 'not in the info dict' }
    createTorrent(input, options, (error: Error | null, torrent: Uint8Array) => {
      if (error !== null) return reject(error)
      const info = bencode.encode(bencode.decode(torrent).info)
      resolve(createHash('sha1').update(info).digest('hex'))
    })
  })
}
