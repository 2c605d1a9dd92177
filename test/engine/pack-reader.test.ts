/**
 * Goal: the reader finds in a pack exactly what git finds there, and refuses everything that is not a pack within limits.
 * Method: packs made by `git pack-objects` (OFS, REF, thin; SHA-1 and SHA-256) are compared with `git cat-file` and
 * `git verify-pack`; hand-made packs are broken in one place each.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { EngineError, type EngineErrorCode } from '../../engine/errors.ts'
import { createInflate } from '../../engine/inflate.ts'
import { BLOB, TREE } from '../../engine/object.ts'
import { hashLengthOf } from '../../engine/oid.ts'
import { PACK_HEADER_LENGTH, PACK_OFS_DELTA, PACK_REF_DELTA } from '../../engine/pack-entry.ts'
import {
  type ByteSource,
  type InflateEntry,
  PACK_LIMITS,
  type PackLimits,
  readPack,
  readPackBody,
  sourceOfBytes,
  totalsOf,
} from '../../engine/pack-reader.ts'
import { importLine } from '../support/fast-import.ts'
import { gitBytes } from '../support/git.ts'
import { createRepository, type ObjectFormat } from '../support/object-writer.ts'
import { reachableObjects, readObjects, segmentObjects, unpackInto, verifiedEntries } from '../support/oracles.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import {
  bodyOf,
  type EntryToWrite,
  hostileSourceOf,
  nativeInflate,
  packOf,
  resolveEntries,
  runningHash,
} from './pack-ports.ts'

const BLOB_A: EntryToWrite = { type: BLOB, data: Buffer.from('the first object\n') }
const BLOB_B: EntryToWrite = { type: BLOB, data: Buffer.from('the second object, a little longer\n') }
/** Copies the first 17 bytes of a base of 17, then inserts one. */
const DELTA = Uint8Array.of(17, 18, 0x90, 17, 1, 0x21)

function reading(source: ByteSource, objectFormat: ObjectFormat = 'sha1', inflate: InflateEntry = createInflate()) {
  return { source, hashLength: hashLengthOf(objectFormat), inflate }
}

function readWhole(pack: Uint8Array, limits: PackLimits = PACK_LIMITS) {
  return totalsOf(readPack({ ...reading(sourceOfBytes(pack)), limits }, runningHash('sha1')))
}

function readBody(body: Uint8Array, objectCount: number | null = null) {
  return totalsOf(readPackBody(reading(sourceOfBytes(body)), objectCount))
}

function refuses(read: () => unknown, code: EngineErrorCode, message: RegExp): void {
  assert.throws(read, (error) => {
    assert(error instanceof EngineError)
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })
}

function packObjects(directory: string, revisions: string, ...args: string[]): Promise<Uint8Array> {
  return gitBytes(['pack-objects', '--revs', '--stdout', '--quiet', ...args], { directory, input: `${revisions}\n` })
}

for (const objectFormat of ['sha1', 'sha256'] as const) {
  describe(`packs that git wrote (${objectFormat})`, () => {
    test('hold the objects that git reads, by OFS and by REF deltas', () =>
      withTemporaryDirectory(async (directory) => {
        const line = await importLine(directory, 60, objectFormat)
        const tip = line.at(-1) ?? ''
        const expected = await readObjects(directory, await reachableObjects(directory, [tip]))
        for (const args of [['--delta-base-offset'], [], ['--depth=0']]) {
          const pack = await packObjects(directory, tip, ...args)
          const entries = [...readPack(reading(sourceOfBytes(pack), objectFormat), runningHash(objectFormat))]
          assert.deepEqual(resolveEntries(entries, objectFormat), expected)
          const deltas = entries.filter(({ type }) => type === PACK_OFS_DELTA || type === PACK_REF_DELTA)
          assert.equal(deltas.length > 20, args[0] !== '--depth=0')
        }
      }))

    test('are laid out as git verify-pack says, read natively or through a re-used buffer', () =>
      withTemporaryDirectory(async (directory) => {
        const line = await importLine(join(directory, 'a'), 40, objectFormat)
        const pack = await packObjects(join(directory, 'a'), line.at(-1) ?? '', '--delta-base-offset')
        await createRepository(join(directory, 'b'), objectFormat)
        const { packPath } = await unpackInto(join(directory, 'b'), pack)
        const expected = await verifiedEntries(packPath, objectFormat)
        for (const inflate of [createInflate(), nativeInflate]) {
          const source = hostileSourceOf(pack)
          const entries = [...readPack(reading(source, objectFormat, inflate), runningHash(objectFormat))]
          assert.deepEqual(
            entries.map(({ offset, streamEnd, data }) => [offset, streamEnd - offset, data.length]),
            expected.map(({ offset, packedLength, inflatedLength }) => [offset, packedLength, inflatedLength]),
          )
          assert.equal(resolveEntries(entries, objectFormat).size, expected.length)
        }
      }))

    test('may be thin: the bases that are missing are named', () =>
      withTemporaryDirectory(async (directory) => {
        const line = await importLine(directory, 60, objectFormat)
        const [base, tip] = [line[29] ?? '', line[59] ?? '']
        const pack = await packObjects(directory, `${tip}\n^${base}`, '--thin', '--delta-base-offset')
        const entries = [...readPack(reading(sourceOfBytes(pack), objectFormat), runningHash(objectFormat))]
        assert(entries.some(({ type }) => type === PACK_REF_DELTA))
        const outside = await readObjects(directory, await reachableObjects(directory, [base]))
        const expected = await readObjects(directory, await segmentObjects(directory, tip, base))
        assert.deepEqual(resolveEntries(entries, objectFormat, outside), expected)
      }))

    test('are bodies once header and trailer are off', () =>
      withTemporaryDirectory(async (directory) => {
        const line = await importLine(directory, 10, objectFormat)
        const pack = await packObjects(directory, line.at(-1) ?? '', '--delta-base-offset')
        const body = pack.subarray(PACK_HEADER_LENGTH, pack.length - hashLengthOf(objectFormat))
        const whole = totalsOf(readPack(reading(sourceOfBytes(pack), objectFormat), runningHash(objectFormat)))
        assert.deepEqual(totalsOf(readPackBody(reading(sourceOfBytes(body), objectFormat), whole.objectCount)), whole)
        assert.deepEqual(totalsOf(readPackBody(reading(sourceOfBytes(body), objectFormat), null)), whole)
      }))
  })
}

describe('a sound pack', () => {
  test('adds up, deltas by what they make', () => {
    const body = bodyOf([BLOB_A, { type: PACK_REF_DELTA, data: DELTA, deltaBase: new Uint8Array(20) }])
    const totals = { objectCount: 2, inflatedLength: 17 + DELTA.length, objectsLength: 17 + 18 }
    assert.deepEqual(readBody(body, 2), totals)
    assert.deepEqual(readWhole(packOf(body, 2)), totals)
  })

  test('may be empty, and so may an object and a body', () => {
    assert.equal(readWhole(packOf(new Uint8Array(0), 0)).objectCount, 0)
    assert.equal(readBody(new Uint8Array(0), 0).objectCount, 0)
    assert.equal(readBody(bodyOf([{ type: TREE, data: new Uint8Array(0) }])).inflatedLength, 0)
  })

  test('may have entries longer than one read', () => {
    const data = new Uint8Array(3_000_000)
    for (let at = 0; at < data.length; at++) data[at] = (Math.imul(at, 0x9e3779b1) >>> 13) & 255
    const pack = packOf(bodyOf([BLOB_A, { type: BLOB, data }, BLOB_B]), 3)
    const entries = [...readPack(reading(hostileSourceOf(pack)), runningHash('sha1'))]
    assert.deepEqual(
      entries.map((entry) => Buffer.from(entry.data)),
      [BLOB_A.data, Buffer.from(data), BLOB_B.data],
    )
  })
})

describe('a pack is refused', () => {
  const body = bodyOf([BLOB_A, BLOB_B])
  const pack = packOf(body, 2)

  test('when it ends early, at every byte', () => {
    for (let length = 0; length < pack.length; length++) {
      assert.throws(() => readWhole(pack.subarray(0, length)), EngineError)
    }
  })

  test('when any byte is another', () => {
    for (let at = 0; at < pack.length; at++) {
      assert.throws(() => readWhole(Buffer.from(pack).fill(~(pack[at] ?? 0), at, at + 1)), EngineError)
    }
  })

  test('when it has more or fewer entries than it says, or bytes after them', () => {
    refuses(() => readWhole(packOf(body, 1)), 'pack-malformed', /end after 1 entries/)
    refuses(() => readWhole(packOf(body, 3)), 'pack-malformed', /3 entries, got 2/)
    refuses(() => readBody(body, 1), 'pack-malformed', /end after 1 entries/)
    refuses(() => readBody(body, 3), 'pack-malformed', /3 entries, got 2/)
    refuses(() => readWhole(packOf(Buffer.concat([body, Buffer.of(0)]), 2)), 'pack-malformed', /end after 2/)
    refuses(() => readBody(Buffer.concat([body, Buffer.of(0)])), 'pack-malformed', /entry type/)
  })

  test('when its trailer is not its hash', () => {
    refuses(() => readWhole(pack.with(pack.length - 1, 1 ^ (pack.at(-1) ?? 0))), 'pack-malformed', /trailer/)
  })

  test('when an object is longer or shorter than it declares', () => {
    for (const length of [16, 18]) {
      refuses(() => readBody(bodyOf([{ ...BLOB_A, length }])), 'pack-malformed', /zlib stream|bytes inflated/)
    }
  })

  test('when an OFS_DELTA has its base where no entry starts', () => {
    const first = bodyOf([BLOB_A]).length
    const delta = { type: PACK_OFS_DELTA, data: DELTA } as const
    assert.equal(readBody(bodyOf([BLOB_A, { ...delta, deltaBase: first }])).objectCount, 2)
    for (const deltaBase of [first - 1, first + 1, 1]) {
      refuses(() => readBody(bodyOf([BLOB_A, { ...delta, deltaBase }])), 'pack-malformed', /OFS_DELTA base/)
    }
  })

  test('when a stream is padded with empty blocks far beyond its content', () => {
    const entry = bodyOf([{ type: BLOB, data: new Uint8Array(0) }])
    // Empty stored blocks, not final, in front of the real one: valid for zlib, however many.
    const padding = Buffer.concat(Array.from({ length: 100 }, () => Buffer.of(0, 0, 0, 0xff, 0xff)))
    const padded = Buffer.concat([entry.subarray(0, 3), padding, entry.subarray(3)])
    assert.equal(deflateRawSync(new Uint8Array(0)).length + 2 + 4 + 1, entry.length)
    refuses(() => readBody(padded), 'pack-malformed', /complete zlib stream/)
  })
})

describe('limits hold', () => {
  const noInflate: InflateEntry = () => assert.fail('nothing may be inflated')
  const pack = packOf(bodyOf([BLOB_A, BLOB_B]), 2)

  test('on declared lengths, before anything is inflated', () => {
    const source = sourceOfBytes(bodyOf([{ ...BLOB_A, length: 2 ** 31 }]))
    refuses(() => totalsOf(readPackBody(reading(source, 'sha1', noInflate), 1)), 'pack-limit', /declared length/)
  })

  test('on lengths that the bytes at hand cannot hold, before anything is inflated', () => {
    const source = sourceOfBytes(bodyOf([{ ...BLOB_A, length: 10 ** 8 }]))
    refuses(() => totalsOf(readPackBody(reading(source, 'sha1', noInflate), 1)), 'pack-malformed', /can hold/)
  })

  test('on counts, before anything is inflated', () => {
    const many = sourceOfBytes(packOf(new Uint8Array(0), 2 ** 32 - 1))
    refuses(
      () => totalsOf(readPack(reading(many, 'sha1', noInflate), runningHash('sha1'))),
      'pack-limit',
      /number of entries/,
    )
    refuses(() => readWhole(pack, { ...PACK_LIMITS, entryCountMax: 1 }), 'pack-limit', /number of entries/)
  })

  test('on sums', () => {
    refuses(() => readWhole(pack, { ...PACK_LIMITS, inflatedLengthMax: 51 }), 'pack-limit', /sum of declared lengths/)
    refuses(() => readWhole(pack, { ...PACK_LIMITS, objectsLengthMax: 51 }), 'pack-limit', /sum of object lengths/)
    assert.equal(readWhole(pack, { ...PACK_LIMITS, inflatedLengthMax: 52, objectsLengthMax: 52 }).objectsLength, 52)
  })

  test('on what a small delta would make', () => {
    const data = Uint8Array.of(17, 0xff, 0xff, 0xff, 0x7f, 0x80)
    const body = bodyOf([{ type: PACK_REF_DELTA, data, deltaBase: new Uint8Array(20) }])
    const limits = { ...PACK_LIMITS, objectLengthMax: 2 ** 20 }
    const read = () => totalsOf(readPackBody({ ...reading(sourceOfBytes(body)), limits }, 1))
    refuses(read, 'pack-limit', /length of the object/)
  })
})
