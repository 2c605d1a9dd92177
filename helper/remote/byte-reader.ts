/**
 * Pulls lines, exact lengths and whatever comes from a stream of bytes, for protocols that change from lines to
 * pkt-lines in the middle. Nothing is read ahead of what was asked for beyond one chunk, so back-pressure reaches the
 * sender. An error of the stream ends every pending read with it.
 */
import { HelperError } from '../errors.ts'

export class ByteReader {
  /** Bytes handed out so far. */
  consumedBytes = 0
  private readonly iterator: AsyncIterator<unknown>
  private chunk: Buffer = Buffer.alloc(0)
  private pending: Promise<boolean> | null = null

  constructor(stream: AsyncIterable<unknown>) {
    this.iterator = stream[Symbol.asyncIterator]()
  }

  /** Returns the next bytes, at least one, or null at the end. The buffer belongs to the caller. */
  async next(): Promise<Buffer | null> {
    if (this.chunk.length === 0 && !(await this.refill())) return null
    return this.take(this.chunk.length)
  }

  /** Gives back the end of what next() returned last. */
  unread(bytes: Buffer): void {
    this.chunk = bytes
    this.consumedBytes -= bytes.length
  }

  /** Returns exactly `length` bytes, or null when the stream ends before the first one. Throws origin-protocol. */
  async exactly(length: number): Promise<Buffer | null> {
    if (this.chunk.length === 0 && !(await this.refill())) return null
    if (this.chunk.length >= length) return this.take(length)
    const parts: Buffer[] = []
    let missing = length
    while (missing > 0) {
      if (this.chunk.length === 0 && !(await this.refill())) throw truncated(length, length - missing)
      const part = this.take(Math.min(missing, this.chunk.length))
      parts.push(part)
      missing -= part.length
    }
    return Buffer.concat(parts, length)
  }

  /** Returns one line without its LF, or null at the end. Throws limit past `lengthBytesMax`. */
  async line(lengthBytesMax: number): Promise<string | null> {
    const parts: Buffer[] = []
    let lengthBytes = 0
    for (;;) {
      if (this.chunk.length === 0 && !(await this.refill())) {
        if (lengthBytes === 0) return null
        throw truncated(lengthBytes + 1, lengthBytes)
      }
      const end = this.chunk.indexOf(0x0a)
      const part = this.take(end < 0 ? this.chunk.length : end + 1)
      parts.push(part)
      lengthBytes += part.length
      if (lengthBytes > lengthBytesMax) {
        throw new HelperError('limit', `cannot read a line: expected at most ${lengthBytesMax} bytes, got more`)
      }
      if (end >= 0) return Buffer.concat(parts).toString('utf8', 0, lengthBytes - 1)
    }
  }

  private take(length: number): Buffer {
    const taken = this.chunk.subarray(0, length)
    this.chunk = this.chunk.subarray(length)
    this.consumedBytes += length
    return taken
  }

  /** Resolves when bytes are there (true) or the other side has gone (false), without taking anything. */
  async waitForMore(): Promise<boolean> {
    return this.chunk.length > 0 || (await this.refill())
  }

  /** Shared by all callers: a read that waitForMore() began is the one that the next taker waits for. */
  private refill(): Promise<boolean> {
    this.pending ??= this.pull().finally(() => {
      this.pending = null
    })
    return this.pending
  }

  private async pull(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.iterator.next()
      if (done) return false
      if (Buffer.isBuffer(value) && value.length > 0) {
        this.chunk = value
        return true
      }
    }
  }
}

function truncated(expected: number, got: number): HelperError {
  return new HelperError(
    'origin-protocol',
    `the connection ended early: expected ${expected} bytes, got ${got}, try again`,
  )
}
