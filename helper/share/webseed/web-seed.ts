/**
 * An exported folder on a web server as a source of links: its manifest claims what a peer's chain answer claims, and is checked by
 * the same code. A folder is only believed to be of the repository at hand when it says so itself (its topic), or when
 * one of its chains ends where the origin stands.
 */

import type { LevelOf, ObjectFormat } from '../../../engine/index.ts'
import { linkName, snapshotName } from '../../../engine/index.ts'
import { type Bencode, bencodeDict, encodeBencode } from '../../../net/index.ts'
import { HelperError } from '../../errors.ts'
import {
  MANIFEST_NAME,
  type Manifest,
  type ManifestChain,
  type ManifestLink,
  parseManifest,
} from '../../export/manifest.ts'
import { MANIFEST_LENGTH_MAX } from '../../limits.ts'
import {
  type ChainClaim,
  decodeChainAnswer,
  decodeSnapshots,
  encodeSnapshot,
  type LinkClaim,
  type SnapshotClaim,
} from '../chain-message.ts'
import { type WebAnswer, type WebConnections, webGet } from './http-get.ts'
import type { ManifestCache } from './manifest-cache.ts'

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
  /** Whose good signature the manifest has, 64 hexadecimal digits; null if none. */
  readonly key: string | null
  /** Topic of the origin that the folder says it is of, hex; null where it does not say. */
  readonly topic: string | null
  /** URL of a link's payload, null if the folder has other bytes for it or none. */
  urlOf(link: LinkClaim): string | null
  /** The same of a snapshot. */
  urlOfSnapshot(snapshot: SnapshotClaim): string | null
}

/** Fetches and checks a manifest. @throws HelperError 'webseed-failed', 'manifest-malformed', 'chain-malformed'; EngineError, NetError */
export async function readWebSeed(
  location: WebSeedLocation,
  format: ObjectFormat,
  levelOf: LevelOf,
  connections: WebConnections,
  cache: ManifestCache,
  signal: AbortSignal,
): Promise<WebSeed> {
  const { mustBePublic } = location
  const url = location.url.endsWith('/') ? `${location.url}${MANIFEST_NAME}` : location.url
  const kept = await cache.find(url)
  const known = kept === null ? {} : { known: kept.validators }
  const answer = await webGet(url, { offset: 0, end: null, mustBePublic, signal, ...known }, connections)
  const sent = await bytesOf(answer)
  const bytes = answer.isUnchanged && kept !== null ? kept.bytes : sent
  const manifest = parseManifest(bytes)
  if (manifest.objectFormat !== format)
    throw new HelperError('manifest-malformed', `manifest: expected ${format}, got ${manifest.objectFormat}`)
  const chains = claimsOf(manifest, levelOf)
  const snapshots = snapshotClaimsOf(manifest, levelOf)
  if (!answer.isUnchanged) await cache.keep(url, { bytes, validators: answer.validators })
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
    key: manifest.key,
    topic: manifest.topic,
    urlOf: ({ tip, base, infohash }) => urlOfFile(linkName(tip, base), infohash),
    urlOfSnapshot: ({ commit, infohash }) => urlOfFile(snapshotName(commit), infohash),
  }
}

async function bytesOf({ body, fileLength }: WebAnswer): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const bytes of body) {
    length += bytes.length
    if (length > MANIFEST_LENGTH_MAX || (fileLength ?? 0) > MANIFEST_LENGTH_MAX)
      throw new HelperError('manifest-malformed', `manifest: expected at most ${MANIFEST_LENGTH_MAX} bytes, got more`)
    parts.push(bytes)
  }
  return Buffer.concat(parts)
}

/** The chains of a manifest, checked as those of a peer. @throws HelperError, EngineError, NetError */
export function claimsOf({ chains, objectFormat }: Manifest, levelOf: LevelOf): ChainClaim[] {
  const answer = encodeBencode(bencodeDict({ c: chains.map(encodeChain), v: 1n }))
  const claims = decodeChainAnswer(answer, objectFormat, levelOf)
  claims.forEach(({ links }, at) => {
    links.forEach((link, index) => {
      const said = chains[at]?.links[index]
      const isSame = said?.bytes === link.layout.length && said.infohash === Buffer.from(link.infohash).toString('hex')
      if (!isSame)
        throw new HelperError('manifest-malformed', `manifest: expected length and infohash that fit, got others`)
    })
  })
  return claims
}

/** The snapshots of a manifest, checked in the same way. @throws HelperError, EngineError, NetError */
export function snapshotClaimsOf({ snapshots, objectFormat }: Manifest, levelOf: LevelOf): SnapshotClaim[] {
  const encoded = snapshots.map(({ objects, bytes, pieces, ...snapshot }) =>
    encodeSnapshot({ ...snapshot, objectCount: objects, lengthBytes: bytes }, Buffer.from(pieces, 'base64')),
  )
  const answer = encodeBencode(bencodeDict({ c: [], n: encoded, v: 1n }))
  const claims = decodeSnapshots(answer, objectFormat, levelOf)
  claims.forEach(({ infohash }, at) => {
    if (snapshots[at]?.infohash !== Buffer.from(infohash).toString('hex'))
      throw new HelperError('manifest-malformed', 'manifest: expected an infohash that fits its snapshot, got another')
  })
  return claims
}

function encodeChain({ ref, tip, links }: ManifestChain): Bencode {
  return bencodeDict({ l: links.map(encodeLink), r: Buffer.from(ref), t: Buffer.from(tip, 'hex') })
}

function encodeLink({ base, level, pieces, sha256, tip, segments }: ManifestLink): Bencode {
  return bencodeDict({
    b: Buffer.from(base ?? '', 'hex'),
    k: BigInt(level),
    p: Buffer.from(pieces, 'base64'),
    s: Buffer.from(sha256, 'hex'),
    t: Buffer.from(tip, 'hex'),
    x: segments.map((segment) => [
      Buffer.from(segment.tip, 'hex'),
      BigInt(segment.objects),
      BigInt(segment.commits),
      BigInt(segment.bytes),
      Buffer.from(segment.sha256, 'hex'),
    ]),
  })
}
