/**
 * The normative compressor, through the zlib that Node bundles where a self-test finds the same bytes
 * (FORMAT.md, "Compression"). The chunk size is that of the output buffers: it changes no byte, but keeps a small
 * result from holding on to 16 KiB.
 */

import { deflateSync } from 'node:zlib'
import { type Deflate, selectDeflate } from '../../engine/index.ts'

const CHUNK_LENGTH_MIN = 64
const CHUNK_LENGTH_MAX = 65_536

export function pickDeflate(): Deflate {
  return selectDeflate((bytes) => {
    const bound = bytes.length + 64 + (bytes.length >> 8)
    return deflateSync(bytes, { level: 6, chunkSize: Math.max(CHUNK_LENGTH_MIN, Math.min(bound, CHUNK_LENGTH_MAX)) })
  })
}
