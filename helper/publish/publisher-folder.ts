/**
 * Everything on disk about one publisher, ourselves or somebody whom we read: <data>/publishers/<id>/
 *   seen.json                       memory.ts
 *   documents/<SHA-256>             refs documents by their hash
 *   repositories/<name>.git         an isolated bare repository: it holds what is published and nothing else
 *   lock                            held while refs move there or something is signed
 * The isolated repository is what the tunnel serves from and what git is served from locally: no object of the user's own
 * can come out of it, because none goes in.
 */
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../config.ts'
import { dataFolder } from '../data-folder.ts'
import { HelperError } from '../errors.ts'
import { openRepository, type Repository, runGit } from '../git/repository.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'
import { withLock } from '../store/lock-file.ts'
import { PublisherMemory } from './memory.ts'

export class PublisherFolder {
  readonly id: string
  readonly path: string

  /** @param id 40 hexadecimal digits */
  constructor(env: Environment, id: string) {
    this.id = id
    this.path = join(dataFolder(env), 'publishers', id)
  }

  memory(): Promise<PublisherMemory> {
    return PublisherMemory.open(this.path)
  }

  /**
   * Runs `work` while no other process of ours signs for this publisher or moves its refs: two of them at once would sign two
   * values for one seq, which every reader takes for a key in two hands. @throws HelperError 'busy'
   */
  exclusively<T>(waitMs: number, work: () => Promise<T>): Promise<T> {
    return withLock(join(this.path, 'lock'), waitMs, work)
  }

  /** Path of the isolated repository, whether it is there or not. */
  repositoryPath(name: string): string {
    return join(this.path, 'repositories', `${name}.git`)
  }

  /** The isolated repository, or null. */
  async repository(name: string): Promise<Repository | null> {
    const path = this.repositoryPath(name)
    return (await stat(path).catch(() => null)) === null ? null : openRepository(path)
  }

  /** The isolated repository, made if it is not there. @throws HelperError 'repository-unusable' for another object format */
  async openRepository(name: string, objectFormat: 'sha1' | 'sha256'): Promise<Repository> {
    const found = await this.repository(name)
    if (found !== null && found.objectFormat === objectFormat) return found
    if (found !== null) {
      const expected = `expected objects of ${found.objectFormat}, got ${objectFormat}`
      throw new HelperError('repository-unusable', `'${found.path}': ${expected}, try another name`)
    }
    const path = this.repositoryPath(name)
    await mkdir(path, { recursive: true })
    await runGit(path, ['init', '--quiet', '--bare', '--template=', `--object-format=${objectFormat}`])
    await appendFile(join(path, 'config'), LOCKED_DOWN)
    return openRepository(path)
  }

  /** Keeps a refs document; returns its SHA-256. */
  async keepDocument(bytes: Uint8Array): Promise<string> {
    const hash = createHash('sha256').update(bytes).digest('hex')
    await writeFileAtomically(this.documentPath(hash), [bytes])
    return hash
  }

  /** Where the document with this SHA-256 is, if it is here. */
  documentPath(hash: string): string {
    return join(this.path, 'documents', hash)
  }

  /** The document with this SHA-256, or null; one that was damaged is none. */
  async document(hash: string): Promise<Uint8Array | null> {
    const bytes = await readFile(this.documentPath(hash)).catch(() => null)
    return bytes !== null && createHash('sha256').update(bytes).digest('hex') === hash ? bytes : null
  }

  /** Removes documents that are named no more. */
  async collectDocuments(kept: ReadonlySet<string>): Promise<void> {
    const folder = join(this.path, 'documents')
    const names = await readdir(folder).catch(() => [])
    for (const name of names)
      if (/^[0-9a-f]{64}$/.test(name) && !kept.has(name)) await rm(join(folder, name), { force: true })
  }
}

/** What could make a served repository run or show something; its own configuration is the only one that is read. */
const LOCKED_DOWN = `[core]
\thooksPath = /dev/null
[gc]
\tauto = 0
[receive]
\tdenyDeleteCurrent = ignore
[transfer]
\tadvertiseSID = false
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = false
`
