/**
 * The normative compressor, through the zlib that Node bundles where a self-test finds the same bytes
 * (FORMAT.md, "Compression"). The chunk size is that of the output buffers: it changes no byte, but keeps a small
 * result from holding on to 16 KiB.
 */

import { constants, deflateRawSync, deflateSync } from 'node:zlib'
import {
  type Deflate,
  type DeflatePart,
  partOutputLengthMax,
  selectDeflate,
  selectDeflatePart,
} from '../../engine/index.ts'

const CHUNK_LENGTH_MIN = 64
const CHUNK_LENGTH_MAX = 65_536

export function pickDeflate(): Deflate {
  return selectDeflate((bytes) => {
    const bound = bytes.length + 64 + (bytes.length >> 8)
    return deflateSync(bytes, { level: 6, chunkSize: Math.max(CHUNK_LENGTH_MIN, Math.min(bound, CHUNK_LENGTH_MAX)) })
  })
}

/** The same for a part of a large object. */
export function pickDeflatePart(): DeflatePart {
  return selectDeflatePart((bytes, isLast) => {
    const finishFlush = isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH
    return deflateRawSync(bytes, { level: 6, finishFlush, chunkSize: partOutputLengthMax(bytes.length) })
  })
}

/** The same, chosen when the first part comes: hardly a repository has one, and the self-test is most of a worker's start. */
export function pickDeflatePartLater(): DeflatePart {
  let picked: DeflatePart | null = null
  return (bytes, isLast) => {
    picked ??= pickDeflatePart()
    return picked(bytes, isLast)
  }
}
