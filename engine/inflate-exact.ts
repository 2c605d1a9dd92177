/**
 * A second inflater (RFC 1950, 1951) for very many very small streams whose content has a known length: deltas of trees, commits.
 * What costs with zlib and pako there is starting, not inflating. The Adler-32 at the end is compared, so that a stream which this
 * code understands differently than its writer is refused.
 */

import { EngineError } from './errors.ts'

const CODE_LENGTH_MAX = 15
/** Longest code that is looked up. */
const TABLE_BITS = 9
const END_OF_BLOCK = 256
const LITERAL_CODE_COUNT = 288
const DISTANCE_CODE_COUNT = 30
/** Order in which the lengths of the code for code lengths are stored. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
/** Extra bits of the length codes 257 … 285 and of the distance codes, and the first value of each (RFC 1951, 3.2.5). */
const LENGTH_BITS = Uint8Array.from({ length: 29 }, (_, at) => (at < 8 || at === 28 ? 0 : (at >> 2) - 1))
const LENGTH_BASES = firstValues(LENGTH_BITS, 3).fill(258, 28)
const DISTANCE_BITS = Uint8Array.from({ length: DISTANCE_CODE_COUNT }, (_, at) => (at < 2 ? 0 : (at >> 1) - 1))
const DISTANCE_BASES = firstValues(DISTANCE_BITS, 1)

/** Each code begins where the one before it ends. */
function firstValues(extraBits: Uint8Array, first: number): Uint16Array {
  let next = first
  return Uint16Array.from(extraBits, (bits) => {
    const value = next
    next += 1 << bits
    return value
  })
}

/** Numbers of TABLE_BITS bits, the other way round: codes start with their highest bit, all else with the lowest. */
const REVERSED = Uint16Array.from({ length: 1 << TABLE_BITS }, (_, value) => {
  let reversed = 0
  for (let bit = 0; bit < TABLE_BITS; bit++) reversed |= ((value >> bit) & 1) << (TABLE_BITS - 1 - bit)
  return reversed
})

/**
 * A prefix code. What costs with small streams is not to decode but to make this, so short codes alone have a table: by the next
 * `bits` bits of the stream, symbol · 16 + length; 0 where no code is, or a longer one.
 */
class Code {
  readonly table = new Uint16Array(1 << TABLE_BITS)
  readonly #counts = new Uint16Array(CODE_LENGTH_MAX + 1)
  readonly #next = new Uint16Array(CODE_LENGTH_MAX + 1)
  /** Symbols by length of code, then by value; where each length starts, and, once all are there, where it ends. */
  readonly #symbols = new Uint16Array(LITERAL_CODE_COUNT)
  readonly #starts = new Uint16Array(CODE_LENGTH_MAX + 1)
  bits = 0

  /** Makes the canonical code of these lengths (RFC 1951, 3.2.2). */
  build(lengths: Uint8Array, from: number, count: number): void {
    const counts = this.#counts.fill(0)
    for (let i = from; i < from + count; i++) counts[lengths[i] ?? 0] = (counts[lengths[i] ?? 0] ?? 0) + 1
    counts[0] = 0
    let code = 0
    for (let length = 1; length <= CODE_LENGTH_MAX; length++) {
      const shorter = counts[length - 1] ?? 0
      code = (code + shorter) << 1
      this.#next[length] = code
      this.#starts[length] = (this.#starts[length - 1] ?? 0) + shorter
      if (code + (counts[length] ?? 0) > 1 << length) throw malformed('a prefix code')
    }
    let longest = CODE_LENGTH_MAX
    while (longest > 1 && counts[longest] === 0) longest--
    this.bits = Math.min(longest, TABLE_BITS)
    this.#fill(lengths, from, count)
  }

  #fill(lengths: Uint8Array, from: number, count: number): void {
    const size = 1 << this.bits
    const { table } = this
    table.fill(0, 0, size)
    for (let symbol = 0; symbol < count; symbol++) {
      const length = lengths[from + symbol] ?? 0
      if (length === 0) continue
      const start = this.#starts[length] ?? 0
      this.#symbols[start] = symbol
      this.#starts[length] = start + 1
      if (length > this.bits) continue
      const value = this.#next[length] ?? 0
      this.#next[length] = value + 1
      const reversed = (REVERSED[value] ?? 0) >> (TABLE_BITS - length)
      for (let at = reversed; at < size; at += 1 << length) table[at] = (symbol << 4) | length
    }
  }

  at(window: number): number {
    return this.table[window & ((1 << this.bits) - 1)] || this.long(window)
  }

  /** Symbol · 16 + length of the code that the stream goes on with, bit by bit; 0 where none is. */
  long(window: number): number {
    let code = 0
    let first = 0
    for (let length = 1; length <= CODE_LENGTH_MAX; length++) {
      const count = this.#counts[length] ?? 0
      code |= (window >> (length - 1)) & 1
      const nth = code - first
      if (nth < count) return ((this.#symbols[(this.#starts[length] ?? 0) - count + nth] ?? 0) << 4) | length
      first = (first + count) << 1
      code <<= 1
    }
    return 0
  }
}

const FIXED_LENGTHS = new Uint8Array(LITERAL_CODE_COUNT + DISTANCE_CODE_COUNT + 2).fill(8, 0, 144).fill(9, 144, 256)
FIXED_LENGTHS.fill(7, 256, 280).fill(8, 280, 288).fill(5, 288)

/** Reusable tables of one reader; not to be used by two at the same time. */
export class ExactInflater {
  readonly #fixedLiterals = new Code()
  readonly #fixedDistances = new Code()
  readonly #literals = new Code()
  readonly #distances = new Code()
  readonly #lengths = new Uint8Array(LITERAL_CODE_COUNT + 32)
  #input: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #at = 0
  #window = 0
  #bitCount = 0

  constructor() {
    this.#fixedLiterals.build(FIXED_LENGTHS, 0, LITERAL_CODE_COUNT)
    this.#fixedDistances.build(FIXED_LENGTHS, LITERAL_CODE_COUNT, DISTANCE_CODE_COUNT + 2)
  }

  /**
   * Fills `output` with the content of the zlib stream at the start of `bytes`; returns the length of the stream.
   * @throws EngineError 'pack-malformed' when it has another length, or is no such stream; `output` holds anything then
   */
  inflateInto(output: Uint8Array, bytes: Uint8Array): number {
    if (((bytes[0] ?? 0) & 15) !== 8 || (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) % 31 !== 0) throw malformed('zlib')
    if (((bytes[1] ?? 0) & 32) !== 0) throw malformed('a stream without dictionary')
    this.#input = bytes
    this.#at = 2
    this.#window = 0
    this.#bitCount = 0
    let filled = 0
    for (let isLast = false; !isLast; ) {
      isLast = this.#take(1) === 1
      const type = this.#take(2)
      if (type === 0) filled = this.#copyStored(output, filled)
      else if (type === 1) filled = this.#decode(output, filled, this.#fixedLiterals, this.#fixedDistances)
      else if (type === 2) {
        this.#readCodes()
        filled = this.#decode(output, filled, this.#literals, this.#distances)
      } else throw malformed('a block of type 0 to 2')
    }
    if (filled !== output.length) throw malformed(`${output.length} bytes`)
    this.#alignToByte()
    let sum = 0
    for (let i = 0; i < 4; i++) sum = sum * 256 + this.#take(8)
    if (sum !== adler32(output)) throw malformed('its Adler-32')
    this.#input = NOTHING
    return this.#at - (this.#bitCount >> 3)
  }

  #fill(count: number): void {
    while (this.#bitCount < count) {
      // Bytes past the end count as zero: the last code may be looked up with more bits than there are.
      this.#window |= (this.#input[this.#at++] ?? 0) << this.#bitCount
      this.#bitCount += 8
    }
  }

  #take(count: number): number {
    this.#fill(count)
    const value = this.#window & ((1 << count) - 1)
    this.#drop(count)
    return value
  }

  #drop(count: number): void {
    this.#window >>>= count
    this.#bitCount -= count
    if (this.#at - (this.#bitCount >> 3) > this.#input.length) throw malformed('more bytes')
  }

  #symbol(code: Code): number {
    this.#fill(CODE_LENGTH_MAX)
    const entry = code.at(this.#window)
    if (entry === 0) throw malformed('a code')
    this.#drop(entry & 15)
    return entry >> 4
  }

  #alignToByte(): void {
    this.#drop(this.#bitCount & 7)
  }

  #copyStored(output: Uint8Array, filled: number): number {
    this.#alignToByte()
    const length = this.#take(16)
    if ((this.#take(16) ^ length) !== 0xffff) throw malformed('a length and its complement')
    const start = this.#at - (this.#bitCount >> 3)
    if (start + length > this.#input.length || filled + length > output.length) throw malformed('a stored block')
    output.set(this.#input.subarray(start, start + length), filled)
    this.#at = start + length
    this.#window = 0
    this.#bitCount = 0
    return filled + length
  }

  #readCodes(): void {
    const literalCount = this.#take(5) + 257
    const distanceCount = this.#take(5) + 1
    const orderCount = this.#take(4) + 4
    const lengths = this.#lengths.fill(0)
    for (let i = 0; i < orderCount; i++) lengths[ORDER[i] ?? 0] = this.#take(3)
    this.#literals.build(lengths, 0, ORDER.length)
    lengths.fill(0)
    for (let i = 0; i < literalCount + distanceCount; ) {
      const symbol = this.#symbol(this.#literals)
      if (symbol < 16) {
        lengths[i++] = symbol
        continue
      }
      const value = symbol === 16 ? lengths[i - 1] : 0
      const count = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7)
      if (value === undefined || i + count > literalCount + distanceCount) throw malformed('code lengths')
      lengths.fill(value, i, i + count)
      i += count
    }
    this.#distances.build(lengths, literalCount, distanceCount)
    this.#literals.build(lengths, 0, literalCount)
  }

  /**
   * The hot loop, with the state of the reader in variables of its own. It takes four bytes at a time, may look past the end of the
   * stream, and gives back what it does not need.
   */
  #decode(output: Uint8Array, start: number, literals: Code, distances: Code): number {
    const { view, origin } = this.#viewOfInput()
    const lastWordAt = view.byteLength - 4
    const outputLength = output.length
    const { table, bits } = literals
    const mask = (1 << bits) - 1
    let filled = start
    let at = origin + this.#at
    let window = this.#window
    let bitCount = this.#bitCount
    for (;;) {
      // 24 bits at least: a code of any length, and then one that the table has.
      window |= (at <= lastWordAt ? view.getUint32(at, true) : lastWord(view, at)) << bitCount
      at += (31 - bitCount) >> 3
      bitCount |= 24
      const entry = table[window & mask] || literals.long(window)
      window >>>= entry & 15
      bitCount -= entry & 15
      const symbol = entry >> 4
      if (symbol < END_OF_BLOCK) {
        if (entry === 0 || filled === outputLength) throw malformed('a code, or fewer bytes')
        output[filled++] = symbol
        const second = table[window & mask] ?? 0
        if (second === 0 || second >> 4 >= END_OF_BLOCK || filled === outputLength) continue
        window >>>= second & 15
        bitCount -= second & 15
        output[filled++] = second >> 4
        continue
      }
      if (symbol === END_OF_BLOCK) break
      const lengthBits = LENGTH_BITS[symbol - 257] ?? 0
      const length = (LENGTH_BASES[symbol - 257] ?? 0) + (window & ((1 << lengthBits) - 1))
      window >>>= lengthBits
      bitCount -= lengthBits
      window |= (at <= lastWordAt ? view.getUint32(at, true) : lastWord(view, at)) << bitCount
      at += (31 - bitCount) >> 3
      bitCount |= 24
      const far = distances.at(window)
      window >>>= far & 15
      bitCount -= far & 15
      window |= (at <= lastWordAt ? view.getUint32(at, true) : lastWord(view, at)) << bitCount
      at += (31 - bitCount) >> 3
      bitCount |= 24
      const distanceBits = DISTANCE_BITS[far >> 4] ?? 0
      const distance = (DISTANCE_BASES[far >> 4] ?? 0) + (window & ((1 << distanceBits) - 1))
      window >>>= distanceBits
      bitCount -= distanceBits
      const isThere = far !== 0 && distance <= filled && distance > 0
      if (!isThere || length < 3 || filled + length > outputLength) throw malformed('a match')
      for (let end = filled + length; filled < end; filled++) output[filled] = output[filled - distance] ?? 0
    }
    this.#at = at - (bitCount >> 3) - origin
    if (this.#at > this.#input.length) throw malformed('more bytes')
    this.#bitCount = bitCount & 7
    this.#window = window & ((1 << this.#bitCount) - 1)
    return filled
  }

  /** The bytes under the input, and where it starts in them. A view is kept, because many streams lie in one buffer. */
  #viewOfInput(): { view: DataView; origin: number } {
    if (this.#view.buffer !== this.#input.buffer) this.#view = new DataView(this.#input.buffer)
    return { view: this.#view, origin: this.#input.byteOffset }
  }
}

/** Four bytes, little-endian, with zero for those past the end. */
function lastWord(view: DataView, at: number): number {
  let word = 0
  for (let i = 0; at + i < view.byteLength; i++) word |= view.getUint8(at + i) << (8 * i)
  return word
}

const NOTHING = new Uint8Array(0)

/** RFC 1950, section 9. */
function adler32(bytes: Uint8Array): number {
  let a = 1
  let b = 0
  for (let at = 0; at < bytes.length; ) {
    // So many additions stay below 2^32.
    for (const end = Math.min(at + 5552, bytes.length); at < end; at++) {
      a += bytes[at] ?? 0
      b += a
    }
    a %= 65521
    b %= 65521
  }
  return b * 65536 + a
}

function malformed(expected: string): EngineError {
  return new EngineError('pack-malformed', `cannot inflate an entry: expected ${expected}, got something else`)
}
