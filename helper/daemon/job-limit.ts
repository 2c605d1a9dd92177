/**
 * A bounded number of jobs at a time, first come first served: looks at many repositories must not start a git for each
 * of them at once.
 */
export class JobLimit {
  readonly #waiting: (() => void)[] = []
  #freeCount: number

  constructor(countMax: number) {
    this.#freeCount = countMax
  }

  /** Runs `job` when its turn comes. */
  async run<Result>(job: () => Promise<Result>): Promise<Result> {
    if (this.#freeCount > 0) this.#freeCount--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await job()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#freeCount++
      else next()
    }
  }
}
