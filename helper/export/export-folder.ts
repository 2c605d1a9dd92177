/**
 * Chains as a folder of files: plans every file of it from the chains and what an earlier export left, and has the folder
 * brought there. A link that no chain has any more stays for a grace period, because somebody may be reading an older list.
 * The time that counts for it is `clock`, which the history itself moves on: the same commits give the same folder.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { linkName, type ObjectFormat, snapshotName } from '../../engine/index.ts'
import type { Chain } from '../build/chains.ts'
import type { LinkFile } from '../build/link-file.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import { CHAIN_COUNT_UNASKED, SUPERSEDED_COUNT_MAX } from '../limits.ts'
import { BUNDLE_LIST_NAME, encodeBundleList } from './bundle-list.ts'
import { MANIFEST_NAME } from './file-names.ts'
import {
  bringFolder,
  type FolderChanges,
  type FolderDocument,
  type FolderPayload,
  hasFile,
  readEarlier,
} from './folder.ts'
import { encodeIndexPage, INDEX_PAGE_NAME } from './index-page.ts'
import { type EarlierFiles, encodeManifest, type Manifest, type ManifestFile, type SupersededFile } from './manifest.ts'
import { describeChain, describeSnapshot } from './manifest-entries.ts'
import { type ManifestSigner, signManifest } from './manifest-signature.ts'
import { encodeTorrentFile, surroundingsOf } from './torrent-file.ts'

export const CHECKSUMS_NAME = 'SHA256SUMS'
const DAY_SECONDS = 24 * 3600

/** What has a file and a torrent of its own. */
interface Payload extends FolderPayload {
  /** The bencoded info dict. */
  readonly info: Uint8Array
  /** The record of segments that goes into the .torrent file; null for none. */
  readonly record: Uint8Array | null
}

export interface ExportOptions {
  readonly objectFormat: ObjectFormat
  /** 20 bytes; null where the origin is unknown. */
  readonly topic: Uint8Array | null
  /** Where the folder can be had, as `parseBaseUrl` gives it; the first one goes into the bundle list. */
  readonly baseUrls: readonly string[]
  readonly trackers: readonly string[]
  /** Days that superseded links stay, of the time that `clock` tells. */
  readonly graceDays: number
  /** Newest committer date of the tips, in seconds since 1970. */
  readonly newestDate: number
  /** Seconds since 1970; dates of the future do not move the clock. */
  readonly now: number
  /** Whose signature the manifest gets; null for none. */
  readonly signer: ManifestSigner | null
}

export interface ExportReport extends FolderChanges {
  readonly manifest: Pick<Manifest, 'chains' | 'snapshots' | 'superseded' | 'bytes' | 'clock'>
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
  const described = chains.map(describeChain)
  const links = described.flatMap((chain) => chain.links)
  const describedSnapshots = snapshots.map(describeSnapshot)
  const current = [...links, ...describedSnapshots]
  const superseded = await supersededFiles(folder, earlier, current, clock, options.graceDays)
  const bytes = links.reduce((sum, link) => sum + link.bytes, 0)
  const { objectFormat, baseUrls: urls, trackers } = options
  const topic = options.topic === null ? null : Buffer.from(options.topic).toString('hex')
  const content = { chains: described, snapshots: describedSnapshots, superseded }
  const manifest = { objectFormat, topic, clock, bytes, urls, trackers, ...content }
  const records = new Map(links.map(({ file, record }) => [file, record]))
  const linkPayloads = chains.flatMap((chain) => chain.links.map((link) => payloadOfLink(link, records)))
  const payloads = [...linkPayloads, ...snapshots.map(payloadOfSnapshot)]
  const torrents = payloads.map((payload) => torrentOf(payload, options))
  const [baseUrl = null] = urls
  const documents: FolderDocument[] = [
    ...torrents,
    { name: BUNDLE_LIST_NAME, bytes: encodeBundleList(described[0]?.links ?? [], baseUrl) },
    { name: INDEX_PAGE_NAME, bytes: encodeIndexPage(described, describedSnapshots, baseUrl) },
  ]
  const unsigned = encodeManifest(manifest)
  const { signer } = options
  const last = { name: MANIFEST_NAME, bytes: signer === null ? unsigned : signManifest(unsigned, signer) }
  const checksums = await encodeChecksums(folder, [...current, ...superseded], [...documents, last], superseded)
  const known = new Map(
    [...(earlier?.current ?? []), ...(earlier?.superseded ?? [])].map(({ file, sha256 }) => [file, sha256]),
  )
  const kept = new Set(superseded.flatMap(({ file }) => [file, `${file}.torrent`]))
  const all = [...documents, { name: CHECKSUMS_NAME, bytes: checksums }, last]
  const changes = await bringFolder(folder, payloads, all, known, kept)
  return { ...changes, manifest }
}

function payloadOfLink(
  { plan, lengthBytes, sha256, info, read }: LinkFile,
  records: ReadonlyMap<string, Uint8Array | null>,
): Payload {
  const name = linkName(plan.tip, plan.base)
  return { name, lengthBytes, sha256, info, read, record: records.get(name) ?? null }
}

function payloadOfSnapshot({ commit, lengthBytes, sha256, info, read }: SnapshotFile): Payload {
  return { name: snapshotName(commit), lengthBytes, sha256, info, read, record: null }
}

function torrentOf({ name, info, record }: Payload, { baseUrls, trackers }: ExportOptions): FolderDocument {
  const surroundings = surroundingsOf(name, { urls: baseUrls, trackers })
  return { name: `${name}.torrent`, bytes: encodeTorrentFile(info, surroundings, record) }
}

/** Links and snapshots that are not superseded. */
export function currentFiles({ chains, snapshots }: Manifest): ManifestFile[] {
  return [...chains.flatMap(({ links }) => links), ...snapshots]
}

/** What an earlier export had, is still there, and is not old enough to go. */
async function supersededFiles(
  folder: string,
  earlier: EarlierFiles | null,
  wanted: readonly ManifestFile[],
  clock: number,
  graceDays: number,
): Promise<SupersededFile[]> {
  const current = new Set(wanted.map(({ file }) => file))
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

/** What `sha256sum -c` reads: all files but this one, in order of their names. */
async function encodeChecksums(
  folder: string,
  payloads: readonly ManifestFile[],
  documents: readonly FolderDocument[],
  superseded: readonly SupersededFile[],
): Promise<Uint8Array> {
  const hashes = new Map(payloads.map(({ file, sha256 }) => [file, sha256]))
  const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  for (const { name, bytes } of documents) hashes.set(name, hashOf(bytes))
  for (const { file } of superseded) {
    const torrent = await readFile(join(folder, `${file}.torrent`)).catch(() => null)
    if (torrent !== null) hashes.set(`${file}.torrent`, hashOf(torrent))
  }
  const lines = [...hashes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, hash]) => `${hash}  ${name}\n`)
  return Buffer.from(lines.join(''))
}
