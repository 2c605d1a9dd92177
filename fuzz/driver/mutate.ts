/**
 * Makes new inputs from known ones: bytes, integers, ranges, splices, words of a dictionary, decimal numbers, and values
 * of a bencoded tree, so that a change inside a nested string leaves the lengths around it right.
 * All chance comes from the number source, so a seed repeats a run.
 */

import type { NumberSource } from '../../bench/random-numbers.ts'
import { type Bencode, decodeBencode, encodeBencode, NetError } from '../../net/index.ts'

/** Integers at the edges of what fields of 1, 2, 4 and 8 bytes hold. */
const EDGES = [0n, 1n, 16n, 20n, 32n, 64n, 100n, 127n, 128n, 255n, 256n, 1000n, 4096n, 32767n, 32768n, 65535n, 65536n]
  .concat([2n ** 24n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n])
  .flatMap((edge) => [edge, -edge])

const STEPS_MAX = 5
const RANGE_LENGTH_MAX = 64
const ASCII_ZERO = 0x30

export interface Mutator {
  readonly next: NumberSource
  readonly corpus: readonly Uint8Array[]
  readonly dictionary: readonly Uint8Array[]
  readonly inputLengthMax: number
}

type Step = (bytes: Buffer, mutator: Mutator) => Buffer

const STEPS: readonly Step[] = [
  flipBit,
  setByte,
  addToByte,
  setInteger,
  setNumber,
  removeRange,
  repeatRange,
  insertNoise,
  cut,
  splice,
  copyFromOther,
  insertWord,
  overwriteWithWord,
]

/** A new input made of one of the corpus; never longer than the mutator allows. */
export function mutate(mutator: Mutator): Uint8Array {
  const { next, corpus, inputLengthMax } = mutator
  const seed = pick(mutator, corpus) ?? new Uint8Array(0)
  let bytes: Buffer = Buffer.from((next(4) === 0 ? mutateTree(seed, mutator) : null) ?? seed)
  const isTree = bytes.length > 0 && next(3) === 0 && Buffer.compare(bytes, seed) !== 0
  if (isTree) return bytes.subarray(0, inputLengthMax)
  for (let count = 1 + next(STEPS_MAX); count > 0; count--) {
    bytes = (pick(mutator, STEPS)?.(bytes, mutator) ?? bytes).subarray(0, inputLengthMax)
  }
  return bytes
}

function pick<T>({ next }: Mutator, from: readonly T[]): T | undefined {
  return from[next(Math.max(1, from.length))]
}

function flipBit(bytes: Buffer, { next }: Mutator): Buffer {
  const at = next(Math.max(1, bytes.length))
  if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8))
  return bytes
}

function setByte(bytes: Buffer, { next }: Mutator): Buffer {
  const at = next(Math.max(1, bytes.length))
  if (at < bytes.length) bytes[at] = next(256)
  return bytes
}

function addToByte(bytes: Buffer, { next }: Mutator): Buffer {
  const at = next(Math.max(1, bytes.length))
  if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) + next(33) - 16
  return bytes
}

/** Writes an edge value as an integer of 1, 2, 4 or 8 bytes, in either byte order. */
function setInteger(bytes: Buffer, mutator: Mutator): Buffer {
  const width = 1 << mutator.next(4)
  if (bytes.length < width) return bytes
  const at = mutator.next(bytes.length - width + 1)
  const word = Buffer.alloc(8)
  word.writeBigInt64LE(BigInt.asIntN(64, pick(mutator, EDGES) ?? 0n))
  const field = Buffer.from(word.subarray(0, width))
  bytes.set(mutator.next(2) === 0 ? field : field.reverse(), at)
  return bytes
}

/** Replaces a run of decimal digits by another number. */
function setNumber(bytes: Buffer, mutator: Mutator): Buffer {
  const isDigit = (at: number): boolean => (bytes[at] ?? 0) >= ASCII_ZERO && (bytes[at] ?? 0) < ASCII_ZERO + 10
  let start = mutator.next(Math.max(1, bytes.length))
  while (start < bytes.length && !isDigit(start)) start++
  let end = start
  while (end < bytes.length && isDigit(end)) end++
  if (start === end) return bytes
  const old = BigInt(bytes.toString('latin1', start, Math.min(end, start + 20)))
  const value = mutator.next(2) === 0 ? old + BigInt(mutator.next(9)) - 4n : (pick(mutator, EDGES) ?? 0n)
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(String(value)), bytes.subarray(end)])
}

function rangeOf(bytes: Buffer, { next }: Mutator): [number, number] {
  const start = next(bytes.length + 1)
  return [start, Math.min(bytes.length, start + 1 + next(next(4) === 0 ? bytes.length + 1 : RANGE_LENGTH_MAX))]
}

function removeRange(bytes: Buffer, mutator: Mutator): Buffer {
  const [start, end] = rangeOf(bytes, mutator)
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
}

function repeatRange(bytes: Buffer, mutator: Mutator): Buffer {
  const [start, end] = rangeOf(bytes, mutator)
  const range = bytes.subarray(start, end)
  const count = 1 + mutator.next(mutator.next(8) === 0 ? 64 : 3)
  return Buffer.concat([bytes.subarray(0, end), ...Array.from({ length: count }, () => range), bytes.subarray(end)])
}

function insertNoise(bytes: Buffer, { next }: Mutator): Buffer {
  const at = next(bytes.length + 1)
  const noise = Buffer.from(Uint8Array.from({ length: 1 + next(8) }, () => next(256)))
  return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)])
}

function cut(bytes: Buffer, { next }: Mutator): Buffer {
  return bytes.subarray(0, next(bytes.length + 1))
}

function splice(bytes: Buffer, mutator: Mutator): Buffer {
  const other = Buffer.from(pick(mutator, mutator.corpus) ?? bytes)
  const at = mutator.next(bytes.length + 1)
  const from = mutator.next(3) === 0 ? mutator.next(other.length + 1) : Math.min(at, other.length)
  return Buffer.concat([bytes.subarray(0, at), other.subarray(from)])
}

function copyFromOther(bytes: Buffer, mutator: Mutator): Buffer {
  const other = Buffer.from(pick(mutator, mutator.corpus) ?? bytes)
  const [start, end] = rangeOf(other, mutator)
  const at = mutator.next(bytes.length + 1)
  const rest = mutator.next(2) === 0 ? bytes.subarray(at) : bytes.subarray(at + end - start)
  return Buffer.concat([bytes.subarray(0, at), other.subarray(start, end), rest])
}

function insertWord(bytes: Buffer, mutator: Mutator): Buffer {
  const at = mutator.next(bytes.length + 1)
  return Buffer.concat([bytes.subarray(0, at), pick(mutator, mutator.dictionary) ?? Buffer.of(0), bytes.subarray(at)])
}

function overwriteWithWord(bytes: Buffer, mutator: Mutator): Buffer {
  const word = pick(mutator, mutator.dictionary) ?? Buffer.of(0)
  const at = mutator.next(bytes.length + 1)
  return Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(at + word.length)])
}

/** Changes one value of a bencoded input; null when the input is none. */
function mutateTree(bytes: Uint8Array, mutator: Mutator): Uint8Array | null {
  try {
    const value = decodeBencode(bytes, { canonical: false })
    return encodeBencode(changed(value, mutator))
  } catch (error) {
    if (error instanceof NetError) return null
    throw error
  }
}

function changed(value: Bencode, mutator: Mutator): Bencode {
  const { next } = mutator
  if (next(12) === 0) return pick(mutator, [0n, new Uint8Array(next(70)), [], new Map<string, Bencode>()]) ?? 0n
  if (typeof value === 'bigint') return next(2) === 0 ? (pick(mutator, EDGES) ?? 0n) : value + BigInt(next(9)) - 4n
  if (value instanceof Uint8Array) {
    return pick(mutator, STEPS)?.(Buffer.from(value), mutator) ?? value
  }
  if (value instanceof Map) return changedDict(value, mutator)
  const list = [...(value as readonly Bencode[])]
  const at = next(Math.max(1, list.length))
  const child = list[at]
  if (child === undefined) return [...list, 0n]
  list.splice(at, next(8) === 0 ? 0 : 1, ...(next(10) === 0 ? [] : [changed(child, mutator)]))
  return list
}

function changedDict(value: ReadonlyMap<string, Bencode>, mutator: Mutator): Bencode {
  const dict = new Map(value)
  const key = pick(mutator, [...dict.keys()])
  const child = key === undefined ? undefined : dict.get(key)
  if (key === undefined || child === undefined) return dict.set('a', 0n)
  if (mutator.next(10) === 0) dict.delete(key)
  else dict.set(key, changed(child, mutator))
  if (mutator.next(10) === 0) dict.set(pick(mutator, mutator.dictionary)?.toString() ?? 'v', child)
  return dict
}
