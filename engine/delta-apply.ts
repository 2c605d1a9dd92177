/**
 * Applies a delta to its base, strictly. Implements "Deltified representation" of gitformat-pack(5): two lengths, then
 * instructions that copy a range of the base or insert literal bytes.
 * Refused: the reserved instruction 0, a copy outside the base, a result that is longer or shorter than declared, a
 * truncated instruction, a length in a longer form than needed. The result is allocated only after its declared length
 * has passed the limit, and the header can be read alone, so that a caller can sum lengths before building anything.
 */

import { assert, EngineError } from './errors.ts'
import { PACK_OBJECT_LENGTH_MAX } from './limits.ts'

/** What a delta says of itself: lengths of base, result and of the two numbers that say so, in bytes. */
export interface DeltaHeader {
  readonly baseLength: number
  readonly resultLength: number
  readonly headerLength: number
}

/** A copy instruction without length bytes, or with zero in them, copies this many bytes. */
const COPY_LENGTH_OF_ZERO = 0x10000

/**
 * Reads the two lengths at the start of a delta.
 * @throws EngineError 'delta-malformed' when they are truncated, in a longer form than needed, or past 2^31 - 1
 */
export function readDeltaHeader(delta: Uint8Array): DeltaHeader {
  const baseEnd = endOfLength(delta, 0)
  const headerLength = endOfLength(delta, baseEnd)
  return {
    baseLength: readLength(delta, 0, baseEnd),
    resultLength: readLength(delta, baseEnd, headerLength),
    headerLength,
  }
}

/**
 * Rebuilds an object from its delta base.
 * @param deltaBase the whole base; only read
 * @param delta the inflated delta; only read
 * @returns a new array, exactly as long as the delta declares
 * @throws EngineError 'delta-malformed' on anything that gitformat-pack(5) does not allow, and on a base of another length
 */
export function applyDelta(deltaBase: Uint8Array, delta: Uint8Array): Uint8Array {
  const result = new Uint8Array(readDeltaHeader(delta).resultLength)
  applyDeltaInto(result, deltaBase, delta)
  return result
}

/** The same into `result`, which has to be as long as the delta declares; it holds anything after an error. */
export function applyDeltaInto(result: Uint8Array, deltaBase: Uint8Array, delta: Uint8Array): void {
  const { baseLength, resultLength, headerLength } = readDeltaHeader(delta)
  if (baseLength !== deltaBase.length) throw malformed(0, `a base of ${baseLength} bytes, got ${deltaBase.length}`)
  assert(result.length === resultLength, 'a result is as long as its delta declares')
  let filled = 0
  let at = headerLength
  while (at < delta.length) {
    const opcode = byteAt(delta, at)
    if (opcode === 0) throw malformed(at, 'an instruction, got the reserved 0')
    if (opcode < 128) {
      const end = at + 1 + opcode
      if (end > delta.length) throw malformed(at, `${opcode} bytes to insert, got ${delta.length - at - 1}`)
      if (opcode > resultLength - filled) throw malformed(at, `a result of ${resultLength} bytes, got more`)
      result.set(delta.subarray(at + 1, end), filled)
      filled += opcode
      at = end
      continue
    }
    const { offset, length, end } = readCopy(delta, at)
    if (offset + length > baseLength)
      throw malformed(at, `a copy within ${baseLength} bytes, got one to ${offset + length}`)
    if (length > resultLength - filled) throw malformed(at, `a result of ${resultLength} bytes, got more`)
    result.set(deltaBase.subarray(offset, offset + length), filled)
    filled += length
    at = end
  }
  if (filled !== resultLength) throw malformed(at, `a result of ${resultLength} bytes, got ${filled}`)
}

/**
 * What a delta takes from its base, in order: triples of offset in the result, length, offset in the base, all in bytes.
 * @param delta one that applyDelta has taken
 */
export function readCopies(delta: Uint8Array): number[] {
  const copies: number[] = []
  let filled = 0
  for (let at = readDeltaHeader(delta).headerLength; at < delta.length; ) {
    const opcode = byteAt(delta, at)
    if (opcode < 128) {
      filled += opcode
      at += 1 + opcode
      continue
    }
    const { offset, length, end } = readCopy(delta, at)
    copies.push(filled, length, offset)
    filled += length
    at = end
  }
  return copies
}

/** Bits 0 to 3 of the opcode say which offset bytes follow, bits 4 to 6 which length bytes; little-endian, absent is zero. */
function readCopy(delta: Uint8Array, at: number): { offset: number; length: number; end: number } {
  const opcode = byteAt(delta, at)
  let end = at + 1
  let offset = 0
  let length = 0
  // Multiplied, not shifted: the fourth offset byte would reach the sign bit.
  if (opcode & 0x01) offset += byteAt(delta, end++)
  if (opcode & 0x02) offset += byteAt(delta, end++) * 0x100
  if (opcode & 0x04) offset += byteAt(delta, end++) * 0x10000
  if (opcode & 0x08) offset += byteAt(delta, end++) * 0x1000000
  if (opcode & 0x10) length += byteAt(delta, end++)
  if (opcode & 0x20) length += byteAt(delta, end++) * 0x100
  if (opcode & 0x40) length += byteAt(delta, end++) * 0x10000
  return { offset, length: length === 0 ? COPY_LENGTH_OF_ZERO : length, end }
}

/** Offset after the length at `offset`: five groups of 7 bits are enough for the limit. */
function endOfLength(delta: Uint8Array, offset: number): number {
  let end = offset
  while (byteAt(delta, end++) & 128) {
    if (end - offset === 5) throw malformed(offset, `a length of at most ${PACK_OBJECT_LENGTH_MAX}, got more`)
  }
  if (end - offset > 1 && delta[end - 1] === 0)
    throw malformed(offset, 'a length in its shortest form, got a longer one')
  return end
}

function readLength(delta: Uint8Array, offset: number, end: number): number {
  let length = 0
  for (let at = end - 1; at >= offset; at--) length = length * 128 + (byteAt(delta, at) & 127)
  if (length > PACK_OBJECT_LENGTH_MAX)
    throw malformed(offset, `a length of at most ${PACK_OBJECT_LENGTH_MAX}, got ${length}`)
  return length
}

function byteAt(delta: Uint8Array, at: number): number {
  const byte = delta[at]
  if (byte === undefined) throw malformed(at, 'more bytes, got the end of the delta')
  return byte
}

function malformed(offset: number, expectedGot: string): EngineError {
  return new EngineError('delta-malformed', `cannot apply the delta at byte ${offset}: expected ${expectedGot}`, {
    offset,
  })
}
