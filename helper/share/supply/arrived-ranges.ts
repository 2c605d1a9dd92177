/**
 * Which parts of a file are there: half-open intervals, joined where they touch, ascending. Offsets in bytes. Pure; a
 * download has a few dozen of them at a time, so they are a plain list.
 */

import type { ByteRange } from '../../../net/index.ts'

export class ArrivedRanges {
  /** Ascending, apart from each other. */
  readonly #ranges: { start: number; end: number }[] = []

  add({ offset, length }: ByteRange): void {
    if (length === 0) return
    let start = offset
    let end = offset + length
    const first = this.#ranges.findIndex((range) => range.end >= start)
    const at = first < 0 ? this.#ranges.length : first
    let count = 0
    for (let range = this.#ranges[at]; range !== undefined && range.start <= end; range = this.#ranges[at + count]) {
      start = Math.min(start, range.start)
      end = Math.max(end, range.end)
      count++
    }
    this.#ranges.splice(at, count, { start, end })
  }

  /** End of what is there without a gap from `offset` on; `offset` itself if that byte is not there. */
  endFrom(offset: number): number {
    return this.#ranges.find(({ start, end }) => start <= offset && offset < end)?.end ?? offset
  }

  /** Where the next part that is there begins, after `offset`; infinity if none does. */
  nextFrom(offset: number): number {
    return this.#ranges.find(({ start }) => start > offset)?.start ?? Number.POSITIVE_INFINITY
  }

  /** True if all of a range is there. */
  has({ offset, length }: ByteRange): boolean {
    return this.endFrom(offset) >= offset + length
  }

  /** Ascending, apart from each other. */
  all(): ByteRange[] {
    return this.#ranges.map(({ start, end }) => ({ offset: start, length: end - start }))
  }
}
