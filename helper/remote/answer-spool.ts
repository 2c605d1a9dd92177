/**
 * The answer to a request that was made ahead of its time: what comes is kept in a file without a name, until it is known
 * whether the answer can be used. At its bound nothing more is read, so that the origin waits; one that has waited for long
 * may have given up, and its answer counts for nothing. Whoever takes the answer gets what was kept, then the rest as it comes.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ANSWER_KEPT_LENGTH_MAX, ORIGIN_UNREAD_MS_MAX } from '../limits.ts'
import { makeFolder } from '../store/atomic-file.ts'
import { ByteReader } from './byte-reader.ts'
import type { AnswerScanner } from './pkt-line.ts'

/** Bytes read from the file at a time. */
const CHUNK_LENGTH = 256 * 1024

export class AnswerSpool {
  private readonly reader: ByteReader
  private readonly scanner: AnswerScanner
  private readonly file: FileHandle
  /** Resolves when no more is kept. */
  readonly settled: Promise<void>
  /** Bytes that came and wait. */
  keptLength = 0
  private readLength = 0
  private isTaken = false
  private isBroken = false
  /** When the bound was reached, null as long as it is not. */
  private fullSinceMs: number | null = null
  /** The whole answer has been read. */
  isWhole = false

  private constructor(reader: ByteReader, scanner: AnswerScanner, file: FileHandle) {
    this.reader = reader
    this.scanner = scanner
    this.file = file
    this.settled = this.fill().catch(() => {
      this.isBroken = true
    })
  }

  /** Starts to read an answer, whose end `scanner` finds, into a file in `folder`, which is made. */
  static async open(reader: ByteReader, scanner: AnswerScanner, folder: string): Promise<AnswerSpool> {
    await makeFolder(folder, 1)
    const path = join(folder, `answer-${randomBytes(6).toString('hex')}`)
    const file = await open(path, 'wx+')
    await rm(path)
    return new AnswerSpool(reader, scanner, file)
  }

  /** Nothing more is read before it is taken: the answer is whole, or has as many bytes as wait at most. */
  get isFull(): boolean {
    return this.isWhole || this.fullSinceMs !== null
  }

  /** Stops to keep and gives the answer from its start; null if it broke off, or stood unread for long. */
  take(nowMs = performance.now()): ByteReader | null {
    this.isTaken = true
    const isStale = this.fullSinceMs !== null && nowMs - this.fullSinceMs > ORIGIN_UNREAD_MS_MAX
    return this.isBroken || isStale ? null : new ByteReader(this.answer())
  }

  /** Lets go of what was kept. */
  close(): void {
    this.isTaken = true
    void this.settled.then(() => this.file.close()).catch(() => {})
  }

  private async fill(): Promise<void> {
    while (!this.isWhole && !this.isTaken) {
      const bytes = await this.next()
      if (bytes === null) throw new Error('the answer ended early')
      await this.file.appendFile(bytes)
      this.keptLength += bytes.length
      if (this.keptLength < ANSWER_KEPT_LENGTH_MAX || this.isWhole) continue
      this.fullSinceMs = performance.now()
      return
    }
  }

  /** What was kept, and what comes after it. */
  private async *answer(): AsyncGenerator<Buffer> {
    yield* this.kept()
    await this.settled
    yield* this.kept()
    while (!this.isWhole && !this.isBroken) {
      const bytes = await this.next()
      if (bytes === null) return
      yield bytes
    }
  }

  /** What is in the file and was not read yet. */
  private async *kept(): AsyncGenerator<Buffer> {
    while (this.readLength < this.keptLength) {
      const chunk = Buffer.alloc(Math.min(CHUNK_LENGTH, this.keptLength - this.readLength))
      const { bytesRead } = await this.file.read(chunk, 0, chunk.length, this.readLength)
      this.readLength += bytesRead
      yield chunk.subarray(0, bytesRead)
    }
  }

  /** The next bytes of the answer, null where the connection ended. */
  private async next(): Promise<Buffer | null> {
    const bytes = await this.reader.next()
    const end = bytes === null ? -1 : this.scanner.endIn(bytes)
    if (bytes === null || end < 0) return bytes
    this.isWhole = true
    this.reader.unread(bytes.subarray(end))
    return bytes.subarray(0, end)
  }
}
