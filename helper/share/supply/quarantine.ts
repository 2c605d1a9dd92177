/**
 * Where packs wait until they are known to be good: an object directory of its own inside the repository's, with the
 * real one as alternate (as git's own tmp_objdir does). Packs are indexed there by `git index-pack`, which names every
 * object itself; only complete packs move over, by rename. Every git that works there ends before the folder goes: one that
 * lived on would make it anew. A crash leaves a folder that `git gc` and the next run collect.
 */

import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HelperError, printable } from '../../errors.ts'
import { isEmptyStore } from '../../git/empty-store.ts'
import { plumbingEnvironment } from '../../git/environment.ts'
import { makeFolder, removeOld } from '../../store/atomic-file.ts'

const PREFIX = 'tmp_objdir-gittorrent-'
const ERROR_TEXT_LENGTH_MAX = 4096

export interface IndexOptions {
  /** Keep the pack from repacking; only for a pack that stands alone. */
  readonly keep: boolean
  /** The pack stands alone; else missing delta bases are appended. */
  readonly isWholeHistory: boolean
  /** Verify that everything that the pack's objects name is in it; only for one that stands alone. */
  readonly checksLinks?: boolean
  /** Bytes at most that the pack may have. */
  readonly lengthMax: number
  /** Whether and how git itself would check objects on transfer. */
  readonly fsckObjects: boolean
  /** Threads that resolve deltas; absent: as many as git thinks, which is 3 where there are 4 or 5 cores. */
  readonly threadCount?: number
}

/** A running `git index-pack --stdin`. */
export class PackIndexer {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #finished: Promise<string>
  #said = ''

  constructor(gitDir: string, environment: NodeJS.ProcessEnv, options: IndexOptions) {
    const args = ['--git-dir', gitDir, 'index-pack', '--stdin', `--max-input-size=${options.lengthMax}`]
    if (options.keep) args.push('--keep=gittorrent')
    if (options.fsckObjects) args.push('--fsck-objects')
    if (options.threadCount !== undefined) args.push(`--threads=${options.threadCount}`)
    if (!options.isWholeHistory) args.push('--fix-thin')
    if (options.checksLinks === true) args.push('--check-self-contained-and-connected')
    this.#child = spawn('git', args, { env: environment })
    let output = ''
    this.#child.stdout.on('data', (chunk: Uint8Array) => {
      output += Buffer.from(chunk).toString('latin1').slice(0, ERROR_TEXT_LENGTH_MAX)
    })
    this.#child.stderr.on('data', (chunk: Uint8Array) => {
      this.#said = (this.#said + Buffer.from(chunk).toString('utf8')).slice(-ERROR_TEXT_LENGTH_MAX)
    })
    this.#child.stdin.on('error', () => {})
    this.#finished = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (status) => {
        const hash = /(?:pack|keep)\t([0-9a-f]+)/.exec(output)?.[1]
        if (status === 0 && hash !== undefined) resolve(hash)
        else
          reject(new HelperError('git-failed', `git index-pack: ${printable(this.#said.trim() || `status ${status}`)}`))
      })
    })
    this.#finished.catch(() => {})
  }

  /** Hands over bytes; waits while git is busy. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) await this.#finished
    if (this.#child.stdin.write(bytes)) return
    await Promise.race([once(this.#child.stdin, 'drain'), this.#finished])
  }

  /** Ends the pack; resolves to its name's hash. @throws HelperError 'git-failed' */
  finish(): Promise<string> {
    this.#child.stdin.end()
    return this.#finished
  }

  /** Ends git, whatever its verdict would be; resolves when it is gone. */
  async abort(): Promise<void> {
    this.#child.kill()
    await this.#finished.catch(() => {})
  }
}

export class Quarantine {
  /** There was nothing in the repository's object store: whatever names an object that is there names something whole. */
  readonly isOfEmptyStore: boolean
  readonly #gitDir: string
  readonly #folder: string
  readonly #signal: AbortSignal
  readonly #indexers: PackIndexer[] = []
  readonly #endAll = (): Promise<unknown> => Promise.all(this.#indexers.map((indexer) => indexer.abort()))
  readonly environment: NodeJS.ProcessEnv

  private constructor(gitDir: string, folder: string, isOfEmptyStore: boolean, signal: AbortSignal) {
    this.isOfEmptyStore = isOfEmptyStore
    this.#gitDir = gitDir
    this.#folder = folder
    this.#signal = signal
    signal.addEventListener('abort', this.#endAll)
    this.environment = plumbingEnvironment({
      GIT_OBJECT_DIRECTORY: folder,
      GIT_ALTERNATE_OBJECT_DIRECTORIES: join(gitDir, 'objects'),
    })
  }

  /** Opens a new one. Once `signal` is aborted every git that works in it is ended, and what was asked of it fails. */
  static async open(gitDir: string, signal: AbortSignal = new AbortController().signal): Promise<Quarantine> {
    const objects = join(gitDir, 'objects')
    await removeOld(objects, (name) => name.startsWith(PREFIX))
    const isOfEmptyStore = await isEmptyStore(objects)
    const folder = await mkdtemp(join(objects, PREFIX))
    await mkdir(join(folder, 'pack'))
    return new Quarantine(gitDir, folder, isOfEmptyStore, signal)
  }

  /** @throws HelperError 'interrupted' */
  index(options: IndexOptions): PackIndexer {
    if (this.#signal.aborted) throw new HelperError('interrupted', 'git index-pack: not needed any more')
    const indexer = new PackIndexer(this.#gitDir, this.environment, options)
    this.#indexers.push(indexer)
    return indexer
  }

  /** True if everything that `tips` reach is in the quarantine or reachable from `held` or, where those are whole, a ref. */
  areConnected(tips: readonly string[], held: readonly string[], areRefsWhole: boolean): Promise<boolean> {
    const walk = ['rev-list', '--objects', '--quiet', '--stdin']
    const how = areRefsWhole ? [...walk, '--not', '--all', '--alternate-refs'] : ['--shallow-file', '', ...walk]
    const args = ['--git-dir', this.#gitDir, ...how]
    return new Promise((resolve) => {
      const child = execFile('git', args, { env: this.environment, signal: this.#signal }, (error) =>
        resolve(error === null),
      )
      child.stdin?.on('error', () => {})
      child.stdin?.end([...tips, ...held.map((oid) => `^${oid}`)].join('\n').concat('\n'))
    })
  }

  /**
   * Names of what `tip` reaches and `base` does not: digits and a line feed, one after the other, in parts of any length.
   * @throws HelperError 'interrupted' when `signal` is aborted or git was ended by another, 'git-failed' when something is missing
   */
  listAdded(tip: string, base: string | null, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const ends = [tip, ...(base === null ? [] : [`^${base}`])]
    return this.#listObjects(ends, this.environment, AbortSignal.any([this.#signal, signal]))
  }

  /** The same for what `tips` reach and no ref does. */
  listNew(tips: readonly string[]): AsyncGenerator<Uint8Array> {
    const ends = ['--not', '--all', '--alternate-refs']
    return this.#listObjects(ends, this.environment, this.#signal, tips)
  }

  /** The same for all that `tip` reaches; nothing of the repository counts, only what is in the quarantine. */
  listAll(tip: string): AsyncGenerator<Uint8Array> {
    return this.#listObjects([tip], { ...this.environment, GIT_ALTERNATE_OBJECT_DIRECTORIES: '' }, this.#signal)
  }

  async *#listObjects(
    ends: readonly string[],
    environment: NodeJS.ProcessEnv,
    signal: AbortSignal,
    tips: readonly string[] = [],
  ): AsyncGenerator<Uint8Array> {
    const args = [
      '--git-dir',
      this.#gitDir,
      '--shallow-file',
      '',
      'rev-list',
      '--objects',
      '--no-object-names',
      '--stdin',
      ...ends,
    ]
    const child = spawn('git', args, { env: environment, stdio: ['pipe', 'pipe', 'ignore'] })
    child.stdin.on('error', () => {})
    child.stdin.end(tips.map((oid) => `${oid}\n`).join(''))
    const closed = once(child, 'close')
    closed.catch(() => {})
    const stop = (): boolean => child.kill()
    signal.addEventListener('abort', stop)
    try {
      if (signal.aborted) stop()
      for await (const chunk of child.stdout) yield chunk
      const [status] = await closed
      if (signal.aborted) throw new HelperError('interrupted', 'git rev-list: not needed any more')
      if (status === null) throw new HelperError('interrupted', 'git rev-list: a signal ended it')
      if (status !== 0) throw new HelperError('git-failed', `git rev-list: expected all objects, got status ${status}`)
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
      await closed.catch(() => {})
    }
  }

  /** Those of `oids` that are commits here or in the repository. */
  commitsAmong<Name extends string>(oids: readonly Name[]): Promise<Name[]> {
    return new Promise((resolve) => {
      const args = ['--git-dir', this.#gitDir, 'cat-file', '--batch-check=%(objectname) %(objecttype)']
      const child = execFile('git', args, { env: this.environment, signal: this.#signal }, (error, output) => {
        const answers = new Set(error === null ? output.split('\n') : [])
        resolve(oids.filter((oid) => answers.has(`${oid} commit`)))
      })
      child.stdin?.on('error', () => {})
      child.stdin?.end(oids.map((oid) => `${oid}\n`).join(''))
    })
  }

  /** Where a pack is that was indexed, without `.pack` and `.idx`. */
  pathOf(packHash: string): string {
    return join(this.#folder, 'pack', `pack-${packHash}`)
  }

  /** Forgets a pack that was indexed. */
  async discard(packHash: string): Promise<void> {
    for (const suffix of ['idx', 'pack', 'keep', 'rev']) await rm(`${this.pathOf(packHash)}.${suffix}`, { force: true })
  }

  /** Moves the packs over, not what an indexer that failed has left: what makes a pack visible, its index, comes last. */
  async release(): Promise<void> {
    const from = join(this.#folder, 'pack')
    const to = join(this.#gitDir, 'objects', 'pack')
    await makeFolder(to)
    const names = (await readdir(from)).filter((name) => name.startsWith('pack-'))
    const rank = (name: string): number =>
      name.endsWith('.keep') ? 0 : name.endsWith('.pack') ? 1 : name.endsWith('.idx') ? 3 : 2
    for (const name of names.sort((a, b) => rank(a) - rank(b))) await rename(join(from, name), join(to, name))
  }

  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#endAll)
    await this.#endAll()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
