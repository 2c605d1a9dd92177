/**
 * Charts of what it costs to build, to clone and to read: against git on the same objects, by length of history and by cores.
 */

import type { BuildReport, BuildRow } from '../build.ts'
import type { CloneReport, CloneRow } from '../clone.ts'
import type { Chart, Section } from './page.ts'
import { type RatioBar, ratioChart } from './ratio-chart.ts'
import { anchorOf, type Loaded, shortName } from './results.ts'
import { wholeOf } from './scoreboard.ts'
import { type Axes, type Bar, barChart, lineChart, type Series } from './svg.ts'

const OURS = 0
const THEIRS = 7

export function buildSection(results: readonly Loaded<BuildReport>[]): Section {
  const wholes = results.flatMap((loaded) => {
    const row = wholeOf(loaded.result.rows)
    return row === null ? [] : [{ label: loaded.result.repository, row, href: anchorOf(loaded) }]
  })
  const bytes = wholes.map(({ label, row, href }): RatioBar => {
    return { label, href, value: row.linkBytes / row.repackBytes, range: null }
  })
  const seconds = wholes.map(({ label, row, href }): RatioBar => {
    return { label, href, value: row.secondsRatio.median, range: [row.secondsRatio.min, row.secondsRatio.max] }
  })
  const memory = wholes.flatMap(({ label, row, href }): RatioBar[] => {
    const [ours, theirs] = [row.build.peakMiB, row.repack.peakMiB]
    return ours === null || theirs === null ? [] : [{ label, href, value: ours / Math.max(1, theirs), range: null }]
  })
  const ratio = (title: string, bars: readonly RatioBar[], note: string): Chart[] =>
    bars.length === 0 ? [] : [{ title, svg: ratioChart(title, bars, 'git repack'), note }]
  return {
    title: 'Building',
    lead: 'All links of the main line against git repack -adF --window=10 --depth=50 of the same objects. Blue needs less than git, orange more.',
    charts: [
      ...ratio('Bytes', bytes, 'The aim is at most 1.00 everywhere and 0.90 on git/git.'),
      ...ratio(
        'Time',
        seconds,
        'Whole processes by turns on all cores; thin lines from the least to the most of the runs. Small repositories build slower: workers start, and objects pass through git cat-file.',
      ),
      ...ratio('Peak memory', memory, 'Private pages of all processes, and file pages once.'),
      ...results.flatMap(({ result }, index) => later(index, growthCharts(result))),
      ...results.flatMap(({ result }, index) => {
        const by = coresOf(result.rows, (row) => [row.build.seconds.median, row.repack.seconds.median])
        return later(index, coresChart(result.repository, 'Build', by, 'git repack'))
      }),
    ],
    sources: results,
  }
}

function growthCharts({ repository, rows }: BuildReport): Chart[] {
  const cores = Math.max(...rows.map((row) => row.cores))
  const grown = rows.filter((row) => row.cores === cores).sort((a, b) => a.percent - b.percent)
  if (grown.length < 3) return []
  const lines = (pick: (row: BuildRow) => readonly [number, number]): Series[] => [
    { label: 'GitTorrent', colour: OURS, points: grown.map((row) => ({ x: row.percent, y: pick(row)[0] })) },
    { label: 'git repack', colour: THEIRS, points: grown.map((row) => ({ x: row.percent, y: pick(row)[1] })) },
  ]
  const chart = (title: string, series: readonly Series[], unit: string): Chart => ({
    title,
    svg: lineChart(title, series, { ...axesFor(series, unit), xText: (x) => `${x} %`, isLinear: true }),
    note: `First-parent history from the root on, each part a repository of its own; ${cores} cores.`,
  })
  return [
    chart(
      `${repository}: build time over length of history`,
      lines((row) => [row.build.seconds.median, row.repack.seconds.median]),
      's',
    ),
    chart(
      `${repository}: peak memory over length of history`,
      lines((row) => [row.build.peakMiB ?? 0, row.repack.peakMiB ?? 0]),
      'MiB',
    ),
  ]
}

/** Figures of ours and theirs by cores, ascending, for all history. */
function coresOf<T extends { readonly percent: number; readonly cores: number }>(
  rows: readonly T[],
  pick: (row: T) => readonly [number, number],
) {
  return rows
    .filter(({ percent }) => percent === 100)
    .sort((a, b) => a.cores - b.cores)
    .map((row) => ({ cores: row.cores, figures: pick(row) }))
}

function coresChart(repository: string, what: string, by: ReturnType<typeof coresOf>, theirs: string): Chart[] {
  if (by.length < 2) return []
  const of = (side: 0 | 1) => by.map(({ cores, figures }) => ({ x: cores, y: figures[side] }))
  const series = [
    { label: 'GitTorrent', colour: OURS, points: of(0) },
    { label: theirs, colour: THEIRS, points: of(1) },
  ]
  const title = `${repository}: ${what.toLowerCase()} time over cores`
  const axes = { ...axesFor(series, 's'), xText: (x: number) => `${x} core${x === 1 ? '' : 's'}` }
  return [
    {
      title,
      svg: lineChart(title, series, axes),
      note: 'The measured process and all it starts, held to that many cores.',
    },
  ]
}

/** The first repository at once, the others on demand. */
function later(index: number, charts: readonly Chart[]): Chart[] {
  return charts.map((chart) => ({ ...chart, isMore: index > 0 }))
}

/** Steps of a quarter of the axis, times a power of ten. */
const STEPS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]

/** From zero to four round steps that reach above everything. */
function axesFor(series: readonly Series[], unit: string): Omit<Axes, 'xText'> {
  const least = Math.max(...series.flatMap(({ points }) => points.map(({ y }) => y)), 0.001) / 4
  const ten = 10 ** Math.floor(Math.log10(least))
  const step = (STEPS.find((one) => one * ten >= least) ?? 10) * ten
  return { yMin: 0, yMax: 4 * step, yText: (y) => `${Number(y.toPrecision(3))} ${unit}`, mark: null, target: null }
}

const WAYS: Readonly<Record<CloneRow['way'], string>> = {
  swarm: 'GitTorrent, one seeder',
  plain: 'git clone',
  'bundle-uri': 'git clone --bundle-uri',
  'web seed': 'GitTorrent, web seed',
  'index-pack alone': 'git index-pack alone',
}

export function cloneSection(results: readonly Loaded<CloneReport>[]): Section {
  return {
    title: 'Cloning next door',
    lead: 'Everything on one loopback, which flatters whoever moves more bytes with less work: what a swarm saves is bandwidth, and there is no want of it here.',
    charts: [
      ...results.map((loaded) => waysChart(loaded, 'all')),
      ...results.flatMap((loaded, index) => later(index, [waysChart(loaded, 'line')])),
      ...results.flatMap(({ result }, index) => later(index, cloneLines(result))),
    ],
    sources: results,
  }
}

function waysChart(loaded: Loaded<CloneReport>, scope: CloneRow['scope']): Chart {
  const { repository, rows } = loaded.result
  const cores = Math.max(...rows.map((row) => row.cores))
  const shown = rows.filter((row) => row.scope === scope && row.percent === 100 && row.cores === cores)
  const bars = shown.map(({ way, effort }): Bar => {
    const { median, min, max } = effort.seconds
    const role = way === 'swarm' || way === 'web seed' ? 'ours' : way === 'index-pack alone' ? 'bound' : 'other'
    return {
      label: WAYS[way],
      value: median,
      text: `${median.toFixed(2)} s`,
      role,
      range: [min, max],
      href: anchorOf(loaded),
    }
  })
  const title = `${repository}, ${scope === 'all' ? 'all branches and tags' : 'main line alone'}: seconds of a clone`
  const moved = shown.flatMap(({ way, bytes, storedBytes }) => {
    const total = bytes === null ? 0 : bytes.peers + bytes.origin + bytes.web
    const parts =
      bytes === null ? '' : `${mb(total)} MB${bytes.peers > 0 ? `, of them ${mb(bytes.peers)} from peers` : ''}`
    return bytes === null ? [] : [`${WAYS[way]} ${parts} (${mb(storedBytes ?? 0)} stored)`]
  })
  return { title, svg: barChart(title, bars, mostOf(bars)), note: `Moved: ${moved.join('; ')}.` }
}

function cloneLines({ repository, rows }: CloneReport): Chart[] {
  const cores = Math.max(...rows.map((row) => row.cores))
  const line = rows.filter((row) => row.scope === 'line')
  const secondsOf = (way: CloneRow['way'], like: CloneRow): number =>
    line.find((row) => row.way === way && row.percent === like.percent && row.cores === like.cores)?.effort.seconds
      .median ?? 0
  const ours = line.filter((row) => row.way === 'swarm')
  const grown = ours.filter((row) => row.cores === cores).sort((a, b) => a.percent - b.percent)
  const charts: Chart[] = []
  if (grown.length >= 3) {
    const of = (way: CloneRow['way']) => grown.map((row) => ({ x: row.percent, y: secondsOf(way, row) }))
    const series = [
      { label: 'GitTorrent', colour: OURS, points: of('swarm') },
      { label: 'git clone', colour: THEIRS, points: of('plain') },
    ]
    const title = `${repository}: clone time over length of history`
    const axes = { ...axesFor(series, 's'), xText: (x: number) => `${x} %`, isLinear: true }
    charts.push({ title, svg: lineChart(title, series, axes), note: `The main line from the root on; ${cores} cores.` })
  }
  const by = coresOf(ours, (row) => [row.effort.seconds.median, secondsOf('plain', row)])
  return [...charts, ...coresChart(repository, 'Clone', by, 'git clone')]
}

export function readingSection(results: readonly Loaded<CloneReport>[]): Section {
  const bars = results.flatMap((loaded) =>
    loaded.result.reading.map(({ command, ratio }): RatioBar => {
      return {
        label: `${shortName(loaded.result.repository)}, ${command.replace('git ', '')}`,
        value: ratio.median,
        range: [ratio.min, ratio.max],
        href: anchorOf(loaded),
      }
    }),
  )
  const title = 'Time to read'
  const note = 'The aim is 1.3. HEAD is stored as deltas here, and whole in a pack of git: a checkout pays for that.'
  return {
    title: 'Reading',
    lead: 'A clone made of links against the same objects freshly repacked, by turns.',
    charts: [{ title, svg: ratioChart(title, bars, 'repack'), note }],
    sources: results,
  }
}

export function mostOf(bars: readonly Bar[]): number {
  return Math.max(...bars.flatMap(({ value, range }) => [value, range?.[1] ?? 0]))
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)
}
