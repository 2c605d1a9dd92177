/**
 * The normative compressor, through the zlib that Node bundles where a self-test finds the same bytes
 * (FORMAT.md, "Compression").
 */

import { deflateSync } from 'node:zlib'
import { type Deflate, selectDeflate } from '../../engine/index.ts'

export function pickDeflate(): Deflate {
  return selectDeflate((bytes) => deflateSync(bytes, { level: 6, windowBits: 15, memLevel: 8 }))
}
