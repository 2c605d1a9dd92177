/**
 * Goal: the inflater for small streams gives what zlib gives, and refuses what is not whole or not right.
 * Method: zlib as the oracle, over random contents, levels, strategies and damages.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, deflateSync, inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { ExactInflater } from '../../engine/inflate-exact.ts'

/** Bytes as frequent as Fibonacci's numbers, which have the longest codes that there can be. */
const skewed = Buffer.concat(Array.from({ length: 20 }, (_, at) => Buffer.alloc(Math.round(1.618 ** at), 17 * at))).map(
  (_, at, all) => all[(at * 7919) % all.length] ?? 0,
)
const contents = fc.oneof(
  fc.nat({ max: 2000 }).map((start) => skewed.subarray(start)),
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ min: 97, max: 104, maxLength: 3000 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 2000 }))
    .map(([part, count]) => Buffer.concat(Array.from({ length: count }, () => part))),
)
const settings = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  strategy: fc.constantFrom(constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE),
})

const inflater = new ExactInflater()

/** The content, which has to have this length. */
function inflate(stream: Uint8Array, length: number): Buffer {
  const content = Buffer.alloc(length)
  inflater.inflateInto(content, stream)
  return content
}

test('content comes back as zlib compressed it, whatever follows the stream', () => {
  fc.assert(
    fc.property(contents, settings, fc.uint8Array({ maxLength: 8 }), (content, how, behind) => {
      const stream = deflateSync(content, how)
      const output = Buffer.alloc(content.length)
      // In a buffer of its own, which ends where the input does.
      assert.equal(inflater.inflateInto(output, Uint8Array.from([...stream, ...behind])), stream.length)
      assert.deepEqual(output, Buffer.from(content))
    }),
  )
})

test('another length, a part of a stream and a changed byte are refused', () => {
  fc.assert(
    fc.property(contents, settings, fc.nat(), fc.integer({ min: 1, max: 255 }), (content, how, place, flip) => {
      const stream = deflateSync(content, how)
      const refused = { code: 'pack-malformed' }
      assert.throws(() => inflate(stream, content.length + 1), refused)
      if (content.length > 0) assert.throws(() => inflate(stream, content.length - 1), refused)
      const part = stream.subarray(0, place % stream.length)
      assert.throws(() => inflate(part, content.length), refused, 'the rest lies behind it')
      assert.throws(() => inflate(Uint8Array.from(part), content.length), refused, 'nothing lies behind it')
      const damaged = Buffer.from(stream)
      const at = place % stream.length
      damaged[at] = (damaged[at] ?? 0) ^ flip
      let ours: Buffer
      try {
        ours = inflate(damaged, content.length)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'pack-malformed')
        return
      }
      // Bits that mean nothing may differ (the compression level, what fills the last byte), and the Adler-32 does not see every change.
      assert.deepEqual(ours, inflateSync(damaged))
    }),
  )
})
