/**
 * What is in a folder of chains, whoever keeps it: an export brings a folder on the disk to it, our own web server (helper/web/)
 * answers with it. A pure function of the chains and the options.
 * Torrents are made when they are asked for, because a server of many folders would else hold all piece hashes twice.
 */

import { createHash } from 'node:crypto'
import { linkName, type ObjectFormat, snapshotName } from '../../engine/index.ts'
import type { Chain } from '../build/chains.ts'
import type { LinkFile } from '../build/link-file.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import { BUNDLE_LIST_NAME, encodeBundleList } from './bundle-list.ts'
import { MANIFEST_NAME } from './file-names.ts'
import type { FolderDocument, FolderPayload } from './folder.ts'
import { encodeIndexPage, INDEX_PAGE_NAME } from './index-page.ts'
import { encodeManifest, type Manifest, type SupersededFile } from './manifest.ts'
import { describeChain, describeSnapshot } from './manifest-entries.ts'
import { type ManifestSigner, signManifest } from './manifest-signature.ts'
import { encodeTorrentFile, surroundingsOf } from './torrent-file.ts'

export const CHECKSUMS_NAME = 'SHA256SUMS'

export interface ContentOptions {
  readonly objectFormat: ObjectFormat
  /** 20 bytes; null where the origin is unknown. */
  readonly topic: Uint8Array | null
  /** Where the folder can be had, as `parseBaseUrl` gives it; the first one goes into the bundle list. */
  readonly baseUrls: readonly string[]
  readonly trackers: readonly string[]
  /** Whose signature the manifest gets; null for none. */
  readonly signer: ManifestSigner | null
}

/** Where the folder stands in time: its clock, and what is in it although no chain has it any more. */
export interface ContentMoment {
  /** Seconds since 1970. */
  readonly clock: number
  readonly superseded: readonly SupersededFile[]
}

/** A link or a snapshot, and its torrent. */
export interface ContentPayload extends FolderPayload {
  readonly torrent: { readonly name: string; readonly bytes: () => Uint8Array }
}

/** The files of a folder, but for the checksums of them. */
export interface FolderFiles {
  readonly payloads: readonly ContentPayload[]
  /** The bundle list and the page for people. */
  readonly pages: readonly FolderDocument[]
  readonly manifest: FolderDocument
}

export interface FolderContent extends FolderFiles {
  /** What the manifest says. */
  readonly entries: Omit<Manifest, 'version' | 'format' | 'key'>
}

/** Names of the links and snapshots in a folder of these. */
export function payloadNamesOf(chains: readonly Chain[], snapshots: readonly SnapshotFile[]): Set<string> {
  const links = chains.flatMap((chain) => chain.links.map(({ plan: { tip, base } }) => linkName(tip, base)))
  return new Set([...links, ...snapshots.map(({ commit }) => snapshotName(commit))])
}

/** Chains have the names that their refs have in the origin; snapshots are the newest first. */
export function contentOf(
  chains: readonly Chain[],
  snapshots: readonly SnapshotFile[],
  options: ContentOptions,
  { clock, superseded }: ContentMoment,
): FolderContent {
  const { objectFormat, baseUrls: urls, trackers, signer } = options
  const described = chains.map(describeChain)
  const describedSnapshots = snapshots.map(describeSnapshot)
  const links = described.flatMap((chain) => chain.links)
  const records = new Map(links.map(({ file, record }) => [file, record]))
  const entries = {
    objectFormat,
    topic: options.topic === null ? null : Buffer.from(options.topic).toString('hex'),
    clock,
    bytes: links.reduce((sum, link) => sum + link.bytes, 0),
    urls,
    trackers,
    chains: described,
    snapshots: describedSnapshots,
    superseded,
  }
  const payloadOf = (name: string, file: LinkFile | SnapshotFile): ContentPayload => {
    const { lengthBytes, sha256, info, read } = file
    const record = records.get(name) ?? null
    const bytes = (): Uint8Array => encodeTorrentFile(info, surroundingsOf(name, { urls, trackers }), record)
    return { name, lengthBytes, sha256, read, torrent: { name: `${name}.torrent`, bytes } }
  }
  const linkPayloads = chains.flatMap((chain) =>
    chain.links.map((link) => payloadOf(linkName(link.plan.tip, link.plan.base), link)),
  )
  const snapshotPayloads = snapshots.map((snapshot) => payloadOf(snapshotName(snapshot.commit), snapshot))
  const [baseUrl = null] = urls
  const unsigned = encodeManifest(entries)
  return {
    payloads: [...linkPayloads, ...snapshotPayloads],
    pages: [
      { name: BUNDLE_LIST_NAME, bytes: encodeBundleList(described[0]?.links ?? [], baseUrl) },
      { name: INDEX_PAGE_NAME, bytes: encodeIndexPage(described, describedSnapshots, baseUrl) },
    ],
    manifest: { name: MANIFEST_NAME, bytes: signer === null ? unsigned : signManifest(unsigned, signer) },
    entries,
  }
}

/** SHA-256, hex, of each of them, by name. */
export function hashesOf({ payloads, pages, manifest }: FolderFiles): Map<string, string> {
  return new Map([
    ...payloads.map(({ name, sha256 }) => [name, sha256] as const),
    ...payloads.map(({ torrent }) => [torrent.name, sha256Of(torrent.bytes())] as const),
    ...[...pages, manifest].map(({ name, bytes }) => [name, sha256Of(bytes)] as const),
  ])
}

/** What `sha256sum -c` reads, in order of names. */
export function encodeChecksums(hashes: ReadonlyMap<string, string>): Uint8Array {
  const lines = [...hashes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, hash]) => `${hash}  ${name}\n`)
  return Buffer.from(lines.join(''))
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
