/**
 * Token buckets: how often a stranger may speak, and how fast bytes may flow.
 * Counting buckets answer yes or no; a byte gate makes the writer wait, in order.
 * Time comes from a monotonic clock; a caller may inject one.
 */

export interface Clock {
  nowMs(): number
}

export const MONOTONIC: Clock = { nowMs: () => performance.now() }

/** Allows `ratePerSecond` on average and `burst` at once. */
export class TokenBucket {
  readonly #ratePerSecond: number
  readonly #burst: number
  readonly #clock: Clock
  #tokens: number
  #atMs: number

  constructor(ratePerSecond: number, burst: number, clock: Clock = MONOTONIC) {
    this.#ratePerSecond = ratePerSecond
    this.#burst = burst
    this.#clock = clock
    this.#tokens = burst
    this.#atMs = clock.nowMs()
  }

  #refill(): void {
    const nowMs = this.#clock.nowMs()
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) * this.#ratePerSecond) / 1000)
    this.#atMs = nowMs
  }

  /** Takes one token; false if there is none. */
  take(): boolean {
    this.#refill()
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  /** Takes `count` tokens even into debt and returns the milliseconds to wait until the debt is paid. */
  borrow(count: number): number {
    this.#refill()
    this.#tokens -= count
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / this.#ratePerSecond
  }
}

/** Bytes of a message that no limit delays. */
const SMALL_LENGTH = 512

/** Runs callbacks when the bytes they stand for may pass; null rate means at once. */
export class ByteGate {
  readonly #bucket: TokenBucket | null
  readonly #timers = new Set<NodeJS.Timeout>()

  /** @param bytesPerSecond null or 0 for no limit */
  constructor(bytesPerSecond: number | null) {
    // A burst of a tenth of a second keeps the rate smooth and still lets one block through at any rate.
    this.#bucket =
      bytesPerSecond === null || bytesPerSecond <= 0
        ? null
        : new TokenBucket(bytesPerSecond, Math.max(16_384, bytesPerSecond / 10))
  }

  get isLimited(): boolean {
    return this.#bucket !== null
  }

  /** Calls `pass` when `length` bytes may flow. */
  enter(length: number, pass: () => void): void {
    const waitMs = this.#bucket === null ? 0 : this.#bucket.borrow(length)
    // Requests and the like are counted, but never wait behind blocks.
    if (waitMs <= 0 || length <= SMALL_LENGTH) {
      pass()
      return
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      pass()
    }, waitMs)
    this.#timers.add(timer)
  }

  /** Resolves when `length` bytes may flow, or when the signal is aborted. */
  whenOpen(length: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const pass = (): void => {
        signal.removeEventListener('abort', pass)
        resolve()
      }
      signal.addEventListener('abort', pass, { once: true })
      this.enter(length, pass)
    })
  }

  /** Lets nothing more pass. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}

/** Counting buckets by key, the oldest forgotten when there are too many. */
export class KeyedBuckets {
  readonly #buckets = new Map<string, TokenBucket>()
  readonly #ratePerSecond: number
  readonly #burst: number
  readonly #countMax: number

  constructor(ratePerSecond: number, burst: number, countMax: number) {
    this.#ratePerSecond = ratePerSecond
    this.#burst = burst
    this.#countMax = countMax
  }

  /** Takes one token of `key`; false if there is none. */
  take(key: string): boolean {
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#ratePerSecond, this.#burst)
      const oldest = this.#buckets.size >= this.#countMax ? this.#buckets.keys().next().value : undefined
      if (oldest !== undefined) this.#buckets.delete(oldest)
      this.#buckets.set(key, bucket)
    }
    return bucket.take()
  }
}
