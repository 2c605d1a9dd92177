/**
 * Compresses placed objects into a sink, one after the other, and remembers where each one's data ends. Short entries go
 * through in one call, long ones in parts (FORMAT.md, "Compression").
 */

import type { Deflate } from './deflate.ts'
import type { DeltaBase } from './delta-encode.ts'
import type { FormatParameters } from './format.ts'
import type { ByteSink, HeldBytes } from './held-bytes.ts'
import { type DeflatePart, deflateLong, type StreamObject } from './long-entry.ts'
import { parseObjectType } from './object.ts'
import type { TableViews } from './object-table.ts'
import { oidFromBytes } from './oid.ts'

/**
 * Contents by number: `get` answers from memory, `load` brings what is absent, `open` brings the bytes of something of
 * which only the length was kept.
 */
export interface Contents {
  get(number: number): DeltaBase | null
  load(numbers: readonly number[]): Promise<void>
  open(number: number, known: DeltaBase): Promise<DeltaBase>
}

export interface EntryTools {
  readonly table: TableViews
  readonly contents: Contents
  readonly deflate: Deflate
  readonly deflatePart: DeflatePart
  readonly stream: StreamObject
  readonly sink: ByteSink
  readonly parameters: FormatParameters
}

/** Objects in the order of their entries; parallel arrays. */
export interface PlacedEntries {
  readonly numbers: Int32Array
  /** Number of the delta base, -1 for an object stored whole. */
  readonly bases: Int32Array
  readonly depths: Uint8Array
  /** Length before compression: of the delta, or of the whole object. */
  readonly lengths: Float64Array
  /** Compressed data of entry i: data[dataEnds[i - 1] … dataEnds[i]). */
  readonly dataEnds: Float64Array
  readonly data: HeldBytes
}

export class EntryWriter {
  readonly #tools: EntryTools
  readonly #numbers: number[] = []
  readonly #lengths: number[] = []
  readonly #dataEnds: number[] = []
  #dataLength = 0

  constructor(tools: EntryTools) {
    this.#tools = tools
  }

  /** Writes an object as `delta`, or whole where that is null. Its base and depth are in the table. */
  async write(number: number, delta: Uint8Array | null): Promise<void> {
    const { contents, parameters, deflate, deflatePart } = this.#tools
    const whole = delta === null ? await contentOf(number, contents) : null
    const length = delta?.length ?? whole?.length ?? 0
    if (length > parameters.longEntryLength) {
      const content = delta === null ? this.#streamOf(number) : [delta]
      for await (const piece of deflateLong(content, parameters.entryPartLength, deflatePart)) this.#append(piece)
    } else if (delta !== null) {
      this.#append(deflate(delta))
    } else if (whole !== null) {
      this.#append(deflate((await contents.open(number, whole)).bytes))
    }
    this.#numbers.push(number)
    this.#lengths.push(length)
    this.#dataEnds.push(this.#dataLength)
  }

  finish(): PlacedEntries {
    const { table, sink } = this.#tools
    return {
      numbers: Int32Array.from(this.#numbers),
      bases: Int32Array.from(this.#numbers, (number) => table.bases[number] ?? -1),
      depths: Uint8Array.from(this.#numbers, (number) => table.depths[number] ?? 0),
      lengths: Float64Array.from(this.#lengths),
      dataEnds: Float64Array.from(this.#dataEnds),
      data: sink.finish(),
    }
  }

  #streamOf(number: number): AsyncIterable<Uint8Array> {
    const { oids, hashLength, types } = this.#tools.table
    const type = parseObjectType(types[number] ?? 0)
    return this.#tools.stream(oidFromBytes(oids, number * hashLength, hashLength), type)
  }

  #append(bytes: Uint8Array): void {
    this.#tools.sink.append(bytes)
    this.#dataLength += bytes.length
  }
}

/** The content of an object, read if need be. @throws object-missing */
export async function contentOf(number: number, contents: Contents): Promise<DeltaBase> {
  const known = contents.get(number)
  if (known !== null) return known
  await contents.load([number])
  const loaded = contents.get(number)
  if (loaded === null) throw new Error('a content cache forgot what it had just loaded')
  return loaded
}
