/**
 * Contents of objects by number, least recently used first out, bounded in bytes. What it forgets is read again; it
 * never influences a choice. Of a heavy object only the length is kept; its content is read when it is opened, by one
 * worker at a time, and dropped with the shard.
 */

import { DeltaBase } from './delta-encode.ts'
import type { Contents } from './entry-writer.ts'
import { type ObjectType, parseObjectType } from './object.ts'
import type { TableViews } from './object-table.ts'
import { oidFromBytes } from './oid.ts'

/** Objects asked for in one request: enough to hide the reader's latency, few enough to stop in time. */
const REQUEST_COUNT = 256
/** Heavy contents at a time: one base, one target. */
const HEAVY_COUNT_MAX = 2

/**
 * Reads objects by name, in the order asked; of an object longer than `lengthMax` bytes only its length. `types` are what
 * they have to be, one per object.
 * @throws object-missing, object-malformed when an object is of another type
 */
export type ReadContents = (
  oids: readonly string[],
  lengthMax: number,
  types: readonly ObjectType[],
) => Promise<(Uint8Array | number)[]>

/** Lets one worker at a time hold heavy contents. */
export interface HeavyGate {
  /** Returns when nobody else is inside. */
  enter(): void
  leave(): void
}

/** What a cache is made of. */
export interface ContentSource {
  readonly readContents: ReadContents
  readonly heavyGate: HeavyGate
  /** Bytes of contents that may be kept at a time. */
  readonly cacheLengthMax: number
  /** Objects longer than this are heavy. Bytes. */
  readonly heavyLength: number
}

export class ContentCache implements Contents {
  readonly #table: TableViews
  readonly #source: ContentSource
  readonly #contents = new Map<number, DeltaBase>()
  readonly #heavy = new Map<number, DeltaBase>()
  #bytes = 0
  #isInside = false

  constructor(table: TableViews, source: ContentSource) {
    this.#table = table
    this.#source = source
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
    const { cacheLengthMax, heavyLength } = this.#source
    const absent = numbers.filter((number) => !this.#contents.has(number))
    let loaded = 0
    for (let start = 0; start < absent.length && loaded * 2 <= cacheLengthMax; start += REQUEST_COUNT) {
      const batch = absent.slice(start, start + REQUEST_COUNT)
      const contents = await this.#read(batch, heavyLength)
      batch.forEach((number, index) => {
        const content = contents[index] ?? 0
        const base = typeof content === 'number' ? new DeltaBase(new Uint8Array(0), content) : new DeltaBase(content)
        loaded += base.bytes.length
        this.#keep(number, base)
      })
    }
  }

  async open(number: number, known: DeltaBase): Promise<DeltaBase> {
    if (known.isWhole) return known
    if (!this.#isInside) this.#source.heavyGate.enter()
    this.#isInside = true
    let opened = this.#heavy.get(number)
    this.#heavy.delete(number)
    if (opened === undefined) {
      for (const oldest of [...this.#heavy.keys()].slice(0, 1 - HEAVY_COUNT_MAX)) this.#heavy.delete(oldest)
      const [content] = await this.#read([number], Number.POSITIVE_INFINITY)
      opened = new DeltaBase(content instanceof Uint8Array ? content : new Uint8Array(0))
    }
    this.#heavy.set(number, opened)
    return opened
  }

  /** Drops heavy contents and lets others in. */
  endShard(): void {
    this.#heavy.clear()
    if (this.#isInside) this.#source.heavyGate.leave()
    this.#isInside = false
  }

  #read(numbers: readonly number[], lengthMax: number): Promise<(Uint8Array | number)[]> {
    const { oids, hashLength } = this.#table
    const names = numbers.map((number) => oidFromBytes(oids, number * hashLength, hashLength))
    const types = numbers.map((number) => parseObjectType(this.#table.types[number] ?? 0))
    return this.#source.readContents(names, lengthMax, types)
  }

  #keep(number: number, base: DeltaBase): void {
    this.#contents.set(number, base)
    this.#bytes += base.bytes.length
    for (const [oldest, content] of this.#contents) {
      if (this.#bytes <= this.#source.cacheLengthMax || oldest === number) break
      this.#contents.delete(oldest)
      this.#bytes -= content.bytes.length
    }
  }
}
