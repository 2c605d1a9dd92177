/**
 * Fuzz target of the facts that the store keeps of a segment as JSON. Nothing may be thrown; what is taken in names a pack
 * inside the object directory and whole numbers, and is the same after it was written.
 */

import { parseStored } from '../../helper/store/segment-store.ts'

export function fuzz(bytes: Uint8Array): void {
  const segment = parseStored('name', Buffer.from(bytes).toString('utf8'))
  if (segment === null) return
  const { pack, length, offset, sha256 } = segment
  if (pack !== null && !/^pack-[0-9a-f]+\.pack$/.test(pack)) throw new Error('a pack outside the object directory')
  if (!Number.isSafeInteger(length + offset)) throw new Error('an end that is no exact number')
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error('a hash that is none')
  const again = parseStored('name', JSON.stringify(segment))
  if (JSON.stringify(again) !== JSON.stringify(segment)) throw new Error('facts change')
}

export function seeds(): Uint8Array[] {
  const facts = { objectCount: 5, commitCount: 2, length: 1000, sha256: 'a'.repeat(64), pack: null, offset: 0 }
  const inPack = { ...facts, pack: `pack-${'b'.repeat(40)}.pack`, offset: 12 }
  return [facts, inPack].map((value) => Buffer.from(JSON.stringify(value)))
}

export const dictionary = [
  'null',
  '[]',
  '{}',
  '"',
  '1e999',
  '-1',
  '9007199254740991',
  '"pack":["pack-a.pack"]',
  '../',
  'pack-',
]
