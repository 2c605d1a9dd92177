/**
 * The objects of a link, one by one, each with its name: bundle header, pack, deltas, hashes (FORMAT.md, "Links").
 * Checked: everything that the pack reader checks, and that every delta base is there. Names are computed, never believed.
 * Left out: whether these are the objects of the link and their bytes the canonical ones; whoever has the older links
 * finds out by building it again (build-chain.ts).
 * Contents that are needed again as delta bases are kept up to a bound and inflated anew past it.
 */

import { type BundleHeader, parseBundleHeader } from './bundle.ts'
import { applyDelta } from './delta-apply.ts'
import { assert, EngineError } from './errors.ts'
import { createInflate } from './inflate.ts'
import { BLOB, COMMIT, type ObjectType, TREE } from './object.ts'
import { hashLengthOf, type ObjectFormat, type Oid, oidFromBytes } from './oid.ts'
import { PACK_OFS_DELTA, PACK_REF_DELTA } from './pack-entry.ts'
import {
  type ByteSource,
  type InflateEntry,
  type PackEntry,
  type PackLimits,
  type RunningHash,
  readPack,
} from './pack-reader.ts'

/** Longest bundle header of a link is shorter than this, in bytes. */
const HEADER_READ_LENGTH = 512
/** Bytes of contents that are kept as delta bases, unless told. */
const CACHE_LENGTH_MAX = 64 * 1024 * 1024

export interface GitObject {
  readonly type: ObjectType
  /** Content without git's header. */
  readonly bytes: Uint8Array
}

export interface LinkObject extends GitObject {
  readonly oid: Oid
}

/** What reading needs of its surroundings. */
export interface LinkReading {
  readonly source: ByteSource
  /** A fresh hash of an object format. */
  readonly hash: (format: ObjectFormat) => RunningHash
  /** An object of an older link, null when there is none; only read. A link that ends at the roots needs none. */
  readonly older: (oid: Oid) => GitObject | null
  /** Bounds of one reading; a caller may lower them. */
  readonly limits?: PackLimits
  /** An inflater of the runtime; `pako` unless given. */
  readonly inflate?: InflateEntry
  /** Bytes of contents to keep as delta bases. */
  readonly cacheLengthMax?: number
}

/** The bundle header at the start of a link. @throws EngineError 'bundle-malformed' */
export function readLinkHeader(source: ByteSource): BundleHeader & { readonly headerLength: number } {
  return parseBundleHeader(source.read(0, Math.min(HEADER_READ_LENGTH, source.length)))
}

/**
 * Iterates the objects of a link in the order of its entries; contents are the receiver's to read, not to change.
 * The last object is not followed by a verdict on the pack's trailer until the iteration ends.
 * @returns the generator's return value is the header, and it is reached only by a sound link
 * @throws EngineError 'bundle-malformed', 'pack-malformed', 'pack-limit', 'delta-malformed', 'object-missing' (the base
 *   of a delta) while iterating
 */
export function* readLink(reading: LinkReading): Generator<LinkObject, BundleHeader> {
  const { source, hash } = reading
  const { headerLength, ...header } = readLinkHeader(source)
  const pack: ByteSource = {
    length: source.length - headerLength,
    read: (offset, length) => source.read(headerLength + offset, length),
  }
  const hashLength = hashLengthOf(header.objectFormat)
  const inflate = reading.inflate ?? createInflate()
  const limits = reading.limits === undefined ? {} : { limits: reading.limits }
  const objects = new LinkObjects(pack, inflate, hashLength, reading.older, reading.cacheLengthMax ?? CACHE_LENGTH_MAX)
  for (const entry of readPack({ source: pack, hashLength, inflate, ...limits }, hash(header.objectFormat))) {
    const object = objects.take(entry)
    const oid = oidOf(object, hash(header.objectFormat), hashLength)
    objects.name(oid, entry.offset)
    yield { oid, ...object }
  }
  return header
}

function oidOf({ type, bytes }: GitObject, hash: RunningHash, hashLength: number): Oid {
  hash.update(new TextEncoder().encode(`${typeName(type)} ${bytes.length}\0`))
  hash.update(bytes)
  const digest = hash.digest()
  assert(digest.length === hashLength, 'the hash is that of the object format')
  return oidFromBytes(digest, 0, hashLength)
}

/** Git's word for a type, as `git cat-file -t` says it. */
export function typeName(type: ObjectType): 'commit' | 'tree' | 'blob' | 'tag' {
  return type === COMMIT ? 'commit' : type === TREE ? 'tree' : type === BLOB ? 'blob' : 'tag'
}

/** Where an entry is, and on what it builds: an offset, an older oid, or nothing. */
interface Place {
  readonly type: ObjectType | null
  readonly base: number | Oid | null
  readonly streamOffset: number
  readonly streamEnd: number
  /** Inflated length in bytes. */
  readonly length: number
}

class LinkObjects {
  readonly #pack: ByteSource
  readonly #inflate: InflateEntry
  readonly #hashLength: number
  readonly #older: (oid: Oid) => GitObject | null
  readonly #cacheLengthMax: number
  readonly #places = new Map<number, Place>()
  readonly #offsets = new Map<Oid, number>()
  readonly #cache = new Map<number, GitObject>()
  #cacheLength = 0

  constructor(
    pack: ByteSource,
    inflate: InflateEntry,
    hashLength: number,
    older: (oid: Oid) => GitObject | null,
    cacheLengthMax: number,
  ) {
    this.#pack = pack
    this.#inflate = inflate
    this.#hashLength = hashLength
    this.#older = older
    this.#cacheLengthMax = cacheLengthMax
  }

  /** The object of the next entry. */
  take(entry: PackEntry): GitObject {
    const { offset, streamOffset, streamEnd, data } = entry
    const place = { streamOffset, streamEnd, length: data.length }
    switch (entry.type) {
      case PACK_OFS_DELTA:
        this.#places.set(offset, { ...place, type: null, base: entry.deltaBaseOffset })
        break
      case PACK_REF_DELTA: {
        const oid = oidFromBytes(entry.deltaBase, 0, this.#hashLength)
        this.#places.set(offset, { ...place, type: null, base: this.#offsets.get(oid) ?? oid })
        break
      }
      default:
        this.#places.set(offset, { ...place, type: entry.type, base: null })
    }
    return this.#resolve(offset, data)
  }

  /** Remembers the name of an object, for REF_DELTAs in later segments of the same link. */
  name(oid: Oid, offset: number): void {
    this.#offsets.set(oid, offset)
  }

  /** Walks down to what is whole or known, then applies the deltas on the way back; no recursion, chains may be long. */
  #resolve(offset: number, data: Uint8Array): GitObject {
    const deltas: Uint8Array[] = []
    const offsets: number[] = []
    let object: GitObject | null = null
    let content = data
    let at = offset
    while (object === null) {
      const place = this.#places.get(at)
      assert(place !== undefined, 'a base stands before its deltas')
      if (place.type !== null) {
        object = this.#keep(at, { type: place.type, bytes: content })
        break
      }
      deltas.push(content)
      offsets.push(at)
      if (typeof place.base !== 'number') object = this.#olderObject(place.base, at)
      else {
        at = place.base
        object = this.#recall(at)
        if (object === null) content = this.#inflateAgain(at)
      }
    }
    for (let index = deltas.length - 1; index >= 0; index--) {
      const bytes: Uint8Array = applyDelta(object.bytes, deltas[index] ?? data)
      object = this.#keep(offsets[index] ?? offset, { type: object.type, bytes })
    }
    return object
  }

  #olderObject(oid: Oid | null, offset: number): GitObject {
    const object = oid === null ? null : this.#older(oid)
    if (object !== null) return object
    const message = `cannot read the link at byte ${offset} of its pack: expected the delta base ${oid}, got nothing, try the older links first`
    throw new EngineError('object-missing', message, { offset, oid: oid ?? '' })
  }

  #inflateAgain(offset: number): Uint8Array {
    const place = this.#places.get(offset)
    assert(place !== undefined, 'an entry that was read has a place')
    const stream = this.#pack.read(place.streamOffset, place.streamEnd - place.streamOffset)
    const inflated = this.#inflate(stream, place.length)
    assert(inflated !== null, 'what was inflated once inflates again')
    return inflated.data
  }

  #recall(offset: number): GitObject | null {
    const object = this.#cache.get(offset)
    if (object === undefined) return null
    this.#cache.delete(offset)
    this.#cache.set(offset, object)
    return object
  }

  #keep(offset: number, object: GitObject): GitObject {
    if (this.#cache.has(offset)) return object
    this.#cache.set(offset, object)
    this.#cacheLength += object.bytes.length
    for (const [oldest, { bytes }] of this.#cache) {
      if (this.#cacheLength <= this.#cacheLengthMax) break
      this.#cache.delete(oldest)
      this.#cacheLength -= bytes.length
    }
    return object
  }
}
