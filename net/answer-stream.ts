/**
 * Both ends of a streamed answer (PROTOCOL.md section 4): one whose length nobody knows before its end.
 * The asker's end is a queue that says how much was taken, so that credit follows the reader and not the network.
 * The answerer's end pulls from its source only while there is credit, so that a slow asker slows the source.
 */
import { NetError } from './errors.ts'
import { RESPONSE_CHUNK_LENGTH, RESPONSE_WINDOW_LENGTH } from './limits.ts'

export interface StreamOptions {
  /** Milliseconds without a byte, while the reader waits for one, after which the peer is given up. */
  readonly stallTimeoutMs: number
  /** Bytes; a longer stream is broken off. */
  readonly lengthMax: number
  readonly signal?: AbortSignal | undefined
}

/** A stream that arrives; iterate it once. Leaving the loop early cancels the question. */
export class IncomingStream implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = []
  readonly #onTaken: (length: number) => void
  readonly #onLeave: () => void
  #outcome: 'open' | 'complete' | NetError = 'open'
  #wake: () => void = () => {}
  #stall: { readonly timeoutMs: number; readonly onStall: () => void } | null = null
  /** Bytes that came and were not taken yet. */
  waitingLength = 0

  constructor(onTaken: (length: number) => void, onLeave: () => void) {
    this.#onTaken = onTaken
    this.#onLeave = onLeave
  }

  /** Calls `onStall` when the reader has waited for `timeoutMs` and nothing came. */
  onStall(timeoutMs: number, onStall: () => void): void {
    this.#stall = { timeoutMs, onStall }
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes)
    this.waitingLength += bytes.length
    this.#wake()
  }

  /** Ends the stream behind what was pushed; the first call counts. */
  finish(outcome: 'complete' | NetError): void {
    if (this.#outcome === 'open') this.#outcome = outcome
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift()
        if (chunk !== undefined) {
          this.waitingLength -= chunk.length
          this.#onTaken(chunk.length)
          yield chunk
        } else if (this.#outcome === 'complete') {
          return
        } else if (this.#outcome !== 'open') {
          throw this.#outcome
        } else {
          await this.#untilMore()
        }
      }
    } finally {
      this.#onLeave()
    }
  }

  async #untilMore(): Promise<void> {
    const { timeoutMs, onStall } = this.#stall ?? { timeoutMs: 0, onStall: () => {} }
    const timer = timeoutMs > 0 ? setTimeout(onStall, timeoutMs) : undefined
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    clearTimeout(timer)
  }
}

/** What an answerer gives where it does not know the length: bytes, and a way to end their source at once. */
export interface AnswerStream extends AsyncIterable<Uint8Array> {
  /** The asker has gone or wants no more; idempotent. */
  close(): void
}

/** A stream that is being sent. */
export class OutgoingStream {
  readonly #source: AnswerStream
  #sentLength = 0
  #creditedLength = 0
  #isCancelled = false
  #wake: () => void = () => {}

  constructor(source: AnswerStream) {
    this.#source = source
  }

  /** Takes credit; false if it is more than was sent. */
  credit(length: number): boolean {
    this.#creditedLength += length
    this.#wake()
    return this.#creditedLength <= this.#sentLength
  }

  /** Closes the source and makes `run` end. */
  cancel(): void {
    this.#isCancelled = true
    this.#source.close()
    this.#wake()
  }

  /**
   * Sends all of the source in chunks; `onWait` is told when credit is waited for (true) and has come (false).
   * Resolves to true if the whole source was sent. @throws NetError message-limit past `lengthMax`, and what the source throws
   */
  async run(lengthMax: number, send: (chunk: Uint8Array) => void, onWait: (waits: boolean) => void): Promise<boolean> {
    for await (const bytes of this.#source) {
      for (let at = 0; at < bytes.length; at += RESPONSE_CHUNK_LENGTH) {
        await this.#untilCredit(onWait)
        if (this.#isCancelled) return false
        const chunk = bytes.subarray(at, at + RESPONSE_CHUNK_LENGTH)
        this.#sentLength += chunk.length
        if (this.#sentLength > lengthMax) throw new NetError('message-limit', 'stream: longer than the asker takes')
        send(chunk)
      }
    }
    return !this.#isCancelled
  }

  async #untilCredit(onWait: (waits: boolean) => void): Promise<void> {
    const mayFlow = (): boolean => this.#isCancelled || this.#sentLength - this.#creditedLength < RESPONSE_WINDOW_LENGTH
    if (mayFlow()) return
    onWait(true)
    while (!mayFlow()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    onWait(false)
  }
}
