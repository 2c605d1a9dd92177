/**
 * Goal: a link's infohash is the one that any BitTorrent tool computes for the same file, and depends on the payload alone.
 * Method: `create-torrent` and npm's `bencode` as independent oracles, the piece length formula at its edges, one golden
 * vector.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import bencode from 'bencode-oracle'
import fc from 'fast-check'
import { type Bencodable, encodeBencode } from '../../engine/bencode.ts'
import { AssertionError, EngineError } from '../../engine/errors.ts'
import { parseOid } from '../../engine/oid.ts'
import { encodeInfo, infohashOf, linkName, pieceCountOf, pieceLengthOf } from '../../engine/torrent.ts'
import { infohashOfOracle } from './torrent-oracle.ts'

const KIB = 1024
const MIB = 1024 * KIB
const TIP = parseOid('0123456789'.repeat(4), 'sha1')
const BASE = parseOid('f'.repeat(40), 'sha1')

function sha1(bytes: Uint8Array): Uint8Array {
  return createHash('sha1').update(bytes).digest()
}

function infoOf(name: string, payload: Uint8Array): Uint8Array {
  const pieceLength = pieceLengthOf(payload.length)
  const pieces = Array.from({ length: pieceCountOf(payload.length, pieceLength) }, (_, index) =>
    sha1(payload.subarray(index * pieceLength, (index + 1) * pieceLength)),
  )
  return encodeInfo({ name, length: payload.length, pieceLength, pieces: Buffer.concat(pieces) })
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function refuses(run: () => unknown): void {
  assert.throws(run, (error) => error instanceof EngineError && error.code === 'torrent-malformed')
}

describe('the infohash', () => {
  test('is what create-torrent computes', async () => {
    for (const length of [1, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 300_000, 33 * MIB]) {
      const payload = new Uint8Array(length).fill(7, length >> 1)
      const name = linkName(TIP, length % 2 === 0 ? BASE : null)
      assert.equal(
        hex(infohashOf(infoOf(name, payload), sha1)),
        await infohashOfOracle(name, payload, pieceLengthOf(length)),
      )
    }
  })

  test('of this link is this', () => {
    const info = infoOf(linkName(TIP, null), Buffer.from('gt1'))
    assert.equal(
      Buffer.from(info).toString('latin1'),
      `d6:lengthi3e4:name56:gt1-${TIP}-root.bundle12:piece lengthi16384e6:pieces20:${Buffer.from(sha1(Buffer.from('gt1'))).toString('latin1')}e`,
    )
    assert.equal(hex(infohashOf(info, sha1)), '3653479ff8d7d25e8c05985f13e4ffab6794ef85')
  })

  test('is not computed from hashes that do not fit the payload', () => {
    const good = { name: 'x', length: 20_000, pieceLength: 16 * KIB, pieces: new Uint8Array(40) }
    assert.equal(encodeInfo(good).length > 0, true)
    refuses(() => encodeInfo({ ...good, pieceLength: 32 * KIB }))
    refuses(() => encodeInfo({ ...good, pieces: new Uint8Array(20) }))
    refuses(() => encodeInfo({ ...good, pieces: new Uint8Array(41) }))
    refuses(() => encodeInfo({ ...good, length: 0 }))
  })
})

describe('the name', () => {
  test('gives both ends', () => {
    assert.equal(linkName(TIP, BASE), `gt1-${TIP}-${BASE}.bundle`)
    assert.equal(linkName(TIP, null), `gt1-${TIP}-root.bundle`)
  })
})

describe('the piece length', () => {
  test('doubles when 2,048 pieces are not enough', () => {
    assert.equal(pieceLengthOf(1), 16 * KIB)
    assert.equal(pieceLengthOf(32 * MIB), 16 * KIB)
    assert.equal(pieceLengthOf(32 * MIB + 1), 32 * KIB)
    assert.equal(pieceLengthOf(126 * MIB), 64 * KIB)
    assert.equal(pieceLengthOf(4096 * MIB), 2 * MIB)
    assert.equal(pieceLengthOf(4096 * MIB + 1), 4 * MIB)
    assert.equal(pieceLengthOf(2 ** 40), 4 * MIB)
  })

  test('is a power of two, never shrinks, and keeps the pieces few', () => {
    const length = fc.oneof(
      fc.integer({ min: 1, max: 2 ** 33 }),
      fc.nat({ max: 33 }).map((bits) => 2 ** bits),
    )
    fc.assert(
      fc.property(length, (payloadLength) => {
        const pieceLength = pieceLengthOf(payloadLength)
        assert(Number.isInteger(Math.log2(pieceLength)) && pieceLength >= 16 * KIB && pieceLength <= 4 * MIB)
        assert(pieceCountOf(payloadLength, pieceLength) <= 2048)
        assert(pieceLengthOf(payloadLength + 1) >= pieceLength)
        assert(pieceLength === 16 * KIB || pieceCountOf(payloadLength, pieceLength / 2) > 2048)
      }),
    )
  })

  test('does not exist for an empty payload or one past the limit', () => {
    for (const length of [0, -1, 1.5, Number.NaN, 2 ** 40 + 1]) refuses(() => pieceLengthOf(length))
  })
})

describe('bencode', () => {
  test('is what the npm package writes', () => {
    // Keys in ASCII, because the package sorts others by UTF-16 units instead of bytes.
    const leaf = fc.oneof(fc.string(), fc.maxSafeInteger(), fc.uint8Array())
    const key = fc.string({ unit: 'grapheme-ascii', maxLength: 4 })
    const dictionary = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf)))
    fc.assert(
      fc.property(dictionary, (value) => {
        assert.equal(hex(encodeBencode(mapOf(value))), hex(bencode.encode(mapOf(value))))
      }),
    )
  })

  test('sorts keys by their bytes', () => {
    // U+FF5E comes before U+1F600 in bytes, after its first surrogate in UTF-16.
    const value = new Map<string, Bencodable>([
      ['\u{1f600}', 1],
      ['\uff5e', 2],
      ['', 3],
      ['a', 4],
      ['B', 5],
    ])
    assert.equal(Buffer.from(encodeBencode(value)).toString(), 'd0:i3e1:Bi5e1:ai4e3:\uff5ei2e4:\u{1f600}i1ee')
  })

  test('has no form for numbers that are not exact', () => {
    for (const value of [0.5, -0, Number.NaN, 2 ** 53]) assert.throws(() => encodeBencode(value), AssertionError)
  })
})

function mapOf(
  value: Readonly<Record<string, Bencodable | Readonly<Record<string, Bencodable>>>>,
): Map<string, Bencodable> {
  return new Map(Object.entries(value).map(([key, entry]) => [key, isRecord(entry) ? mapOf(entry) : entry]))
}

function isRecord(
  value: Bencodable | Readonly<Record<string, Bencodable>>,
): value is Readonly<Record<string, Bencodable>> {
  return typeof value === 'object' && !(value instanceof Uint8Array) && !(value instanceof Map)
}
