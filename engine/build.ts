/**
 * Builds the segments of one line, oldest first: compares trees in parallel, collects membership in order, places
 * shards in parallel, assembles bodies in order. A shard of a segment waits only for the same shard of the segments
 * before it, so workers never idle at segment boundaries; worker count and scheduling cannot reach a byte.
 */

import { assembleBody, type SegmentBody } from './body.ts'
import type { CommitGraph } from './commit-graph.ts'
import { type CommitMarks, takeCommits } from './commit-order.ts'
import type { FormatParameters } from './format.ts'
import type { SpillStore } from './held-bytes.ts'
import type { LineState } from './line-state.ts'
import type { PlacedShard, ShardSegment } from './placement.ts'
import { collectSegment, SHARD_COUNT } from './segment-objects.ts'
import type { Change, TreePair } from './tree-diff.ts'
import type { WorkPool } from './work.ts'

/** How work is cut; bounds memory, reaches no byte. */
interface WorkSizes {
  /** Commits whose trees one diff task compares: neighbours share most of their trees. */
  readonly diffCommitCount: number
  /** Commits after which a batch of whole segments is closed. */
  readonly batchCommitCount: number
}

const WORK_SIZES: WorkSizes = { diffCommitCount: 128, batchCommitCount: 512 }
/**
 * Batches in flight: hides the tail of one behind the next. A kill loses what is in them; a quarter of 2,048 commits
 * each costs the same time.
 */
const BATCH_COUNT_MAX = 4

export interface SegmentRange {
  readonly tip: string
  readonly base: string | null
}

/** The inputs of a build. `line` and `taken` stand at the base of the first range and move on with every segment. */
export interface BuildInputs {
  readonly graph: CommitGraph
  readonly line: LineState
  readonly taken: CommitMarks
  readonly pool: WorkPool
  /** Where the pool puts compressed entries aside; null for a pool that holds everything in memory. */
  readonly spills: SpillStore | null
  readonly parameters: FormatParameters
  /** How many segments `onSegment` may be busy with at a time; 1 unless given. */
  readonly handOverCount?: number
  /** The usual sizes unless given. */
  readonly workSizes?: WorkSizes
}

export interface BuiltSegment extends SegmentBody {
  readonly range: SegmentRange
  readonly commitCount: number
}

interface SegmentWork {
  readonly range: SegmentRange
  readonly commits: readonly number[]
}

/**
 * Builds consecutive segments and hands each to `onSegment`, in order, and no more than `handOverCount` before one of
 * their promises is settled. @throws object-missing, object-malformed
 */
export async function buildSegments(
  ranges: readonly SegmentRange[],
  inputs: BuildInputs,
  onSegment: (segment: BuiltSegment) => Promise<void>,
): Promise<void> {
  const batches = planBatches(ranges, inputs)
  const shardTails: Promise<unknown>[] = new Array<Promise<unknown>>(SHARD_COUNT).fill(Promise.resolve())
  const finished: Promise<void>[] = []
  let lastFinished: Promise<void> = Promise.resolve()
  let diffs = batches[0] === undefined ? Promise.resolve([]) : startDiffs(batches[0], inputs)
  for (let b = 0; b < batches.length; b++) {
    const batch = batches[b] ?? []
    const changes = await diffs
    const placing = startPlacing(batch, changes, inputs, shardTails)
    placing.catch(() => {})
    const next = batches[b + 1]
    if (next !== undefined) diffs = startDiffs(next, inputs)
    diffs.catch(() => {})
    lastFinished = finishBatch(batch, placing, lastFinished, inputs, onSegment)
    lastFinished.catch(() => {})
    finished.push(lastFinished)
    if (b >= BATCH_COUNT_MAX) await finished[b - BATCH_COUNT_MAX]
  }
  await lastFinished
}

function planBatches(ranges: readonly SegmentRange[], inputs: BuildInputs): SegmentWork[][] {
  const { graph, taken, workSizes = WORK_SIZES } = inputs
  const batches: SegmentWork[][] = []
  let count = workSizes.batchCommitCount
  for (const range of ranges) {
    const commits = takeCommits(graph, graph.numberOf(range.tip), taken)
    if (count >= workSizes.batchCommitCount) {
      batches.push([])
      count = 0
    }
    batches[batches.length - 1]?.push({ range, commits })
    count += commits.length
  }
  return batches
}

/** Compares the trees of all commits of a batch, and of each segment's tip with its base; one result per pair. */
async function startDiffs(batch: readonly SegmentWork[], inputs: BuildInputs): Promise<Change[][]> {
  const { graph, pool, workSizes = WORK_SIZES } = inputs
  const { diffCommitCount } = workSizes
  const pairs: TreePair[] = []
  for (const { range, commits } of batch) {
    for (const commit of commits) pairs.push(pairOfCommit(graph, commit))
    const olds = range.base === null ? [] : [graph.treeOf(graph.numberOf(range.base))]
    pairs.push({ tree: graph.treeOf(graph.numberOf(range.tip)), olds })
  }
  const tasks: Promise<Change[][]>[] = []
  for (let start = 0; start < pairs.length; start += diffCommitCount) {
    const { hashLength } = graph
    tasks.push(pool.diff({ kind: 'diff', hashLength, pairs: pairs.slice(start, start + diffCommitCount) }))
  }
  return (await Promise.all(tasks)).flat()
}

function pairOfCommit(graph: CommitGraph, commit: number): TreePair {
  const olds: string[] = []
  for (let index = 0; index < graph.parentCountOf(commit); index++) {
    olds.push(graph.treeOf(graph.parentOf(commit, index)))
  }
  return { tree: graph.treeOf(commit), olds }
}

/** Collects the segments of a batch and starts placing their shards; resolves to the placed shards per segment. */
async function startPlacing(
  batch: readonly SegmentWork[],
  changes: readonly Change[][],
  { graph, line, pool, parameters }: BuildInputs,
  shardTails: Promise<unknown>[],
): Promise<PlacedShard[][]> {
  let at = 0
  const segments = batch.map(({ range, commits }) => {
    const byCommit = changes.slice(at, at + commits.length)
    const spine = changes[at + commits.length] ?? []
    at += commits.length + 1
    const tipTree = graph.treeOf(graph.numberOf(range.tip))
    const baseTree = range.base === null ? null : graph.treeOf(graph.numberOf(range.base))
    return collectSegment({ commits, byCommit, tipTree, baseTree, spine }, graph, line, parameters)
  })
  const placed: PlacedShard[][] = batch.map(() => [])
  const shards: Promise<void>[] = []
  for (let shard = 0; shard < SHARD_COUNT; shard++) {
    const at: number[] = []
    const work: ShardSegment[] = []
    segments.forEach((segment, index) => {
      const members = segment.shards[shard] ?? null
      if (members === null) return
      at.push(index)
      work.push(members)
    })
    if (work.length === 0) continue
    const table = line.rows.buffers
    const tail = (shardTails[shard] ?? Promise.resolve()).then(async () => {
      const results = await pool.place({ kind: 'place', table, parameters, segments: work })
      results.forEach((result, index) => {
        const target = placed[at[index] ?? 0]
        if (target !== undefined) target[shard] = result
      })
    })
    tail.catch(() => {})
    shardTails[shard] = tail
    shards.push(tail)
  }
  await Promise.all(shards)
  return placed
}

async function finishBatch(
  batch: readonly SegmentWork[],
  placing: Promise<PlacedShard[][]>,
  before: Promise<void>,
  { line, spills, handOverCount = 1 }: BuildInputs,
  onSegment: (segment: BuiltSegment) => Promise<void>,
): Promise<void> {
  const placed = await placing
  await before
  const left = batch.entries()
  const handOver = async (): Promise<void> => {
    for (const [index, { range, commits }] of left) {
      const shards = (placed[index] ?? []).filter((shard) => shard !== undefined)
      const body = assembleBody(shards, line.rows.views, spills)
      await onSegment({ ...body, range, commitCount: commits.length })
      for (const { data } of shards) if (!(data instanceof Uint8Array)) await spills?.release(data)
    }
  }
  await Promise.all(Array.from({ length: handOverCount }, handOver))
}
