/**
 * A long-lived `git cat-file --batch-command`: objects by name, in the order asked, many requests in flight.
 * Reads past replace refs and grafts, so that an object is always the bytes behind its name
 * (git-replace(1), GIT_NO_REPLACE_OBJECTS). One instance per worker: git inflates, we only split its output.
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { HelperError } from '../errors.ts'
import { plumbingEnvironment } from './environment.ts'

interface Request {
  readonly oids: readonly string[]
  readonly contents: Uint8Array[]
  readonly resolve: (contents: Uint8Array[]) => void
  readonly reject: (error: unknown) => void
}

const NEWLINE = 0x0a

export class CatFile {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #requests: Request[] = []
  #header = ''
  #content: Uint8Array | null = null
  #filled = 0
  #failure: HelperError | null = null

  /** Starts the process on a repository; `gitDir` is absolute. */
  constructor(gitDir: string) {
    this.#child = spawn('git', ['--git-dir', gitDir, 'cat-file', '--batch-command', '--buffer'], {
      env: plumbingEnvironment(),
    })
    this.#child.stdout.on('data', (chunk: Uint8Array) => this.#take(chunk))
    this.#child.stderr.resume()
    this.#child.stdin.on('error', () => {})
    this.#child.on('error', (error) => this.#fail(`git cat-file: expected it to start, got ${error.message}`))
    this.#child.on('close', () => this.#fail('git cat-file: expected it to go on, got its end'))
  }

  /** Contents of objects, in the order asked; each array is the caller's. @throws HelperError 'object-missing' */
  read(oids: readonly string[]): Promise<Uint8Array[]> {
    if (oids.length === 0) return Promise.resolve([])
    if (this.#failure !== null) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#requests.push({ oids, contents: [], resolve, reject })
      this.#child.stdin.write(`contents ${oids.join('\ncontents ')}\nflush\n`)
    })
  }

  close(): void {
    this.#child.stdin.end()
    this.#child.kill()
  }

  #take(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#content === null) at = this.#takeHeader(chunk, at)
      else at = this.#takeContent(chunk, at, this.#content)
    }
  }

  #takeHeader(chunk: Uint8Array, start: number): number {
    const end = chunk.indexOf(NEWLINE, start)
    this.#header += Buffer.from(
      chunk.buffer,
      chunk.byteOffset + start,
      (end < 0 ? chunk.length : end) - start,
    ).toString('latin1')
    if (end < 0) return chunk.length
    const [oid, type, length] = this.#header.split(' ')
    this.#header = ''
    if (length === undefined || type === 'missing') {
      this.#fail(`object ${oid}: expected it in the repository, got "${type}", try \`git fsck\``)
      return chunk.length
    }
    // One more byte: the newline after the content.
    this.#content = new Uint8Array(Number(length) + 1)
    this.#filled = 0
    return end + 1
  }

  #takeContent(chunk: Uint8Array, start: number, content: Uint8Array): number {
    const count = Math.min(chunk.length - start, content.length - this.#filled)
    content.set(chunk.subarray(start, start + count), this.#filled)
    this.#filled += count
    if (this.#filled === content.length) {
      this.#content = null
      const request = this.#requests[0]
      request?.contents.push(content.subarray(0, content.length - 1))
      if (request !== undefined && request.contents.length === request.oids.length) {
        this.#requests.shift()
        request.resolve(request.contents)
      }
    }
    return start + count
  }

  #fail(message: string): void {
    if (this.#failure !== null) return
    this.#failure = new HelperError('object-missing', message)
    for (const request of this.#requests.splice(0)) request.reject(this.#failure)
    this.#child.kill()
  }
}
