/**
 * The payload of a link that is taken in part: what arrives goes to a file, the older segments are read from where this
 * repository has them. So only what is lacking is fetched, and the whole link can be served to others at once. Nothing
 * here is trusted: whoever downloads into it compares pieces with their hashes, those of our own bytes too.
 */

import type { ByteRange, Store } from '../../../net/index.ts'
import type { SegmentStore } from '../../store/segment-store.ts'
import type { StoredSegment } from '../../store/stored-segment.ts'
import { ArrivedRanges } from './arrived-ranges.ts'
import type { IncomingFile } from './incoming.ts'
import type { LinkTake } from './plan.ts'

/** A stored body and where it is in the payload. */
interface OwnBody {
  readonly segment: StoredSegment
  readonly start: number
}

export class LinkStore implements Store {
  readonly #file: IncomingFile
  readonly #header: Uint8Array
  readonly #bodies: readonly OwnBody[]
  readonly #store: SegmentStore

  private constructor(file: IncomingFile, header: Uint8Array, bodies: readonly OwnBody[], store: SegmentStore) {
    this.#file = file
    this.#header = header
    this.#bodies = bodies
    this.#store = store
  }

  /** Looks for the segments below a take. */
  static async open({ link, firstSegment }: LinkTake, file: IncomingFile, store: SegmentStore): Promise<LinkStore> {
    const bodies: OwnBody[] = []
    for (const [index, { plan, sha256, length }] of link.segments.slice(0, firstSegment).entries()) {
      const segment = await store.find(plan)
      if (segment === null || segment.sha256 !== sha256 || segment.length !== length) continue
      bodies.push({ segment, start: link.layout.bodyOffsets[index] ?? 0 })
    }
    return new LinkStore(file, link.layout.header, bodies, store)
  }

  /** What can be read without a download; `leftLength` bytes of the file were left by an earlier run. */
  present(leftLength: number): readonly ByteRange[] {
    const ranges = new ArrivedRanges()
    ranges.add({ offset: 0, length: this.#header.length })
    ranges.add({ offset: 0, length: leftLength })
    for (const { segment, start } of this.#bodies) ranges.add({ offset: start, length: segment.length })
    return ranges.all()
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#file.write(offset, bytes)
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    for (let at = offset; at < offset + length; ) {
      const part = await this.#readSome(at, offset + length - at)
      bytes.set(part, at - offset)
      at += part.length
    }
    return bytes
  }

  /** At least one byte from `offset` on, from one place: what came now, what is our own, what an earlier run left. */
  async #readSome(offset: number, lengthMax: number): Promise<Uint8Array> {
    const arrivedEnd = this.#file.arrivedFrom(offset)
    if (arrivedEnd > offset) return this.#file.read(offset, Math.min(lengthMax, arrivedEnd - offset))
    if (offset < this.#header.length) return this.#header.subarray(offset, offset + lengthMax)
    const own = this.#bodies.find(({ segment, start }) => start <= offset && offset < start + segment.length)
    if (own !== undefined) {
      const inside = offset - own.start
      return this.#store.readBody(own.segment, inside, Math.min(lengthMax, own.segment.length - inside))
    }
    const next = this.#bodies.find(({ start }) => start > offset)?.start ?? Number.POSITIVE_INFINITY
    return this.#file.read(offset, Math.min(lengthMax, next - offset))
  }
}
