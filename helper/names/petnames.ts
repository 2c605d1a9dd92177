/**
 * The user's own names for keys: <data>/petnames, one `<name> <40 or 64 digits>` per line. A petname is the user's word, so
 * nothing that strangers registered can change what it means. Lines that begin with # are the user's remarks.
 */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../config.ts'
import { dataFolder } from '../data-folder.ts'
import { HelperError } from '../errors.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'

const LINE = /^([A-Za-z0-9][A-Za-z0-9_-]*)\s+([0-9a-f]{40}|[0-9a-f]{64})$/i

export class Petnames {
  readonly #path: string

  constructor(env: Environment) {
    this.#path = join(dataFolder(env), 'petnames')
  }

  /** All petnames, by name in lower case. */
  async all(): Promise<ReadonlyMap<string, string>> {
    const names = new Map<string, string>()
    for (const line of await this.#lines()) {
      const [, name, key] = LINE.exec(line.trim()) ?? []
      if (name !== undefined && key !== undefined) names.set(name.toLowerCase(), key.toLowerCase())
    }
    return names
  }

  /** Seconds since the file was changed; null if there is none. */
  async ageSeconds(nowMs: number): Promise<number | null> {
    const found = await stat(this.#path).catch(() => null)
    return found === null ? null : Math.max(0, Math.floor((nowMs - found.mtimeMs) / 1000))
  }

  /** Sets a name, or removes it (null). @throws HelperError 'usage' for what is no name or key */
  async set(name: string, key: string | null): Promise<void> {
    if (!LINE.test(`${name} ${key ?? '0'.repeat(40)}`))
      throw new HelperError('usage', `petname: expected <name> <40 or 64 digits>, got '${name} ${key}'`)
    const isOther = (line: string): boolean => LINE.exec(line.trim())?.[1]?.toLowerCase() !== name.toLowerCase()
    const kept = (await this.#lines()).filter((line) => line !== '' && isOther(line))
    const lines = key === null ? kept : [...kept, `${name.toLowerCase()} ${key.toLowerCase()}`]
    await writeFileAtomically(this.#path, [Buffer.from(lines.map((line) => `${line}\n`).join(''))])
  }

  async #lines(): Promise<string[]> {
    return (await readFile(this.#path, 'utf8').catch(() => '')).split('\n')
  }
}
