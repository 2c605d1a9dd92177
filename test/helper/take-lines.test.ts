/**
 * Goal: a line that spoils the pack it shares stays alone, whatever its place, and who offers nothing but such lines costs a bounded
 * number of tries. Method: lines without bytes, and a taker that refuses every pack with a bad one in it.
 */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { type Oid, parseOid } from '../../engine/index.ts'
import { PACK_REFUSED_COUNT_MAX } from '../../helper/limits.ts'
import type { Failure, Intake } from '../../helper/share/supply/line-intake.ts'
import type { LineTake } from '../../helper/share/supply/plan.ts'
import { takeLines } from '../../helper/share/supply/take-lines.ts'

function oid(number: number): Oid {
  return parseOid(number.toString(16).padStart(40, '0'), 'sha1')
}

/** The first line stands alone. */
function linesOf(packs: readonly number[]): LineTake[] {
  return packs.map((pack, index) => {
    const top = oid(index)
    return { chain: { ref: `refs/heads/${index}`, tip: top, links: [], pack }, takes: [], top }
  })
}

async function take(packs: readonly number[], outcomeOf: (pack: readonly number[]) => Failure | null) {
  const lines = linesOf(packs)
  const tried: (readonly number[])[] = []
  const intakes = await takeLines(
    lines,
    (line) => line === lines[0],
    async (pack): Promise<readonly Intake[] | Failure> => {
      tried.push(pack)
      const failure = outcomeOf(pack)
      const intake = (index: number) => ({ top: oid(index), takes: [], isComplete: true, packHash: '', offset: 12 })
      return failure ?? pack.map(intake)
    },
  )
  return { tried, taken: intakes.flatMap((intake, index) => (intake === null ? [] : index)) }
}

it('lines come in as few packs as their numbers say, the one that stands alone first', async () => {
  const { tried, taken } = await take([0, 2, 1, 1, 2], () => null)
  assert.deepEqual(tried, [[0], [2, 3], [1, 4]])
  assert.deepEqual(taken, [0, 1, 2, 3, 4])
})

it('one bad line among many is left out, at the cost of its pack taken in halves', async () => {
  const oneOf = fc.integer({ min: 2, max: 512 }).chain((count) => fc.tuple(fc.constant(count), fc.nat(count - 1)))
  await fc.assert(
    fc.asyncProperty(oneOf, async ([count, place]) => {
      const bad = place + 1
      const { tried, taken } = await take([0, ...Array(count).fill(1)], (pack) =>
        pack.includes(bad) ? 'refused' : null,
      )
      const expected = Array.from({ length: count + 1 }, (_, index) => index).filter((index) => index !== bad)
      assert.deepEqual(taken, expected)
      assert.ok(tried.length <= 2 + 2 * Math.ceil(Math.log2(count)))
    }),
    { numRuns: 50 },
  )
})

it('nothing but bad lines: the tries are bounded', async () => {
  const { tried, taken } = await take([0, ...Array(300).fill(1)], (pack) => (pack.includes(0) ? null : 'refused'))
  assert.deepEqual(taken, [0])
  assert.equal(tried.length, PACK_REFUSED_COUNT_MAX + 2)
})

it('after a pack that broke off no other is begun', async () => {
  const { tried, taken } = await take([0, 1, 1, 2], (pack) => (pack.includes(2) ? 'broke-off' : null))
  assert.deepEqual(tried, [[0], [1, 2]])
  assert.deepEqual(taken, [0])
})
