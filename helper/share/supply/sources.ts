/**
 * Sources that are asked at the same time, and what they say whenever they say it. Whoever says something of use first gives the
 * others a moment; what comes after that is kept until what came first has failed. Bounds nothing by itself but that moment: how
 * long a source takes is its own matter.
 */

import { SOURCE_GRACE_MS } from '../../limits.ts'

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

  /**
   * What sources say until SOURCE_GRACE_MS after the first of them has said something of use; where none has, what all say.
   * @throws what a source throws that is waited for
   */
  async first(isUseful: (found: readonly Found[]) => boolean): Promise<Found[]> {
    let timer: NodeJS.Timeout | undefined
    let isLate = false
    let grace = new Promise<void>(() => {})
    while (this.#open.size > 0 && !isLate) {
      await Promise.race([...this.#open.values(), grace])
      if (timer !== undefined || ![...this.#said.values()].some(isUseful)) continue
      grace = new Promise((resolve) => {
        timer = setTimeout(() => {
          isLate = true
          resolve()
        }, SOURCE_GRACE_MS)
      })
    }
    clearTimeout(timer)
    return this.take()
  }

  /** What has been said since, without waiting. */
  take(): Found[] {
    return [...this.#said.values()].flatMap((said) => said.splice(0))
  }

  /** The same, but waits for something as long as a source has not answered; empty when there is nothing more. @throws as `first` */
  async next(): Promise<Found[]> {
    for (;;) {
      const taken = this.take()
      if (taken.length > 0 || this.#open.size === 0) return taken
      await Promise.race(this.#open.values())
    }
  }
}
