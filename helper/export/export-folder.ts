/**
 * Chains as a folder of files: plans every file of it from the chains and what an earlier export left, and has the folder
 * brought there. A link that no chain has any more stays for a grace period, because somebody may be reading an older list.
 * The time that counts for it is `clock`, which the history itself moves on: the same commits give the same folder.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Chain } from '../build/chains.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import { CHAIN_COUNT_UNASKED, SUPERSEDED_COUNT_MAX } from '../limits.ts'
import { bringFolder, type FolderChanges, type FolderDocument, hasFile, readEarlier } from './folder.ts'
import {
  CHECKSUMS_NAME,
  type ContentOptions,
  contentOf,
  encodeChecksums,
  type FolderContent,
  hashesOf,
  payloadNamesOf,
  sha256Of,
} from './folder-content.ts'
import type { EarlierFiles, Manifest, ManifestFile, SupersededFile } from './manifest.ts'

const DAY_SECONDS = 24 * 3600

export interface ExportOptions extends ContentOptions {
  /** Days that superseded links stay, of the time that `clock` tells. */
  readonly graceDays: number
  /** Newest committer date of the tips, in seconds since 1970. */
  readonly newestDate: number
  /** Seconds since 1970; dates of the future do not move the clock. */
  readonly now: number
}

export interface ExportReport extends FolderChanges {
  readonly manifest: FolderContent['entries']
}

/** Brings `folder` to the state of the first CHAIN_COUNT_UNASKED of `allChains` and of `snapshots` (newest first). @throws HelperError 'usage' for a folder that holds other things, 'store-corrupt' */
export async function exportFolder(
  allChains: readonly Chain[],
  snapshots: readonly SnapshotFile[],
  folder: string,
  options: ExportOptions,
): Promise<ExportReport> {
  const chains = allChains.slice(0, CHAIN_COUNT_UNASKED)
  const earlier = await readEarlier(folder)
  const clock = Math.max(earlier?.clock ?? 0, Math.min(options.newestDate, options.now))
  const current = payloadNamesOf(chains, snapshots)
  const superseded = await supersededFiles(folder, earlier, current, clock, options.graceDays)
  const content = contentOf(chains, snapshots, options, { clock, superseded })
  const { payloads, pages, manifest, entries } = content
  const torrents = payloads.map(({ torrent: { name, bytes } }) => ({ name, bytes: bytes() }))
  const checksums = encodeChecksums(new Map([...hashesOf(content), ...(await supersededHashes(folder, superseded))]))
  const known = new Map(
    [...(earlier?.current ?? []), ...(earlier?.superseded ?? [])].map(({ file, sha256 }) => [file, sha256]),
  )
  const kept = new Set(superseded.flatMap(({ file }) => [file, `${file}.torrent`]))
  const documents: FolderDocument[] = [...torrents, ...pages, { name: CHECKSUMS_NAME, bytes: checksums }, manifest]
  const changes = await bringFolder(folder, payloads, documents, known, kept)
  return { ...changes, manifest: entries }
}

/** Links and snapshots that are not superseded. */
export function currentFiles({ chains, snapshots }: Manifest): ManifestFile[] {
  return [...chains.flatMap(({ links }) => links), ...snapshots]
}

/** What an earlier export had, is still there, and is not old enough to go. */
async function supersededFiles(
  folder: string,
  earlier: EarlierFiles | null,
  current: ReadonlySet<string>,
  clock: number,
  graceDays: number,
): Promise<SupersededFile[]> {
  const found = new Map<string, SupersededFile>()
  for (const entry of earlier?.superseded ?? []) found.set(entry.file, entry)
  for (const entry of earlier?.current ?? []) found.set(entry.file, { ...entry, since: clock })
  const kept: SupersededFile[] = []
  for (const entry of found.values()) {
    const isYoung = clock - entry.since < graceDays * DAY_SECONDS
    if (!isYoung || current.has(entry.file) || !(await hasFile(folder, entry.file, entry.bytes))) continue
    kept.push(entry)
  }
  const youngest = kept.sort((a, b) => b.since - a.since || (a.file < b.file ? -1 : 1)).slice(0, SUPERSEDED_COUNT_MAX)
  return youngest.sort((a, b) => (a.file < b.file ? -1 : 1))
}

/** SHA-256, hex, of superseded files and of their torrents as far as they are there, by name. */
async function supersededHashes(folder: string, superseded: readonly SupersededFile[]): Promise<[string, string][]> {
  const hashes: [string, string][] = []
  for (const { file, sha256 } of superseded) {
    hashes.push([file, sha256])
    const torrent = await readFile(join(folder, `${file}.torrent`)).catch(() => null)
    if (torrent !== null) hashes.push([`${file}.torrent`, sha256Of(torrent)])
  }
  return hashes
}
