/**
 * An exported folder on a web server as a source of links: its manifest claims what a peer's chain answer claims, and is checked by
 * the same code. A folder is only believed to be of the repository at hand when it says so itself (its topic), or when
 * one of its chains ends where the origin stands.
 */

import {
  type LevelOf,
  linkName,
  type ObjectFormat,
  parseOid,
  pieceLengthOf,
  snapshotName,
} from '../../../engine/index.ts'
import { HelperError } from '../../errors.ts'
import { MANIFEST_NAME } from '../../export/file-names.ts'
import { type Manifest, type ManifestLink, parseManifest } from '../../export/manifest.ts'
import { decodeSegments, type NamedSegment } from '../../export/manifest-segments.ts'
import { MANIFEST_LENGTH_MAX, TORRENT_FILE_LENGTH_MAX } from '../../limits.ts'
import type { SupplyRequest } from '../../remote/supply.ts'
import {
  type ChainClaim,
  checkedChain,
  checkedLink,
  type LinkClaim,
  requireSnapshotCheckpoint,
  type SnapshotClaim,
} from '../chain-claim.ts'
import { bodyWithin, type WebConnections, webGet } from './http-get.ts'
import type { ManifestCache } from './manifest-cache.ts'
import { recordsFor } from './segment-records.ts'

export interface WebSeedLocation {
  /** URL of the manifest, or of its folder with a slash at the end. */
  readonly url: string
  /** The URL is not the user's own word: only public addresses may be asked. */
  readonly mustBePublic: boolean
  /** The origin itself names it as one of this repository. */
  readonly isVouchedFor: boolean
}

export interface WebSeed extends WebSeedLocation {
  readonly chains: readonly ChainClaim[]
  /** Newest first. */
  readonly snapshots: readonly SnapshotClaim[]
  /** The .torrent file beside a payload, asked for once. @throws HelperError 'webseed-failed' */
  torrentOf(file: string): Promise<Uint8Array>
  /** URL of a link's payload, null if the folder has other bytes for it or none. */
  urlOf(link: LinkClaim): string | null
  /** The same of a snapshot. */
  urlOfSnapshot(snapshot: SnapshotClaim): string | null
}

/** A manifest as it came, not compared with any request. */
export interface FetchedManifest {
  /** Its own URL. */
  readonly url: string
  readonly manifest: Manifest
}

/** Fetches a manifest, and keeps it for later runs. @throws HelperError 'webseed-failed', 'manifest-malformed', 'unsigned'; EngineError */
export async function fetchManifest(
  location: WebSeedLocation,
  connections: WebConnections,
  cache: ManifestCache,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const { mustBePublic } = location
  const url = location.url.endsWith('/') ? `${location.url}${MANIFEST_NAME}` : location.url
  const kept = await cache.find(url)
  const known = kept === null ? {} : { known: kept.validators }
  const answer = await webGet(url, { offset: 0, end: null, mustBePublic, signal, ...known }, connections)
  const sent = await bodyWithin(answer, MANIFEST_LENGTH_MAX)
  const bytes = answer.isUnchanged && kept !== null ? kept.bytes : sent
  const manifest = parseManifest(bytes)
  if (!answer.isUnchanged) await cache.keep(url, { bytes, validators: answer.validators })
  return { url, manifest }
}

/** What a manifest claims, as far as the request may need it, checked. @throws HelperError 'manifest-malformed', 'chain-malformed'; EngineError */
export async function readWebSeed(
  location: WebSeedLocation,
  { url, manifest }: FetchedManifest,
  request: Omit<SupplyRequest, 'progress'>,
  levelOf: LevelOf,
  connections: WebConnections,
): Promise<WebSeed> {
  const { objectFormat, signal } = request
  if (manifest.objectFormat !== objectFormat)
    throw new HelperError('manifest-malformed', `manifest: expected ${objectFormat}, got ${manifest.objectFormat}`)
  const { mustBePublic } = location
  const torrents = new Map<string, Promise<Uint8Array>>()
  const torrentOf = (file: string): Promise<Uint8Array> => {
    const at = new URL(`${file}.torrent`, url).href
    const torrent = torrents.get(at) ?? bringTorrent(at, mustBePublic, connections, signal)
    torrents.set(at, torrent)
    return torrent
  }
  const chains = claimsOf(manifest, await recordsFor(manifest, request, torrentOf), levelOf)
  const snapshots = snapshotClaimsOf(manifest, levelOf)
  const infohashes = new Map<string, string>()
  const links = manifest.chains.flatMap((chain) => chain.links)
  for (const { file, infohash } of [...manifest.superseded, ...links, ...manifest.snapshots])
    infohashes.set(file, infohash)
  const urlOfFile = (file: string, infohash: Uint8Array): string | null => {
    if (infohashes.get(file) !== Buffer.from(infohash).toString('hex')) return null
    return new URL(file, url).href
  }
  return {
    ...location,
    url,
    chains,
    snapshots,
    torrentOf,
    urlOf: ({ tip, base, infohash }) => urlOfFile(linkName(tip, base), infohash),
    urlOfSnapshot: ({ commit, infohash }) => urlOfFile(snapshotName(commit), infohash),
  }
}

async function bringTorrent(
  url: string,
  mustBePublic: boolean,
  connections: WebConnections,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const answer = await webGet(url, { offset: 0, end: null, mustBePublic, signal }, connections)
  return bodyWithin(answer, TORRENT_FILE_LENGTH_MAX)
}

/**
 * The chains of a manifest, checked as those of a peer, each down to the first link whose segments are neither in the manifest nor in
 * `records`, by names of payloads. @throws HelperError, EngineError
 */
export function claimsOf(
  { chains, objectFormat }: Manifest,
  records: ReadonlyMap<string, Uint8Array>,
  levelOf: LevelOf,
): ChainClaim[] {
  return chains.flatMap(({ ref, tip, links, pack }) => {
    const claims: LinkClaim[] = []
    for (const link of links) {
      const record = link.segments === null ? records.get(link.file) : Buffer.from(link.segments, 'base64')
      if (record === undefined) break
      claims.push(linkClaimOf(link, decodeSegments(record, objectFormat), objectFormat, levelOf))
    }
    if (claims.length === 0) return []
    return [checkedChain({ ref, tip: parseOid(tip, objectFormat), pack, links: claims })]
  })
}

function linkClaimOf(
  link: ManifestLink,
  segments: readonly NamedSegment[],
  format: ObjectFormat,
  levelOf: LevelOf,
): LinkClaim {
  const facts = {
    tip: parseOid(link.tip, format),
    base: link.base === null ? null : parseOid(link.base, format),
    level: link.level,
    sha256: link.sha256,
    segments,
  }
  const claim = checkedLink(facts, format, levelOf)
  if (link.bytes !== claim.layout.length)
    throw new HelperError(
      'manifest-malformed',
      `manifest: expected a link of ${claim.layout.length} bytes, got another`,
    )
  return { ...claim, info: null, infohash: Buffer.from(link.infohash, 'hex') }
}

/** The snapshots of a manifest, checked in the same way. @throws HelperError, EngineError */
export function snapshotClaimsOf({ snapshots, objectFormat }: Manifest, levelOf: LevelOf): SnapshotClaim[] {
  return snapshots.map(({ commit: name, objects, bytes, sha256, infohash }) => {
    const commit = parseOid(name, objectFormat)
    requireSnapshotCheckpoint(commit, levelOf)
    const described = { info: null, infohash: Buffer.from(infohash, 'hex'), pieceLengthBytes: pieceLengthOf(bytes) }
    return { commit, objectCount: objects, lengthBytes: bytes, sha256, ...described }
  })
}
