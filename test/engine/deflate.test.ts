/**
 * Goal: there is one sequence of compressed bytes for every input, and a native zlib is used only when it gives it.
 * Method: golden digests of the norm; equality of this runtime's zlib with the norm on many inputs of many shapes;
 * compressors that differ a little are offered and have to be turned down.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { deflateSync, inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { deflate, Z_FINISH, ZStream, zlibDeflate, zlibDeflateInit, zlibDeflateReset } from 'pako'
import { type NumberSource, randomNumbers } from '../../bench/random-numbers.ts'
import {
  checkDeflated,
  type Deflate,
  deflateReference,
  selectDeflate,
  selfTestDigestOf,
  selfTestInputs,
} from '../../engine/deflate.ts'
import { EngineError } from '../../engine/errors.ts'
import { createInflate } from '../../engine/inflate.ts'

const native: Deflate = (bytes) => deflateSync(bytes, { level: 6 })
/** The same with an output buffer of fitting size, as a builder of many small objects calls it. */
const nativeSized: Deflate = (bytes) => deflateSync(bytes, { level: 6, chunkSize: Math.max(64, bytes.length + 64) })

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes of many shapes: noise over few letters, repeats of what came before, long runs, text-like records. */
function sampleOf(next: NumberSource, length: number): Uint8Array {
  const out = new Uint8Array(length)
  const letters = 1 + next(next(2) === 0 ? 6 : 256)
  for (let at = 0; at < length; ) {
    const span = Math.min(length - at, 1 + next(1 + next(next(20) === 0 ? 5000 : 60)))
    if (at > 0 && next(3) > 0) {
      const from = next(at)
      for (let i = 0; i < span; i++) out[at + i] = out[from + i] ?? 0
    } else {
      for (let i = 0; i < span; i++) out[at + i] = next(letters)
    }
    at += span
  }
  return out
}

/** A compressor that keeps its state from one input to the next, as one might write for speed. */
function reusedState(): Deflate {
  const stream = new ZStream()
  zlibDeflateInit(stream, 6)
  return (bytes) => {
    zlibDeflateReset(stream)
    stream.input = bytes
    stream.next_in = 0
    stream.avail_in = bytes.length
    stream.output = new Uint8Array(bytes.length + (bytes.length >> 8) + 64)
    stream.next_out = 0
    stream.avail_out = stream.output.length
    zlibDeflate(stream, Z_FINISH)
    return stream.output.slice(0, stream.next_out)
  }
}

describe('the norm', () => {
  test('gives these bytes', () => {
    assert.equal(Buffer.from(deflateReference(new Uint8Array(0))).toString('hex'), '789c030000000001')
    assert.equal(Buffer.from(deflateReference(Buffer.from('gt1'))).toString('hex'), '789c4b2f3104000251010d')
    assert.equal(
      sha256(Buffer.concat(selfTestInputs())),
      'f5cc8c7f5cec7e1f1938d5a3b07cde2fd1231905fc41ca1cb2d6a49e607a8163',
    )
    assert.equal(
      sha256(Buffer.concat(selfTestInputs().map(deflateReference))),
      'bdc1d0157737ae76354e0ddc60826d12f6090d475268f48cb0b65d157b2c0fcf',
    )
  })

  test('passes its own self-test', () => {
    assert.equal(selectDeflate(deflateReference), deflateReference)
    const copy: Deflate = (bytes) => deflate(bytes)
    assert.equal(selectDeflate(copy), copy)
  })

  test('is taken where nothing native exists', () => assert.equal(selectDeflate(null), deflateReference))
})

describe('this runtime', () => {
  test('has a zlib that gives the bytes of the norm', () => {
    assert.equal(selectDeflate(native), native)
    assert.equal(selectDeflate(nativeSized), nativeSized)
  })

  test('agrees with the norm on small and large inputs, whatever the size of its output buffer', () => {
    const next = randomNumbers(31)
    for (let round = 0; round < 1500; round++) {
      const length = round % 30 === 0 ? next(250_000) : next(1 + next(4000))
      const bytes = sampleOf(next, length)
      const norm = deflateReference(bytes)
      const chunkSize = 64 + next(3000)
      for (const stream of [native(bytes), nativeSized(bytes), deflateSync(bytes, { level: 6, chunkSize })]) {
        assert(Buffer.from(norm).equals(stream), `round ${round}, ${length} bytes`)
      }
    }
  })

  test('agrees with the norm on whatever fast-check finds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400, size: 'max' }), (bytes) => checkDeflated(bytes, native(bytes))),
      { numRuns: 2000 },
    )
  })
})

describe('a compressor is turned down', () => {
  const others: Readonly<Record<string, Deflate>> = {
    'of another level': (bytes) => deflateSync(bytes, { level: 5 }),
    'of the best level': (bytes) => deflateSync(bytes, { level: 9 }),
    'with another memory level': (bytes) => deflateSync(bytes, { level: 6, memLevel: 9 }),
    'with another window': (bytes) => deflateSync(bytes, { level: 6, windowBits: 14 }),
    'of the canonical family (zlib in C, Node 20.9)': (bytes) => deflate(bytes, { legacyHash: true }),
    'that keeps its state': reusedState(),
    'that throws': () => assert.fail('no zlib here'),
    'that gives nothing': () => new Uint8Array(0),
  }
  for (const [name, other] of Object.entries(others)) {
    test(name, () => assert.equal(selectDeflate(other), deflateReference))
  }

  test('and a drift is noticed later', () => {
    const bytes = Buffer.from('some content, some content, some content')
    checkDeflated(bytes, native(bytes))
    assert.throws(
      () => checkDeflated(bytes, deflateSync(bytes, { level: 0 })),
      (error) => error instanceof EngineError && error.code === 'deflate-drift',
    )
  })

  test('by a digest that tells every one of them apart', () => {
    const digests = Object.values(others).map(selfTestDigestOf)
    assert.equal(new Set(digests).size, digests.length)
  })
})

describe('the inflater', () => {
  test('reads back what any compressor wrote, and says how long the stream was', () => {
    const next = randomNumbers(8)
    const inflate = createInflate()
    for (let round = 0; round < 300; round++) {
      const bytes = sampleOf(next, next(1 + next(20_000)))
      const stream = deflateSync(bytes, { level: next(10) })
      const inflated = inflate(Buffer.concat([stream, sampleOf(next, next(100))]), bytes.length)
      assert(inflated !== null)
      assert.equal(inflated.consumed, stream.length)
      assert(Buffer.from(inflated.data).equals(bytes))
      assert(inflateSync(deflateReference(bytes)).equals(bytes))
    }
  })

  test('takes no stream that is broken, cut, longer than declared, or of another format', () => {
    const inflate = createInflate()
    const bytes = Buffer.from('some content, some content, some content')
    const stream = Buffer.from(deflateReference(bytes))
    assert.equal(inflate(stream, bytes.length - 1), null)
    assert.equal(inflate(stream, 0), null)
    assert.equal(inflate(stream.subarray(0, -1), bytes.length), null)
    assert.equal(inflate(stream.subarray(2), bytes.length), null)
    assert.equal(inflate(new Uint8Array(0), 0), null)
    for (let at = 0; at < stream.length; at++) {
      const broken = Buffer.from(stream).fill(~(stream[at] ?? 0), at, at + 1)
      const inflated = inflate(broken, bytes.length)
      assert(inflated === null || Buffer.from(inflated.data).equals(bytes))
    }
    assert.equal(inflate(stream, bytes.length)?.consumed, stream.length)
  })
})
