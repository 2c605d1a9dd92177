/**
 * Checks an exported folder as a whole: each file that its manifest names is there and is what it says, down to the bytes that the
 * objects build; the documents for stock git and for other BitTorrent clients say the same as the manifest; nothing else
 * lies there. A manifest that cannot be read leaves the payloads and the checksums to be checked by themselves.
 */

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { createCheckpointRule, GT1 } from '../../engine/index.ts'
import { asDict, type BencodeDict, decodeBencode, encodeBencode } from '../../net/index.ts'
import { messageOf, printable } from '../errors.ts'
import { BUNDLE_LIST_NAME, encodeBundleList } from '../export/bundle-list.ts'
import { currentFiles } from '../export/export-folder.ts'
import { isPayloadName, MANIFEST_NAME } from '../export/file-names.ts'
import { isTemporaryName } from '../export/folder.ts'
import { CHECKSUMS_NAME } from '../export/folder-content.ts'
import { INDEX_PAGE_NAME } from '../export/index-page.ts'
import {
  type Manifest,
  type ManifestFile,
  type ManifestLink,
  type ManifestSnapshot,
  parseManifest,
} from '../export/manifest.ts'
import { encodeTorrentFile, recordIn, surroundingsOf } from '../export/torrent-file.ts'
import type { Repository } from '../git/repository.ts'
import { isRecordOf } from '../share/webseed/segment-records.ts'
import { claimsOf, snapshotClaimsOf } from '../share/webseed/web-seed.ts'
import { requireSigner } from '../share/webseed/web-seeds.ts'
import { sha256OfFile } from '../store/read-file.ts'
import { payloadsOf, verifyPayloads } from './payloads.ts'
import type { CheckedPayload, Verdict } from './verdict.ts'

/** Checks every file of a folder that has a manifest; `keys` as in `gittorrent.webseedKey`. */
export async function verifyExport(
  folder: string,
  lender: Repository | null,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<Verdict[]> {
  const names = (await readdir(folder)).filter((name) => !isTemporaryName(name)).sort()
  const { manifest, verdict } = await readManifest(folder, keys)
  const payloads = await verifyPayloads(await payloadsOf(folder, true), lender, signal)
  return [
    verdict,
    ...(manifest === null ? payloads.map(withoutBuilt) : payloadVerdicts(manifest, payloads)),
    ...(manifest === null ? [] : await torrentVerdicts(folder, manifest)),
    ...(manifest === null ? [] : await bundleListVerdicts(folder, manifest)),
    ...(await checksumVerdicts(folder, names)),
    ...strayVerdicts(names),
  ]
}

/** The manifest, signed by whom it must be, and without contradictions; null where it is not. */
async function readManifest(
  folder: string,
  keys: readonly string[],
): Promise<{ manifest: Manifest | null; verdict: Verdict }> {
  try {
    const manifest = parseManifest(await readFile(join(folder, MANIFEST_NAME)))
    requireSigner(manifest, keys)
    const levelOf = await createCheckpointRule(GT1)
    claimsOf(manifest, await recordsOf(folder, manifest), levelOf)
    snapshotClaimsOf(manifest, levelOf)
    return { manifest, verdict: { name: MANIFEST_NAME, reason: contradictionIn(manifest) } }
  } catch (error) {
    return { manifest: null, verdict: { name: MANIFEST_NAME, reason: messageOf(error) } }
  }
}

/** The records of segments in .torrent files, by names of payloads, as far as they are those that the manifest means. */
async function recordsOf(folder: string, { chains }: Manifest): Promise<Map<string, Uint8Array>> {
  const records = new Map<string, Uint8Array>()
  for (const link of chains.flatMap(({ links }) => links)) {
    const torrent =
      link.segments === null ? await readFile(join(folder, `${link.file}.torrent`)).catch(() => null) : null
    const record = torrent === null ? null : recordOf(torrent)
    if (isRecordOf(link, record)) records.set(link.file, record)
  }
  return records
}

function recordOf(torrent: Uint8Array): Uint8Array | null {
  try {
    return recordIn(torrent)
  } catch {
    return null
  }
}

function contradictionIn(manifest: Manifest): string | null {
  const bytes = manifest.chains.flatMap(({ links }) => links).reduce((sum, link) => sum + link.bytes, 0)
  if (bytes !== manifest.bytes) return `expected ${bytes} bytes in all links, got ${manifest.bytes}`
  const current = new Set(currentFiles(manifest).map(({ file }) => file))
  const twice = manifest.superseded.find(({ file }) => current.has(file))
  return twice === undefined ? null : `${twice.file} is superseded and current`
}

function withoutBuilt({ name, reason }: CheckedPayload): Verdict {
  return { name, reason }
}

/** One for each payload that lies in the folder or that the manifest names. */
function payloadVerdicts(manifest: Manifest, payloads: readonly CheckedPayload[]): Verdict[] {
  const checked = new Map(payloads.map((payload) => [payload.name, payload]))
  const named = [...currentFiles(manifest), ...manifest.superseded]
  const known = new Set(named.map(({ file }) => file))
  const strays = payloads.filter(({ name }) => !known.has(name))
  return [
    ...named.map((entry) => ({ name: entry.file, reason: reasonAgainst(entry, checked.get(entry.file)) })),
    ...strays.map(({ name }) => ({ name, reason: `it is not in ${MANIFEST_NAME}` })),
  ]
}

function reasonAgainst(entry: ManifestFile, payload: CheckedPayload | undefined): string | null {
  if (payload === undefined) return 'it is missing'
  const { built, reason } = payload
  if (built === null) return reason
  const [odd] = differences(entry, built)
  return odd === undefined ? null : `it has another '${odd}' than ${MANIFEST_NAME} says`
}

/** Keys of an entry whose values are not those of what was built. */
function differences(entry: ManifestFile, built: ManifestLink | ManifestSnapshot): string[] {
  const facts = new Map<string, unknown>(Object.entries(built))
  // The level that a link has in its chain is not to be seen in its bytes; the chain was checked.
  const isFact = (key: string): boolean => key !== 'level' && key !== 'since'
  return Object.entries(entry).flatMap(([key, value]) =>
    isFact(key) && !isDeepStrictEqual(value, facts.get(key)) ? [key] : [],
  )
}

async function torrentVerdicts(folder: string, manifest: Manifest): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  const links = new Map(manifest.chains.flatMap((chain) => chain.links.map((link) => [link.file, link])))
  for (const { file, infohash } of currentFiles(manifest)) {
    const bytes = await readFile(join(folder, `${file}.torrent`)).catch(() => null)
    const reason =
      reasonAgainstTorrent(bytes, infohash) ?? reasonAgainstRest(bytes, file, links.get(file) ?? null, manifest)
    verdicts.push({ name: `${file}.torrent`, reason })
  }
  // A superseded one keeps the trackers and addresses of its time.
  for (const { file, infohash } of manifest.superseded) {
    const bytes = await readFile(join(folder, `${file}.torrent`)).catch(() => null)
    verdicts.push({ name: `${file}.torrent`, reason: reasonAgainstTorrent(bytes, infohash) })
  }
  return verdicts
}

function reasonAgainstTorrent(bytes: Uint8Array | null, infohash: string): string | null {
  if (bytes === null) return 'it is missing'
  const info = infoIn(bytes)
  if (info === null) return 'it is no torrent file'
  const found = createHash('sha1').update(encodeBencode(info)).digest('hex')
  return found === infohash ? null : `expected infohash ${infohash}, got ${found}`
}

function infoIn(bytes: Uint8Array): BencodeDict | null {
  try {
    return asDict(asDict(decodeBencode(bytes))?.get('info'))
  } catch {
    return null
  }
}

/** What is wrong with a good torrent outside its info dict. */
function reasonAgainstRest(
  bytes: Uint8Array | null,
  file: string,
  link: ManifestLink | null,
  manifest: Manifest,
): string | null {
  const info = bytes === null ? null : infoIn(bytes)
  if (bytes === null || info === null) return null
  const record = recordOf(bytes)
  if (link !== null && link.segments === null && !isRecordOf(link, record))
    return `it has other segments than ${MANIFEST_NAME} says`
  const expected = encodeTorrentFile(encodeBencode(info), surroundingsOf(file, manifest), record)
  return Buffer.from(bytes).equals(expected) ? null : `it names other trackers or web seeds than ${MANIFEST_NAME}`
}

async function bundleListVerdicts(folder: string, { chains, urls }: Manifest): Promise<Verdict[]> {
  const bytes = await readFile(join(folder, BUNDLE_LIST_NAME)).catch(() => null)
  const isSame = bytes?.equals(encodeBundleList(chains[0]?.links ?? [], urls[0] ?? null))
  const wrong = bytes === null ? 'it is missing' : `it is not the list of the links in ${MANIFEST_NAME}`
  return [{ name: BUNDLE_LIST_NAME, reason: isSame === true ? null : wrong }]
}

/** One for each file that the checksums do not have, have with another hash, or have without need; one for all if none. */
async function checksumVerdicts(folder: string, names: readonly string[]): Promise<Verdict[]> {
  const text = await readFile(join(folder, CHECKSUMS_NAME), 'utf8').catch(() => null)
  if (text === null) return [{ name: CHECKSUMS_NAME, reason: 'it is missing' }]
  const lines = text.split('\n').slice(0, -1)
  const listed = new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]))
  const reasons: string[] = []
  const odd = lines.find((line) => !/^[0-9a-f]{64} {2}[^/\s]+$/.test(line))
  if (odd !== undefined || !text.endsWith('\n')) reasons.push('expected a hash and a name on every line')
  for (const name of names) {
    if (name === CHECKSUMS_NAME) continue
    const hash = listed.get(name)
    listed.delete(name)
    if (hash === undefined) reasons.push(`it does not have ${name}`)
    else if (hash !== (await sha256OfFile(join(folder, name)))) reasons.push(`it has another hash for ${name}`)
  }
  for (const name of listed.keys()) reasons.push(`it has ${name}, which is missing`)
  if (reasons.length === 0) return [{ name: CHECKSUMS_NAME, reason: null }]
  return reasons.map((reason) => ({ name: CHECKSUMS_NAME, reason: messageOf(reason) }))
}

/** What no export writes; payloads and their torrents are looked at elsewhere. */
function strayVerdicts(names: readonly string[]): Verdict[] {
  const documents = [BUNDLE_LIST_NAME, CHECKSUMS_NAME, INDEX_PAGE_NAME, MANIFEST_NAME]
  const isOurs = (name: string): boolean => documents.includes(name) || isPayloadName(name.replace(/\.torrent$/, ''))
  const strays = names
    .filter((name) => !isOurs(name))
    .map((name) => ({ name: printable(name), reason: 'no export writes such a file' }))
  const isPageThere = names.includes(INDEX_PAGE_NAME)
  return isPageThere ? strays : [...strays, { name: INDEX_PAGE_NAME, reason: 'it is missing' }]
}
