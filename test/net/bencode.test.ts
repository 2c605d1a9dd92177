// Goal: both codecs read what is right, refuse what is not, and never hang, on any bytes.
// Method: laws over generated values, the npm codec as oracle for the encoding, and the inputs that hang that codec.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Bencode, bencodeDict, decodeBencode, encodeBencode, NetError } from '../../net/index.ts'

interface Codec {
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
}
const requireHere = createRequire(import.meta.url)
const shims: readonly Codec[] = [requireHere('bencode'), (await import('bencode' as string)).default]
const oracle: Codec = (await import('bencode-oracle' as string)).default

const asciiKey = fc.string({ maxLength: 6, unit: 'grapheme-ascii' })
const { value: anyValue } = fc.letrec<{ value: Bencode }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(asciiKey, tie('value'), { maxKeys: 4, noNullPrototype: true }).map((fields) => bencodeDict(fields)),
  ),
}))

test('decoding undoes encoding', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = encodeBencode(value)
      assert.deepEqual(Buffer.from(encodeBencode(decodeBencode(bytes))), Buffer.from(bytes))
    }),
  )
})

test('what is accepted is canonical: encoding it again gives the same bytes', () => {
  const alphabet = fc.constantFrom(...'ilde0123456789:-x')
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 12 }), (letters) => {
      const bytes = Buffer.from(letters.join(''))
      try {
        assert.deepEqual(Buffer.from(encodeBencode(decodeBencode(bytes))), bytes)
      } catch (error) {
        assert.ok(error instanceof NetError)
      }
    }),
    { numRuns: 20_000 },
  )
})

test('the stand-ins agree with the npm codec on what that encodes well', () => {
  const plain = fc.oneof(
    fc.integer(),
    fc.uint8Array({ maxLength: 9 }),
    fc.dictionary(asciiKey, fc.integer(), { noNullPrototype: true }),
  )
  fc.assert(
    fc.property(fc.array(plain, { maxLength: 5 }), (value) => {
      for (const shim of shims) assert.deepEqual(Buffer.from(shim.encode(value)), Buffer.from(oracle.encode(value)))
    }),
  )
})

test('inputs that hang or exhaust the npm codec are refused at once', () => {
  const bombs = [
    'd-3:',
    'l-3:',
    'd1:a-3:e',
    'i',
    'i-0e',
    'i03e',
    'ie',
    '3:ab',
    'd',
    'l',
    'le3',
    'd1:ai0e1:ai0ee',
    '99999999:',
  ]
  for (const bomb of [...bombs, 'l'.repeat(100_000), 'd1:a'.repeat(100_000)]) {
    for (const shim of shims) assert.throws(() => shim.decode(Buffer.from(bomb)))
    assert.throws(() => decodeBencode(Buffer.from(bomb)), NetError)
  }
})

test('more values than a message may have are refused', () => {
  assert.throws(() => decodeBencode(Buffer.from(`l${'le'.repeat(200_001)}e`)), NetError)
  for (const shim of shims) assert.throws(() => shim.decode(Buffer.from(`l${'le'.repeat(200_001)}e`)))
})

test('a key named __proto__ stays a key', () => {
  for (const shim of shims) {
    const decoded = shim.decode(Buffer.from('d9:__proto__d1:ai1eee'))
    assert.deepEqual(Object.getPrototypeOf(decoded), Object.prototype)
    assert.deepEqual(Buffer.from(shim.encode(decoded)).toString(), 'd9:__proto__d1:ai1eee')
  }
})

test('keys are sorted by their bytes, not by UTF-16', () => {
  for (const shim of shims) {
    assert.equal(Buffer.from(shim.encode({ '\u{10000}': 1, '\uffff': 2 })).toString(), 'd3:\uffffi2e4:\u{10000}i1ee')
  }
})
