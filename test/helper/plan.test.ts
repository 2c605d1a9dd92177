/**
 * Goal: of many branches those come from peers that pay, with all that they rest on. Method: claims of one link each, whose
 * bytes nobody looks at, planned for a clone.
 */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { layOutLink, type Oid, parseOid } from '../../engine/index.ts'
import { LINE_LENGTH_MIN } from '../../helper/limits.ts'
import type { ChainClaim } from '../../helper/share/chain-claim.ts'
import { planTakes } from '../../helper/share/supply/plan.ts'

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
  }
}

/** Tips of the lines that a clone of all of them takes. */
function taken(...lines: readonly ChainClaim[]): Oid[] {
  const wanted = new Map(lines.map(({ ref, tip }) => [ref, tip]))
  return planTakes(lines, wanted, new Set(wanted.values()), () => false).map(({ top }) => top)
}

it('the first line is taken however short it is, and of the others those that are long enough', () => {
  const lines = [line(1, null, 10), line(2, 1, LINE_LENGTH_MIN), line(3, 1, LINE_LENGTH_MIN - 1)]
  assert.deepEqual(taken(...lines), [oid(1), oid(2)])
})

it('a short line is taken where a long one leaves it, and comes before it', () => {
  const lines = [line(1, null, 10), line(2, 1, 10), line(3, 2, 10), line(4, 3, LINE_LENGTH_MIN), line(5, 2, 10)]
  assert.deepEqual(taken(...lines), [oid(1), oid(2), oid(3), oid(4)])
})
