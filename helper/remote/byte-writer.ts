/**
 * Writes to a stream and waits where the stream asks for it, so that a slow reader slows the writer and nothing piles
 * up. A reader that has gone away (EPIPE) fails the next write, not the process.
 */
import type { Writable } from 'node:stream'
import { HelperError, messageOf } from '../errors.ts'

export class ByteWriter {
  private failure: unknown = null
  private readonly stream: Writable

  constructor(stream: Writable) {
    this.stream = stream
    stream.on('error', (error) => {
      this.failure ??= error
    })
  }

  /** Writes `bytes`, which the stream owns from now on; resolves when more may follow. Throws client-protocol. */
  async write(bytes: Uint8Array | string): Promise<void> {
    if (this.stream.destroyed || this.failure !== null) throw this.broken(this.failure)
    if (this.stream.write(bytes)) return
    await this.untilDrained()
    if (this.stream.destroyed) throw this.broken(this.failure)
  }

  /** Whether the reader has gone before everything was written. */
  get isBroken(): boolean {
    return this.failure !== null
  }

  /** Closes this direction; resolves when everything before has been handed over, or cannot be any more. */
  async end(): Promise<void> {
    if (this.stream.destroyed || this.stream.writableEnded) return
    await new Promise<void>((resolve) => {
      this.stream.once('close', resolve)
      this.stream.once('error', () => resolve())
      this.stream.end(() => resolve())
    })
  }

  /** Resolves at the next drain or close; whichever comes leaves no listener behind. */
  private untilDrained(): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        this.stream.off('drain', settle)
        this.stream.off('close', settle)
        resolve()
      }
      this.stream.on('drain', settle)
      this.stream.on('close', settle)
    })
  }

  private broken(cause: unknown): HelperError {
    return new HelperError(
      'client-protocol',
      `cannot write to the other side: ${messageOf(cause ?? 'it has gone')}, see what it said before`,
      {},
      cause,
    )
  }
}
