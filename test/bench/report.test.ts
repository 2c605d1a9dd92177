/**
 * Goal: the page of charts says what the results say, and is sound HTML. Method: draw made-up results and read lengths,
 * texts and nesting back out of the page.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grainSection } from '../../bench/report/grain-charts.ts'
import { page } from '../../bench/report/page.ts'
import { sharingSection } from '../../bench/report/sharing-charts.ts'
import { barChart, percent, spread } from '../../bench/report/svg.ts'
import { POPULATION } from '../../bench/sharing/demand.ts'
import type { Report } from '../../bench/sharing/print.ts'
import type { Books, Outcome } from '../../bench/sharing/simulate.ts'
import { GT1 } from '../../engine/index.ts'

function outcomeOf(name: string, within: number): Outcome {
  const daily: Books = {
    fetches: 2,
    stored: 50,
    packed: 80,
    live: 20,
    within: [0, within, within],
    before: [0, within, within],
    everBefore: within,
  }
  return {
    name,
    note: '',
    all: daily,
    kinds: { daily },
    packs: 1,
    packsPerDay: 1,
    swarms: 1,
    swarmsPerDay: 1,
    peersPerSwarm: 1,
    peersPerByte: 1,
  }
}

const REPORT: Report = {
  bench: 'sharing',
  repository: 'a<b',
  tip: '0123456789abcdef',
  heights: 10,
  commitsInWindow: 5,
  command: 'npm run bench:sharing -- "a&b"',
  machine: 'machine 7',
  load: 0,
  day: '2026-01-02',
  seed: 1,
  days: 365,
  calibration: {
    gitOverStored: [],
    gitCloneOverStored: 1,
    shallowPoints: [],
    shallowStepOverStored: 1,
    fineOverStored: {},
    dailyOverStored: 1,
  },
  seconds: { build: 0, sample: 0, simulate: 0 },
  runs: [
    {
      scale: 1,
      population: POPULATION,
      fetches: 2,
      outcomes: [
        outcomeOf('pack per pair', 0),
        outcomeOf('segments N0=4 G=4', 63),
        outcomeOf('segments N0=4 G=4 + snapshots', 70),
        outcomeOf('ideal', 80),
      ],
    },
  ],
}

const CUT = GT1.checkpointModulus * 2 ** GT1.coarseLevel

const grainReport = (repository: string) => ({
  bench: 'grain' as const,
  repository,
  command: 'npm run bench:grain',
  machine: 'machine 7',
  load: 0,
  day: '2026-01-02',
  rows: [1, 2, 4, 8, 16].map((n0) => ({
    repository,
    N0: n0,
    G: Math.log2(CUT / n0),
    cut: CUT,
    dailyBytes: 1 / n0,
    monthlyBytes: 1,
    averageChainBytes: 100,
  })),
})

/** Complains about tags that do not nest. */
function assertNests(html: string): void {
  const open: string[] = []
  for (const [, slash, name = '', rest = ''] of html.matchAll(/<(\/?)([a-z0-9]+)((?:[^>"]|"[^"]*")*)>/g)) {
    if (['meta', 'br'].includes(name) || rest.endsWith('/')) continue
    if (slash === '/') assert.equal(open.pop(), name)
    else open.push(name)
  }
  assert.deepEqual(open, [])
}

test('bars are as long as their values, and never longer than the room', () => {
  const bar = (value: number) => ({ label: 'x', value, text: '', role: 'other' as const })
  const svg = barChart('title', [bar(100), bar(25), bar(400)], 100)
  const widths = [...svg.matchAll(/<rect [^>]*width="([0-9.]+)"/g)].map(([, width]) => Number(width))
  assert.equal(widths.length, 3)
  assert.ok(Math.abs((widths[0] ?? 0) / (widths[1] ?? 1) - 4) < 0.01)
  assert.equal(widths[2], widths[0])
})

test('labels are moved apart in their order, down and then up from the edge', () => {
  assert.deepEqual(spread([100, 101, 20, 300], 400), [100, 116, 20, 300])
  assert.deepEqual(spread([100, 395, 400], 400), [100, 384, 400])
})

test('shares are rounded, but never to nothing or to everything', () => {
  assert.deepEqual([0, 0.004, 0.336, 0.997, 1].map(percent), ['0 %', '0.4 %', '34 %', '99.7 %', '100 %'])
})

test('the page nests, escapes, and names command and machine', () => {
  const html = page('title', 'lead', [sharingSection(REPORT), grainSection([grainReport('one'), grainReport('two')])])
  assertNests(html)
  assert.ok(html.includes('a&lt;b') && !html.includes('a<b'))
  assert.ok(html.includes('npm run bench:sharing -- &quot;a&amp;b&quot;'))
  assert.ok(html.includes('machine 7'))
  assert.doesNotMatch(html, /NaN|undefined|Infinity|<script|https?:/)
})

test('the charts of sharing show shares of all bytes, what is left to the origin, and overhead', () => {
  const [kinds, origin, overhead] = sharingSection(REPORT).charts
  assert.match(kinds?.svg ?? '', />63 %</)
  assert.match(kinds?.svg ?? '', />80 %</)
  assert.match(origin?.svg ?? '', />GitTorrent</)
  assert.match(overhead?.svg ?? '', />× 2.00</)
})

test('the lines of N0 fall as the figures do', () => {
  const [daily] = grainSection([grainReport('one')]).charts
  const heights = [...(daily?.svg ?? '').matchAll(/<circle [^>]*cy="([0-9.]+)"/g)].map(([, y]) => Number(y))
  assert.equal(heights.length, 5)
  assert.deepEqual(
    [...heights].sort((a, b) => a - b),
    heights,
  )
  const drop = (index: number): number => (heights[index] ?? 0) - (heights[0] ?? 0)
  assert.ok(Math.abs(drop(1) / drop(2) - 0.5 / 0.75) < 0.01)
})
