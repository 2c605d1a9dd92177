/**
 * The constants of format `gt1` (FORMAT.md, "Constants"). Every number that reaches a body, a link or an infohash
 * stands here. The tuning functions of bench/ may run the engine with other values; only GT1 names a format.
 */

export interface FormatParameters {
  /** N0: a commit whose h(C) is divisible by this is a checkpoint. A power of two. */
  readonly checkpointModulus: number
  /** G: a checkpoint of this level or more is coarse. */
  readonly coarseLevel: number
  /** No object is deeper than this, counted across segments; a whole object has depth 0. */
  readonly depthMax: number
  /** A newest version takes a base of an older segment only up to this depth; past it, an ancestor of that base. */
  readonly spineDepthMax: number
  /** How far up the delta chain a vertex at its depth limit looks for the ancestor that stands in for it. */
  readonly depthStep: number
  /** Weight of a candidate = length · (64 + penalty · depth) / 64: how much depth costs against bytes. */
  readonly depthPenalty: number
  /** Neighbours kept per object in the version graph, in order of discovery. */
  readonly neighbourCountMax: number
  /** How many versions of the same name, on each side in order of discovery, an unreached object tries. */
  readonly sameNameCount: number
  /** Objects longer than this are stored whole and are nobody's delta base. Bytes. */
  readonly deltaObjectLengthMax: number
  /** An entry that inflates to more than this is long: it is compressed in parts. Bytes. */
  readonly longEntryLength: number
  /** Long entries are compressed in parts of this length. Bytes. */
  readonly entryPartLength: number
  /** A checkpoint of this level or more has a snapshot. */
  readonly snapshotLevel: number
  /** Objects of a snapshot are encoded in runs of so many; no delta leaves its run. */
  readonly snapshotRunLength: number
  /** Preceding objects of the run that an object of a snapshot tries. */
  readonly snapshotWindow: number
  /** No object of a snapshot is deeper than this. */
  readonly snapshotDepthMax: number
}

export const GT1: FormatParameters = {
  checkpointModulus: 2,
  coarseLevel: 6,
  depthMax: 48,
  spineDepthMax: 24,
  depthStep: 24,
  depthPenalty: 8,
  neighbourCountMax: 64,
  sameNameCount: 3,
  deltaObjectLengthMax: 128 * 1024 * 1024,
  longEntryLength: 8 * 1024 * 1024,
  entryPartLength: 4 * 1024 * 1024,
  snapshotLevel: 5,
  snapshotRunLength: 1024,
  snapshotWindow: 10,
  snapshotDepthMax: 8,
}

/** Highest level that a checkpoint can have (FORMAT.md, "Checkpoints"). */
export const CHECKPOINT_LEVEL_MAX = 40

/** Objects are sharded by type and base name; no delta crosses shards. Shards per type for trees and for blobs. */
export const SHARD_COUNT_PER_TYPE = 32

/** Deltas and their bases are at least this long; shorter objects are stored whole. Bytes. */
export const DELTA_OBJECT_LENGTH_MIN = 32
