/**
 * Files that are there whole or not at all: written under a temporary name in the same folder, flushed to the disk,
 * renamed. A crash leaves at most a `.tmp-…` file, which `removeLeftovers` collects later.
 */

import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TEMPORARY_FILE_AGE_MS_MAX } from '../limits.ts'

const TEMPORARY_PREFIX = '.tmp-'

/**
 * Makes a folder and at most `above` of those over it. So a repository that is gone does not come into being again:
 * an interrupted `git clone` removes its own while we still end. @throws ENOENT where more is missing
 */
export async function makeFolder(path: string, above = 0): Promise<void> {
  if (above > 0) await makeFolder(dirname(path), above - 1)
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** A file being written: there under its name after `commit`, gone after `discard`. */
export class AtomicFile {
  readonly #path: string
  readonly #temporary: string
  #file: FileHandle | null
  #isCommitted = false

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.#path = path
    this.#temporary = temporary
    this.#file = file
  }

  /** Creates the folder of `path` too. */
  static async create(path: string): Promise<AtomicFile> {
    const folder = dirname(path)
    const temporary = temporaryPath(folder)
    const file = await open(temporary, 'wx').catch(async () => {
      await mkdir(folder, { recursive: true })
      return open(temporary, 'wx')
    })
    return new AtomicFile(path, temporary, file)
  }

  async write(part: Uint8Array): Promise<void> {
    await this.#file?.writeFile(part)
  }

  /** Flushes the bytes to the disk and gives the file its name, replacing what was there. */
  async commit(): Promise<void> {
    await this.#file?.sync()
    await this.#close()
    await rename(this.#temporary, this.#path)
    this.#isCommitted = true
  }

  /** Removes what was written unless it was committed; always to be called in the end. */
  async discard(): Promise<void> {
    await this.#close()
    if (!this.#isCommitted) await rm(this.#temporary, { force: true })
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }
}

/** Writes `parts` as the file `path`, replacing what was there; creates the folder. */
export async function writeFileAtomically(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await AtomicFile.create(path)
  try {
    for (const part of parts) await file.write(part)
    await file.commit()
  } finally {
    await file.discard()
  }
}

/** A fresh temporary name in a folder. */
export function temporaryPath(folder: string): string {
  return join(folder, `${TEMPORARY_PREFIX}${process.pid}-${randomBytes(6).toString('hex')}`)
}

/** Removes temporary files that nobody can be writing any more. */
export function removeLeftovers(folder: string): Promise<void> {
  return removeOld(folder, (name) => name.startsWith(TEMPORARY_PREFIX))
}

/** Removes files and folders that an interrupted run left and that nothing has touched for a while. */
export async function removeOld(
  folder: string,
  isOurs: (name: string) => boolean,
  ageMsMax = TEMPORARY_FILE_AGE_MS_MAX,
): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!isOurs(name)) continue
    const path = join(folder, name)
    const found = await stat(path).catch(() => null)
    if (found !== null && Date.now() - found.mtimeMs > ageMsMax) await rm(path, { force: true, recursive: true })
  }
}
