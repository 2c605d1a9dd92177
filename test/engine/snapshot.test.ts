/**
 * Goal: a snapshot holds exactly a commit and its tree, decodes by itself, stays shallow, and has the same bytes whatever
 * the schedule, the cache or the packing.
 * Method: random histories with every oddity that git can store, short runs, judged by git rev-list, index-pack,
 * verify-pack and cat-file.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { GT1 } from '../../engine/index.ts'
import { importCommits } from '../support/fast-import.ts'
import { git } from '../support/git.ts'
import { allObjects, unpackLinks, verifiedEntries } from '../support/oracles.ts'
import { randomNumbers } from '../support/random-numbers.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { snapshotOf } from './harness.ts'
import { historyArbitrary, type WrittenHistory, writeHistory } from './histories.ts'

const SHORT = { ...GT1, snapshotRunLength: 7, snapshotWindow: 4, snapshotDepthMax: 2, longEntryLength: 2000 }
const SIZE = { commitCountMin: 6, commitCountMax: 30 }

async function holdsForHistories(
  claim: (history: WrittenHistory, scratch: string) => Promise<void>,
  numRuns: number,
): Promise<void> {
  const property = fc.asyncProperty(historyArbitrary(SIZE), (description) =>
    withTemporaryDirectory(async (scratch) => claim(await writeHistory(join(scratch, 'r'), description), scratch)),
  )
  await fc.assert(property, { numRuns, seed: 20261121 })
}

describe('a snapshot', () => {
  it('holds the commit and its tree, as they are, at most as deep as it may', () =>
    holdsForHistories(async ({ directory, objectFormat, tip }, scratch) => {
      const pack = await snapshotOf(directory, objectFormat, tip, { parameters: SHORT })
      const [unpacked] = await unpackLinks(join(scratch, 'u'), [pack], objectFormat)
      assert.ok(unpacked !== undefined)
      const listed = await git(['rev-list', '--objects', '--no-object-names', `${tip}^{tree}`], { directory })
      const decoded = await allObjects(unpacked.directory)
      assert.deepEqual([...decoded.keys()].sort(), [tip, ...listed.split('\n')].sort())
      const original = await allObjects(directory)
      for (const [oid, object] of decoded) assert.deepEqual(object, original.get(oid))
      for (const { depth } of await verifiedEntries(unpacked.packPath, objectFormat)) assert.ok(depth <= 2)
    }, 20))

  it('has the same bytes for any schedule, cache and packing', () =>
    holdsForHistories(async ({ directory, objectFormat, tip }) => {
      const expected = Buffer.from(await snapshotOf(directory, objectFormat, tip, { parameters: SHORT }))
      await git(['repack', '-adfq', '--depth=3', '--window=3'], { directory })
      const varied = { pickTask: randomNumbers(3), pickRead: randomNumbers(4), cacheLengthMax: 1, heavyLength: 40 }
      const options = { parameters: SHORT, ...varied }
      assert.ok(expected.equals(await snapshotOf(directory, objectFormat, tip, options)))
    }, 12))

  it('makes deltas between files of one kind', () =>
    withTemporaryDirectory(async (scratch) => {
      const directory = join(scratch, 'r')
      const lines = Array.from({ length: 60 }, (_, index) => `line ${index * index} of many\n`).join('')
      const files = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`${index}/part.c`, `${lines}${index}`]))
      const [tip] = await importCommits(directory, [{ files }])
      const pack = await snapshotOf(directory, 'sha1', tip ?? '')
      const [unpacked] = await unpackLinks(join(scratch, 'u'), [pack])
      const entries = await verifiedEntries(unpacked?.packPath ?? '')
      assert.equal(entries.filter(({ type, depth }) => type === 'blob' && depth > 0).length, 8)
    }))
})
