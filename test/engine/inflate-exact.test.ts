/**
 * Goal: the inflater for small streams gives what zlib gives, and refuses what is not whole or not right.
 * Method: zlib as the oracle, over random contents, levels, strategies and damages.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { ExactInflater } from '../../engine/inflate-exact.ts'

const contents = fc.oneof(
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

test('content comes back as zlib compressed it, whatever follows the stream', () => {
  const inflater = new ExactInflater()
  fc.assert(
    fc.property(contents, settings, fc.uint8Array({ maxLength: 8 }), (content, how, behind) => {
      const stream = Buffer.concat([deflateSync(content, how), behind])
      assert.deepEqual(Buffer.from(inflater.inflate(stream, content.length)), Buffer.from(content))
    }),
  )
})

test('another length, a part of a stream and a changed byte are refused', () => {
  const inflater = new ExactInflater()
  fc.assert(
    fc.property(contents, settings, fc.nat(), fc.integer({ min: 1, max: 255 }), (content, how, place, flip) => {
      const stream = deflateSync(content, how)
      const refused = { code: 'pack-malformed' }
      assert.throws(() => inflater.inflate(stream, content.length + 1), refused)
      if (content.length > 0) assert.throws(() => inflater.inflate(stream, content.length - 1), refused)
      assert.throws(() => inflater.inflate(stream.subarray(0, place % stream.length), content.length), refused)
      const damaged = Buffer.from(stream)
      const at = place % stream.length
      damaged[at] = (damaged[at] ?? 0) ^ flip
      try {
        // Bits that mean nothing (the compression level, what fills the last byte) may differ.
        assert.deepEqual(Buffer.from(inflater.inflate(damaged, content.length)), Buffer.from(content))
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'pack-malformed')
      }
    }),
  )
})
