/**
 * What the pack tests need around the reader: node's hash and zlib behind its ports, a source that hands out bytes
 * through a file-like `read`, hand-made packs, and the resolution of deltas to objects.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { deflateSync, inflateSync } from 'node:zlib'
import { applyDelta } from '../../engine/delta-apply.ts'
import { BLOB, COMMIT, TAG, TREE } from '../../engine/object.ts'
import {
  type EntryType,
  PACK_HEADER_LENGTH,
  PACK_OFS_DELTA,
  PACK_REF_DELTA,
  writeEntryHeader,
  writeOfsDistance,
  writePackHeader,
} from '../../engine/pack-entry.ts'
import type { ByteSource, InflateEntry, PackEntry, RunningHash } from '../../engine/pack-reader.ts'
import { type ObjectFormat, type ObjectType, oidOf } from '../support/object-writer.ts'

const TYPE_NAMES: ReadonlyMap<number, ObjectType> = new Map([
  [COMMIT, 'commit'],
  [TREE, 'tree'],
  [BLOB, 'blob'],
  [TAG, 'tag'],
])

export interface ResolvedObject {
  readonly type: ObjectType
  readonly bytes: Uint8Array
}

export function runningHash(objectFormat: ObjectFormat): RunningHash {
  const hash = createHash(objectFormat)
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
}

/** A native inflater behind the port; `inflateSync` with `info` says how much it consumed. */
export const nativeInflate: InflateEntry = (bytes, length) => {
  try {
    const result: unknown = inflateSync(bytes, { info: true, maxOutputLength: Math.max(1, length) })
    assert(typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result)
    const { buffer, engine } = result
    assert(buffer instanceof Uint8Array && typeof engine === 'object' && engine !== null && 'bytesWritten' in engine)
    return { data: buffer, consumed: Number(engine.bytesWritten) }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    return null
  }
}

/** A source that copies what it is asked for and overwrites what it gave before, as a re-used file buffer does. */
export function hostileSourceOf(bytes: Uint8Array): ByteSource {
  let given = new Uint8Array(0)
  return {
    length: bytes.length,
    read: (offset, length) => {
      assert(offset >= 0 && length > 0 && offset + length <= bytes.length, 'the reader stays inside its source')
      given.fill(0xee)
      given = bytes.slice(offset, offset + length)
      return given
    },
  }
}

/** One entry for `bodyOf`: a base is a distance in bytes, or an oid. */
export interface EntryToWrite {
  readonly type: EntryType
  readonly data: Uint8Array
  readonly deltaBase?: number | Uint8Array
  /** Declared length, if it is to differ from the data's. */
  readonly length?: number
}

export function bodyOf(entries: readonly EntryToWrite[]): Uint8Array {
  return Buffer.concat(entries.map(entryBytes))
}

export function packOf(body: Uint8Array, objectCount: number, objectFormat: ObjectFormat = 'sha1'): Uint8Array {
  const header = new Uint8Array(PACK_HEADER_LENGTH)
  writePackHeader(header, 0, objectCount)
  return Buffer.concat([header, body, createHash(objectFormat).update(header).update(body).digest()])
}

function entryBytes({ type, data, deltaBase, length }: EntryToWrite): Uint8Array {
  const header = new Uint8Array(64)
  let at = writeEntryHeader(header, 0, type, length ?? data.length)
  if (typeof deltaBase === 'number') at += writeOfsDistance(header, at, deltaBase)
  if (deltaBase instanceof Uint8Array) {
    header.set(deltaBase, at)
    at += deltaBase.length
  }
  return Buffer.concat([header.subarray(0, at), deflateSync(data)])
}

/** Turns entries into objects by oid; `outside` gives the bases that a thin pack lacks. */
export function resolveEntries(
  entries: readonly PackEntry[],
  objectFormat: ObjectFormat,
  outside: ReadonlyMap<string, ResolvedObject> = new Map(),
): Map<string, ResolvedObject> {
  const byOffset = new Map<number, ResolvedObject>()
  const byOid = new Map<string, ResolvedObject>()
  let waiting = entries
  while (waiting.length > 0) {
    const before = waiting.length
    waiting = waiting.filter((entry) => {
      const object = resolveEntry(entry, byOffset, (oid) => byOid.get(oid) ?? outside.get(oid))
      if (object === null) return true
      byOffset.set(entry.offset, object)
      byOid.set(oidOf(objectFormat, object.type, object.bytes), object)
      assert.equal(object.bytes.length, entry.objectLength)
      return false
    })
    assert(waiting.length < before, 'every delta has a base')
  }
  return byOid
}

function resolveEntry(
  entry: PackEntry,
  byOffset: ReadonlyMap<number, ResolvedObject>,
  find: (oid: string) => ResolvedObject | undefined,
): ResolvedObject | null {
  if (entry.type === PACK_OFS_DELTA || entry.type === PACK_REF_DELTA) {
    const deltaBase =
      entry.type === PACK_OFS_DELTA
        ? byOffset.get(entry.deltaBaseOffset)
        : find(Buffer.from(entry.deltaBase).toString('hex'))
    return deltaBase === undefined
      ? null
      : { type: deltaBase.type, bytes: Buffer.from(applyDelta(deltaBase.bytes, entry.data)) }
  }
  const type = TYPE_NAMES.get(entry.type)
  assert(type !== undefined)
  return { type, bytes: Buffer.from(entry.data) }
}
