/**
 * Goal: a branch comes with all that it rests on, and of an exported folder only those that pay. Method: claims of one link each,
 * whose bytes nobody looks at, planned for a clone.
 */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { layOutLink, type Oid, parseOid } from '../../engine/index.ts'
import type { ChainClaim } from '../../helper/share/chain-claim.ts'
import { type LineTake, longLines, planTakes } from '../../helper/share/supply/plan.ts'

const NOTHING = new Uint8Array(0)

function oid(number: number): Oid {
  return parseOid(number.toString(16).padStart(40, '0'), 'sha1')
}

/** A line of one segment that ends at commit `tip`. */
function line(tip: number, base: number | null, length: number): ChainClaim {
  const plan = { grain: 'fine', tip: oid(tip), base: base === null ? null : oid(base) } as const
  const segments = [{ plan, objectCount: 1, commitCount: 1, length, sha256: '' }]
  const layout = layOutLink(plan, 'sha1', segments)
  const unread = { sha256: '', info: NOTHING, infohash: NOTHING, pieceLengthBytes: 0 }
  return {
    ref: `refs/heads/b${tip}`,
    tip: plan.tip,
    links: [{ tip: plan.tip, base: plan.base, segments, layout, ...unread }],
    pack: 0,
  }
}

/** The lines that are taken of `offered` by who wants those of `wanted`. */
function plan(offered: readonly ChainClaim[], wanted = offered): LineTake[] {
  const refs = new Map(wanted.map(({ ref, tip }) => [ref, tip]))
  return planTakes(offered, refs, new Set(refs.values()), () => false)
}

const topsOf = (lines: readonly LineTake[]): Oid[] => lines.map(({ top }) => top)

it('of a folder the first line is taken however short it is, and of the others those that are long enough', () => {
  const lines = plan([line(1, null, 10), line(2, 1, 500), line(3, 1, 499)])
  assert.deepEqual(topsOf(longLines(lines, 500, true)), [oid(1), oid(2)])
})

it('of a folder a short line is taken where a long one rests on it, and comes before it', () => {
  const lines = plan([line(1, null, 10), line(2, 1, 10), line(3, 2, 10), line(4, 3, 500), line(5, 2, 10)])
  assert.deepEqual(topsOf(longLines(lines, 500, true)), [oid(1), oid(2), oid(3), oid(4)])
})

it('where something else was taken before, a short line comes only with a long one that rests on it', () => {
  const lines = plan([line(1, null, 10), line(2, 1, 499), line(3, null, 10), line(4, 3, 500)])
  assert.deepEqual(topsOf(longLines(lines, 500, false)), [oid(3), oid(4)])
})

it('one branch comes with the line that it leaves, and not at all where no line names what it rests on', () => {
  const lines = [line(1, null, 10), line(2, 1, 10), line(3, 2, 10), line(4, 99, 10)]
  assert.deepEqual(topsOf(plan(lines, lines.slice(2, 3))), [oid(1), oid(2), oid(3)])
  assert.deepEqual(topsOf(plan(lines, lines.slice(3))), [])
  assert.deepEqual(topsOf(plan(lines)), [oid(1), oid(2), oid(3), oid(4)])
})
