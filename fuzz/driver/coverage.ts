/**
 * Which code of ours ran: V8's own block coverage, asked for after a batch of inputs rather than after each, because
 * asking costs half a millisecond and running under it costs nothing measurable.
 * V8 joins neighbouring blocks that ran equally often, so blocks cannot be compared; characters of source can.
 */

import { Session } from 'node:inspector'

/** Sources whose coverage guides: the product's, and those of the dependencies that see outside bytes. */
const GUIDING = /\/dist\/(engine|net|helper|test\/fuzz)\/|\/shims\/|\/(bittorrent-protocol|pako)\//

export class Coverage {
  readonly #session = new Session()
  /** Per function one byte per character: 1 when it ran. */
  readonly #functions = new Map<string, Uint8Array>()
  /** Characters of source that ever ran. */
  length = 0

  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Characters that ran since the last call and never before; with `keep` they count as known from now on. */
  takeNew(keep: boolean): number {
    let newLength = 0
    this.#session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      if (error !== null) throw error
      for (const { url, functions } of coverage.result) {
        if (!GUIDING.test(url)) continue
        for (const { ranges } of functions) newLength += this.#merge(url, ranges, keep)
      }
    })
    if (keep) this.length += newLength
    return newLength
  }

  /** Ranges come from the whole function to the innermost block; the innermost decides. */
  #merge(url: string, ranges: readonly { startOffset: number; endOffset: number; count: number }[], keep: boolean) {
    const { startOffset: start = 0, endOffset: end = 0 } = ranges[0] ?? {}
    const ran = new Uint8Array(end - start)
    for (const { startOffset, endOffset, count } of ranges) {
      ran.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start)
    }
    const key = `${url}:${start}:${end}`
    const known = this.#functions.get(key) ?? new Uint8Array(end - start)
    let newLength = 0
    for (let at = 0; at < ran.length; at++) {
      if (ran[at] === 0 || known[at] === 1) continue
      newLength++
      if (keep) known[at] = 1
    }
    if (keep) this.#functions.set(key, known)
    return newLength
  }

  close(): void {
    this.#session.disconnect()
  }
}
