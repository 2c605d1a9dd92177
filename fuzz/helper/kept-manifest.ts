/**
 * Fuzz target of manifests that were kept from an earlier run. Nothing may be thrown; what is taken in is what the hash beside it says.
 */

import { createHash } from 'node:crypto'
import { parseKept } from '../../helper/share/webseed/manifest-cache.ts'

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export function fuzz(bytes: Uint8Array): void {
  const kept = parseKept(bytes)
  if (kept === null) return
  if (!Buffer.from(bytes).includes(hashOf(kept.bytes))) throw new Error('other bytes than were kept')
  for (const text of Object.values(kept.validators))
    if (text !== null && (typeof text !== 'string' || !/^[\x20-\x7e\x80-\xff]*$/.test(text)))
      throw new Error('a version that fits into no header')
}

export function seeds(): Uint8Array[] {
  const manifest = Buffer.from('{}\n')
  const validators = [
    { etag: '"1"', lastModified: null },
    { etag: null, lastModified: 'Thu, 01 Jan 2026 00:00:00 GMT' },
  ]
  return validators.map((known) =>
    Buffer.concat([Buffer.from(`${JSON.stringify({ ...known, sha256: hashOf(manifest) })}\n`), manifest]),
  )
}

export const dictionary = ['"', '\\n', '\\u0000', '\n', 'null', '{', '}', '"etag":', '"lastModified":']
