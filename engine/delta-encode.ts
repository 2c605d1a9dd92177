/**
 * The delta of `gt1` (FORMAT.md, "Deltas"): common prefix, common suffix, and between them a greedy search for blocks
 * of 16 bytes of the base. Same inputs, same bytes: candidates are tried in order of their offset, a fixed number of
 * them, and ties go to the first. The output is git's delta format (gitformat-pack, "Deltified representation").
 *
 * Word hash of 16 bytes: four little-endian 32-bit words times four odd constants, summed modulo 2^32, then mixed;
 * it need not roll, because unaligned loads are as fast as one step of a rolling hash. Bytes are compared eight at a time,
 * as two words through a DataView, which no alignment hinders.
 */

const BLOCK = 16
const CANDIDATE_COUNT_MAX = 32
/** A match of this length is taken without looking at further candidates. */
const MATCH_LENGTH_ENOUGH = 4096
/** Shorter common prefixes and suffixes are left to the search. */
const EDGE_LENGTH_MIN = 16
const INSERT_LENGTH_MAX = 127
const COPY_LENGTH_MAX = 0xffffff
const K0 = 0x9e3779b1
const K1 = 0x85ebca77
const K2 = 0xc2b2ae3d
const K3 = 0x27d4eb2f

/** A delta base: content and, from the first search on, the index of its blocks. */
export class DeltaBase {
  /** The content; nothing when only the length is known. */
  readonly bytes: Uint8Array
  /** Length of the object. */
  readonly length: number
  readonly view: DataView
  /** First block of each bucket. Block numbers count from 1, so that fresh memory says "none". */
  heads: Int32Array | null = null
  /** The next block of the same bucket. */
  nexts: Int32Array = new Int32Array(0)
  shift = 0

  constructor(bytes: Uint8Array, length = bytes.length) {
    this.bytes = bytes
    this.length = length
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** True when the content is here, not only its length. */
  get isWhole(): boolean {
    return this.bytes.length === this.length
  }
}

/** Where a block starts; the first one has the number 1. */
function offsetOf(block: number): number {
  return (block - 1) * BLOCK
}

function hashOf(w0: number, w1: number, w2: number, w3: number): number {
  let h = Math.imul(w0, K0)
  h = (h + Math.imul(w1, K1)) | 0
  h = (h + Math.imul(w2, K2)) | 0
  h = (h + Math.imul(w3, K3)) | 0
  return Math.imul(h ^ (h >>> 15), K0)
}

function hashAt(view: DataView, at: number): number {
  return hashOf(
    view.getInt32(at, true),
    view.getInt32(at + 4, true),
    view.getInt32(at + 8, true),
    view.getInt32(at + 12, true),
  )
}

/** Indexes every 16th offset; of a run of blocks with one hash only the first. Buckets list ascending offsets. */
function indexBlocks(base: DeltaBase): Int32Array {
  const count = Math.floor(base.bytes.length / BLOCK)
  let bits = 4
  while (1 << bits < count) bits++
  const shift = 32 - bits
  const heads = new Int32Array(1 << bits)
  const nexts = new Int32Array(count + 1)
  const { view } = base
  let hash = count > 0 ? hashAt(view, offsetOf(count)) : 0
  for (let block = count; block > 0; block--) {
    const before = block > 1 ? hashAt(view, offsetOf(block - 1)) : ~hash
    if (before !== hash) {
      const bucket = hash >>> shift
      nexts[block] = heads[bucket] ?? 0
      heads[bucket] = block
    }
    hash = before
  }
  base.heads = heads
  base.nexts = nexts
  base.shift = shift
  return heads
}

/** Writes deltas into a buffer of its own; one per worker. */
export class DeltaEncoder {
  #out = new Uint8Array(1 << 16)
  #length = 0

  /**
   * The delta that turns `base` into `target`, or null if it would be longer than `lengthMax` bytes.
   * The result is a copy.
   */
  encode(base: DeltaBase, targetBase: DeltaBase, lengthMax: number): Uint8Array | null {
    const target = targetBase.bytes
    const source = base.bytes
    if (this.#out.length < lengthMax + 256) this.#out = new Uint8Array(lengthMax + 4096)
    this.#length = 0
    this.#writeSize(source.length)
    this.#writeSize(target.length)
    const shorter = Math.min(source.length, target.length)
    let prefix = commonPrefix(base.view, targetBase.view, shorter)
    if (prefix < EDGE_LENGTH_MIN) prefix = 0
    let suffix = commonSuffix(base.view, targetBase.view, shorter - prefix)
    if (suffix < EDGE_LENGTH_MIN) suffix = 0
    if (prefix > 0) this.#writeCopy(0, prefix)
    const end = target.length - suffix
    if (end > prefix && !this.#search(base, targetBase, prefix, end, lengthMax)) return null
    if (suffix > 0) this.#writeCopy(source.length - suffix, suffix)
    return this.#length > lengthMax ? null : this.#out.slice(0, this.#length)
  }

  /** Encodes target[start, end); false as soon as the delta is too long. */
  #search(base: DeltaBase, targetBase: DeltaBase, start: number, end: number, lengthMax: number): boolean {
    const target = targetBase.bytes
    const source = base.bytes
    let literal = start
    if (end - start >= BLOCK && source.length >= BLOCK) {
      const heads = base.heads ?? indexBlocks(base)
      const { nexts, shift, view: sourceView } = base
      const { view } = targetBase
      const last = end - BLOCK
      // Past this offset the bytes that wait to be inserted make the delta too long (FORMAT.md, "Deltas").
      let atMax = literal + lengthMax - this.#length
      for (let at = start; at <= last; ) {
        const w0 = view.getInt32(at, true)
        const w1 = view.getInt32(at + 4, true)
        const w2 = view.getInt32(at + 8, true)
        const w3 = view.getInt32(at + 12, true)
        let block = heads[hashOf(w0, w1, w2, w3) >>> shift] ?? 0
        let best = 0
        let bestFrom = 0
        let bestAt = 0
        for (let tries = 0; block > 0 && tries < CANDIDATE_COUNT_MAX; tries++) {
          const from = offsetOf(block)
          const isMatch =
            sourceView.getInt32(from, true) === w0 &&
            sourceView.getInt32(from + 4, true) === w1 &&
            sourceView.getInt32(from + 8, true) === w2 &&
            sourceView.getInt32(from + 12, true) === w3
          if (isMatch) {
            const forward = matchForward(sourceView, from, view, at, Math.min(source.length - from, end - at))
            const back = matchBackward(source, from, target, at, Math.min(from, at - literal))
            if (forward + back > best) {
              best = forward + back
              bestFrom = from - back
              bestAt = at - back
              if (best >= MATCH_LENGTH_ENOUGH) break
            }
          }
          block = nexts[block] ?? 0
        }
        if (best > 0) {
          this.#writeInsert(target, literal, bestAt)
          this.#writeCopy(bestFrom, best)
          at = bestAt + best
          literal = at
          atMax = literal + lengthMax - this.#length
        } else {
          at++
        }
        if (at > atMax) return false
      }
    }
    if (this.#length + (end - literal) > lengthMax) return false
    this.#writeInsert(target, literal, end)
    return true
  }

  #writeSize(size: number): void {
    let rest = size
    while (rest >= 128) {
      this.#out[this.#length++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    this.#out[this.#length++] = rest
  }

  #writeInsert(target: Uint8Array, start: number, end: number): void {
    if (this.#length + (end - start) * 2 + 16 > this.#out.length) this.#grow(end - start)
    const out = this.#out
    let length = this.#length
    for (let at = start; at < end; ) {
      const count = Math.min(INSERT_LENGTH_MAX, end - at)
      out[length++] = count
      for (const stop = at + count; at < stop; at++) out[length++] = target[at] ?? 0
    }
    this.#length = length
  }

  #writeCopy(from: number, count: number): void {
    if (this.#length + 64 > this.#out.length) this.#grow(64)
    const out = this.#out
    let offset = from
    for (let rest = count; rest > 0; ) {
      const step = Math.min(rest, COPY_LENGTH_MAX)
      const opAt = this.#length++
      let op = 0x80
      let bits = offset
      for (let bit = 1; bit <= 8; bit <<= 1, bits >>>= 8) {
        if ((bits & 0xff) !== 0) {
          out[this.#length++] = bits & 0xff
          op |= bit
        }
      }
      // A length of 0x10000 is written as no length at all.
      bits = step === 0x10000 ? 0 : step
      for (let bit = 0x10; bit <= 0x40; bit <<= 1, bits >>>= 8) {
        if ((bits & 0xff) !== 0) {
          out[this.#length++] = bits & 0xff
          op |= bit
        }
      }
      out[opAt] = op
      offset += step
      rest -= step
    }
  }

  #grow(room: number): void {
    const grown = new Uint8Array(this.#out.length * 2 + room * 2)
    grown.set(this.#out)
    this.#out = grown
  }
}

/** Length of the match at two offsets whose first block is equal, at most `most` bytes. */
function matchForward(a: DataView, aAt: number, b: DataView, bAt: number, most: number): number {
  let length = BLOCK
  while (length + 8 <= most && equalWords(a, aAt + length, b, bAt + length)) length += 8
  while (length < most && a.getUint8(aAt + length) === b.getUint8(bAt + length)) length++
  return length
}

/** Length of the match that ends before two offsets; mostly a few bytes. */
function matchBackward(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, most: number): number {
  let length = 0
  while (length < most && a[aAt - 1 - length] === b[bAt - 1 - length]) length++
  return length
}

function commonPrefix(a: DataView, b: DataView, most: number): number {
  let length = 0
  while (length + 8 <= most && equalWords(a, length, b, length)) length += 8
  while (length < most && a.getUint8(length) === b.getUint8(length)) length++
  return length
}

function commonSuffix(a: DataView, b: DataView, most: number): number {
  const aEnd = a.byteLength
  const bEnd = b.byteLength
  let length = 0
  while (length + 8 <= most && equalWords(a, aEnd - length - 8, b, bEnd - length - 8)) length += 8
  while (length < most && a.getUint8(aEnd - 1 - length) === b.getUint8(bEnd - 1 - length)) length++
  return length
}

/** Whether the 8 bytes at two offsets are equal. */
function equalWords(a: DataView, aAt: number, b: DataView, bAt: number): boolean {
  return a.getInt32(aAt, true) === b.getInt32(bAt, true) && a.getInt32(aAt + 4, true) === b.getInt32(bAt + 4, true)
}
