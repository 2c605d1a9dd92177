// Nets on loopback,
// torrents of random-looking bytes, and stores in memory, for the tests of this folder.
import { createHash } from 'node:crypto'
import type { TestContext } from 'node:test'
import { bencodeDict, encodeBencode, type Net, type NetOptions, type Store, type Torrent } from '../../net/index.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'

export const NO_ANSWERS = { onRequest: () => Promise.reject(new Error('nobody asks here')) }
/** The deadline of what has to come and does: no load gets there, only a defect does. */
export const PATIENCE_MS = 60_000
export const TOPIC = sha1(Buffer.from('a topic'))

export function sha1(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest()
}

/** Bytes that depend on `seed` alone. */
export function bytesOf(seed: string, length: number): Buffer {
  const parts: Buffer[] = []
  for (let at = 0, n = 0; at < length; at += 64, n++) parts.push(createHash('sha512').update(`${seed} ${n}`).digest())
  return Buffer.concat(parts).subarray(0, length)
}

export function torrentOf(content: Uint8Array, pieceLengthBytes = 65_536): Torrent {
  const hashes: Buffer[] = []
  for (let at = 0; at < content.length; at += pieceLengthBytes) {
    hashes.push(sha1(content.subarray(at, at + pieceLengthBytes)))
  }
  const info = encodeBencode(
    bencodeDict({
      name: Buffer.from('content'),
      length: BigInt(content.length),
      'piece length': BigInt(pieceLengthBytes),
      pieces: Buffer.concat(hashes),
    }),
  )
  return { infohash: sha1(info), info, lengthBytes: content.length, pieceLengthBytes }
}

export interface MemoryStore extends Store {
  readonly bytes: Buffer
}

export function memoryStore(content: Buffer | number): MemoryStore {
  const bytes = typeof content === 'number' ? Buffer.alloc(content) : Buffer.from(content)
  return {
    bytes,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    write: async (offset, piece) => {
      bytes.set(piece, offset)
    },
  }
}

/** A net that is closed when the test ends. */
export async function openTestNet(t: TestContext, options: Partial<NetOptions> = {}): Promise<Net> {
  const net = await openLoopbackNet({ listen: null, ...options })
  t.after(() => net.close())
  return net
}

/** The address of a net that listens. */
export function addressOf(net: Net): { host: string; port: number } {
  if (net.address === null) throw new Error('this net does not listen')
  return { ...net.address }
}
