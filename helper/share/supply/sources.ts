/**
 * Sources that are asked at the same time, and what they say whenever they say it. Whoever says something of use first gives the
 * others a moment; what comes after that is kept until what came first has failed. How long a source takes is its own matter, but
 * nobody waits for it for ever.
 */

import { SOURCE_GRACE_MS, SOURCE_WAIT_MS } from '../../limits.ts'

/** Asks; empty where there is nothing. */
export type Source<Found> = () => Promise<readonly Found[]>

export class Sources<Found> {
  /** What was said and not taken, in the order in which the sources were named. */
  readonly #said = new Map<Source<Found>, Found[]>()
  /** Those that have not answered. One that failed stays, so that whoever waits for it fails as well. */
  readonly #open = new Map<Source<Found>, Promise<void>>()

  /** Asks all of `sources`. */
  constructor(sources: readonly Source<Found>[]) {
    for (const source of sources) this.ask(source)
  }

  /** Asks a source once more, unless it has not answered yet. */
  ask(source: Source<Found>): void {
    if (this.#open.has(source)) return
    const said = this.#said.get(source) ?? []
    this.#said.set(source, said)
    const asked = source().then((found) => {
      said.push(...found)
      this.#open.delete(source)
    })
    asked.catch(() => {})
    this.#open.set(source, asked)
  }

  /** True while a source has not answered. */
  isOpen(source: Source<Found>): boolean {
    return this.#open.has(source)
  }

  /**
   * What sources say until SOURCE_GRACE_MS after the first of them has said something of use; where none has, what all say within
   * SOURCE_WAIT_MS. @throws what a source throws that is waited for
   */
  async first(isUseful: (found: readonly Found[]) => boolean): Promise<Found[]> {
    const end = new Wait(SOURCE_WAIT_MS)
    let grace: Wait | null = null
    try {
      while (this.#open.size > 0 && !end.isOver && grace?.isOver !== true) {
        await Promise.race([...this.#open.values(), end.over, ...(grace === null ? [] : [grace.over])])
        if ([...this.#said.values()].some(isUseful)) grace ??= new Wait(SOURCE_GRACE_MS)
      }
    } finally {
      end.close()
      grace?.close()
    }
    return this.take()
  }

  /** What has been said since, without waiting. */
  take(): Found[] {
    return [...this.#said.values()].flatMap((said) => said.splice(0))
  }

  /**
   * The same, but waits so many milliseconds for something as long as a source has not answered; empty when there is nothing more.
   * @throws as `first`
   */
  async next(waitMs: number): Promise<Found[]> {
    const wait = new Wait(waitMs)
    try {
      for (;;) {
        const taken = this.take()
        if (taken.length > 0 || this.#open.size === 0 || wait.isOver) return taken
        await Promise.race([...this.#open.values(), wait.over])
      }
    } finally {
      wait.close()
    }
  }
}

/** Milliseconds that go. */
class Wait {
  readonly over: Promise<void>
  isOver = false
  #timer: NodeJS.Timeout | undefined

  constructor(durationMs: number) {
    this.isOver = durationMs <= 0
    this.over = new Promise((resolve) => {
      this.#timer = setTimeout(() => {
        this.isOver = true
        resolve()
      }, durationMs)
    })
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
