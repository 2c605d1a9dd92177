/**
 * Goal: heights, times and chains of a line are what the definitions say. Method: tiny lines worked out by hand, random
 * ones against the engine's own plan, and a generated repository whose objects git counts.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { generateRepository } from '../../bench/generate-repository.ts'
import { chainHeights, cutTable, fineBaseOf } from '../../bench/sharing/chain-heights.ts'
import { LineBuild } from '../../bench/sharing/line-builds.ts'
import { dayEnds, measureLine, sumsByHeight } from '../../bench/sharing/line-sizes.ts'
import { arrivalTimes, heightAt, newestCut, readMainLine } from '../../bench/sharing/main-line.ts'
import { GT1, type Oid, planChain } from '../../engine/index.ts'
import { Workshop } from '../../helper/build/workshop.ts'
import { git, gitLines } from '../support/git.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

test('nothing arrives before what is below it, nor after the newest commit', () => {
  assert.deepEqual([...arrivalTimes([10, 5, 99, 20, 30])].slice(1), [10, 10, 30, 30, 30])
})

test('the height at a time is the newest commit that is not later', () => {
  const times = arrivalTimes([10, 20, 20, 30])
  assert.deepEqual(
    [9, 10, 19, 20, 29, 30, 99].map((time) => heightAt(times, time)),
    [0, 1, 1, 3, 3, 4, 4],
  )
})

test('the newest cut of a height is at or below it', () => {
  assert.deepEqual([...newestCut(Int8Array.of(-1, 0, 2, 1, 0, 3), 2)], [0, 0, 2, 2, 2, 5])
})

test('a day ends with its last commit, and the newest day has not ended', () => {
  const day = 86400
  assert.deepEqual([...dayEnds(arrivalTimes([1, 2, day + 1, day + 2, 3 * day]))], [0, 0, 2, 2, 4, 4])
})

test('sums by height stand still between the ends of segments', () => {
  const segment = { base: 0, objectCount: 1, commitCount: 1, depthMax: 0 }
  const sums = sumsByHeight(
    [
      { ...segment, tip: 2, byteCount: 5 },
      { ...segment, tip: 3, byteCount: 7 },
    ],
    4,
  )
  assert.deepEqual([...sums], [0, 0, 5, 12, 12])
})

test('chains by height are the chains that the engine plans', () => {
  const zeroCounts = fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(zeroCounts, fc.nat({ max: 2 }), fc.nat({ max: 3 }), (list, n0Log, coarseLevel) => {
      const zeros = Int8Array.from([-1, ...list])
      const tip = list.length
      const checkpoints = list
        .map((zeroCount, index) => ({ oid: `${index + 1}` as Oid, level: zeroCount - n0Log, height: index + 1 }))
        .filter(({ level }) => level >= 0)
        .reverse()
      const links = planChain({ tip: `${tip}` as Oid, length: tip, checkpoints }, { ...GT1, coarseLevel })
      const table = cutTable(zeros)
      const ends = links.map((link) => Number(link.base ?? 0))
      assert.deepEqual(chainHeights(table, tip, n0Log, 1), [checkpoints[0]?.height ?? 0, ...ends])
      const fine = links.flatMap(({ segments }) => segments).filter(({ grain }) => grain === 'fine')
      const bases = fine.map(({ base }) => Number(base ?? 0))
      assert.equal(fineBaseOf(table, tip, n0Log, coarseLevel), Math.min(checkpoints[0]?.height ?? 0, ...bases))
    }),
  )
})

test('segments built over any cuts hold each object once', async () => {
  await withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'project.git')
    await generateRepository(directory, { commitCount: 120, seed: 3 })
    const line = await readMainLine(directory)
    const top = line.oids.length - 1
    assert.equal(top, Number(await git(['rev-list', '--count', '--first-parent', 'HEAD'], { directory })))
    const objectCount = (await gitLines(['rev-list', '--objects', 'HEAD'], { directory })).length
    const workshop = await Workshop.open(directory, scratch, 1)
    try {
      const build = new LineBuild(line, workshop)
      const coarse = await build.buildCoarse([20, 30, top])
      const fine = await build.buildFine(20, [25, 30, 31, top])
      const countOf = (segments: readonly { objectCount: number }[]): number =>
        segments.reduce((sum, segment) => sum + segment.objectCount, 0)
      assert.equal(countOf(coarse), objectCount)
      assert.deepEqual(
        fine.map(({ base, tip }) => [base, tip]),
        [
          [20, 25],
          [25, 30],
          [30, 31],
          [31, top],
        ],
      )
      assert.equal(countOf(fine), countOf(coarse.slice(1)))
    } finally {
      await workshop.close()
    }
  })
})

test('sizes by height add up to the bytes of all coarse segments, whatever the cut', async () => {
  await withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'project.git')
    await generateRepository(directory, { commitCount: 150, seed: 2 })
    const line = await readMainLine(directory)
    const top = line.oids.length - 1
    const workshop = await Workshop.open(directory, scratch, 1)
    try {
      const sizes = await measureLine(line, workshop, { coarseLog: 3, n0Logs: [0, 1, 3, 4], lowest: top - 20 })
      assert.ok((sizes.coarse[top] ?? 0) > 10_000)
      assert.equal(sizes.stored[top], sizes.coarse[top])
      const lowestCut = newestCut(line.zeros, 3)[top - 20] ?? 0
      assert.ok(lowestCut > 0 && Math.abs((sizes.stored[lowestCut] ?? 0) - (sizes.coarse[lowestCut] ?? 0)) < 1)
      for (let height = 1; height <= top; height++) {
        assert.ok((sizes.stored[height] ?? 0) > (sizes.stored[height - 1] ?? 0), `height ${height}`)
      }
      for (const [log, bytes] of sizes.fine) {
        const ratio = (bytes[top] ?? 0) / (sizes.stored[top] ?? 1)
        assert.ok(ratio > 0.8 && ratio < 1.5, `N0 = ${2 ** log}: ${ratio}`)
      }
    } finally {
      await workshop.close()
    }
  })
})
