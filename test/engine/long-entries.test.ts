/**
 * Goal: objects longer than the format's limit are stored whole, long entries in parts, as git and any inflater read them;
 * neither the bounds on memory nor the place where entries wait change a byte.
 * Method: small limits, so that a few kilobytes are large; zlib's raw inflater and git index-pack as judges; the norm
 * (pako) against the native compressor.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { deflateLong, deflatePartReference, partDigestOf, selectDeflatePart } from '../../engine/long-entry.ts'
import { pickDeflatePart } from '../../helper/build/deflate.ts'
import { SpillFolder, sinkOpener } from '../../helper/build/spill.ts'
import { SHARD_MEMORY_LENGTH_MAX } from '../../helper/limits.ts'
import { importCommits } from '../support/fast-import.ts'
import { git } from '../support/git.ts'
import { allObjects, unpackLinks, verifiedEntries } from '../support/oracles.ts'
import { randomNumbers } from '../support/random-numbers.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { buildLine, digestsOf, packOf, TIGHT } from './harness.ts'
import { historyArbitrary, writeHistory } from './histories.ts'

const LARGE = { ...TIGHT, deltaObjectLengthMax: 300, longEntryLength: 50, entryPartLength: 40 }

/** Picked once: each time it shows that it gives the bytes of the norm, which takes 20 ms. */
const NATIVE = pickDeflatePart()

async function* inChunks(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

async function streamOf(bytes: Uint8Array, chunkLength: number, partLength: number): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of deflateLong(inChunks(bytes, chunkLength), partLength, NATIVE)) {
    pieces.push(Buffer.from(piece))
  }
  return Buffer.concat(pieces)
}

/** From noise to what is almost all one letter, so that each way of coding occurs; by seed, because drawing thousands of bytes takes longer. */
const partArbitrary = fc
  .record({ seed: fc.integer(), length: fc.nat(5000), letterCount: fc.integer({ min: 1, max: 256 }) })
  .map(({ seed, length, letterCount }) => {
    const next = randomNumbers(seed)
    return Uint8Array.from({ length }, () => next(next(letterCount) + 1))
  })

describe('the stream of a long entry', () => {
  it('inflates to the object, whatever the chunks it came in', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 2000 }),
        fc.integer({ min: 1, max: 700 }),
        fc.integer({ min: 1, max: 700 }),
        async (bytes, chunkLength, partLength) => {
          const stream = await streamOf(bytes, chunkLength, partLength)
          assert.deepEqual(new Uint8Array(inflateSync(stream)), bytes)
          assert.deepEqual(stream, await streamOf(bytes, bytes.length, partLength))
        },
      ),
    ))

  it('has the bytes that the document shows', () => {
    const hex = (text: string, isLast: boolean): string =>
      Buffer.from(deflatePartReference(Buffer.from(text), isLast)).toString('hex')
    assert.equal(hex('gt1', false), '4a2f3104000000ffff')
    assert.equal(hex('', false), '000000ffff')
    assert.equal(hex('gt1', true), '4b2f310400')
  })

  it('is the same from the native compressor as from the norm', () => {
    assert.notEqual(NATIVE, deflatePartReference)
    fc.assert(
      fc.property(partArbitrary, fc.boolean(), (bytes, isLast) => {
        assert.deepEqual(Buffer.from(NATIVE(bytes, isLast)), Buffer.from(deflatePartReference(bytes, isLast)))
      }),
      { numRuns: 500 },
    )
  })

  it('takes no compressor that gives other bytes', () => {
    assert.equal(selectDeflatePart(null), deflatePartReference)
    assert.equal(
      selectDeflatePart((bytes) => deflatePartReference(bytes, true)),
      deflatePartReference,
    )
    assert.equal(
      selectDeflatePart(() => assert.fail('no zlib here')),
      deflatePartReference,
    )
    assert.equal(selectDeflatePart(deflatePartReference), deflatePartReference)
    assert.match(partDigestOf(deflatePartReference) ?? '', /^[0-9a-f]{16}$/)
  })
})

describe('a history with large objects', () => {
  it('becomes packs that git reads, the large ones whole', () =>
    withTemporaryDirectory(async (scratch) => {
      const directory = join(scratch, 'r')
      const blob = (seed: number, length: number): Buffer =>
        Buffer.from(Array.from({ length }, (_, at) => (at * at * 7 + (at % 97 === 0 ? seed : 3)) & 0xff))
      const commits = Array.from({ length: 12 }, (_, index) => ({
        files: { large: blob(index, 900), edge: blob(index, 300), beyond: blob(index, 301), small: blob(index, 200) },
      }))
      const tip = (await importCommits(directory, commits)).at(-1) ?? ''
      const segments = await buildLine(directory, 'sha1', tip, { parameters: LARGE })
      const [unpacked] = await unpackLinks(join(scratch, 'u'), [packOf(segments, 'sha1')])
      assert.ok(unpacked !== undefined)
      assert.deepEqual(await allObjects(unpacked.directory), await allObjects(directory))
      const depthOf = new Map<string, number>()
      for (const { oid, depth } of await verifiedEntries(unpacked.packPath)) depthOf.set(oid, depth)
      const depthsOf = async (name: string): Promise<number[]> => {
        const oids = (await git(['log', '--format=%T', tip], { directory })).split('\n')
        const blobs = await Promise.all(oids.map((tree) => git(['rev-parse', `${tree}:${name}`], { directory })))
        return blobs.map((oid) => depthOf.get(oid) ?? -1)
      }
      for (const name of ['large', 'beyond'])
        assert.ok(
          (await depthsOf(name)).every((depth) => depth === 0),
          name,
        )
      for (const name of ['edge', 'small'])
        assert.ok(
          (await depthsOf(name)).some((depth) => depth > 0),
          name,
        )
    }))

  it('has the same bytes when little may wait in memory', () =>
    withTemporaryDirectory(async (scratch) => {
      let number = 0
      await fc.assert(
        fc.asyncProperty(
          historyArbitrary({ commitCountMin: 8, commitCountMax: 40 }),
          fc.integer({ min: 0, max: 2000 }),
          async (description, pendingLengthMax) => {
            const name = `r${number++}`
            const { directory, objectFormat, tip } = await writeHistory(join(scratch, name), description)
            const expected = digestsOf(await buildLine(directory, objectFormat, tip, { parameters: LARGE }))
            const options = { parameters: LARGE, pendingLengthMax, cacheLengthMax: 1000, heavyLength: 60 }
            assert.deepEqual(digestsOf(await buildLine(directory, objectFormat, tip, options)), expected)
          },
        ),
        { numRuns: 12, seed: 20261121 },
      )
    }))

  it('has the same bytes when entries wait in files, of which none is left', () =>
    withTemporaryDirectory(async (scratch) => {
      const directory = join(scratch, 'r')
      // Noise does not compress: a shard of these passes what a worker may keep.
      const noise = (seed: number): Buffer => {
        const blocks = Array.from({ length: 40_000 }, (_, at) => createHash('sha1').update(`${seed} ${at}`).digest())
        return Buffer.concat(blocks)
      }
      const commits = Array.from({ length: 3 }, (_, index) => ({ files: { noise: noise(index), text: `${index}` } }))
      const tip = (await importCommits(directory, commits)).at(-1) ?? ''
      const options = {
        parameters: { ...LARGE, deltaObjectLengthMax: 1_000_000, longEntryLength: 500_000, entryPartLength: 100_000 },
      }
      const expected = digestsOf(await buildLine(directory, 'sha1', tip, options))
      const spills = await SpillFolder.create(scratch)
      let spilledLength = 0
      const watched = {
        read: spills.read.bind(spills),
        release: (spilled: { name: string; length: number }) => {
          spilledLength += spilled.length
          return spills.release(spilled)
        },
      }
      const openSinks = sinkOpener(spills.folder, '0')
      const built = await buildLine(directory, 'sha1', tip, { ...options, openSinks, spills: watched })
      assert.deepEqual(digestsOf(built), expected)
      assert.ok(spilledLength > SHARD_MEMORY_LENGTH_MAX, `${spilledLength} bytes waited in files`)
      assert.deepEqual(await readdir(spills.folder), [])
      await spills.close()
      assert.ok(!(await readdir(scratch)).some((name) => name.startsWith('.tmp')))
    }))
})
