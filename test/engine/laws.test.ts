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
import { createObjectWriter, createRepository } from '../support/object-writer.ts'
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
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { buildLine, packOf, TIGHT } from './harness.ts'
import { holdsForHistories } from './history-laws.ts'

it('segments hold exactly what tip reaches and base does not, and concatenate to a pack that git indexes, each object as it was', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }, scratch) => {
      const segments = await buildLine(directory, objectFormat, tip, { parameters: TIGHT })
      let below = new Set<string>()
      for (const segment of segments) {
        const reachable = await reachableObjects(directory, [segment.tip])
        assert.deepEqual([...segment.oids].sort(), [...difference(reachable, below)].sort())
        below = reachable
      }
      const [unpacked] = await unpackLinks(join(scratch, 'u'), [packOf(segments, objectFormat)], objectFormat)
      assert.ok(unpacked !== undefined)
      const original = await allObjects(directory)
      const decoded = await allObjects(unpacked.directory)
      const entryCount = segments.reduce((sum, { objectCount }) => sum + objectCount, 0)
      assert.equal(decoded.size, entryCount)
      for (const [oid, object] of decoded) assert.deepEqual(object, original.get(oid))
      for (const { depth } of await verifiedEntries(unpacked.packPath, objectFormat)) assert.ok(depth <= TIGHT.depthMax)
    },
    { numRuns: 25 },
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

it('membership is exact where trees are out of order, name an entry twice, or call a blob a submodule', () =>
  withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'r')
    await createRepository(directory)
    const writer = createObjectWriter('sha1')
    const blobs = ['one', 'two', 'three'].map((word) => writer.write('blob', Buffer.from(word)))
    const [x = '', y = '', z = ''] = blobs
    const sub = writer.write('tree', treeOf([['100644', 'inner', z]]))
    const trees: readonly (readonly [mode: string, name: string, oid: string])[][] = [
      [['160000', 'f', x]],
      [['100644', 'f', x]],
      [
        ['100644', 'z', y],
        ['40000', 'a', sub],
        ['100644', 'a', x],
      ],
      [
        ['100644', 'a', x],
        ['100644', 'a', y],
        ['160000', 'inner', z],
        ['100644', 'a', z],
      ],
      [
        ['0000000000000000000000000040000', 'sub', sub],
        ['177777777777777777100644', 'f', z],
      ],
      [['160000', 'f', z]],
    ]
    let tip = ''
    trees.forEach((entries, index) => {
      const parent = tip === '' ? '' : `parent ${tip}\n`
      const who = `A <a@example.com> ${index} +0000`
      const text = `tree ${writer.write('tree', treeOf(entries))}\n${parent}author ${who}\ncommitter ${who}\n\n${index}\n`
      tip = writer.write('commit', Buffer.from(text))
    })
    await writer.store(directory)
    const everyCommit = { ...TIGHT, checkpointModulus: 1 }
    const segments = await buildLine(directory, 'sha1', tip, { parameters: everyCommit })
    assert.equal(segments.length, trees.length)
    let below = new Set<string>()
    for (const { tip: top, oids } of segments) {
      const reachable = await reachableObjects(directory, [top])
      assert.deepEqual([...oids].sort(), [...difference(reachable, below)].sort())
      below = reachable
    }
  }))

function treeOf(entries: readonly (readonly [mode: string, name: string, oid: string])[]): Uint8Array {
  return Buffer.concat(
    entries.map(([mode, name, oid]) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')])),
  )
}
