/**
 * The kinds of work that run in parallel, as plain messages: comparing trees of a run of commits, placing one shard of a
 * run of segments, encoding a run of a snapshot's objects. The outside decides where they run; results do not depend on it.
 */

import { ContentCache, type ContentSource } from './content-cache.ts'
import type { Deflate } from './deflate.ts'
import { DeltaEncoder } from './delta-encode.ts'
import type { PlacedEntries } from './entry-writer.ts'
import type { FormatParameters } from './format.ts'
import type { ByteSink } from './held-bytes.ts'
import type { DeflatePart, StreamObject } from './long-entry.ts'
import { type TableBuffers, viewTable } from './object-table.ts'
import { addNeeded, type PlacedShard, placeShard, type ShardSegment } from './placement.ts'
import { encodeRun } from './snapshot-run.ts'
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

export interface SnapshotTask {
  readonly kind: 'snapshot'
  readonly table: TableBuffers
  readonly parameters: FormatParameters
  /** The objects of the run: rows `first` up to `end`. */
  readonly first: number
  readonly end: number
}

/** Runs tasks, in parallel if it can. Tasks that are given first start first. */
export interface WorkPool {
  diff(task: DiffTask): Promise<Change[][]>
  place(task: PlaceTask): Promise<PlacedShard[]>
  snapshot(task: SnapshotTask): Promise<PlacedEntries>
}

/** What a worker needs of its surroundings. */
export interface WorkTools extends ContentSource {
  readonly read: ReadObjects
  readonly stream: StreamObject
  /** The normative compressors (FORMAT.md, "Compression"). */
  readonly deflate: Deflate
  readonly deflatePart: DeflatePart
  /** Called once per task: a source of places for the compressed entries of its shards, one for each segment. */
  readonly openSinks: () => () => ByteSink
  /** Bytes of deltas that may wait for their turn; what is more is encoded again, to the same bytes. */
  readonly pendingLengthMax: number
}

export function runDiffTask(task: DiffTask, tools: WorkTools): Promise<Change[][]> {
  return diffTrees(task.pairs, task.hashLength, tools.read)
}

export async function runPlaceTask(task: PlaceTask, tools: WorkTools): Promise<PlacedShard[]> {
  const table = viewTable(task.table)
  const { parameters } = task
  const contents = new ContentCache(table, tools)
  const encoder = new DeltaEncoder()
  const openSink = tools.openSinks()
  // One request for all segments: of small ones, a round trip for each is most of the time.
  const needed = new Set<number>()
  for (const shard of task.segments) addNeeded(needed, shard, { table, parameters })
  await contents.load([...needed])
  const placed: PlacedShard[] = []
  for (const shard of task.segments) {
    try {
      placed.push(await placeShard(shard, { ...tools, table, contents, encoder, parameters, sink: openSink() }))
    } finally {
      contents.endShard()
    }
  }
  return placed
}

export async function runSnapshotTask(task: SnapshotTask, tools: WorkTools): Promise<PlacedEntries> {
  const table = viewTable(task.table)
  const { parameters } = task
  const contents = new ContentCache(table, tools)
  const sink = tools.openSinks()()
  try {
    const encoder = new DeltaEncoder()
    return await encodeRun(task.first, task.end, { ...tools, table, contents, encoder, parameters, sink })
  } finally {
    contents.endShard()
  }
}
