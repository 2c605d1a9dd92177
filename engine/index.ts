/**
 * The door of the engine room: git histories in, byte-deterministic packs out. FORMAT.md says what the bytes mean,
 * LIBRARY.md how to use this from a program of your own: `buildChain` makes the links of a tip, `readLink` reads one.
 * The rest are the parts that those two are made of, for programs that store segments, work in parallel or stream.
 */

export { type BuildInputs, type BuiltSegment, buildSegments, type SegmentRange } from './build.ts'
export { type BuiltLink, buildChain, type ChainTools } from './build-chain.ts'
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
export { checkDeflated, type Deflate, deflateReference, selectDeflate } from './deflate.ts'
export { applyDelta } from './delta-apply.ts'
export { EngineError, type EngineErrorCode } from './errors.ts'
export { type FormatParameters, GT1 } from './format.ts'
export { type ByteSink, type HeldBytes, MemorySink, type SpilledBytes, type SpillStore } from './held-bytes.ts'
export { HistoryScan, type ScannedPack } from './history-scan.ts'
export { createInflate } from './inflate.ts'
export { LineState, ObjectRows } from './line-state.ts'
export { type LinkLayout, layOutLink } from './link.ts'
export { type DeflatePart, partOutputLengthMax, selectDeflatePart } from './long-entry.ts'
export {
  BLOB,
  COMMIT,
  type CommitLinks,
  ENTRY_BLOB,
  ENTRY_GITLINK,
  ENTRY_TREE,
  type ObjectType,
  parseCommit,
  TAG,
  TREE,
  TreeCursor,
} from './object.ts'
export { hashLengthOf, type ObjectFormat, type Oid, oidFromBytes, parseOid, writeOidOfDigits } from './oid.ts'
export { PACK_HEADER_LENGTH, readPackHeader, writePackHeader } from './pack-entry.ts'
export { type PackIndex, readPackIndex } from './pack-index.ts'
export {
  type ByteSource,
  type InflateEntry,
  PACK_LIMITS,
  type PackEntry,
  type PackLimits,
  type PackReading,
  type PackTotals,
  type RunningHash,
  readPack,
  readPackBody,
  sourceOfBytes,
  totalsOf,
} from './pack-reader.ts'
export type { PlacedShard } from './placement.ts'
export {
  type GitObject,
  type LinkObject,
  type LinkReading,
  readLink,
  readLinkHeader,
  typeName,
} from './read-link.ts'
export { parseSegmentName, segmentNameOf } from './segment-name.ts'
export { encodeSegmentRows, loadSegmentRows, type RowNames, readRowNames } from './segment-rows.ts'
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
