/**
 * Goal: the figures of live runs mean what they say. Method: bounds of crowds that can be reckoned by hand, a row and its table
 * from made-up outcomes, and the account at the end of a helper's trace. What needs root and lines is not here.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesIn } from '../../bench/demo-world.ts'
import { fluidBound, serialBound } from '../../bench/fluid-bound.ts'
import type { Outcome, Scenario } from '../../bench/swarm-crowd.ts'
import { planOf } from '../../bench/swarm-plan.ts'
import { rowOf, tableOf } from '../../bench/swarm-rows.ts'

const line = (megabits: number) => ({ upBits: megabits * 1e6, downBits: megabits * 1e6 })
const lines = (count: number, megabits: number) => Array.from({ length: count }, () => line(megabits))

test('the bound is the source, the slowest line, or all uplinks together, whichever is worst', () => {
  const crowd = { lengthBytes: 1e6, sourceBits: 1e6 }
  assert.equal(fluidBound({ ...crowd, lines: lines(4, 8) }), 8)
  assert.equal(fluidBound({ ...crowd, lines: [...lines(3, 8), line(0.5)] }), 16)
  // 4 MB through 1 + 4 × 0.25 Mbit/s of uplinks.
  const asymmetric = Array.from({ length: 4 }, () => ({ upBits: 0.25e6, downBits: 8e6 }))
  assert.equal(fluidBound({ ...crowd, lines: asymmetric }), 16)
})

test('nobody is done before the last has started and loaded', () => {
  const crowd = { lengthBytes: 1e6, sourceBits: 1e6, lines: lines(4, 8) }
  assert.equal(fluidBound({ ...crowd, lastStartSeconds: 3 }), 8)
  assert.equal(fluidBound({ ...crowd, lastStartSeconds: 30 }), 31)
  assert.equal(serialBound({ ...crowd, lastStartSeconds: 30 }), 32)
  assert.equal(serialBound({ ...crowd, lastStartSeconds: 60 }), 61)
})

test('a slow one that started early does not wait for the last', () => {
  const crowd = { lengthBytes: 1e6, sourceBits: 8e6, lines: [line(1), line(8)], lastStartSeconds: 4 }
  assert.equal(fluidBound(crowd), 8)
})

const SCENARIO: Scenario = {
  name: '4 together',
  repository: 'given',
  cloneCount: 4,
  staggerSeconds: 0,
  depth: null,
  uplinkBits: 1e6,
}

const outcome = (makespanSeconds: number): Outcome => ({
  makespanSeconds,
  cloneSeconds: [1, 2, 3, makespanSeconds],
  originLength: 3e6,
  peerLength: 5e6,
  firstReceivedLength: 2e6,
  bytesFromPeers: 6e6,
  bytesFromOrigin: 2e6,
  busyCores: 2,
  failures: makespanSeconds > 20 ? ['a clone has other refs than the origin'] : [],
})

test('a row holds medians, and ratios to the smallest F', () => {
  const row = rowOf(SCENARIO, 'swarm', [9, 30, 12].map(outcome), { least: 1e6, own: 2e6 })
  assert.equal(row.makespanSeconds, 12)
  assert.deepEqual(row.makespanRange, [9, 30])
  assert.equal(row.slowestCloneSeconds, 30)
  assert.equal(row.boundSeconds, 8)
  assert.equal(row.makespanOverBound, 1.5)
  assert.equal(row.serialBoundSeconds, 64)
  assert.equal(row.originOverF, 3)
  assert.deepEqual([row.bytesFromPeers, row.bytesFromOrigin], [1.5e6, 0.5e6])
  assert.equal(row.failures.length, 1)
})

test('the table has a line per row, as many cells everywhere, and says what failed', () => {
  const rows = (['plain', 'swarm'] as const).map((strategy) =>
    rowOf(SCENARIO, strategy, [outcome(30)], { least: 1e6, own: 2e6 }),
  )
  const [titles = '', ruler = '', ...body] = tableOf(rows).trim().split('\n')
  const cells = (text: string): string[] =>
    text
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
  assert.match(ruler, /^[|-]+$/)
  assert.equal(body.length, 2)
  for (const row of [titles, ruler, ...body]) assert.equal(row.length, titles.length)
  const of = (row: string, title: string) => cells(row)[cells(titles).indexOf(title)]
  assert.deepEqual(
    body.map((row) => of(row, 'how')),
    ['git', 'gittorrent'],
  )
  for (const row of body) {
    assert.equal(of(row, '× bound'), '3.75')
    assert.equal(of(row, 'origin sent, MB'), '3.00')
    assert.equal(of(row, 'failed'), '1')
  }
})

test('the account of a helper is read from its trace, and is nothing where it has none', () => {
  const trace = 'gittorrent[1] 2.0 ms: received 12 bytes from peers, 34 from the origin, 56 from web seeds\n'
  assert.deepEqual(bytesIn(`gittorrent[1] 1.0 ms: connect\n${trace}`), { peers: 12, origin: 34, web: 56 })
  assert.deepEqual(bytesIn('fatal: no\n'), { peers: 0, origin: 0, web: 0 })
})

test('every crowd has a lone clone of its repository and depth before it, with the same strategies', () => {
  const wishes = {
    cloneCounts: [8, 16],
    staggerSeconds: 2,
    jobCount: 50,
    uplinkBits: 2e6,
    farmUplinkBits: 1e6,
    strategies: ['plain', 'swarm', 'daemons'] as const,
  }
  const planned = planOf({ ...wishes, kinds: ['together', 'staggered', 'farm', 'shallow'] })
  const lone = planned.filter(({ scenario }) => scenario.cloneCount === 1)
  assert.deepEqual(planned.slice(0, lone.length), lone)
  for (const { scenario, strategies } of planned) {
    const [of, ...others] = lone.filter(
      (one) => one.scenario.repository === scenario.repository && one.scenario.depth === scenario.depth,
    )
    assert.equal(others.length, 0)
    for (const strategy of strategies) if (strategy !== 'daemons') assert.ok(of?.strategies.includes(strategy))
    assert.ok(!strategies.includes('bundles'))
  }
  assert.deepEqual(
    planned.map(({ scenario }) => scenario.cloneCount),
    [1, 1, 1, 8, 16, 8, 50, 50],
  )
})
