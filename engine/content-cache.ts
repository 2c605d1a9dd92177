/**
 * Contents of objects by number, least recently used first out, bounded in bytes. What it forgets is read again; it
 * never influences a choice.
 */

import { DeltaBase } from './delta-encode.ts'
import type { TableViews } from './object-table.ts'
import { oidFromBytes } from './oid.ts'
import type { Contents } from './placement.ts'

/** Objects asked for in one request: enough to hide the reader's latency, few enough to stop in time. */
const REQUEST_COUNT = 256

/**
 * Reads objects by name, in the order asked; of an object longer than `lengthMax` bytes only its length.
 * @throws object-missing
 */
export type ReadContents = (oids: readonly string[], lengthMax: number) => Promise<(Uint8Array | number)[]>

export class ContentCache implements Contents {
  readonly #table: TableViews
  readonly #read: ReadContents
  readonly #lengthMax: number
  readonly #bytesMax: number
  readonly #contents = new Map<number, DeltaBase>()
  #bytes = 0

  /** Contents longer than `lengthMax` are known by their length only. */
  constructor(table: TableViews, read: ReadContents, lengthMax: number, bytesMax: number) {
    this.#table = table
    this.#read = read
    this.#lengthMax = lengthMax
    this.#bytesMax = bytesMax
  }

  get(number: number): DeltaBase | null {
    const content = this.#contents.get(number)
    if (content === undefined) return null
    this.#contents.delete(number)
    this.#contents.set(number, content)
    return content
  }

  /** Brings what is absent, in order, until the cache is half full of it; the rest is read when it is asked for. */
  async load(numbers: readonly number[]): Promise<void> {
    const absent = numbers.filter((number) => !this.#contents.has(number))
    let loaded = 0
    for (let start = 0; start < absent.length && loaded * 2 <= this.#bytesMax; start += REQUEST_COUNT) {
      const batch = absent.slice(start, start + REQUEST_COUNT)
      const { oids, hashLength } = this.#table
      const names = batch.map((number) => oidFromBytes(oids, number * hashLength, hashLength))
      const contents = await this.#read(names, this.#lengthMax)
      batch.forEach((number, index) => {
        const content = contents[index] ?? 0
        const base = typeof content === 'number' ? new DeltaBase(new Uint8Array(0), content) : new DeltaBase(content)
        loaded += base.bytes.length
        this.#keep(number, base)
      })
    }
  }

  #keep(number: number, base: DeltaBase): void {
    this.#contents.set(number, base)
    this.#bytes += base.bytes.length
    for (const [oldest, content] of this.#contents) {
      if (this.#bytes <= this.#bytesMax || oldest === number) break
      this.#contents.delete(oldest)
      this.#bytes -= content.bytes.length
    }
  }
}
