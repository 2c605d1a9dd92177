/**
 * refs/mirrors/* of an origin, as proposed on git's list in January 2011: refs to blobs that say where else the history can be
 * had, one URL per line. Those under `bundle/` lead to exported folders: by the URL of a manifest, or by what lies beside it (.torrent files,
 * web seeds of magnet links). Those under `fetch/` are repositories. The relay asks for the refs together with git's own
 * listing, and for a blob over the connection that is open; a blob is kept by its name, so that it is asked for again
 * only when it changes, or after a month.
 */

import { createHash } from 'node:crypto'
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { MIRROR_KINDS, type MirrorKind } from '../config.ts'
import { HelperError } from '../errors.ts'
import { MANIFEST_NAME } from '../export/file-names.ts'
import { URL_LENGTH_MAX, WEBSEED_COUNT_MAX } from '../limits.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'
import { urlIn } from '../url.ts'
import type { ByteReader } from './byte-reader.ts'
import { MIRROR_BLOB_LENGTH_MAX, MIRROR_KEEP_MS } from './limits.ts'
import { encodePacket, type Packet, readPacket, textOf } from './pkt-line.ts'

export const MIRROR_PREFIX = 'refs/mirrors/'

const PACK_HEADER_LENGTH = 12
const BLOB_TYPE = 3
const KEPT_NAME = 'mirrors'
const NO_SPACES = /^[^\u0000-\u0020\u007f]+$/

/** Whether git itself asks for a ref under refs/mirrors/: then nothing is added, and nothing kept from it. */
export function asksForMirrors(request: readonly Packet[]): boolean {
  const prefixes = request.map(textOf).flatMap((line) => (line.startsWith('ref-prefix ') ? [line.slice(11)] : []))
  return (
    prefixes.length === 0 ||
    prefixes.some((prefix) => prefix.startsWith(MIRROR_PREFIX) || MIRROR_PREFIX.startsWith(prefix))
  )
}

/** An ls-refs request that also asks for some kinds of mirrors. */
export function withMirrorPrefix(request: readonly Packet[], kinds: readonly MirrorKind[]): Buffer {
  const raw = request.map((packet) => packet.raw)
  const prefixes = kinds.map((kind) => encodePacket(`ref-prefix ${MIRROR_PREFIX}${kind}\n`))
  return Buffer.concat([...raw.slice(0, -1), ...prefixes, ...raw.slice(-1)])
}

/** Where else the history can be had. */
export interface Mirrors {
  /** URLs of manifests of exported folders. */
  readonly manifests: readonly string[]
  /** URLs of repositories. */
  readonly repositories: readonly string[]
  /** The user would rather ask repositories than folders and peers. */
  readonly isRepositoryFirst: boolean
}

export const NO_MIRRORS: Mirrors = { manifests: [], repositories: [], isRepositoryFirst: false }

/** True if a list of this kind is worth asking for, given what others have said: one kind of folder list is enough. */
export function isUseful(kind: MirrorKind, { manifests }: Mirrors): boolean {
  return kind.startsWith('fetch/') || manifests.length === 0
}

/** Adds what a list of some kind names to what the kinds before it in the user's order have said. */
export function withList(mirrors: Mirrors, kind: MirrorKind, blob: Uint8Array): Mirrors {
  const lines = Buffer.from(blob).toString('utf8').split('\n')
  const urls = lines.filter((line) => line.length <= URL_LENGTH_MAX && NO_SPACES.test(line) && urlIn(line) !== null)
  if (kind === 'fetch/git' || kind === 'fetch/http') {
    const isFirst = mirrors.manifests.length === 0 && mirrors.repositories.length === 0
    const added = urls.filter((url) => isRepositoryUrl(url, kind))
    const repositories = [...mirrors.repositories, ...added].slice(0, WEBSEED_COUNT_MAX)
    return { ...mirrors, repositories, isRepositoryFirst: mirrors.isRepositoryFirst || (isFirst && added.length > 0) }
  }
  const found = new Set([...mirrors.manifests, ...urls.flatMap((url) => manifestsAt(url, kind))])
  return { ...mirrors, manifests: [...found].slice(0, WEBSEED_COUNT_MAX) }
}

function isRepositoryUrl(text: string, kind: 'fetch/git' | 'fetch/http'): boolean {
  const { protocol, username, password } = new URL(text)
  const isOfKind = kind === 'fetch/git' ? protocol === 'git:' : /^https?:$/.test(protocol)
  return isOfKind && username === '' && password === ''
}

/** The manifests that one URL of a list of folders leads to. */
function manifestsAt(text: string, kind: MirrorKind): string[] {
  const url = new URL(text)
  if (kind === 'bundle/torrent-magnet')
    return url.protocol === 'magnet:' ? url.searchParams.getAll('ws').flatMap((seed) => besides(seed, '.bundle')) : []
  if (kind === 'bundle/torrent') return besides(text, '.bundle.torrent')
  return /^https?:$/.test(url.protocol) && url.pathname.endsWith(`/${MANIFEST_NAME}`) ? [text] : []
}

/** The manifest that lies beside a payload. */
function besides(text: string, ending: string): string[] {
  const url = urlIn(text)
  if (url === null) return []
  return /^https?:$/.test(url.protocol) && url.pathname.endsWith(ending) ? [new URL(MANIFEST_NAME, url).href] : []
}

/** The blob from an earlier run, if it is this one and not too old; null otherwise. */
export async function keptMirrorBlob(gitDir: string, kind: MirrorKind, oid: string): Promise<Uint8Array | null> {
  const path = keptPath(gitDir, kind)
  const age =
    Date.now() -
    (await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ))
  if (age > MIRROR_KEEP_MS) return null
  const bytes = await readFile(path).catch(() => null)
  return bytes !== null && oidOfBlob(bytes, oid.length) === oid ? bytes : null
}

/** Folders and repositories that the lists kept from earlier runs name. */
export async function keptMirrorUrls(gitDir: string): Promise<string[]> {
  let mirrors = NO_MIRRORS
  for (const kind of MIRROR_KINDS) {
    const blob = await readFile(keptPath(gitDir, kind)).catch(() => null)
    if (blob !== null) mirrors = withList(mirrors, kind, blob)
  }
  return [...mirrors.manifests, ...mirrors.repositories]
}

export async function keepMirrorBlob(gitDir: string, kind: MirrorKind, blob: Uint8Array): Promise<void> {
  await writeFileAtomically(keptPath(gitDir, kind), [blob])
}

/** Forgets the lists of kinds that the origin does not name any more. */
export async function forgetMirrorBlobs(
  gitDir: string,
  kinds: readonly MirrorKind[],
  named: ReadonlyMap<string, string>,
): Promise<void> {
  for (const kind of kinds) if (!named.has(kind)) await rm(keptPath(gitDir, kind), { force: true })
}

function keptPath(gitDir: string, kind: MirrorKind): string {
  return join(gitDir, 'gittorrent', `${KEPT_NAME}-${kind.replace('/', '-')}`)
}

/** The request that fetches one object and nothing else. */
export function encodeBlobRequest(oid: string): Buffer {
  const format = oid.length === 64 ? [encodePacket('object-format=sha256\n')] : []
  const head = [encodePacket('command=fetch\n'), ...format, Buffer.from('0001')]
  const wants = [encodePacket('no-progress\n'), encodePacket(`want ${oid}\n`), encodePacket('done\n')]
  return Buffer.concat([...head, ...wants, Buffer.from('0000')])
}

/**
 * Reads the whole answer to `encodeBlobRequest`, so that the next request finds the stream in order even when it throws.
 * @throws HelperError 'origin-protocol' when it is not that blob
 */
export async function readBlobAnswer(reader: ByteReader, last: Packet['kind'], oid: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  let failure: HelperError | null = null
  let inPack = false
  for (;;) {
    const packet = await readPacket(reader)
    if (packet === null) throw failure ?? malformed('a packfile', 'the end of the connection')
    if (packet.kind === last) break
    if (packet.kind !== 'data') continue
    const [band] = packet.payload
    if (inPack && band === 3) failure = malformed('a packfile', packet.payload.toString('utf8', 1))
    if (inPack && band === 1) {
      length += packet.payload.length
      if (length > MIRROR_BLOB_LENGTH_MAX) failure = malformed(`at most ${MIRROR_BLOB_LENGTH_MAX} bytes`, 'more')
      else parts.push(packet.payload.subarray(1))
    }
    inPack ||= textOf(packet) === 'packfile'
  }
  if (failure !== null) throw failure
  return blobIn(Buffer.concat(parts), oid)
}

/** The one blob of a pack, which its name proves to be the right one. */
function blobIn(pack: Uint8Array, oid: string): Uint8Array {
  let at = PACK_HEADER_LENGTH
  const type = ((pack[at] ?? 0) >> 4) & 7
  while (((pack[at++] ?? 0) & 0x80) !== 0);
  let blob: Uint8Array
  try {
    blob = inflateSync(pack.subarray(at), { maxOutputLength: MIRROR_BLOB_LENGTH_MAX })
  } catch (error) {
    throw malformed('a blob', `something that does not inflate (${String(error)})`)
  }
  if (type !== BLOB_TYPE || oidOfBlob(blob, oid.length) !== oid) throw malformed(`blob ${oid}`, 'something else')
  return blob
}

function oidOfBlob(bytes: Uint8Array, digits: number): string {
  const hash = createHash(digits === 64 ? 'sha256' : 'sha1')
  return hash.update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

function malformed(expected: string, got: string): HelperError {
  return new HelperError('origin-protocol', `cannot read the mirrors of the origin: expected ${expected}, got ${got}`)
}
