/**
 * Goal: looking at what a pack names takes bounded memory, whatever a stranger made the pack for.
 * Method: tables of packs that git would take for well formed, with trees that are too long, or too many of them at a time.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync } from 'node:zlib'
import { REFERENCE_HELD_LENGTH_MAX } from '../../engine/limits.ts'
import { BLOB, TREE } from '../../engine/object.ts'
import { sourceOfBytes } from '../../engine/pack-reader.ts'
import { ReferenceMarks } from '../../engine/pack-references.ts'
import type { PackTable } from '../../engine/pack-table.ts'

const NAME = Buffer.alloc(20, 7)
const ENTRY_COUNT = 40_000
/** Each names the one blob. */
const TREE_BYTES = Buffer.concat(
  Array.from({ length: ENTRY_COUNT }, (_, at) =>
    Buffer.concat([Buffer.from(`100644 ${String(at).padStart(6, '0')}\0`), NAME]),
  ),
)
/** Twice the length, and one instruction that copies all. */
const SAME_AGAIN = Buffer.from([
  ...lengthOf(TREE_BYTES.length),
  ...lengthOf(TREE_BYTES.length),
  ...copyOf(TREE_BYTES.length),
])

/** The variable-length number of a delta's header: seven bits a byte, the lowest first. */
function lengthOf(length: number): number[] {
  return length < 128 ? [length] : [(length & 127) | 128, ...lengthOf(length >> 7)]
}

/** Offset 0, three bytes of length. */
function copyOf(length: number): number[] {
  return [0xf0, length & 255, (length >> 8) & 255, length >> 16]
}

/** A blob, a tree, and below it `depth` times two deltas of the second one before. */
function comb(depth: number): { table: PackTable; source: ReturnType<typeof sourceOfBytes> } {
  const count = 2 + 2 * depth
  const whole = deflateSync(TREE_BYTES)
  const delta = deflateSync(SAME_AGAIN)
  const offsets = Float64Array.from({ length: count + 1 }, (_, at) =>
    at < 2 ? 0 : whole.length + (at - 2) * delta.length,
  )
  const bases = Int32Array.from({ length: count }, (_, at) => (at < 2 ? -1 : 2 * Math.floor(at / 2) - 1))
  const children = Uint32Array.from({ length: 2 * depth }, (_, at) => at + 2)
  const firstChild = Uint32Array.from({ length: count + 1 }, (_, entry) => {
    const first = children.findIndex((child) => (bases[child] ?? 0) >= entry)
    return first < 0 ? children.length : first
  })
  const table = {
    hashLength: 20,
    count,
    offsets,
    headerLengths: new Uint8Array(count),
    lengths: Uint32Array.from({ length: count }, (_, at) => (at < 2 ? TREE_BYTES.length : SAME_AGAIN.length)),
    bases,
    kinds: new Uint8Array(count).fill(TREE).fill(BLOB, 0, 1),
    oids: Buffer.concat([NAME, ...Array.from({ length: count - 1 }, (_, at) => Buffer.alloc(20, 8 + at))]),
    entries: Uint32Array.from({ length: count }, (_, at) => at),
    firstChild,
    children,
  }
  return { table, source: sourceOfBytes(Buffer.concat([whole, ...Array.from({ length: 2 * depth }, () => delta)])) }
}

test('a family of deltas of which too much has to be held is refused, a smaller one is not', () => {
  const few = comb(10)
  assert.equal(new ReferenceMarks(few.table, few.source, new Uint8Array(few.table.count)).mark(0, 1), true)
  const many = comb(60)
  assert.ok(60 * TREE_BYTES.length > REFERENCE_HELD_LENGTH_MAX)
  const marks = new ReferenceMarks(many.table, many.source, new Uint8Array(many.table.count))
  assert.throws(() => marks.mark(0, 1), { code: 'pack-limit' })
})

test('a tree or a delta that claims too much is refused before it is inflated', () => {
  for (const claiming of [1, 2]) {
    const { table, source } = comb(1)
    table.lengths[claiming] = REFERENCE_HELD_LENGTH_MAX + 1
    const marks = new ReferenceMarks(table, source, new Uint8Array(table.count))
    assert.throws(() => marks.mark(0, 1), { code: 'pack-limit' })
  }
})
