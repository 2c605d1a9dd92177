/**
 * The two kinds of work that run in parallel, as plain messages: comparing trees of a run of commits, and placing one
 * shard of a run of segments. The outside decides where they run; results do not depend on it.
 */

import { ContentCache } from './content-cache.ts'
import { DeltaEncoder } from './delta-encode.ts'
import type { FormatParameters } from './format.ts'
import { type TableBuffers, viewTable } from './object-table.ts'
import { type PlacedShard, placeShard, type ShardSegment } from './placement.ts'
import { type Change, diffTrees, type ReadObjects, type TreePair } from './tree-diff.ts'

export interface DiffTask {
  readonly kind: 'diff'
  readonly hashLength: number
  readonly pairs: readonly TreePair[]
}

export interface PlaceTask {
  readonly kind: 'place'
  readonly table: TableBuffers
  readonly parameters: FormatParameters
  /** One shard of consecutive segments, oldest first. */
  readonly segments: readonly ShardSegment[]
}

/** Runs tasks, in parallel if it can. Tasks that are given first start first. */
export interface WorkPool {
  diff(task: DiffTask): Promise<Change[][]>
  place(task: PlaceTask): Promise<PlacedShard[]>
}

/** What a worker needs of its surroundings. */
export interface WorkTools {
  readonly read: ReadObjects
  /** The normative compressor (FORMAT.md, "Compression"). */
  readonly deflate: (bytes: Uint8Array) => Uint8Array
  /** Bytes of object contents that may be kept at a time. */
  readonly cacheLengthMax: number
}

export function runDiffTask(task: DiffTask, tools: WorkTools): Promise<Change[][]> {
  return diffTrees(task.pairs, task.hashLength, tools.read)
}

export async function runPlaceTask(task: PlaceTask, tools: WorkTools): Promise<PlacedShard[]> {
  const table = viewTable(task.table)
  const contents = new ContentCache(table, tools.read, tools.cacheLengthMax)
  const encoder = new DeltaEncoder()
  const placed: PlacedShard[] = []
  for (const shard of task.segments) {
    placed.push(
      await placeShard(shard, { table, contents, encoder, deflate: tools.deflate, parameters: task.parameters }),
    )
  }
  return placed
}
