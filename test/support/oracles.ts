/**
 * Answers about repositories and packs from programs that share no code with ours: git itself and isomorphic-git.
 * Laws compare the engine with these, never with itself only.
 * Replace refs and commit-graph files are switched off: the objects as stored are what counts.
 * isomorphic-git reads SHA-1 repositories only, and about 30 times slower than git: small histories.
 */

import fs from 'node:fs'
import { join } from 'node:path'
import isomorphicGit from 'isomorphic-git'
import { type GitOptions, git, gitBytes, gitLines, gitOutcome } from './git.ts'
import { createRepository, type ObjectFormat, type ObjectType } from './object-writer.ts'

/** An object as an oracle read it. */
export interface OracleObject {
  readonly type: ObjectType
  readonly bytes: Uint8Array
}

/** One entry of a pack as `git verify-pack -v` lists it. `depth` is 0 and `deltaBase` null for a whole object. */
export interface VerifiedEntry {
  readonly oid: string
  readonly type: string
  /** Bytes of the entry when inflated: of the object, or of the delta. */
  readonly inflatedLength: number
  /** Bytes of the entry in the pack, header included. */
  readonly packedLength: number
  readonly offset: number
  readonly depth: number
  readonly deltaBase: string | null
}

/** What became of a pack that git was asked to take into a scratch repository. */
export interface UnpackedPack {
  readonly directory: string
  /** The trailer hash by which git calls the pack. */
  readonly packHash: string
  readonly packPath: string
}

const AS_STORED = { config: { 'core.commitGraph': 'false' }, environment: { GIT_NO_REPLACE_OBJECTS: '1' } }

function inRepository(directory: string, input?: Uint8Array | string): GitOptions {
  return input === undefined ? { ...AS_STORED, directory } : { ...AS_STORED, directory, input }
}

/** Returns every object reachable from the given commits or tags, themselves included: `git rev-list --objects`. */
export async function reachableObjects(directory: string, tips: readonly string[]): Promise<Set<string>> {
  const input = tips.map((tip) => `${tip}\n`).join('')
  const lines = await gitLines(
    ['rev-list', '--objects', '--no-object-names', '--stdin'],
    inRepository(directory, input),
  )
  return new Set(lines)
}

/**
 * Returns the exact membership of a segment or link: reachable from `tip` and not from `base` (null for a root end).
 * Two whole walks and a set difference, because `rev-list --objects tip ^base` is only an approximation.
 */
export async function segmentObjects(directory: string, tip: string, base: string | null): Promise<Set<string>> {
  const newer = await reachableObjects(directory, [tip])
  const older = base === null ? new Set<string>() : await reachableObjects(directory, [base])
  return difference(newer, older)
}

/** Returns the members of `left` that are not in `right`. */
export function difference<Member>(left: ReadonlySet<Member>, right: ReadonlySet<Member>): Set<Member> {
  return new Set([...left].filter((member) => !right.has(member)))
}

/** Returns the commits of the first-parent line of `tip`, newest first: `git rev-list --first-parent`. */
export function firstParentLine(directory: string, tip: string): Promise<string[]> {
  return gitLines(['rev-list', '--first-parent', tip], inRepository(directory))
}

/** Returns every object of a repository, reachable or not, by oid. */
export async function allObjects(directory: string): Promise<Map<string, OracleObject>> {
  const args = ['cat-file', '--batch', '--batch-all-objects', '--unordered', '--buffer']
  return parseBatch(await gitBytes(args, inRepository(directory)))
}

/** Returns the named objects by oid. Rejects when one is missing. */
export async function readObjects(directory: string, oids: Iterable<string>): Promise<Map<string, OracleObject>> {
  const input = [...oids].map((oid) => `${oid}\n`).join('')
  return parseBatch(await gitBytes(['cat-file', '--batch', '--buffer'], inRepository(directory, input)))
}

/**
 * Gives a pack to `git index-pack --stdin`, completing a thin one from what the repository has, and keeps it there.
 * `directory` is a repository of the right object format. Rejects when git refuses the pack.
 */
export async function unpackInto(directory: string, pack: Uint8Array): Promise<UnpackedPack> {
  const line = await git(['index-pack', '--stdin', '--fix-thin'], { directory, input: pack })
  const packHash = line.slice(line.indexOf('\t') + 1)
  return { directory, packHash, packPath: join(directory, 'objects', 'pack', `pack-${packHash}.pack`) }
}

/** Creates a bare repository in `directory` and unpacks the packs into it, oldest link first. Rejects like unpackInto. */
export async function unpackLinks(
  directory: string,
  packs: readonly Uint8Array[],
  objectFormat: ObjectFormat = 'sha1',
): Promise<UnpackedPack[]> {
  await createRepository(directory, objectFormat)
  const unpacked: UnpackedPack[] = []
  for (const pack of packs) unpacked.push(await unpackInto(directory, pack))
  return unpacked
}

/** Lists the entries of an indexed pack in the order of their offsets: `git verify-pack -v`. */
export async function verifiedEntries(packPath: string, objectFormat: ObjectFormat = 'sha1'): Promise<VerifiedEntry[]> {
  const lines = await gitLines(['verify-pack', '-v', `--object-format=${objectFormat}`, packPath])
  const entries = lines.filter((line) => /^[0-9a-f]{40,64} /.test(line)).map(parseVerifiedEntry)
  return entries.sort((left, right) => left.offset - right.offset)
}

/** Returns what `git fsck --full` complains about, one line each; dangling objects and missing HEAD targets are no complaint. */
export async function fsckComplaints(
  directory: string,
  options: { readonly strict?: boolean } = {},
): Promise<string[]> {
  const args = ['fsck', '--full', '--no-dangling', '--no-progress', ...(options.strict === true ? ['--strict'] : [])]
  const outcome = await gitOutcome(args, inRepository(directory))
  const text = Buffer.from(outcome.stdout).toString() + outcome.stderr
  const complaints = text.split('\n').filter((line) => line !== '' && !line.startsWith('notice: '))
  return outcome.status === 0 || complaints.length > 0 ? complaints : [`fsck ended with status ${outcome.status}`]
}

/**
 * Returns the bytes of the one pack that `git repack -adF` makes of everything reachable from `tips`.
 * The repository stays as it is: the pack is counted and thrown away. Single-threaded, so that it repeats.
 */
export async function repackedLength(directory: string, tips: readonly string[]): Promise<number> {
  const args = ['pack-objects', '--revs', '--no-reuse-delta', '--no-reuse-object', '--delta-base-offset', '--quiet']
  const input = tips.map((tip) => `${tip}\n`).join('')
  const packing = [...args, '--window=10', '--depth=50', '--threads=1', '--stdout']
  return (await gitBytes(packing, inRepository(directory, input))).length
}

/** Decodes the named objects of a SHA-1 repository with isomorphic-git. Rejects when it cannot find or decode one. */
export async function readObjectsIndependently(
  directory: string,
  oids: Iterable<string>,
): Promise<Map<string, OracleObject>> {
  const cache = {}
  const objects = new Map<string, OracleObject>()
  for (const oid of oids) {
    const result = await isomorphicGit.readObject({ fs, gitdir: directory, oid, format: 'content', cache })
    if (result.format !== 'content') throw new Error(`isomorphic-git: expected content of ${oid}, got ${result.format}`)
    objects.set(oid, { type: objectType(result.type), bytes: result.object })
  }
  return objects
}

/**
 * Makes isomorphic-git index a pack file that lies in a SHA-1 repository, and returns the oids it found.
 * `packName` is relative to `directory`. It completes REF_DELTA entries from the repository's other objects.
 */
export async function indexIndependently(directory: string, packName: string): Promise<string[]> {
  const { oids } = await isomorphicGit.indexPack({ fs, dir: directory, gitdir: directory, filepath: packName })
  return oids
}

function parseVerifiedEntry(line: string): VerifiedEntry {
  const [oid = '', type = '', inflated, packed, offset, depth = '0', deltaBase = null] = line.trim().split(/ +/)
  return {
    oid,
    type,
    inflatedLength: Number(inflated),
    packedLength: Number(packed),
    offset: Number(offset),
    depth: Number(depth),
    deltaBase,
  }
}

function parseBatch(output: Uint8Array): Map<string, OracleObject> {
  const objects = new Map<string, OracleObject>()
  let offset = 0
  while (offset < output.length) {
    const end = output.indexOf(0x0a, offset)
    const header = Buffer.from(output.subarray(offset, end)).toString('latin1')
    const [oid = '', type = '', length] = header.split(' ')
    if (length === undefined) throw new Error(`cat-file: expected an object, got "${header}"`)
    const start = end + 1
    offset = start + Number(length) + 1
    objects.set(oid, { type: objectType(type), bytes: output.subarray(start, offset - 1) })
  }
  return objects
}

function objectType(type: string | undefined): ObjectType {
  if (type === 'commit' || type === 'tree' || type === 'blob' || type === 'tag') return type
  throw new Error(`object type: expected commit, tree, blob or tag, got ${type}`)
}
