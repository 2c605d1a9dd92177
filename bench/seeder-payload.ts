/**
 * One end of the transfer that seeder.ts measures: `source <MiB>` seeds bytes that depend on their offset alone, so that
 * nothing is held; `client <MiB> <port>` downloads them into a sparse file as the helper does. Both end with their parent.
 */

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IncomingFile } from '../helper/share/supply/incoming.ts'
import { bencodeDict, encodeBencode, openNet, type Torrent } from '../net/index.ts'

const [role = '', mib = '1024', port = '0'] = process.argv.slice(2)
const PIECE_LENGTH = 512 * 1024
const LENGTH = Number(mib) * 2 ** 20
const HOST = '127.0.0.1'
const QUIET = { trackers: [], dht: false, dhtBootstrap: [], lsd: false }

/** Words of 32 bits that count, mixed: cheap, and different in every block. */
function pieceAt(offset: number, length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  for (let index = 0; index < words.length; index++) words[index] = Math.imul(offset / 4 + index, 0x9e3779b1)
  return new Uint8Array(words.buffer, 0, length)
}

function torrentOfPayload(): Torrent {
  const hashes: Uint8Array[] = []
  for (let at = 0; at < LENGTH; at += PIECE_LENGTH) {
    hashes.push(createHash('sha1').update(pieceAt(at, PIECE_LENGTH)).digest())
  }
  const info = encodeBencode(
    bencodeDict({
      name: Buffer.from('payload'),
      length: BigInt(LENGTH),
      'piece length': BigInt(PIECE_LENGTH),
      pieces: Buffer.concat(hashes),
    }),
  )
  const infohash = createHash('sha1').update(info).digest()
  return { infohash, info, lengthBytes: LENGTH, pieceLengthBytes: PIECE_LENGTH }
}

const torrent = torrentOfPayload()
const isSource = role === 'source'
const net = await openNet({ ...QUIET, listen: isSource ? { host: HOST, port: 0 } : null, peers: [] })
let clean = (): void => {}
process.once('disconnect', async () => {
  await net.close()
  clean()
  process.exit(0)
})
if (isSource) {
  net.seed(torrent, { read: async (offset, length) => pieceAt(offset, length) })
  process.send?.({ port: net.address?.port })
} else {
  const folder = mkdtempSync(join(tmpdir(), 'gittorrent-payload-'))
  clean = () => rmSync(folder, { recursive: true, force: true })
  const store = await IncomingFile.open(join(folder, 'payload'))
  const startMs = performance.now()
  const peers = [{ host: HOST, port: Number(port) }]
  await net.download(torrent, {
    peers,
    store,
    stallTimeoutMs: 30_000,
    onPiece: (range) => store.noteArrived(range),
  }).result
  await store.close()
  process.send?.({ seconds: Number(((performance.now() - startMs) / 1000).toFixed(1)) })
}
