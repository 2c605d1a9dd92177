/**
 * Goal: git's list says whether the lines in a pack hold what they add and nothing else; what the repository has already is too much, too.
 * Method: segments of random histories above some that are there, as they are and with one object more or less, indexed by git.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { hashLengthOf, PACK_HEADER_LENGTH, parseOid, readPackBody } from '../../engine/index.ts'
import { BLOB, COMMIT } from '../../engine/object.ts'
import { sourceOfBytes } from '../../engine/pack-reader.ts'
import { checkAdded, checkAll } from '../../helper/share/supply/added-check.ts'
import { Quarantine } from '../../helper/share/supply/quarantine.ts'
import { type BuiltForTest, buildLine, packOf, TIGHT } from '../engine/harness.ts'
import { holdsForHistories } from '../engine/history-laws.ts'
import { bodyOf, type EntryToWrite, nativeInflate } from '../engine/pack-ports.ts'
import { git, gitBytes } from '../support/git.ts'
import { createRepository, type ObjectFormat } from '../support/object-writer.ts'
import { unpackInto } from '../support/oracles.ts'

/** A segment with another entry behind its own. */
function withMore(segment: BuiltForTest, entry: EntryToWrite): BuiltForTest {
  const bytes = Buffer.concat([segment.bytes, bodyOf([entry])])
  return { ...segment, bytes, objectCount: segment.objectCount + 1 }
}

/** A segment without its last entry. */
function withLess(segment: BuiltForTest, objectFormat: ObjectFormat): BuiltForTest {
  const reading = {
    source: sourceOfBytes(segment.bytes),
    hashLength: hashLengthOf(objectFormat),
    inflate: nativeInflate,
  }
  const last = [...readPackBody(reading, null)].at(-1)
  return { ...segment, bytes: segment.bytes.subarray(0, last?.offset), objectCount: segment.objectCount - 1 }
}

it('what a line adds passes; with one object more, new or old, or one twice, or one less, it does not', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }, scratch) => {
      const segments = await buildLine(directory, objectFormat, tip, { parameters: TIGHT })
      const half = segments.length >> 1
      const [newest] = segments.slice(-1)
      const base = segments[half]?.base ?? null
      if (newest === undefined || base === null) return
      const repository = join(scratch, 'u')
      await createRepository(repository, objectFormat)
      await unpackInto(repository, packOf(segments.slice(0, half), objectFormat))

      const verdictOn = async (pack: readonly BuiltForTest[], from: string | null = base) => {
        const quarantine = await Quarantine.open(repository)
        try {
          const bytes = packOf(pack, objectFormat)
          const options = { keep: false, isWholeHistory: false, lengthMax: bytes.length, fsckObjects: false }
          const indexer = quarantine.index(options)
          await indexer.write(bytes)
          const path = quarantine.pathOf(await indexer.finish())
          const end = pack.reduce((sum, segment) => sum + segment.bytes.length, PACK_HEADER_LENGTH)
          const top = parseOid(newest.tip, objectFormat)
          const line = { top, base: from === null ? null : parseOid(from, objectFormat), end }
          const all = pack.reduce((sum, { objectCount }) => sum + objectCount, 0)
          assert.equal(await checkAll(top, objectFormat, all, quarantine), 'not-exact', 'not without what is below')
          return await checkAdded(path, objectFormat, [line], quarantine)
        } finally {
          await quarantine.close()
        }
      }
      const added = segments.slice(half)
      assert.equal(await verdictOn(added), 'exact')
      assert.equal(await verdictOn(added, 'f'.repeat(base.length)), 'unfinished', 'its base is not there')
      assert.equal(await verdictOn(added, null), 'not-exact', 'it does not begin at the roots')

      const read = (type: string, oid: string): Promise<Uint8Array> => gitBytes(['cat-file', type, oid], { directory })
      const [, oldBlob] = /blob ([0-9a-f]+)/.exec(await git(['ls-tree', '-r', base], { directory })) ?? []
      const more: Record<string, EntryToWrite> = {
        'a blob that nobody names': { type: BLOB, data: Buffer.from('nobody names this\n') },
        'the base': { type: COMMIT, data: await read('commit', base) },
        'its own tip again': { type: COMMIT, data: await read('commit', newest.tip) },
        ...(oldBlob === undefined ? {} : { 'a file of before': { type: BLOB, data: await read('blob', oldBlob) } }),
      }
      for (const [what, entry] of Object.entries(more))
        assert.equal(await verdictOn([...added.slice(0, -1), withMore(newest, entry)]), 'not-exact', what)
      assert.equal(await verdictOn([...added.slice(0, -1), withLess(newest, objectFormat)]), 'not-exact', 'less')
    },
    { numRuns: 4 },
  ))

it('a whole history passes when it is counted; with an object more it does not', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }, scratch) => {
      const segments = await buildLine(directory, objectFormat, tip, { parameters: TIGHT })
      const [newest] = segments.slice(-1)
      if (newest === undefined) return
      const repository = join(scratch, 'u')
      await createRepository(repository, objectFormat)
      const padded = withMore(newest, { type: BLOB, data: Buffer.from('nobody names this\n') })
      for (const [last, expected] of [
        [newest, 'exact'],
        [padded, 'not-exact'],
      ] as const) {
        const quarantine = await Quarantine.open(repository)
        const pack = [...segments.slice(0, -1), last]
        const bytes = packOf(pack, objectFormat)
        const options = { keep: true, isWholeHistory: true, lengthMax: bytes.length, fsckObjects: false }
        const indexer = quarantine.index(options)
        await indexer.write(bytes)
        await indexer.finish()
        const count = pack.reduce((sum, { objectCount }) => sum + objectCount, 0)
        assert.equal(await checkAll(parseOid(tip, objectFormat), objectFormat, count, quarantine), expected)
        await quarantine.close()
      }
    },
    { numRuns: 2 },
  ))
