/**
 * A long-lived `git cat-file --batch-command`: objects by name, in the order asked, many requests in flight.
 * Reads past replace refs and grafts, so that an object is always the bytes behind its name
 * (git-replace(1), GIT_NO_REPLACE_OBJECTS). One instance per worker: git inflates, we only split its output.
 * Large objects are streamed or left out as the caller says; git does not hold them either (core.bigFileThreshold).
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { COMMIT, type ObjectType, typeName } from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { CAT_FILE_CACHE_LENGTH, CAT_FILE_STREAM_LENGTH } from '../limits.ts'
import { plumbingEnvironment } from './environment.ts'

/** Takes what git answers to one request. */
interface Request {
  /** Announces the next object of the request; what is wrong with its type, or null. */
  open(type: string, length: number): string | null
  /** The next bytes of the announced object. */
  take(bytes: Uint8Array): void
  /** The announced object is complete; true when the request has everything. */
  close(): boolean
  fail(error: HelperError): void
}

const NEWLINE = 0x0a

export class CatFile {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #requests: Request[] = []
  #header = ''
  /** Bytes of the object at hand that are still to come, its newline included; 0 between objects. */
  #left = 0
  #failure: HelperError | null = null

  /** Starts the process on a repository; `gitDir` is absolute. */
  constructor(gitDir: string) {
    const bounds = { bigFileThreshold: CAT_FILE_STREAM_LENGTH, deltaBaseCacheLimit: CAT_FILE_CACHE_LENGTH }
    const settings = Object.entries(bounds).flatMap(([name, length]) => ['-c', `core.${name}=${length}`])
    this.#child = spawn('git', ['--git-dir', gitDir, ...settings, 'cat-file', '--batch-command', '--buffer'], {
      env: plumbingEnvironment(),
    })
    this.#child.stdout.on('data', (chunk: Uint8Array) => this.#take(chunk))
    this.#child.stderr.resume()
    this.#child.stdin.on('error', () => {})
    this.#child.on('error', (error) => this.#fail(`git cat-file: expected it to start, got ${error.message}`))
    this.#child.on('close', () => this.#fail('git cat-file: expected it to go on, got its end'))
  }

  /**
   * Contents of objects of one type, in the order asked; each array is the caller's.
   * @throws HelperError 'object-missing', also for an object of another type
   */
  async read(oids: readonly string[], type: ObjectType): Promise<Uint8Array[]> {
    const types = oids.map(() => type)
    const contents = await this.readUpTo(oids, Number.POSITIVE_INFINITY, types)
    return contents.filter((content) => typeof content !== 'number')
  }

  /** The same for a type each, but of an object longer than `lengthMax` bytes only its length. */
  readUpTo(oids: readonly string[], lengthMax: number, types: readonly ObjectType[]): Promise<(Uint8Array | number)[]> {
    if (oids.length === 0) return Promise.resolve([])
    return new Promise((resolve, reject) => {
      this.#ask(oids, new ContentsRequest(oids.length, types, lengthMax, resolve, reject))
    })
  }

  /** The content of an object in chunks, read no faster than they are taken. @throws HelperError 'object-missing' */
  async *stream(oid: string): AsyncGenerator<Uint8Array> {
    const request = new StreamRequest(this.#child.stdout)
    this.#ask([oid], request)
    yield* request.chunks()
  }

  close(): void {
    this.#child.stdin.end()
    this.#child.kill()
  }

  #ask(oids: readonly string[], request: Request): void {
    if (this.#failure !== null) {
      request.fail(this.#failure)
      return
    }
    this.#requests.push(request)
    this.#child.stdin.write(`contents ${oids.join('\ncontents ')}\nflush\n`)
  }

  #take(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) at = this.#left === 0 ? this.#takeHeader(chunk, at) : this.#takeContent(chunk, at)
  }

  #takeHeader(chunk: Uint8Array, start: number): number {
    const end = chunk.indexOf(NEWLINE, start)
    const stop = end < 0 ? chunk.length : end
    this.#header += Buffer.from(chunk.buffer, chunk.byteOffset + start, stop - start).toString('latin1')
    if (end < 0) return chunk.length
    const [oid, type, length] = this.#header.split(' ')
    this.#header = ''
    if (length === undefined || type === 'missing') {
      this.#fail(`object ${oid}: expected it in the repository, got "${type}", try \`git fsck\``)
      return chunk.length
    }
    const complaint = this.#requests[0]?.open(type ?? '', Number(length)) ?? null
    if (complaint !== null) {
      this.#fail(`object ${oid}: ${complaint}, try \`git fsck\``)
      return chunk.length
    }
    // One more byte: the newline after the content.
    this.#left = Number(length) + 1
    return end + 1
  }

  #takeContent(chunk: Uint8Array, start: number): number {
    const count = Math.min(chunk.length - start, this.#left)
    this.#left -= count
    const content = this.#left === 0 ? count - 1 : count
    const request = this.#requests[0]
    if (content > 0) request?.take(chunk.subarray(start, start + content))
    if (this.#left === 0 && request?.close() === true) this.#requests.shift()
    return start + count
  }

  #fail(message: string): void {
    if (this.#failure !== null) return
    this.#failure = new HelperError('object-missing', message)
    for (const request of this.#requests.splice(0)) request.fail(this.#failure)
    this.#child.kill()
  }
}

class ContentsRequest implements Request {
  readonly #count: number
  readonly #types: readonly ObjectType[]
  readonly #lengthMax: number
  readonly #resolve: (contents: (Uint8Array | number)[]) => void
  readonly fail: (error: HelperError) => void
  readonly #contents: (Uint8Array | number)[] = []
  #content = new Uint8Array(0)
  #filled = 0

  constructor(
    count: number,
    types: readonly ObjectType[],
    lengthMax: number,
    resolve: (contents: (Uint8Array | number)[]) => void,
    reject: (error: HelperError) => void,
  ) {
    this.#count = count
    this.#types = types
    this.#lengthMax = lengthMax
    this.#resolve = resolve
    this.fail = reject
  }

  open(type: string, length: number): string | null {
    const expected = typeName(this.#types[this.#contents.length] ?? COMMIT)
    if (type !== expected) return `expected a ${expected}, got a ${type}`
    this.#filled = 0
    this.#content = new Uint8Array(length > this.#lengthMax ? 0 : length)
    this.#contents.push(length > this.#lengthMax ? length : this.#content)
    return null
  }

  take(bytes: Uint8Array): void {
    if (this.#content.length === 0) return
    this.#content.set(bytes, this.#filled)
    this.#filled += bytes.length
  }

  close(): boolean {
    if (this.#contents.length < this.#count) return false
    this.#resolve(this.#contents)
    return true
  }
}

class StreamRequest implements Request {
  readonly #source: { pause(): unknown; resume(): unknown }
  readonly #waiting: Uint8Array[] = []
  #error: HelperError | null = null
  #isClosed = false
  #isAbandoned = false
  #wake: () => void = () => {}

  constructor(source: { pause(): unknown; resume(): unknown }) {
    this.#source = source
  }

  open(): null {
    return null
  }

  take(bytes: Uint8Array): void {
    if (this.#isAbandoned) return
    this.#waiting.push(bytes)
    this.#source.pause()
    this.#wake()
  }

  close(): boolean {
    this.#isClosed = true
    this.#wake()
    return true
  }

  fail(error: HelperError): void {
    this.#error = error
    this.#wake()
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#waiting.shift()
        if (chunk !== undefined) yield chunk
        else if (this.#error !== null) throw this.#error
        else if (this.#isClosed) return
        else await this.#more()
      }
    } finally {
      this.#isAbandoned = true
      this.#source.resume()
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#source.resume()
    })
  }
}
