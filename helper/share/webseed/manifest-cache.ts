/**
 * Manifests of web seeds that outlive a run, one file per URL: a server that still has the same one then sends nothing. Beside what
 * the server said to tell versions apart lies the hash of the bytes; a file that is damaged counts as absent. Only what was
 * good is kept, the latest few. The folder is closed to others, because it tells what its user works with.
 *
 *   <SHA-256 of the URL>      one line of JSON {etag, lastModified, sha256}, then the manifest as it came
 */

import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import {
  MANIFEST_KEPT_COUNT_MAX,
  MANIFEST_KEPT_LENGTH_MAX,
  MANIFEST_LENGTH_MAX,
  WEBSEED_VALIDATOR_LENGTH_MAX,
} from '../../limits.ts'
import { writeFileAtomically } from '../../store/atomic-file.ts'
import type { Validators } from './http-get.ts'

const FOLDER_MODE = 0o700
const HEAD_LENGTH_MAX = 4096
const LINE_END = 10

export interface KeptManifest {
  readonly bytes: Uint8Array
  readonly validators: Validators
}

export interface ManifestCache {
  /** What is kept of a URL. */
  find(url: string): Promise<KeptManifest | null>
  /** Keeps a manifest if its server told a version of it. A disk that takes nothing costs the next run a transfer. */
  keep(url: string, manifest: KeptManifest): Promise<void>
}

/** Keeps nothing. */
export const NO_MANIFEST_CACHE: ManifestCache = { find: async () => null, keep: async () => {} }

/** Manifests in a folder, which need not be there. */
export function openManifestCache(folder: string): ManifestCache {
  const pathOf = (url: string): string => join(folder, sha256Of(Buffer.from(url)))
  return {
    find: async (url) => {
      const path = pathOf(url)
      const found = await stat(path).catch(() => null)
      if (found === null || found.size > MANIFEST_LENGTH_MAX + HEAD_LENGTH_MAX) return null
      const kept = parseKept(await readFile(path).catch(() => Buffer.alloc(0)))
      const now = new Date()
      if (kept !== null) await utimes(path, now, now).catch(() => {})
      return kept
    },
    keep: async (url, { bytes, validators }) => {
      if (validators.etag === null && validators.lastModified === null) return
      const head = `${JSON.stringify({ ...validators, sha256: sha256Of(bytes) })}\n`
      try {
        await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
        await writeFileAtomically(pathOf(url), [Buffer.from(head), bytes])
        await makeRoom(folder)
      } catch {}
    },
  }
}

/** What a file of the cache says; null for one that is damaged. */
export function parseKept(file: Uint8Array): KeptManifest | null {
  const end = file.subarray(0, HEAD_LENGTH_MAX).indexOf(LINE_END)
  const bytes = file.subarray(end + 1)
  try {
    const { etag, lastModified, sha256 } = JSON.parse(Buffer.from(file.subarray(0, end)).toString())
    const isValid = [etag, lastModified].every((value) => value === null || isHeaderValue(value))
    return isValid && sha256 === sha256Of(bytes) ? { bytes, validators: { etag, lastModified } } : null
  } catch {
    return null
  }
}

function isHeaderValue(value: unknown): boolean {
  return (
    typeof value === 'string' && value.length <= WEBSEED_VALIDATOR_LENGTH_MAX && /^[\x20-\x7e\x80-\xff]*$/.test(value)
  )
}

/** Removes what was used least lately. */
async function makeRoom(folder: string): Promise<void> {
  const files: { readonly path: string; readonly length: number; readonly usedAtMs: number }[] = []
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => null)
    if (found !== null) files.push({ path, length: found.size, usedAtMs: found.mtimeMs })
  }
  let length = 0
  for (const [index, file] of files.sort((a, b) => b.usedAtMs - a.usedAtMs).entries()) {
    length += file.length
    if (index >= MANIFEST_KEPT_COUNT_MAX || length > MANIFEST_KEPT_LENGTH_MAX) await rm(file.path, { force: true })
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
