/**
 * The door of the engine room: git histories in, byte-deterministic packs out. See FORMAT.md for what the bytes mean.
 */

export { type BuildInputs, type BuiltSegment, buildSegments, type SegmentRange } from './build.ts'
export { type BundleHeader, encodeBundleHeader, parseBundleHeader } from './bundle.ts'
export {
  type Checkpoint,
  type Grain,
  type Line,
  type LinkPlan,
  planBranchChain,
  planChain,
  planLink,
  readLine,
  type SegmentPlan,
  type TracedLine,
  Trunks,
} from './chain.ts'
export { createCheckpointRule, type LevelOf } from './checkpoint.ts'
export { CommitGraph } from './commit-graph.ts'
export { encodeCommitGraph, parseCommitGraph } from './commit-graph-file.ts'
export { CommitMarks, takeCommits } from './commit-order.ts'
export type { CommitTable } from './commit-table.ts'
export type { HeavyGate } from './content-cache.ts'
export { type Deflate, selectDeflate } from './deflate.ts'
export { EngineError, type EngineErrorCode } from './errors.ts'
export { type FormatParameters, GT1 } from './format.ts'
export { type ByteSink, type HeldBytes, MemorySink, type SpilledBytes, type SpillStore } from './held-bytes.ts'
export { LineState, ObjectRows } from './line-state.ts'
export { type LinkLayout, layOutLink } from './link.ts'
export { type DeflatePart, partOutputLengthMax, selectDeflatePart } from './long-entry.ts'
export { hashLengthOf, type ObjectFormat, type Oid, parseOid } from './oid.ts'
export { PACK_HEADER_LENGTH, readPackHeader, writePackHeader } from './pack-entry.ts'
export type { PlacedShard } from './placement.ts'
export { parseSegmentName, segmentNameOf } from './segment-name.ts'
export { encodeSegmentRows, loadSegmentRows } from './segment-rows.ts'
export { buildSnapshot, type SnapshotInputs } from './snapshot.ts'
export {
  encodeInfo,
  infohashOf,
  type LinkInfo,
  linkName,
  pieceCountOf,
  pieceLengthOf,
  snapshotName,
} from './torrent.ts'
export type { Change, ReadObjects } from './tree-diff.ts'
export {
  type DiffTask,
  type PlaceTask,
  runDiffTask,
  runPlaceTask,
  runSnapshotTask,
  type SnapshotTask,
  type WorkPool,
  type WorkTools,
} from './work.ts'
