/**
 * A commit as a loose object that may go again. It was there before, or somebody has had use for it since, where git has
 * given its file a new time (it does so instead of writing an object twice); then it stays. Loose objects that no ref
 * reaches are git's own to collect, so a crash leaves nothing that needs care.
 */

import { execFile } from 'node:child_process'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HelperError, printable } from '../../errors.ts'
import { plumbingEnvironment } from '../../git/environment.ts'
import type { BroughtSnapshot } from '../../remote/supply.ts'

export class LooseCommit implements BroughtSnapshot {
  readonly commit: string
  readonly #gitDir: string
  readonly #content: Uint8Array
  /** When we wrote it; null when it is not ours. */
  readonly #writtenMs: number | null

  private constructor(gitDir: string, commit: string, content: Uint8Array, writtenMs: number | null) {
    this.#gitDir = gitDir
    this.commit = commit
    this.#content = content
    this.#writtenMs = writtenMs
  }

  /** @param content of the commit `commit`, without git's header @throws HelperError 'git-failed' */
  static async write(gitDir: string, commit: string, content: Uint8Array): Promise<LooseCommit> {
    const before = await timeOf(pathOf(gitDir, commit))
    await hashObject(gitDir, content)
    const after = await timeOf(pathOf(gitDir, commit))
    return new LooseCommit(gitDir, commit, content, before === null ? after : null)
  }

  async keep(): Promise<void> {
    await hashObject(this.#gitDir, this.#content)
  }

  async drop(): Promise<void> {
    if (this.#writtenMs === null) return
    const path = pathOf(this.#gitDir, this.commit)
    if ((await timeOf(path)) === this.#writtenMs) await rm(path, { force: true })
  }
}

function pathOf(gitDir: string, oid: string): string {
  return join(gitDir, 'objects', oid.slice(0, 2), oid.slice(2))
}

/** Milliseconds, with fractions; null if there is no such file. */
async function timeOf(path: string): Promise<number | null> {
  const found = await stat(path).catch(() => null)
  return found === null ? null : found.mtimeMs
}

/** Writes the object unless it is there; else makes its file as new. */
function hashObject(gitDir: string, content: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const args = ['--git-dir', gitDir, 'hash-object', '-w', '-t', 'commit', '--literally', '--stdin']
    const child = execFile('git', args, { env: plumbingEnvironment() }, (error, _, stderr) => {
      if (error === null) resolve()
      else reject(new HelperError('git-failed', `git hash-object: ${printable(stderr.trim() || error.message)}`))
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(content)
  })
}
