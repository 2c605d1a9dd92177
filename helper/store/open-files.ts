/**
 * A bounded number of open files for reading, least recently opened closed first. A file that somebody is reading from
 * stays open until he is done, however many others are asked for meanwhile.
 */

import { type FileHandle, open } from 'node:fs/promises'
import { sep } from 'node:path'

interface Entry {
  readonly opened: Promise<FileHandle>
  readers: number
  isEvicted: boolean
}

export class OpenFiles {
  readonly #countMax: number
  readonly #entries = new Map<string, Entry>()

  constructor(countMax: number) {
    this.#countMax = countMax
  }

  /** Hands the open file to `use`, and keeps it open at least until that is done. */
  async with<Result>(path: string, use: (file: FileHandle) => Promise<Result>): Promise<Result> {
    const entry = this.#entryOf(path)
    entry.readers++
    try {
      return await use(await entry.opened)
    } finally {
      entry.readers--
      if (entry.isEvicted && entry.readers === 0) await closeEntry(entry)
    }
  }

  /** Closes one file, or as soon as its readers are done: the path now names another file, or none. */
  async forget(path: string): Promise<void> {
    await this.#evict(path)
  }

  /** Closes what nobody reads, below `folder` if one is given; the rest as soon as it is done. */
  async close(folder: string | null = null): Promise<void> {
    for (const path of [...this.#entries.keys()]) {
      if (folder === null || path.startsWith(`${folder}${sep}`)) await this.#evict(path)
    }
  }

  #entryOf(path: string): Entry {
    const known = this.#entries.get(path)
    if (known !== undefined) return known
    const entry = { opened: open(path, 'r'), readers: 0, isEvicted: false }
    entry.opened.catch(() => this.#entries.delete(path))
    this.#entries.set(path, entry)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > this.#countMax && oldest !== undefined) void this.#evict(oldest)
    return entry
  }

  async #evict(path: string): Promise<void> {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    entry.isEvicted = true
    if (entry.readers === 0) await closeEntry(entry)
  }
}

async function closeEntry({ opened }: Entry): Promise<void> {
  await opened.then(
    (file) => file.close(),
    () => {},
  )
}
