/**
 * Goal: what the engine makes of random histories is what the format promises: exact membership, bounded depth, bodies that
 * others decode.
 * Method: fast-check histories with every oddity that git can store, built by the engine with tight bounds, judged by
 * git rev-list, git index-pack, git verify-pack, git fsck, git cat-file and isomorphic-git.
 */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { git } from '../support/git.ts'
import { createRepository } from '../support/object-writer.ts'
import {
  allObjects,
  difference,
  fsckComplaints,
  indexIndependently,
  reachableObjects,
  readObjectsIndependently,
  unpackLinks,
  verifiedEntries,
} from '../support/oracles.ts'
import { buildLine, packOf, TIGHT } from './harness.ts'
import { holdsForHistories } from './history-laws.ts'

const RUNS = 25

it('a segment holds exactly what its tip reaches and its base does not, each object once', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }) => {
      let below = new Set<string>()
      for (const segment of await buildLine(directory, objectFormat, tip, { parameters: TIGHT })) {
        const reachable = await reachableObjects(directory, [segment.tip])
        assert.deepEqual([...segment.oids].sort(), [...difference(reachable, below)].sort())
        below = reachable
      }
    },
    { numRuns: RUNS },
  ))

it('all bodies of a line concatenate to a pack that git indexes, with every object as it was', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }, scratch) => {
      const segments = await buildLine(directory, objectFormat, tip, { parameters: TIGHT })
      const [unpacked] = await unpackLinks(join(scratch, 'u'), [packOf(segments, objectFormat)], objectFormat)
      assert.ok(unpacked !== undefined)
      const original = await allObjects(directory)
      const decoded = await allObjects(unpacked.directory)
      assert.equal(
        decoded.size,
        segments.reduce((sum, { objectCount }) => sum + objectCount, 0),
      )
      for (const [oid, object] of decoded) assert.deepEqual(object, original.get(oid))
      for (const { depth } of await verifiedEntries(unpacked.packPath, objectFormat)) assert.ok(depth <= TIGHT.depthMax)
    },
    { numRuns: RUNS },
  ))

it('git fsck says of the links only what it says of the same objects in the original', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }, scratch) => {
      const segments = await buildLine(directory, objectFormat, tip, { parameters: TIGHT })
      const copy = join(scratch, 'u')
      await unpackLinks(copy, [packOf(segments, objectFormat)], objectFormat)
      await git(['update-ref', 'refs/heads/main', tip], { directory: copy })
      const original = new Set(await fsckComplaints(directory))
      for (const complaint of await fsckComplaints(copy)) assert.ok(original.has(complaint), complaint)
    },
    { numRuns: 10 },
  ))

it('thin segments are taken by git one by one, oldest first', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }, scratch) => {
      const segments = await buildLine(directory, objectFormat, tip, { parameters: TIGHT })
      const packs = segments.map((segment) => packOf([segment], objectFormat))
      const unpacked = await unpackLinks(join(scratch, 'u'), packs, objectFormat)
      assert.equal(unpacked.length, segments.length)
      assert.equal(
        await git(['rev-list', '--objects', '--no-object-names', tip], { directory: join(scratch, 'u') }),
        await git(['rev-list', '--objects', '--no-object-names', tip], { directory }),
      )
    },
    { numRuns: 8 },
  ))

it('isomorphic-git indexes a link by itself and decodes it to the same objects', () =>
  holdsForHistories(
    async ({ directory, tip }, scratch) => {
      const segments = await buildLine(directory, 'sha1', tip, { parameters: TIGHT })
      const copy = join(scratch, 'u')
      await createRepository(copy)
      const name = join('objects', 'pack', 'pack-of-links.pack')
      await writeFile(join(copy, name), packOf(segments, 'sha1'))
      const oids = segments.flatMap((segment) => segment.oids)
      assert.deepEqual((await indexIndependently(copy, name)).sort(), [...oids].sort())
      const original = await allObjects(directory)
      for (const [oid, object] of await readObjectsIndependently(copy, oids))
        assert.deepEqual(object, original.get(oid))
    },
    { numRuns: 6, objectFormat: 'sha1' },
  ))
