/**
 * Goal: the laws of the format hold on random histories: exact membership, bounded depth, decodable bodies, and the same bytes
 * whatever the machine, the schedule, the cache, the packing or the configuration.
 * Method: fast-check histories with every oddity that git can store, built by the engine with tight bounds, judged by
 * git rev-list, git index-pack, git verify-pack, git cat-file and isomorphic-git.
 */

import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import fc from 'fast-check'
import { git } from '../support/git.ts'
import {
  allObjects,
  readObjectsIndependently,
  segmentObjects,
  unpackLinks,
  verifiedEntries,
} from '../support/oracles.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { buildLine, digestsOf, packOf, TIGHT } from './harness.ts'
import {
  type HistoryDescription,
  historyArbitrary,
  historyOfSeed,
  type WrittenHistory,
  writeHistory,
} from './histories.ts'

const RUNS = 25
const SIZE = { commitCountMin: 4, commitCountMax: 40 }

/** Checks `claim` on random histories; fast-check shrinks and prints what breaks it. */
async function holdsForHistories(
  claim: (history: WrittenHistory, scratch: string) => Promise<void>,
  options: { numRuns?: number; objectFormat?: 'sha1' | 'sha256' } = {},
): Promise<void> {
  const { numRuns = RUNS, ...format } = options
  const property = fc.asyncProperty(historyArbitrary({ ...SIZE, ...format }), (description: HistoryDescription) =>
    withTemporaryDirectory(async (scratch) => claim(await writeHistory(join(scratch, 'r'), description), scratch)),
  )
  await fc.assert(property, { numRuns, seed: 20261121 })
}

it('a segment holds exactly what its tip reaches and its base does not', () =>
  holdsForHistories(async ({ directory, objectFormat, tip }) => {
    for (const segment of await buildLine(directory, objectFormat, tip, { parameters: TIGHT })) {
      const expected = [...(await segmentObjects(directory, segment.tip, segment.base))].sort()
      assert.deepEqual([...segment.oids].sort(), expected)
    }
  }))

it('all bodies of a line concatenate to a pack that git indexes, with every object as it was', () =>
  holdsForHistories(async ({ directory, objectFormat, tip }, scratch) => {
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
  }))

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

it('isomorphic-git decodes a link to the same objects', () =>
  holdsForHistories(
    async ({ directory, tip }, scratch) => {
      const segments = await buildLine(directory, 'sha1', tip, { parameters: TIGHT })
      await unpackLinks(join(scratch, 'u'), [packOf(segments, 'sha1')])
      const original = await allObjects(directory)
      const oids = segments.flatMap((segment) => segment.oids)
      const decoded = await readObjectsIndependently(join(scratch, 'u'), oids)
      for (const [oid, object] of decoded) assert.deepEqual(object, original.get(oid))
    },
    { numRuns: 6, objectFormat: 'sha1' },
  ))

it('scheduling of the work and a cache that holds nothing change no byte', () =>
  holdsForHistories(async ({ directory, objectFormat, tip }) => {
    const expected = digestsOf(await buildLine(directory, objectFormat, tip, { parameters: TIGHT }))
    let state = 1
    const delay = async (): Promise<void> => {
      state = (state * 48271) % 2147483647
      for (let turns = state % 9; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
    }
    const other = await buildLine(directory, objectFormat, tip, { parameters: TIGHT, delay, cacheLengthMax: 1 })
    assert.deepEqual(digestsOf(other), expected)
  }))

it('packing, loose objects, other refs and tags change no byte', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }) => {
      const expected = digestsOf(await buildLine(directory, objectFormat, tip, { parameters: TIGHT }))
      await git(['update-ref', 'refs/heads/another', tip], { directory })
      await git(['pack-refs', '--all'], { directory })
      await git(['repack', '-adfq', '--depth=2', '--window=2'], { directory })
      await git(['commit-graph', 'write', '--reachable'], { directory })
      assert.deepEqual(digestsOf(await buildLine(directory, objectFormat, tip, { parameters: TIGHT })), expected)
    },
    { numRuns: 10 },
  ))

it('a longer history keeps the segments of the shorter one', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }) => {
      const longer = digestsOf(await buildLine(directory, objectFormat, tip, { parameters: TIGHT }))
      const line = (await git(['rev-list', '--first-parent', tip], { directory })).split('\n')
      const older = line[Math.floor(line.length / 2)] ?? tip
      const shorter = await buildLine(directory, objectFormat, older, { parameters: TIGHT })
      // The last one ends at the tip, which need not be a checkpoint.
      assert.deepEqual(digestsOf(shorter).slice(0, -1), longer.slice(0, shorter.length - 1))
    },
    { numRuns: 12 },
  ))

it('replace refs, grafts, attributes and configuration change no byte', () =>
  withTemporaryDirectory(async (scratch) => {
    const { directory, tip } = await writeHistory(
      join(scratch, 'r'),
      historyOfSeed(5, { ...SIZE, objectFormat: 'sha1' }),
    )
    const expected = digestsOf(await buildLine(directory, 'sha1', tip, { parameters: TIGHT }))
    const line = (await git(['rev-list', '--first-parent', tip], { directory })).split('\n')
    await git(['replace', line[1] ?? '', line[0] ?? '', '-f'], { directory }).catch(() =>
      git(['replace', '-f', line[1] ?? '', line[2] ?? ''], { directory }),
    )
    await mkdir(join(directory, 'info'), { recursive: true })
    await writeFile(join(directory, 'info', 'grafts'), `${line[2]}\n`)
    await writeFile(join(directory, 'info', 'attributes'), '* -delta\n')
    const settings = {
      'core.compression': '1',
      'pack.depth': '2',
      'pack.window': '1',
      'core.bigFileThreshold': '10',
      'log.showSignature': 'true',
      'core.abbrev': '7',
      'log.follow': 'true',
    }
    for (const [key, value] of Object.entries(settings)) await git(['config', key, value], { directory })
    assert.deepEqual(digestsOf(await buildLine(directory, 'sha1', tip, { parameters: TIGHT })), expected)
  }))
