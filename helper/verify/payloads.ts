/**
 * Checks payloads, bundles of links and packs of snapshots: in their one form, readable by stock git, equal to what the engine
 * builds from the same objects. Bundles are taken oldest first, each providing the bases of the next; a bundle whose base is in
 * none of them needs a repository that has it. A snapshot stands alone.
 */

import { copyFile, open, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import {
  type BundleHeader,
  createCheckpointRule,
  GT1,
  type ObjectFormat,
  type Oid,
  parseBundleHeader,
  parseOid,
} from '../../engine/index.ts'
import { SnapshotStore } from '../build/snapshots.ts'
import { HelperError, messageOf } from '../errors.ts'
import { commitInName } from '../export/file-names.ts'
import type { ManifestSnapshot } from '../export/manifest.ts'
import { describeSnapshot } from '../export/manifest-entries.ts'
import { type Repository, runGit } from '../git/repository.ts'
import { BUNDLE_HEADER_LENGTH_MAX } from '../limits.ts'
import { sha256OfFile } from '../store/read-file.ts'
import { SegmentStore } from '../store/segment-store.ts'
import { type Bundle, interrupted, verifyBundles } from './bundles.ts'
import { withScratchRepository } from './scratch-repository.ts'
import type { CheckedPayload } from './verdict.ts'

interface Snapshot {
  readonly path: string
  readonly commit: Oid
}

/** Paths of the payloads: the file itself, or those in the folder. */
export async function payloadsOf(path: string, isFolder: boolean): Promise<string[]> {
  if (!isFolder) return [path]
  const names = await readdir(path)
  return names.filter((name) => name.endsWith('.bundle') || commitInName(name) !== null).map((name) => join(path, name))
}

/**
 * Checks payloads of one object format, in order of their names as far as what they build on allows.
 * @param lender whose objects a bundle may build on; null for none
 * @throws HelperError 'interrupted' when `signal` ends it
 */
export async function verifyPayloads(
  paths: readonly string[],
  lender: Repository | null,
  signal: AbortSignal,
): Promise<CheckedPayload[]> {
  const unreadable: CheckedPayload[] = []
  const bundles: Bundle[] = []
  const snapshots: Snapshot[] = []
  for (const path of [...paths].sort((a, b) => (a < b ? -1 : 1))) {
    const commit = commitInName(basename(path))
    try {
      if (commit === null) bundles.push({ path, header: await readHeader(path) })
      else snapshots.push({ path, commit: parseOid(commit, formatOf(commit)) })
    } catch (error) {
      unreadable.push({ name: basename(path), reason: messageOf(error), built: null })
    }
  }
  const [first] = [...bundles.map(({ header }) => header.objectFormat), ...snapshots.map((one) => formatOf(one.commit))]
  if (first === undefined) return unreadable
  const checked = await withScratchRepository(first, lender, async (scratch) => {
    const results = await verifyBundles(bundles, scratch, signal)
    for (const snapshot of snapshots)
      results.push(await checkedBy(snapshot.path, signal, () => rebuildSnapshot(snapshot, scratch)))
    return results
  })
  return [...unreadable, ...checked]
}

async function checkedBy(
  path: string,
  signal: AbortSignal,
  rebuild: () => Promise<ManifestSnapshot>,
): Promise<CheckedPayload> {
  const name = basename(path)
  if (signal.aborted) throw interrupted()
  try {
    return { name, reason: null, built: await rebuild() }
  } catch (error) {
    if (signal.aborted) throw interrupted()
    return { name, reason: messageOf(error), built: null }
  }
}

function formatOf(oid: string): ObjectFormat {
  return oid.length === 40 ? 'sha1' : 'sha256'
}

async function readHeader(path: string): Promise<BundleHeader> {
  const file = await open(path, 'r')
  try {
    const bytes = new Uint8Array(BUNDLE_HEADER_LENGTH_MAX)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    return parseBundleHeader(bytes.subarray(0, bytesRead))
  } finally {
    await file.close()
  }
}

/** The snapshot of a pack, built anew. @throws HelperError 'verify-failed' where the pack is another one */
async function rebuildSnapshot({ path, commit }: Snapshot, scratch: Repository): Promise<ManifestSnapshot> {
  const levelOf = await createCheckpointRule(GT1)
  if ((levelOf(commit) ?? -1) < GT1.snapshotLevel) throw refused('its commit is no checkpoint that has a snapshot')
  // git leaves an index beside the pack, and what is verified is not written to.
  const copy = join(scratch.gitDir, 'objects', 'pack', `pack-${commit}.pack`)
  await copyFile(path, copy)
  await runGit(scratch.gitDir, ['index-pack', copy])
  const store = new SegmentStore(scratch.gitDir)
  try {
    const built = await new SnapshotStore(scratch, store.folder).ensure(commit)
    const found = await sha256OfFile(path)
    if (built.sha256 !== found) throw refused(`differs from what its objects build (SHA-256 ${found})`)
    return describeSnapshot(built)
  } finally {
    await store.close()
  }
}

function refused(reason: string): HelperError {
  return new HelperError('verify-failed', reason)
}
