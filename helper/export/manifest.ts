/**
 * manifest.json of an exported folder: which files there are, which chains they make, what was superseded and since when.
 * The same repository and the same earlier folder give the same bytes. Version 2; a reader takes no other, and passes over
 * keys that it does not know, so that additions need no new version. Described in MANUAL.md, "Exported folders".
 * Every reader gets it again after every export, so it says nothing twice, and what few need is in the .torrent files: piece hashes,
 * which the infohashes fix, and long records of segments (manifest-segments.ts). Signatures are in manifest-signature.ts.
 */

import { type ObjectFormat, parseOid } from '../../engine/index.ts'
import { HelperError, printable } from '../errors.ts'
import {
  CHAIN_COUNT_MAX,
  CHAIN_COUNT_UNASKED,
  LINK_COUNT_MAX,
  LINK_LENGTH_MAX,
  MANIFEST_LENGTH_MAX,
  MANIFEST_URL_COUNT_MAX,
  OBJECT_COUNT_MAX,
  REF_NAME_LENGTH_MAX,
  SNAPSHOT_COUNT_MAX,
  SUPERSEDED_COUNT_MAX,
  URL_LENGTH_MAX,
} from '../limits.ts'
import { commitInName, endsInName, isPayloadName } from './file-names.ts'
import { signerOf } from './manifest-signature.ts'

const VERSION = 2

export interface ManifestFile {
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly infohash: string
}

export interface ManifestLink extends ManifestFile {
  readonly tip: string
  readonly base: string | null
  readonly level: number
  /** First-parent count of the tip. */
  readonly token: number
  /** The record of its segments (manifest-segments.ts) in base64; null where it is in the .torrent file. */
  readonly segments: string | null
  /** SHA-256 of the record where it is in the .torrent file; else null. */
  readonly segmentsSha256: string | null
}

/** The tree of a commit, without history: what a clone of depth 1 begins with. */
export interface ManifestSnapshot extends ManifestFile {
  readonly commit: string
  readonly objects: number
}

export interface ManifestChain {
  /** Full ref name in the origin. */
  readonly ref: string
  readonly tip: string
  /** Newest first. */
  readonly links: readonly ManifestLink[]
  /** As in a peer's answer (PROTOCOL.md). */
  readonly pack: number
}

export interface SupersededFile extends ManifestFile {
  /** `clock` of the first export without it. */
  readonly since: number
}

export interface Manifest {
  readonly version: typeof VERSION
  readonly format: 'gt1'
  readonly objectFormat: ObjectFormat
  /** Topic of the origin that the folder is of (PROTOCOL.md), hex; null where nobody said which that is. */
  readonly topic: string | null
  /** Seconds since 1970: the newest committer date of what was exported so far, never later than the export itself. */
  readonly clock: number
  /** Where the folder can be had, each ending in a slash. */
  readonly urls: readonly string[]
  readonly trackers: readonly string[]
  /** The main line first. */
  readonly chains: readonly ManifestChain[]
  /** Of the main line, newest first. */
  readonly snapshots: readonly ManifestSnapshot[]
  /** In order of their names. */
  readonly superseded: readonly SupersededFile[]
  /** Sum of the payloads in `chains`. */
  readonly bytes: number
  /** Whose signature it has, 64 hexadecimal digits; null if none. */
  readonly key: string | null
}

/** The bytes of the file; keys in one order, and a line for each chain, snapshot and superseded file. */
export function encodeManifest(manifest: Omit<Manifest, 'version' | 'format' | 'key'>): Uint8Array {
  const { objectFormat, topic, clock, urls, trackers, chains, snapshots, superseded, bytes } = manifest
  const head = { version: VERSION, format: 'gt1', objectFormat, topic, clock, bytes, urls, trackers }
  const lines = Object.entries(head).map(([key, value]) => ` "${key}": ${JSON.stringify(value)}`)
  const lists = {
    chains: chains.map(({ ref, tip, links }) => ({ ref, tip, links: links.map(linkEntry) })),
    snapshots: snapshots.map(({ objects, ...entry }) => ({ ...fileEntry(entry), objects })),
    superseded: superseded.map((entry) => ({ ...fileEntry(entry), since: entry.since })),
  }
  for (const [key, entries] of Object.entries(lists)) {
    const texts = entries.map((entry) => `\n  ${JSON.stringify(entry)}`)
    lines.push(` "${key}": [${texts.join(',')}${texts.length > 0 ? '\n ' : ''}]`)
  }
  return Buffer.from(`{\n${lines.join(',\n')}\n}\n`)
}

function linkEntry({ level, token, segments, segmentsSha256, ...file }: ManifestLink) {
  return { ...fileEntry(file), level, token, ...(segments === null ? { segmentsSha256 } : { segments }) }
}

function fileEntry({ file, bytes, sha256, infohash }: ManifestFile): ManifestFile {
  return { file, bytes, sha256, infohash }
}

/**
 * Reads a manifest that anybody may have written. Everything in it is bounded and of the stated form; whether the links
 * are checkpoints, join, and have the lengths of their segments is for whoever uses them to check. A signature is checked
 * where there is one; whether the key is the right one is for the caller.
 * @throws HelperError 'manifest-malformed', 'unsigned'; EngineError 'oid-malformed'
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MANIFEST_LENGTH_MAX) throw malformed(`at most ${MANIFEST_LENGTH_MAX} bytes`, `${bytes.length}`)
  const root = dictOf(jsonOf(bytes), 'manifest')
  if (root.version !== VERSION || root.format !== 'gt1') {
    throw malformed(`version ${VERSION} of format gt1`, `version ${shown(root.version)} of ${shown(root.format)}`)
  }
  const format = root.objectFormat
  if (format !== 'sha1' && format !== 'sha256') throw malformed('objectFormat sha1 or sha256', shown(format))
  const chains = listOf(root.chains, CHAIN_COUNT_UNASKED, 'chains').map((chain) => chainOf(chain, format))
  return {
    version: VERSION,
    format: 'gt1',
    objectFormat: format,
    topic: root.topic === null ? null : hexOf(root.topic, 40, 'topic'),
    clock: clockOf(root),
    urls: textsOf(root.urls, 'urls'),
    trackers: textsOf(root.trackers, 'trackers'),
    chains,
    snapshots: listOf(root.snapshots ?? [], SNAPSHOT_COUNT_MAX, 'snapshots').map((one) => snapshotOf(one, format)),
    superseded: supersededOf(root),
    bytes: integerOf(root.bytes, 0, Number.MAX_SAFE_INTEGER, 'bytes'),
    key: signerOf(bytes),
  }
}

/** What an export needs to know of the one before it. */
export interface EarlierFiles {
  readonly clock: number
  readonly current: readonly ManifestFile[]
  readonly superseded: readonly SupersededFile[]
}

/** The files that a manifest of this version or the one before names. @throws HelperError 'manifest-malformed' */
export function parseEarlierFiles(bytes: Uint8Array): EarlierFiles {
  const root = dictOf(jsonOf(bytes), 'manifest')
  if ((root.version !== VERSION && root.version !== VERSION - 1) || root.format !== 'gt1')
    throw malformed(`version ${VERSION} of format gt1`, `version ${shown(root.version)} of ${shown(root.format)}`)
  const files = (list: unknown): ManifestFile[] =>
    listOf(list ?? [], LINK_COUNT_MAX, 'files').map((entry) => fileOf(dictOf(entry, 'file')))
  const chains = listOf(root.chains, CHAIN_COUNT_MAX, 'chains').map((chain) => dictOf(chain, 'chain'))
  return {
    clock: clockOf(root),
    current: [...chains.flatMap(({ links }) => files(links)), ...files(root.snapshots)],
    superseded: supersededOf(root),
  }
}

function clockOf(root: Readonly<Record<string, unknown>>): number {
  return integerOf(root.clock, 0, Number.MAX_SAFE_INTEGER, 'clock')
}

function supersededOf(root: Readonly<Record<string, unknown>>): SupersededFile[] {
  return listOf(root.superseded, SUPERSEDED_COUNT_MAX, 'superseded').map((entry) => {
    const dict = dictOf(entry, 'superseded file')
    return { ...fileOf(dict), since: integerOf(dict.since, 0, Number.MAX_SAFE_INTEGER, 'since') }
  })
}

function chainOf(value: unknown, format: ObjectFormat): ManifestChain {
  const dict = dictOf(value, 'chain')
  const links = listOf(dict.links, LINK_COUNT_MAX, 'links').map((link) => linkOf(link, format))
  if (links.length === 0) throw malformed('a chain with links', 'an empty one')
  const pack = integerOf(dict.pack ?? 0, 0, CHAIN_COUNT_MAX, 'pack')
  return { ref: textOf(dict.ref, 1, REF_NAME_LENGTH_MAX, 'ref'), tip: oidOf(dict.tip, format), links, pack }
}

function linkOf(value: unknown, format: ObjectFormat): ManifestLink {
  const dict = dictOf(value, 'link')
  const file = fileOf(dict)
  const ends = endsInName(file.file)
  if (ends === null) throw malformed('the name of a link', shown(file.file))
  const isInline = dict.segments !== undefined
  return {
    tip: oidOf(ends.tip, format),
    base: ends.base === null ? null : oidOf(ends.base, format),
    level: integerOf(dict.level, 1, LINK_COUNT_MAX, 'level'),
    token: integerOf(dict.token, 1, OBJECT_COUNT_MAX, 'token'),
    ...file,
    segments: isInline ? textOf(dict.segments, 1, MANIFEST_LENGTH_MAX, 'segments') : null,
    segmentsSha256: isInline ? null : hexOf(dict.segmentsSha256, 64, 'segmentsSha256'),
  }
}

function snapshotOf(value: unknown, format: ObjectFormat): ManifestSnapshot {
  const dict = dictOf(value, 'snapshot')
  const file = fileOf(dict)
  const commit = commitInName(file.file)
  if (commit === null) throw malformed('the name of a snapshot', shown(file.file))
  return { commit: oidOf(commit, format), objects: integerOf(dict.objects, 1, OBJECT_COUNT_MAX, 'objects'), ...file }
}

function fileOf(dict: Readonly<Record<string, unknown>>): ManifestFile {
  const file = textOf(dict.file, 1, 256, 'file')
  if (!isPayloadName(file)) throw malformed('the name of a payload', shown(file))
  return {
    file,
    bytes: integerOf(dict.bytes, 1, LINK_LENGTH_MAX, 'bytes'),
    sha256: hexOf(dict.sha256, 64, 'sha256'),
    infohash: hexOf(dict.infohash, 40, 'infohash'),
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new HelperError('manifest-malformed', 'manifest: expected JSON in UTF-8, got something else', {}, error)
  }
}

function dictOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`a ${what}`, shown(value))
  return Object.fromEntries(Object.entries(value))
}

function listOf(value: unknown, countMax: number, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > countMax) throw malformed(`at most ${countMax} ${what}`, shown(value))
  return value
}

function textsOf(value: unknown, what: string): readonly string[] {
  return listOf(value, MANIFEST_URL_COUNT_MAX, what).map((text) => textOf(text, 1, URL_LENGTH_MAX, what))
}

function textOf(value: unknown, lengthMin: number, lengthMax: number, what: string): string {
  if (typeof value !== 'string' || value.length < lengthMin || value.length > lengthMax) {
    throw malformed(`${what} of ${lengthMin} to ${lengthMax} characters`, shown(value))
  }
  return value
}

function integerOf(value: unknown, min: number, max: number, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw malformed(`${what} from ${min} to ${max}`, shown(value))
  }
  return value
}

function hexOf(value: unknown, length: number, what: string): string {
  const text = textOf(value, length, length, what)
  if (!/^[0-9a-f]*$/.test(text)) throw malformed(`${what} in hexadecimal`, shown(text))
  return text
}

function oidOf(value: unknown, format: ObjectFormat): string {
  return parseOid(textOf(value, 40, 64, 'object name'), format)
}

function shown(value: unknown): string {
  return printable(
    typeof value === 'string' ? `'${value.slice(0, 100)}'` : Array.isArray(value) ? 'a list' : typeof value,
  )
}

function malformed(expected: string, got: string): HelperError {
  return new HelperError('manifest-malformed', `manifest: expected ${expected}, got ${got}`)
}
