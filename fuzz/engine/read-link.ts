/**
 * Fuzz target of whole links. The first byte says how much of the cache there is, the rest is a payload; one older object
 * is known. Only EngineError may come out, and every object is what its name says.
 */

import { createHash } from 'node:crypto'
import { encodeBundleHeader } from '../../engine/bundle.ts'
import { AssertionError, EngineError } from '../../engine/errors.ts'
import { BLOB } from '../../engine/object.ts'
import { parseOid } from '../../engine/oid.ts'
import { sourceOfBytes } from '../../engine/pack-reader.ts'
import { readLink, typeName } from '../../engine/read-link.ts'
import { packOf, smallBody } from '../driver/seeds.ts'

const LIMITS = { entryCountMax: 1000, objectLengthMax: 2 ** 18, inflatedLengthMax: 2 ** 20, objectsLengthMax: 2 ** 22 }
const OLDER = { type: BLOB, bytes: Buffer.from('older') } as const
const OLDER_OIDS: readonly string[] = ['07'.repeat(20), '07'.repeat(32)]

export function fuzz(bytes: Uint8Array): void {
  try {
    const objects = readLink({
      source: sourceOfBytes(bytes.subarray(1)),
      hash: (format) => createHash(format),
      older: (oid) => (OLDER_OIDS.includes(oid) ? OLDER : null),
      limits: LIMITS,
      cacheLengthMax: (bytes[0] ?? 0) * 8,
    })
    for (const { oid, type, bytes: content } of objects) {
      const hash = createHash(oid.length === 40 ? 'sha1' : 'sha256')
      hash.update(`${typeName(type)} ${content.length}\0`).update(content)
      if (hash.digest('hex') !== oid) throw new AssertionError('an object under another name')
    }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  return (['sha1', 'sha256'] as const).flatMap((objectFormat, index) => {
    const digits = [40, 64][index] ?? 40
    const tip = parseOid('a'.repeat(digits), objectFormat)
    const pack = packOf(smallBody(digits / 2), 3, objectFormat)
    const link = Buffer.concat([encodeBundleHeader({ objectFormat, tip, base: null }), pack])
    return [Buffer.concat([Buffer.of(0), link]), Buffer.concat([Buffer.of(255), link])]
  })
}

export const dictionary = ['PACK\0\0\0\x02', '# v2 git bundle\n', 'x\x9c', '\x07'.repeat(20)]

/** Entries may be inflated again for every delta on them. */
export const allocationLengthMax = 2 * LIMITS.inflatedLengthMax + 2 * LIMITS.objectsLengthMax
