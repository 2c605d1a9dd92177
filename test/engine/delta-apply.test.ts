/**
 * Goal: deltas make exactly the object they were made for, and everything else that looks like a delta is refused.
 * Method: instructions written out by hand from gitformat-pack(5), a law over random edits, one refusal per rule. Deltas
 * that git made are applied in pack-reader.test.ts.
 */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { applyDelta, readDeltaHeader } from '../../engine/delta-apply.ts'
import { EngineError } from '../../engine/errors.ts'

const BASE = Uint8Array.from({ length: 300 }, (_, index) => index % 251)

function apply(deltaBase: Uint8Array, ...delta: number[]): Uint8Array {
  return applyDelta(deltaBase, Uint8Array.from(delta))
}

function refuses(deltaBase: Uint8Array, delta: readonly number[], message: RegExp): void {
  assert.throws(
    () => apply(deltaBase, ...delta),
    (error) => error instanceof EngineError && error.code === 'delta-malformed' && message.test(error.message),
  )
}

function lengthBytes(length: number): number[] {
  return length < 128 ? [length] : [(length % 128) + 128, ...lengthBytes(Math.floor(length / 128))]
}

/** The delta of a list of edits, each a copy or an insertion, and the object that it makes. */
function deltaOf(deltaBase: Uint8Array, edits: readonly (Uint8Array | readonly [number, number])[]) {
  const body: number[] = []
  const result: number[] = []
  for (const edit of edits) {
    if (edit instanceof Uint8Array) {
      body.push(edit.length, ...edit)
      result.push(...edit)
    } else {
      const [offset, length] = edit
      body.push(0xb3, offset % 256, offset >> 8, length % 256, length >> 8)
      result.push(...deltaBase.subarray(offset, offset + length))
    }
  }
  return { delta: Uint8Array.from([...lengthBytes(deltaBase.length), ...lengthBytes(result.length), ...body]), result }
}

describe('a delta', () => {
  test('inserts, copies, and takes absent bytes as zero', () => {
    assert.deepEqual([...apply(BASE, 0xac, 2, 3, 3, 7, 8, 9)], [7, 8, 9])
    assert.deepEqual([...apply(BASE, 0xac, 2, 2, 0x91, 5, 2)], [5, 6])
    assert.deepEqual([...apply(BASE, 0xac, 2, 2, 0x90, 2)], [0, 1])
    assert.deepEqual([...apply(BASE, 0xac, 2, 1, 0x92, 1, 1)], [5]) // offset 256
    assert.deepEqual(apply(BASE, 0xac, 2, 0x80, 2, 0xb0, 0, 1), BASE.subarray(0, 256)) // length 256
    assert.deepEqual([...apply(new Uint8Array(0), 0, 0)], [])
  })

  test('copies 65,536 bytes when it gives no length, or zero', () => {
    const deltaBase = new Uint8Array(70_000).fill(5)
    const header = [...lengthBytes(70_000), ...lengthBytes(65_536)]
    assert.deepEqual(apply(deltaBase, ...header, 0x80), deltaBase.subarray(0, 65_536))
    assert.deepEqual(apply(deltaBase, ...header, 0xf0, 0, 0, 0), deltaBase.subarray(0, 65_536))
  })

  test('copies up to 2^24 - 1 bytes from wherever they are', () => {
    const deltaBase = new Uint8Array(2 ** 24 + 10).fill(1, 2 ** 24)
    const header = [...lengthBytes(deltaBase.length), ...lengthBytes(2 ** 24 - 1)]
    assert.deepEqual(apply(deltaBase, ...header, 0xf1, 11, 0xff, 0xff, 0xff), deltaBase.subarray(11))
  })

  test('makes what its edits say', () => {
    const edit = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 127 }),
      fc.tuple(fc.nat({ max: 200 }), fc.integer({ min: 1, max: 100 })),
    )
    fc.assert(
      fc.property(fc.array(edit), (edits) => {
        const { delta, result } = deltaOf(BASE, edits)
        const header = { baseLength: 300, resultLength: result.length }
        assert.deepEqual([...applyDelta(BASE, delta)], result)
        assert.deepEqual(readDeltaHeader(delta), { ...header, headerLength: 2 + lengthBytes(result.length).length })
        for (let length = 0; length < delta.length; length++) {
          assert.throws(() => applyDelta(BASE, delta.subarray(0, length)), EngineError)
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe('a delta is refused', () => {
  test('when it uses the reserved instruction', () => refuses(BASE, [0xac, 2, 1, 0], /reserved/))

  test('when its base has another length', () => {
    refuses(BASE.subarray(1), [0xac, 2, 1, 0x90, 1], /base of 300 bytes, got 299/)
  })

  test('when it copies from outside the base', () => {
    refuses(BASE, [0xac, 2, 2, 0x93, 0x2b, 1, 2], /copy within 300/)
    refuses(BASE, [0xac, 2, 1, 0x98, 0xff, 1], /copy within 300/)
    refuses(BASE, [0xac, 2, 1, 0x9f, 0xff, 0xff, 0xff, 0xff, 1], /copy within 300/)
  })

  test('when it makes more or less than it declares', () => {
    refuses(BASE, [0xac, 2, 2, 0x90, 3], /got more/)
    refuses(BASE, [0xac, 2, 2, 3, 1, 1, 1], /got more/)
    refuses(BASE, [0xac, 2, 0, 1, 1], /got more/)
    refuses(BASE, [0xac, 2, 2, 1, 1], /result of 2 bytes, got 1/)
    refuses(BASE, [0xac, 2, 2], /result of 2 bytes, got 0/)
  })

  test('when it ends within an instruction or its header', () => {
    refuses(BASE, [], /end of the delta/)
    refuses(BASE, [0xac], /end of the delta/)
    refuses(BASE, [0xac, 2], /end of the delta/)
    refuses(BASE, [0xac, 2, 3, 3, 1, 1], /3 bytes to insert, got 2/)
    refuses(BASE, [0xac, 2, 1, 0x91, 1], /end of the delta/)
  })

  test('when a length is too large or longer than it needs to be', () => {
    refuses(BASE, [0xac, 0x82, 0, 1, 0x90, 1], /shortest form/)
    refuses(BASE, [0xac, 2, 0x81, 0, 0x90, 1], /shortest form/)
    refuses(BASE, [0xac, 2, 0xff, 0xff, 0xff, 0xff, 0x08, 0x90, 1], /at most 2147483647/)
    refuses(BASE, [0xff, 0xff, 0xff, 0xff, 0xff, 1, 1], /at most 2147483647/)
  })
})
