/**
 * Goal: entry headers, distances and the pack header are written and read as gitformat-pack(5) says, in one form only.
 * Method: values worked out by hand from the document, laws over random values, and every kind of refusal.
 */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { EngineError } from '../../engine/errors.ts'
import { BLOB, COMMIT, TAG, TREE } from '../../engine/object.ts'
import {
  entryHeaderLength,
  entryHeaderLengthMax,
  ofsDistanceLength,
  PACK_OFS_DELTA,
  PACK_REF_DELTA,
  readEntryHeader,
  readPackHeader,
  writeEntryHeader,
  writeOfsDistance,
  writePackHeader,
} from '../../engine/pack-entry.ts'

const lengths = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.integer({ min: 0, max: 53 }).map((bits) => 2 ** bits - 1),
)
const distances = fc.oneof(fc.integer({ min: 1 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))
const types = fc.constantFrom(COMMIT, TREE, BLOB, TAG)

function headerBytes(type: Parameters<typeof writeEntryHeader>[2], length: number): number[] {
  const out = new Uint8Array(16)
  return [...out.subarray(0, writeEntryHeader(out, 0, type, length))]
}

function distanceBytes(distance: number): number[] {
  const out = new Uint8Array(16)
  return [...out.subarray(0, writeOfsDistance(out, 0, distance))]
}

function refuses(bytes: readonly number[], hashLength = 20): void {
  assert.throws(
    () => readEntryHeader(Uint8Array.from(bytes), 0, hashLength),
    (error) => error instanceof EngineError && error.code === 'pack-malformed',
  )
}

describe('entry headers', () => {
  test('have the bytes that the format document gives', () => {
    assert.deepEqual(headerBytes(COMMIT, 0), [0x10])
    assert.deepEqual(headerBytes(BLOB, 15), [0x3f])
    assert.deepEqual(headerBytes(BLOB, 16), [0xb0, 0x01])
    assert.deepEqual(headerBytes(TREE, 2047), [0xaf, 0x7f])
    assert.deepEqual(headerBytes(TREE, 2048), [0xa0, 0x80, 0x01])
    assert.deepEqual(headerBytes(PACK_REF_DELTA, 2 ** 32), [0xf0, 0x80, 0x80, 0x80, 0x80, 0x01])
  })

  test('are read as they were written, at any offset', () => {
    fc.assert(
      fc.property(types, lengths, fc.nat({ max: 5 }), (type, length, offset) => {
        const out = new Uint8Array(32).fill(0xff)
        const written = writeEntryHeader(out, offset, type, length)
        assert.equal(written, entryHeaderLength(length))
        assert.deepEqual(readEntryHeader(out, offset, 20), { type, length, headerLength: written })
        assert.equal(out[offset + written], 0xff)
      }),
    )
  })

  test('carry distances and oids of either hash length', () => {
    fc.assert(
      fc.property(lengths, distances, fc.constantFrom(20, 32), (length, distance, hashLength) => {
        const out = new Uint8Array(64)
        let headerLength = writeEntryHeader(out, 0, PACK_OFS_DELTA, length)
        headerLength += writeOfsDistance(out, headerLength, distance)
        assert(headerLength <= entryHeaderLengthMax(hashLength))
        assert.deepEqual(readEntryHeader(out, 0, hashLength), { type: PACK_OFS_DELTA, length, distance, headerLength })
        const deltaBase = new Uint8Array(hashLength).fill(7)
        headerLength = writeEntryHeader(out, 0, PACK_REF_DELTA, length)
        out.set(deltaBase, headerLength)
        headerLength += hashLength
        assert(headerLength <= entryHeaderLengthMax(hashLength))
        assert.deepEqual(readEntryHeader(out, 0, hashLength), { type: PACK_REF_DELTA, length, deltaBase, headerLength })
      }),
    )
  })

  test('are refused when they are truncated, too long, or of a type that does not exist', () => {
    refuses([])
    refuses([0xb0])
    refuses([0xb0, 0x80, 0x00]) // a longer form of 0
    refuses([0xb1, 0x00])
    refuses([0x00])
    refuses([0x50])
    refuses([0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]) // past 2^53
    refuses([0xbf, ...Array.from({ length: 12 }, () => 0xff), 0x01])
    refuses([0x71, ...Array.from({ length: 19 }, () => 1)])
    refuses([0x71, ...Array.from({ length: 31 }, () => 1)], 32)
    refuses([0x61])
    refuses([0x61, 0x80])
    refuses([0x61, 0x00]) // a base at the entry itself
    refuses([0x61, ...Array.from({ length: 12 }, () => 0xff), 0x01])
  })
})

describe('distances', () => {
  test('have the bytes that the format document gives', () => {
    assert.deepEqual(distanceBytes(1), [0x01])
    assert.deepEqual(distanceBytes(127), [0x7f])
    assert.deepEqual(distanceBytes(128), [0x80, 0x00])
    assert.deepEqual(distanceBytes(128 + 2 ** 14 - 1), [0xff, 0x7f])
    assert.deepEqual(distanceBytes(128 + 2 ** 14), [0x80, 0x80, 0x00])
  })

  test('take as many bytes as announced', () => {
    fc.assert(fc.property(distances, (distance) => distanceBytes(distance).length === ofsDistanceLength(distance)))
  })
})

describe('the pack header', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (objectCount) => {
        const out = new Uint8Array(14)
        assert.equal(writePackHeader(out, 1, objectCount), 12)
        assert.equal(readPackHeader(out.subarray(1)), objectCount)
      }),
    )
  })

  test('is refused when it is short, no pack, or of another version', () => {
    const good = new Uint8Array(12)
    writePackHeader(good, 0, 3)
    assert.equal(Buffer.from(good).toString('latin1'), 'PACK\0\0\0\x02\0\0\0\x03')
    for (const bad of [good.subarray(0, 11), good.with(0, 0x70), good.with(7, 3), good.with(4, 1)]) {
      assert.throws(
        () => readPackHeader(bad),
        (error) => error instanceof EngineError && error.code === 'pack-malformed',
      )
    }
  })
})
