/**
 * Goal: the page of charts and the tables say what the results say, every number leads to its run, and the page is sound HTML.
 * Method: draw made-up results and read lengths, texts, links and nesting back; make the committed report anew from the committed results.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { BuildReport } from '../../bench/build.ts'
import type { CloneReport } from '../../bench/clone.ts'
import type { MicroReport } from '../../bench/micro/report.ts'
import { answersOf } from '../../bench/report/answers.ts'
import { grainSection } from '../../bench/report/grain-charts.ts'
import { ratioChart } from '../../bench/report/ratio-chart.ts'
import { type FlashReport, readResults, sortResults } from '../../bench/report/results.ts'
import { scores } from '../../bench/report/scoreboard.ts'
import { pageOf } from '../../bench/report/sections.ts'
import { sharingSection } from '../../bench/report/sharing-charts.ts'
import { barChart, percent, spread } from '../../bench/report/svg.ts'
import { documentWith, PART_NAMES } from '../../bench/report/tables.ts'
import type { RivalsReport } from '../../bench/rivals.ts'
import { POPULATION } from '../../bench/sharing/demand.ts'
import type { Report } from '../../bench/sharing/print.ts'
import type { Books, Outcome } from '../../bench/sharing/simulate.ts'
import type { StaticReport } from '../../bench/static.ts'
import type { SwarmReport } from '../../bench/swarm-rows.ts'
import { GT1 } from '../../engine/index.ts'
import { projectRoot, readProjectFile } from '../tidy/project.ts'

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

const ABOUT = { repository: 'one', command: 'npm run bench:x -- one', machine: 'machine 7', load: 0, day: '2026-01-02' }
const times = (median: number) => ({ median, min: median / 2, max: median * 2, runs: 3 })
const effort = (seconds: number) => ({ seconds: times(seconds), cpuSeconds: times(seconds), peakMiB: 100 * seconds })

const buildRow = (percent: number, cores: number) => ({
  percent,
  cores,
  commits: percent,
  objects: 1,
  links: 1,
  linkBytes: 80,
  repackBytes: 100,
  build: effort(2),
  repack: effort(1),
  secondsRatio: times(2),
  again: effort(0.5),
})

const cloneRow = (way: CloneReport['rows'][number]['way'], scope: 'all' | 'line', ratio: number | null) => ({
  way,
  scope,
  percent: 100,
  cores: 4,
  effort: effort(ratio ?? 1),
  secondsRatio: ratio === null ? null : times(ratio),
  bytes: { peers: way === 'swarm' ? 75 : 0, origin: 25, web: 0 },
  storedBytes: 100,
})

const BUILD: BuildReport = {
  ...ABOUT,
  bench: 'build',
  tip: 'a',
  rows: [buildRow(100, 4), buildRow(10, 4), buildRow(50, 4), buildRow(100, 1)],
}
const CLONE: CloneReport = {
  ...ABOUT,
  bench: 'clone',
  rows: [
    cloneRow('swarm', 'all', 2),
    cloneRow('plain', 'all', null),
    cloneRow('swarm', 'line', 1),
    cloneRow('plain', 'line', null),
  ],
  reading: [{ command: 'git checkout', links: times(3), repack: times(2), ratio: times(1.5) }],
}
const RIVALS: RivalsReport = {
  ...ABOUT,
  bench: 'rivals',
  rows: [{ way: 'git clone', effort: effort(1), secondsRatio: null, wireBytes: 5e6, prepareSeconds: 2 }],
  absent: [{ way: 'Radicle', reason: 'nowhere' }],
}
const MICRO: MicroReport = {
  ...ABOUT,
  bench: 'micro',
  rounds: 5,
  against: 'v1',
  slower: ['delta'],
  kernels: {
    copy: { nsPerByte: 1, bound: null, ratio: [1, 1, 1], against: null },
    delta: { nsPerByte: 4, bound: 'copy', ratio: [3, 4, 5], against: [1.2, 1.3, 1.4] },
  },
}
const SWARM: SwarmReport = {
  ...ABOUT,
  bench: 'swarm',
  rows: [
    {
      scenario: '8 together',
      repository: 'given',
      staggerSeconds: 0,
      depth: null,
      uplinkBits: 1e7,
      strategy: 'swarm',
      cloneCount: 8,
      runCount: 1,
      makespanSeconds: 20,
      makespanRange: [18, 22],
      boundSeconds: 10,
      makespanOverBound: 2,
      originLength: 3e6,
      originOverF: 1.5,
      medianCloneSeconds: 15,
      slowestCloneSeconds: 20,
      serialBoundSeconds: 30,
      peerLength: 4e6,
      bytesFromPeers: 5e5,
      bytesFromOrigin: 1e5,
      busyCores: 1,
      failures: [],
    },
  ],
}
const FLASH: FlashReport = {
  ...ABOUT,
  bench: 'flash',
  results: {
    crowd: { peerCount: 16, medianPeer: times(1.1), worstPeer: times(1.2), seedUploadPerF: times(1.05) },
    lossy: { leftOut: 'no netem' },
  },
}
const STATIC: StaticReport = {
  ...ABOUT,
  bench: 'static',
  commits: 9,
  cloneCount: 20,
  laterCount: 3,
  fetches: [],
  exports: [],
  ways: [{ name: 'plain git', originBytes: 5e6, webBytes: 0, peerBytes: 0, durationMs: 900 }],
}
const ALL = [STATIC, BUILD, CLONE, RIVALS, MICRO, SWARM, FLASH, REPORT, grainReport('one')]
const RESULTS = sortResults(ALL.map((result) => ({ id: `${result.bench}-one`, result })))

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
  const widthsOf = (svg: string): number[] =>
    [...svg.matchAll(/<rect [^>]*width="([0-9.]+)"/g)].map(([, width]) => Number(width))
  const [long = 0, short = 0] = widthsOf(barChart('title', [bar(100), bar(25)]))
  assert.ok(Math.abs(long / short - 4) < 0.01)
  const [beside] = widthsOf(barChart('title', [bar(100)], [{ value: 200, text: 'aim' }]))
  assert.ok(Math.abs((beside ?? 0) - long / 2) < 1, 'a mark beyond all bars has room')
  const parts = [
    { value: 30, role: 'other' as const },
    { value: 70, role: 'ours' as const },
  ]
  const [first = 0, second = 0] = widthsOf(barChart('title', [{ ...bar(100), parts }]))
  assert.ok(Math.abs(first + second - long) < 0.02 && Math.abs(first / long - 0.3) < 0.01)
})

test('no label reaches over the edge of its drawing', () => {
  const html = pageOf(readResults(join(projectRoot, 'bench', 'results')))
  const texts = [...html.matchAll(/<text class="label ([a-z]*)"? x="([0-9.]+)"[^>]*text-anchor="end">([^<]*)</g)]
  assert.ok(texts.length > 50)
  for (const [, role, x, text = ''] of texts)
    assert.ok(text.length * (role === 'ours' ? 7.8 : 7) <= Number(x), `${text} at ${x}`)
})

test('labels are moved apart in their order, down and then up from the edge', () => {
  assert.deepEqual(spread([100, 101, 20, 300], 400), [100, 116, 20, 300])
  assert.deepEqual(spread([100, 395, 400], 400), [100, 384, 400])
})

test('shares are rounded, but never to nothing or to everything', () => {
  assert.deepEqual([0, 0.004, 0.336, 0.997, 1].map(percent), ['0 %', '0.4 %', '34 %', '99.7 %', '100 %'])
})

test('the page nests, escapes, and names command and machine', () => {
  const html = pageOf(RESULTS)
  assertNests(html)
  assert.ok(html.includes('a&lt;b') && !html.includes('a<b'))
  assert.ok(html.includes('npm run bench:sharing -- &quot;a&amp;b&quot;'))
  assert.ok(html.includes('machine 7'))
  assert.doesNotMatch(html, /NaN|undefined|Infinity|<script|https?:/)
})

test('every number leads to a run on the page, and every run to its file', () => {
  const html = pageOf(RESULTS)
  const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => `#${id}`))
  const links = [...html.matchAll(/href="(#[^"]+)"/g)].map(([, href = '']) => href)
  assert.deepEqual(
    links.filter((href) => !ids.has(href)),
    [],
  )
  for (const { bench } of ALL)
    assert.ok(links.includes(`#run-${bench}-one`) && html.includes(`"results/${bench}-one.json"`), bench)
  const loose = [...html.matchAll(/(<a [^>]*>)?<text class="value[^>]*>([^<]*)</g)].filter(
    ([, link]) => link === undefined,
  )
  assert.deepEqual(loose, [])
})

test('half and twice are equally long, to the left and to the right of the same', () => {
  const bar = (value: number) => ({ label: 'x', value, range: null, href: '#y' })
  const svg = ratioChart('title', [bar(0.5), bar(2), bar(1)], 'git')
  const rows = [...svg.matchAll(/<rect class="bar (\w+)" x="([0-9.]+)"[^>]*width="([0-9.]+)"/g)]
  const [half, twice, same] = rows.map(([, role, x, width]) => ({ role, x: Number(x), width: Number(width) }))
  assert.ok(half !== undefined && twice !== undefined && same !== undefined)
  assert.deepEqual([half.role, twice.role, same.role], ['better', 'worse', 'better'])
  assert.equal(half.width, twice.width)
  assert.ok(Math.abs(half.x + half.width - twice.x) < 0.01)
  assert.equal(same.width, 1)
})

test('the scores tell better from worse and same', () => {
  const told = scores(RESULTS).map(({ title, figures }) => [title, figures[0]?.text, figures[0]?.kind])
  assert.deepEqual(told, [
    ['bytes', '0.80', 'good'],
    ['build time', '2.00', 'bad'],
    ['build memory', '2.00', 'bad'],
    ['clone, all refs', '2.00', 'bad'],
    ['clone, main line', '1.00', 'same'],
    ['log -p', undefined, undefined],
    ['checkout', '1.50', 'bad'],
    ['bytes from peers', '75 %', 'same'],
  ])
})

test('the answers say what the results say, and the worst of it', () => {
  const answers = answersOf(RESULTS)
  const told = answers.map(({ question, figure }) => `${question} ${figure}`)
  assert.deepEqual(told, ['Is it smaller? 0.80', 'Is it faster? 1.00', 'What speaks against it? × 2.00'])
  const lines = answers.map(({ lines }) =>
    lines.map((pieces) => pieces.map((one) => (typeof one === 'string' ? one : one.text)).join('')),
  )
  assert.ok(lines[0]?.includes('All links of the main line: one 0.80.'))
  assert.ok(lines[2]?.includes('Memory to build, times git’s: one 2.00.'))
})

test('the document gets its tables, keeps its prose, and loses a table that has no results', () => {
  const part = (name: string, text: string): string => `<!-- generated: ${name} -->\n${text}<!-- end of generated -->\n`
  const text = `prose\n${part('building', 'old')}more\n${part('swarm', 'gone')}end\n`
  const made = documentWith(text, sortResults([{ id: 'build-one', result: BUILD }]))
  assert.match(made, /^prose\n[\s\S]*\| \[one\]\[build-one\] \| 100 \| 1 \|[\s\S]*more\n[\s\S]*end\n$/)
  assert.doesNotMatch(made, /old|gone/)
  assert.equal(documentWith(made, sortResults([{ id: 'build-one', result: BUILD }])), made)
  assert.throws(() => documentWith(part('nothing', ''), RESULTS), /got nothing/)
  const all = documentWith(PART_NAMES.map((name) => part(name, '')).join(''), RESULTS)
  assert.doesNotMatch(all, /NaN|undefined|Infinity|\[object/)
})

test('the committed report is what the committed results make', () => {
  const results = readResults(join(projectRoot, 'bench', 'results'))
  const document = readProjectFile('bench/RESULTS.md')
  assert.equal(documentWith(document, results), document)
  assert.equal(pageOf(results), readProjectFile('bench/report.html'))
})

test('the committed results hold no paths of the machine that made them', () => {
  const page = pageOf(readResults(join(projectRoot, 'bench', 'results')))
  assert.deepEqual(page.match(/\/(tmp|home|root|work|Users)\/.{20}/g) ?? [], [])
})

test('the committed page and document have a value wherever they name one', () => {
  for (const text of [readProjectFile('bench/report.html'), readProjectFile('bench/RESULTS.md')])
    assert.deepEqual(text.match(/.{30}\b(NaN|undefined|Infinity)\b.{10}/g) ?? [], [])
})

test('the charts of sharing show shares of all bytes, what is left to the origin, and overhead', () => {
  const [kinds, origin, overhead] = sharingSection({ id: 'sharing', result: REPORT }, true).charts
  assert.match(kinds?.svg ?? '', />63</)
  assert.match(kinds?.svg ?? '', />80</)
  assert.match(origin?.svg ?? '', />GitTorrent</)
  assert.match(overhead?.svg ?? '', />× 2.00</)
})

test('the lines of N0 fall as the figures do', () => {
  const [daily] = grainSection([{ id: 'grain', result: grainReport('one') }]).charts
  const heights = [...(daily?.svg ?? '').matchAll(/<circle [^>]*cy="([0-9.]+)"/g)].map(([, y]) => Number(y))
  assert.equal(heights.length, 5)
  assert.deepEqual(
    [...heights].sort((a, b) => a - b),
    heights,
  )
  const drop = (index: number): number => (heights[index] ?? 0) - (heights[0] ?? 0)
  assert.ok(Math.abs(drop(1) / drop(2) - 0.5 / 0.75) < 0.01)
})
