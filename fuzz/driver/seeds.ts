/**
 * Valid things that several targets start from: packs with every kind of entry, oids that are checkpoints, words of
 * bencode. Checkpoints were found by trying numbers against the rule of engine/checkpoint.ts.
 */

import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import {
  createCheckpointRule,
  GT1,
  type LevelOf,
  type ObjectFormat,
  type Oid,
  parseOid,
  writePackHeader,
} from '../../engine/index.ts'
import {
  type EntryType,
  PACK_OFS_DELTA,
  PACK_REF_DELTA,
  writeEntryHeader,
  writeOfsDistance,
} from '../../engine/pack-entry.ts'

/** Copies 5 bytes of a base of 5, then inserts one: the result is 6 bytes long. */
export const SMALL_DELTA = Uint8Array.of(5, 6, 0x90, 5, 1, 0x21)

export const BENCODE_WORDS = [
  'd',
  'l',
  'e',
  'i0e',
  'i-1e',
  'i1e',
  '0:',
  '1:',
  '20:',
  '32:',
  'de',
  'le',
  '-',
  '1:a',
  '1:vi1e',
]

interface Entry {
  readonly type: EntryType
  readonly data: Uint8Array
  readonly deltaBase?: number | Uint8Array
}

export function entryBytes({ type, data, deltaBase }: Entry): Uint8Array {
  const head = new Uint8Array(64)
  let length = writeEntryHeader(head, 0, type, data.length)
  if (typeof deltaBase === 'number') length += writeOfsDistance(head, length, deltaBase)
  const base = deltaBase instanceof Uint8Array ? deltaBase : new Uint8Array(0)
  return Buffer.concat([head.subarray(0, length), base, deflateSync(data)])
}

/** Three entries: a blob, a delta on it, a delta on an object elsewhere. */
export function smallBody(hashLength: number): Uint8Array {
  const blob = entryBytes({ type: 3, data: Buffer.from('12345') })
  const near = entryBytes({ type: PACK_OFS_DELTA, data: SMALL_DELTA, deltaBase: blob.length })
  const far = entryBytes({ type: PACK_REF_DELTA, data: SMALL_DELTA, deltaBase: new Uint8Array(hashLength).fill(7) })
  return Buffer.concat([blob, near, far])
}

export function packOf(body: Uint8Array, objectCount: number, format: ObjectFormat): Uint8Array {
  const header = new Uint8Array(12)
  writePackHeader(header, 0, objectCount)
  const bytes = Buffer.concat([header, body])
  return Buffer.concat([bytes, createHash(format).update(bytes).digest()])
}

export const levelOf: LevelOf = await createCheckpointRule(GT1)

/** Names of `count` checkpoints of at least this level. */
export function checkpoints(format: ObjectFormat, level: number, count: number): Oid[] {
  const found: Oid[] = []
  for (let number = 0; found.length < count; number++) {
    const oid = parseOid(createHash(format).update(String(number)).digest('hex'), format)
    if ((levelOf(oid) ?? -1) >= level) found.push(oid)
  }
  return found
}
