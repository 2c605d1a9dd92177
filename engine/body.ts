/**
 * Puts the placed shards of a segment together into its body: ordinary pack entries, shard after shard, each shard in
 * placement order, so that a delta base inside the segment always stands before its deltas (FORMAT.md, "Bodies").
 * A base inside the segment is an OFS_DELTA, one of an older segment a REF_DELTA.
 */

import { assert } from './errors.ts'
import { parseObjectType } from './object.ts'
import type { TableViews } from './object-table.ts'
import {
  entryHeaderLengthMax,
  PACK_OFS_DELTA,
  PACK_REF_DELTA,
  writeEntryHeader,
  writeOfsDistance,
} from './pack-entry.ts'
import type { PlacedShard } from './placement.ts'

export interface SegmentBody {
  readonly objectCount: number
  readonly bytes: Uint8Array
  /** Numbers of the objects in the order of their entries, and where each entry starts in `bytes`. */
  readonly numbers: Int32Array
  readonly offsets: Float64Array
}

export function assembleBody(shards: readonly PlacedShard[], table: TableViews): SegmentBody {
  const objectCount = shards.reduce((sum, shard) => sum + shard.numbers.length, 0)
  const numbers = new Int32Array(objectCount)
  const offsets = new Float64Array(objectCount)
  const offsetOf = new Map<number, number>()
  const overhead = entryHeaderLengthMax(table.hashLength)
  const bytes = new Uint8Array(shards.reduce((sum, shard) => sum + shard.data.length, objectCount * overhead))
  let at = 0
  let entry = 0
  for (const shard of shards) {
    let dataStart = 0
    for (let i = 0; i < shard.numbers.length; i++) {
      const number = shard.numbers[i] ?? 0
      const dataEnd = shard.dataEnds[i] ?? 0
      numbers[entry] = number
      offsets[entry++] = at
      offsetOf.set(number, at)
      at = writeEntryStart(bytes, at, number, shard.bases[i] ?? -1, shard.lengths[i] ?? 0, table, offsetOf)
      bytes.set(shard.data.subarray(dataStart, dataEnd), at)
      at += dataEnd - dataStart
      dataStart = dataEnd
    }
  }
  return { objectCount, bytes: bytes.slice(0, at), numbers, offsets }
}

/** Writes header and base of one entry at `at`; returns where its compressed data starts. */
function writeEntryStart(
  bytes: Uint8Array,
  at: number,
  number: number,
  base: number,
  length: number,
  table: TableViews,
  offsetOf: ReadonlyMap<number, number>,
): number {
  if (base < 0) return at + writeEntryHeader(bytes, at, parseObjectType(table.types[number] ?? 0), length)
  const baseOffset = offsetOf.get(base)
  if (baseOffset === undefined) {
    const start = at + writeEntryHeader(bytes, at, PACK_REF_DELTA, length)
    bytes.set(table.oids.subarray(base * table.hashLength, (base + 1) * table.hashLength), start)
    return start + table.hashLength
  }
  assert(baseOffset < at, 'a delta base stands before its deltas')
  const start = at + writeEntryHeader(bytes, at, PACK_OFS_DELTA, length)
  return start + writeOfsDistance(bytes, start, at - baseOffset)
}
