/**
 * Puts the placed shards of a segment together into its body: ordinary pack entries, shard after shard, each shard in
 * placement order, so that a delta base inside the segment always stands before its deltas (FORMAT.md, "Bodies").
 * A base inside the segment is an OFS_DELTA, one of an older segment a REF_DELTA.
 */

import { assert } from './errors.ts'
import type { HeldBytes, SpillStore } from './held-bytes.ts'
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

/** Bytes of compressed entries that are brought together at a time. */
const WINDOW_LENGTH = 1 << 20

export interface SegmentBody {
  readonly objectCount: number
  /** Bytes of the body. */
  readonly length: number
  /** Numbers of the objects in the order of their entries, and where each entry starts in the body. */
  readonly numbers: Int32Array
  readonly offsets: Float64Array
  /** The bytes, from first to last, in pieces of any length; good until the segment's callback has settled. */
  readonly parts: () => AsyncIterable<Uint8Array>
}

/** What stands before the compressed data of each entry of a shard: head i is heads[headEnds[i - 1] … headEnds[i]). */
interface ShardHeads {
  readonly heads: Uint8Array
  readonly headEnds: Uint32Array
}

/** @param spills where shards that were put aside are read; null when none can be */
export function assembleBody(
  shards: readonly PlacedShard[],
  table: TableViews,
  spills: SpillStore | null,
): SegmentBody {
  const objectCount = shards.reduce((sum, shard) => sum + shard.numbers.length, 0)
  const numbers = new Int32Array(objectCount)
  const offsets = new Float64Array(objectCount)
  const offsetOf = new Map<number, number>()
  const headsOf: ShardHeads[] = []
  let at = 0
  let entry = 0
  for (const shard of shards) {
    const heads = new Uint8Array(shard.numbers.length * entryHeaderLengthMax(table.hashLength))
    const headEnds = new Uint32Array(shard.numbers.length)
    let headEnd = 0
    for (let i = 0; i < shard.numbers.length; i++) {
      const number = shard.numbers[i] ?? 0
      numbers[entry] = number
      offsets[entry++] = at
      offsetOf.set(number, at)
      const headStart = headEnd
      headEnd = writeHead(heads, headStart, at, number, shard.bases[i] ?? -1, shard.lengths[i] ?? 0, table, offsetOf)
      headEnds[i] = headEnd
      at += headEnd - headStart + (shard.dataEnds[i] ?? 0) - (shard.dataEnds[i - 1] ?? 0)
    }
    headsOf.push({ heads: heads.slice(0, headEnd), headEnds })
  }
  return {
    objectCount,
    length: at,
    numbers,
    offsets,
    parts: () => inWindows(partsOf(shards, headsOf, spills), Math.min(at, WINDOW_LENGTH)),
  }
}

/** Writes header and base of one entry, which starts at `offset` of the body, into `out` at `at`; returns its end there. */
function writeHead(
  out: Uint8Array,
  at: number,
  offset: number,
  number: number,
  base: number,
  length: number,
  table: TableViews,
  offsetOf: ReadonlyMap<number, number>,
): number {
  if (base < 0) return at + writeEntryHeader(out, at, parseObjectType(table.types[number] ?? 0), length)
  const baseOffset = offsetOf.get(base)
  if (baseOffset === undefined) {
    const start = at + writeEntryHeader(out, at, PACK_REF_DELTA, length)
    out.set(table.oids.subarray(base * table.hashLength, (base + 1) * table.hashLength), start)
    return start + table.hashLength
  }
  assert(baseOffset < offset, 'a delta base stands before its deltas')
  const start = at + writeEntryHeader(out, at, PACK_OFS_DELTA, length)
  return start + writeOfsDistance(out, start, offset - baseOffset)
}

async function* partsOf(
  shards: readonly PlacedShard[],
  headsOf: readonly ShardHeads[],
  spills: SpillStore | null,
): AsyncGenerator<Uint8Array> {
  for (const [index, shard] of shards.entries()) {
    const { heads, headEnds } = headsOf[index] ?? { heads: new Uint8Array(0), headEnds: new Uint32Array(0) }
    const count = shard.numbers.length
    for (let first = 0; first < count; ) {
      const start = shard.dataEnds[first - 1] ?? 0
      let last = first
      while (last + 1 < count && (shard.dataEnds[last + 1] ?? 0) - start <= WINDOW_LENGTH) last++
      const end = shard.dataEnds[last] ?? 0
      if (end - start > WINDOW_LENGTH) {
        yield heads.slice(headEnds[first - 1] ?? 0, headEnds[first])
        for (let at = start; at < end; at += WINDOW_LENGTH) {
          yield await readHeld(shard.data, at, Math.min(at + WINDOW_LENGTH, end), spills)
        }
      } else {
        const data = await readHeld(shard.data, start, end, spills)
        yield interleave(heads, headEnds, data, shard.dataEnds, first, last)
      }
      first = last + 1
    }
  }
}

/** Joins short parts, so that a body costs its taker few writes. */
async function* inWindows(parts: AsyncIterable<Uint8Array>, windowLength: number): AsyncGenerator<Uint8Array> {
  let window = new Uint8Array(windowLength)
  let filled = 0
  for await (const part of parts) {
    if (filled + part.length > windowLength) {
      if (filled > 0) yield window.subarray(0, filled)
      window = new Uint8Array(windowLength)
      filled = 0
    }
    if (part.length > windowLength) {
      yield part
    } else {
      window.set(part, filled)
      filled += part.length
    }
  }
  if (filled > 0) yield window.subarray(0, filled)
}

/** Entries `first` to `last` of a shard: head, data, head, data, …; `data` starts with that of `first`. */
function interleave(
  heads: Uint8Array,
  headEnds: Uint32Array,
  data: Uint8Array,
  dataEnds: Float64Array,
  first: number,
  last: number,
): Uint8Array {
  const headsStart = headEnds[first - 1] ?? 0
  const dataStart = dataEnds[first - 1] ?? 0
  const out = new Uint8Array((headEnds[last] ?? 0) - headsStart + data.length)
  let at = 0
  for (let i = first; i <= last; i++) {
    const head = heads.subarray(headEnds[i - 1] ?? 0, headEnds[i])
    out.set(head, at)
    at += head.length
    const bytes = data.subarray((dataEnds[i - 1] ?? 0) - dataStart, (dataEnds[i] ?? 0) - dataStart)
    out.set(bytes, at)
    at += bytes.length
  }
  return out
}

function readHeld(held: HeldBytes, from: number, to: number, spills: SpillStore | null): Promise<Uint8Array> {
  if (held instanceof Uint8Array) return Promise.resolve(held.subarray(from, to))
  assert(spills !== null, 'a pool that puts bytes aside comes with the way back')
  return spills.read(held, from, to)
}
