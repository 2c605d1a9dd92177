/**
 * Brings a folder to a wanted state while others read it or copy it elsewhere. A file that has its bytes already is not
 * touched, not even its times. Every file appears whole; the manifest comes last, and only then what nobody names any more
 * goes away, so that at every moment each file that the manifest names is there.
 * Left out: two exports into one folder at a time; each is complete in itself, the last one wins.
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HelperError } from '../errors.ts'
import { READ_CHUNK_LENGTH } from '../limits.ts'
import { removeLeftovers, temporaryPath, writeFileAtomically } from '../store/atomic-file.ts'
import { isPayloadName, MANIFEST_NAME } from './file-names.ts'
import { type EarlierFiles, parseEarlierFiles } from './manifest.ts'

const TEMPORARY = /^\.tmp-/

/** True for what an export that broke off left, and the next one removes. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name)
}

/** A payload to be copied into the folder. */
export interface FolderPayload {
  readonly name: string
  readonly lengthBytes: number
  /** Hex. */
  readonly sha256: string
  read(offset: number, length: number): Promise<Uint8Array>
}

export interface FolderDocument {
  readonly name: string
  readonly bytes: Uint8Array
}

export interface FolderChanges {
  /** Names, sorted. */
  readonly written: readonly string[]
  readonly removed: readonly string[]
  readonly untouchedCount: number
}

/**
 * What an earlier export left; null for a folder that is absent or empty, or where a first export broke off.
 * @throws HelperError 'usage' for a folder with other things in it
 */
export async function readEarlier(folder: string): Promise<EarlierFiles | null> {
  const names: readonly string[] = await readdir(folder).catch(() => [])
  if (!names.includes(MANIFEST_NAME)) {
    const foreign = names.find((name) => !isPayloadName(name.replace(/\.torrent$/, '')) && !isTemporaryName(name))
    if (foreign === undefined) return null
    throw new HelperError(
      'usage',
      `export: expected an empty folder or an earlier export, got '${foreign}' in '${folder}'`,
    )
  }
  try {
    return parseEarlierFiles(await readFile(join(folder, MANIFEST_NAME)))
  } catch (error) {
    const hint = `try to remove '${join(folder, MANIFEST_NAME)}' and what is not ours`
    throw new HelperError(
      'usage',
      `export: expected the manifest of an earlier export in '${folder}', ${hint}`,
      {},
      error,
    )
  }
}

/** True if a payload of an earlier export is still there. */
export async function hasFile(folder: string, name: string, lengthBytes: number): Promise<boolean> {
  return (await stat(join(folder, name)).catch(() => null))?.size === lengthBytes
}

/**
 * Writes what is lacking or different, then removes payloads and torrents that `kept` does not name.
 * @param known SHA-256 by name of what the folder held after the earlier export; others are hashed
 * @param documents in the order in which they are written; the manifest is the last one
 * @param kept names of superseded files
 * @throws HelperError 'store-corrupt' when a payload differs from its hash
 */
export async function bringFolder(
  folder: string,
  payloads: readonly FolderPayload[],
  documents: readonly FolderDocument[],
  known: ReadonlyMap<string, string>,
  kept: ReadonlySet<string>,
): Promise<FolderChanges> {
  await mkdir(folder, { recursive: true })
  await removeLeftovers(folder)
  const written: string[] = []
  for (const payload of payloads) {
    if (await isThere(folder, payload, known.get(payload.name) ?? null)) continue
    await copyPayload(folder, payload)
    written.push(payload.name)
  }
  for (const { name, bytes } of documents) {
    const path = join(folder, name)
    const found = await readFile(path).catch(() => null)
    if (found?.equals(bytes)) continue
    await writeFileAtomically(path, [bytes])
    written.push(name)
  }
  const wanted = new Set([...payloads, ...documents].map(({ name }) => name))
  const removed: string[] = []
  for (const name of await readdir(folder)) {
    if (wanted.has(name) || kept.has(name) || !isPayloadName(name.replace(/\.torrent$/, ''))) continue
    await rm(join(folder, name), { force: true })
    removed.push(name)
  }
  const byName = (a: string, b: string): number => (a < b ? -1 : 1)
  return { written: written.sort(byName), removed: removed.sort(byName), untouchedCount: wanted.size - written.length }
}

async function isThere(folder: string, { name, lengthBytes, sha256 }: FolderPayload, known: string | null) {
  if (!(await hasFile(folder, name, lengthBytes))) return false
  if (known !== null) return known === sha256
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk as Uint8Array)
  return hash.digest('hex') === sha256
}

async function copyPayload(folder: string, payload: FolderPayload): Promise<void> {
  const temporary = temporaryPath(folder)
  const hash = createHash('sha256')
  const file = await open(temporary, 'wx')
  try {
    for (let at = 0; at < payload.lengthBytes; at += READ_CHUNK_LENGTH) {
      const bytes = await payload.read(at, Math.min(READ_CHUNK_LENGTH, payload.lengthBytes - at))
      hash.update(bytes)
      await file.writeFile(bytes)
    }
    await file.sync()
    const found = hash.digest('hex')
    if (found !== payload.sha256)
      throw new HelperError('store-corrupt', `${payload.name}: expected SHA-256 ${payload.sha256}, got ${found}`)
    await rename(temporary, join(folder, payload.name))
  } finally {
    await file.close()
    await rm(temporary, { force: true })
  }
}
