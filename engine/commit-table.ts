/**
 * Commits as flat arrays: what a commit-graph file of git holds, and what we store ourselves where there is none, so
 * that a history is read in one go instead of commit by commit. Derived: every machine may drop it and read anew.
 *
 * Our stored form, little-endian: "GTC1", hash length (u32), commit count n (u32), parent count p (u32); then n names,
 * n tree names, n ends into the parents (u32), p parents (u32, rows of the table). Its integrity is the caller's.
 */

import { EngineError } from './errors.ts'

const MAGIC = 0x31435447
const HEADER_LENGTH = 16

export interface CommitTable {
  readonly hashLength: number
  /** Commits; rows are 0 … count - 1. */
  readonly count: number
  /** Raw names, row r at r · hashLength. */
  readonly oids: Uint8Array
  /** Raw names of the root trees, likewise. */
  readonly trees: Uint8Array
  /** Parents of row r are parents[parentEnds[r - 1] … parentEnds[r]), in stored order. */
  readonly parentEnds: Int32Array
  /** Rows of this table. */
  readonly parents: Int32Array
}

/** Stored form of a table. */
export function encodeCommitTable({ hashLength, count, oids, trees, parentEnds, parents }: CommitTable): Uint8Array {
  const bytes = new Uint8Array(lengthOf(hashLength, count, parents.length))
  const view = new DataView(bytes.buffer)
  ;[MAGIC, hashLength, count, parents.length].forEach((value, index) => {
    view.setUint32(index * 4, value, true)
  })
  bytes.set(oids, HEADER_LENGTH)
  bytes.set(trees, HEADER_LENGTH + count * hashLength)
  let at = HEADER_LENGTH + 2 * count * hashLength
  for (const array of [parentEnds, parents]) {
    for (const value of array) {
      view.setUint32(at, value, true)
      at += 4
    }
  }
  return bytes
}

/** Reads the stored form; names are views on `bytes`. @throws table-malformed */
export function parseCommitTable(bytes: Uint8Array, hashLength: number): CommitTable {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEADER_LENGTH || view.getUint32(0, true) !== MAGIC) throw malformed('the magic GTC1')
  const count = view.getUint32(8, true)
  const parentCount = view.getUint32(12, true)
  if (view.getUint32(4, true) !== hashLength || bytes.length !== lengthOf(hashLength, count, parentCount)) {
    throw malformed(`the length of ${count} commits`)
  }
  const trees = HEADER_LENGTH + count * hashLength
  const ends = trees + count * hashLength
  const parentEnds = readIntegers(view, ends, count)
  const parents = readIntegers(view, ends + count * 4, parentCount)
  for (let row = 0, before = 0; row < count; row++) {
    const end = parentEnds[row] ?? 0
    if (end < before) throw malformed('parents in the order of the commits')
    before = end
  }
  if ((parentEnds[count - 1] ?? 0) !== parentCount) throw malformed('as many parents as counted')
  for (const parent of parents) if (parent < 0 || parent >= count) throw malformed('parents inside the table')
  return {
    hashLength,
    count,
    oids: bytes.subarray(HEADER_LENGTH, trees),
    trees: bytes.subarray(trees, ends),
    parentEnds,
    parents,
  }
}

function readIntegers(view: DataView, start: number, count: number): Int32Array {
  const integers = new Int32Array(count)
  for (let index = 0; index < count; index++) integers[index] = view.getUint32(start + index * 4, true)
  return integers
}

function lengthOf(hashLength: number, count: number, parentCount: number): number {
  return HEADER_LENGTH + count * (2 * hashLength + 4) + parentCount * 4
}

function malformed(expected: string): EngineError {
  return new EngineError('table-malformed', `commit table: expected ${expected}, got something else, try to read anew`)
}
