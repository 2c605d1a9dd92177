/** The normative compressor, through the bundled zlib where that gives the same bytes (FORMAT.md, "Compression"). */

import { deflateSync } from 'node:zlib'

export function pickDeflate(): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => deflateSync(bytes)
}
