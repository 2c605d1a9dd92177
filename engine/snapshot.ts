/**
 * The snapshot of a checkpoint: a self-contained pack of the commit and its whole tree, the same bytes everywhere
 * (FORMAT.md, "Snapshots"). Which objects it holds and in which order is decided here; runs of them are encoded in
 * parallel (snapshot-run.ts), each by itself.
 */

import { assembleBody, type SegmentBody } from './body.ts'
import type { PlacedEntries } from './entry-writer.ts'
import type { FormatParameters } from './format.ts'
import type { SpillStore } from './held-bytes.ts'
import { ObjectRows } from './line-state.ts'
import { BLOB, COMMIT, ENTRY_GITLINK, ENTRY_TREE, TREE, TreeCursor } from './object.ts'
import { oidFromBytes } from './oid.ts'
import type { ReadObjects } from './tree-diff.ts'
import type { WorkPool } from './work.ts'

export interface SnapshotInputs {
  readonly hashLength: number
  readonly read: ReadObjects
  readonly pool: WorkPool
  /** As for `buildSegments`. */
  readonly spills: SpillStore | null
  readonly parameters: FormatParameters
}

interface Found {
  readonly oid: string
  readonly type: typeof TREE | typeof BLOB
  readonly pathHash: number
}

/** A tree to read, and the hash of its path so far. */
interface Step {
  readonly tree: string
  readonly pathHash: number
}

const SLASH = 0x2f

/**
 * Builds the body of the snapshot of `commit`, whose root tree is `tree`, and hands it to `onBody`; its parts are good
 * until the promise of that is settled. @throws object-missing, object-malformed
 */
export async function buildSnapshot(
  commit: string,
  tree: string,
  inputs: SnapshotInputs,
  onBody: (body: SegmentBody) => Promise<void>,
): Promise<void> {
  const { pool, spills, parameters } = inputs
  const rows = new ObjectRows(inputs.hashLength)
  rows.append(commit, COMMIT, 0)
  for (const { oid, type, pathHash } of sortFound(await findObjects(tree, inputs))) {
    rows.append(oid, type, pathHash)
  }
  const runs: Promise<PlacedEntries>[] = []
  for (let first = 0; first < rows.count; first += parameters.snapshotRunLength) {
    const end = Math.min(first + parameters.snapshotRunLength, rows.count)
    runs.push(pool.snapshot({ kind: 'snapshot', table: rows.buffers, parameters, first, end }))
  }
  const placed = await Promise.all(runs)
  await onBody(assembleBody(placed, rows.views, spills))
  for (const { data } of placed) if (!(data instanceof Uint8Array)) await spills?.release(data)
}

/** Every tree and blob below a root tree, the root included, once each, level by level. */
async function findObjects(root: string, { read, hashLength }: SnapshotInputs): Promise<Found[]> {
  const found: Found[] = [{ oid: root, type: TREE, pathHash: 0 }]
  const known = new Set([root])
  let steps: Step[] = [{ tree: root, pathHash: 0 }]
  while (steps.length > 0) {
    const trees = await read(
      steps.map(({ tree }) => tree),
      TREE,
    )
    const next: Step[] = []
    steps.forEach(({ pathHash }, index) => {
      const cursor = new TreeCursor(trees[index] ?? new Uint8Array(0), hashLength)
      while (cursor.next()) {
        if (cursor.kind === ENTRY_GITLINK) continue
        const oid = oidFromBytes(cursor.bytes, cursor.oidStart, hashLength)
        if (known.has(oid)) continue
        known.add(oid)
        const hash = extendPathHash(pathHash, cursor.bytes, cursor.nameStart, cursor.nameEnd)
        const type = cursor.kind === ENTRY_TREE ? TREE : BLOB
        found.push({ oid, type, pathHash: hash })
        if (type === TREE) next.push({ tree: oid, pathHash: stepPathHash(hash, SLASH) })
      }
    })
    steps = next
  }
  return found
}

/** Trees before blobs, then by path hash, greatest first; equal ones keep the order in which they were found. */
function sortFound(found: readonly Found[]): Found[] {
  return [...found].sort((a, b) => a.type - b.type || b.pathHash - a.pathHash)
}

/**
 * The hash that git's pack-objects sorts names by: the last sixteen bytes count, the last ones most, so that files of one
 * kind and files of one name stand together.
 */
function extendPathHash(hash: number, bytes: Uint8Array, start: number, end: number): number {
  let extended = hash
  for (let at = start; at < end; at++) extended = stepPathHash(extended, bytes[at] ?? 0)
  return extended
}

function stepPathHash(hash: number, byte: number): number {
  return ((hash >>> 2) + byte * 0x1000000) >>> 0
}
