/**
 * Files that are there whole or not at all: written under a temporary name in the same folder, flushed to the disk,
 * renamed. A crash leaves at most a `.tmp-…` file, which `removeLeftovers` collects later.
 */

import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TEMPORARY_FILE_AGE_MS_MAX } from '../limits.ts'

const TEMPORARY_PREFIX = '.tmp-'

/** Writes `parts` as the file `path`, replacing what was there; creates the folder. */
export async function writeFileAtomically(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const temporary = temporaryPath(folder)
  try {
    const file = await open(temporary, 'wx')
    try {
      for (const part of parts) await file.writeFile(part)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** A fresh temporary name in a folder. */
export function temporaryPath(folder: string): string {
  return join(folder, `${TEMPORARY_PREFIX}${process.pid}-${randomBytes(6).toString('hex')}`)
}

/** Removes temporary files that nobody can be writing any more. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue
    const path = join(folder, name)
    const found = await stat(path).catch(() => null)
    if (found !== null && Date.now() - found.mtimeMs > TEMPORARY_FILE_AGE_MS_MAX)
      await rm(path, { force: true, recursive: true })
  }
}
