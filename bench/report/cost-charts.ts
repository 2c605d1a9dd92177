/**
 * Charts of what it costs to build, to clone and to read: against git on the same objects, by length of history and by cores.
 */

import type { BuildReport, BuildRow } from '../build.ts'
import type { CloneReport, CloneRow } from '../clone.ts'
import type { Spread } from '../measure.ts'
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
    return row === null ? [] : [{ label: shortName(loaded.result.repository), row, href: anchorOf(loaded) }]
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
    lead: 'All links of the main line against git repack -adF --window=10 --depth=50 of the same objects. To the left of the dotted line, blue: less than git. To the right, orange: more.',
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
        const by = coresOf(result.rows, (row) => [row.build.seconds, row.repack.seconds])
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
  const lines = (pick: (row: BuildRow) => readonly [Figure, Figure]): Series[] =>
    bothLines('git repack', (side) => grown.map((row) => pointOf(row.percent, pick(row)[side])))
  const chart = (title: string, series: readonly Series[], unit: string): Chart => ({
    title,
    svg: lineChart(title, series, { ...axesFor(series, unit), xText: (x) => `${x} %`, isLinear: true }),
    note: `First-parent history from the root on, each part a repository of its own; ${cores} cores.`,
  })
  return [
    chart(
      `${shortName(repository)}: build time over length of history`,
      lines((row) => [row.build.seconds, row.repack.seconds]),
      's',
    ),
    chart(
      `${shortName(repository)}: peak memory over length of history`,
      lines((row) => [row.build.peakMiB ?? 0, row.repack.peakMiB ?? 0]),
      'MiB',
    ),
  ]
}

/** A value, or the spread of several runs. */
type Figure = number | Spread

function pointOf(x: number, figure: Figure): Series['points'][number] {
  return typeof figure === 'number' ? { x, y: figure } : { x, y: figure.median, range: [figure.min, figure.max] }
}

/** Two lines: ours and, under its name, what it is compared with. */
function bothLines(theirs: string, pointsOf: (side: 0 | 1) => Series['points']): Series[] {
  return [
    { label: 'GitTorrent', colour: OURS, points: pointsOf(0) },
    { label: theirs, colour: THEIRS, points: pointsOf(1) },
  ]
}

/** Figures of ours and theirs by cores, ascending, for all history. */
function coresOf<T extends { readonly percent: number; readonly cores: number }>(
  rows: readonly T[],
  pick: (row: T) => readonly [Figure, Figure],
) {
  return rows
    .filter(({ percent }) => percent === 100)
    .sort((a, b) => a.cores - b.cores)
    .map((row) => ({ cores: row.cores, figures: pick(row) }))
}

function coresChart(repository: string, what: string, by: ReturnType<typeof coresOf>, theirs: string): Chart[] {
  if (by.length < 2) return []
  const series = bothLines(theirs, (side) => by.map(({ cores, figures }) => pointOf(cores, figures[side])))
  const title = `${shortName(repository)}: ${what.toLowerCase()} time over cores`
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
  const least = Math.max(...series.flatMap(({ points }) => points.map(({ y, range }) => range?.[1] ?? y)), 0.001) / 4
  const ten = 10 ** Math.floor(Math.log10(least))
  const step = (STEPS.find((one) => one * ten >= least) ?? 10) * ten
  return { yMin: 0, yMax: 4 * step, yText: (y) => `${Number(y.toPrecision(3))} ${unit}`, mark: null, target: null }
}

const WAYS: Readonly<Record<CloneRow['way'], string>> = {
  swarm: 'GitTorrent, a peer',
  plain: 'git clone',
  'bundle-uri': 'git, --bundle-uri',
  'web seed': 'GitTorrent, web seed',
  'index-pack alone': 'index-pack alone',
}

export function cloneSection(results: readonly Loaded<CloneReport>[]): Section {
  const ratio = (scope: CloneRow['scope'], title: string, note: string): Chart[] => {
    const bars = results.flatMap((loaded): RatioBar[] => {
      const { repository, rows } = loaded.result
      const row = rows.find((one) => one.way === 'swarm' && one.scope === scope && one.percent === 100)
      if (row === undefined || row.secondsRatio === null) return []
      const { median, min, max } = row.secondsRatio
      return [{ label: shortName(repository), value: median, range: [min, max], href: anchorOf(loaded) }]
    })
    return bars.length === 0 ? [] : [{ title, svg: ratioChart(title, bars, 'git clone'), note }]
  }
  return {
    title: 'Cloning next door',
    lead: 'Everything on one loopback, which flatters whoever moves more bytes with less work: what a swarm saves is bandwidth, and there is no want of it here.',
    charts: [
      ...ratio('line', 'Time of a clone of the main line', 'All of it comes from a peer, as links.'),
      ...ratio(
        'all',
        'Time of a clone of all branches and tags',
        'Each branch with a chain of its own is one more git index-pack; tigerbeetle has hundreds of branches.',
      ),
      ...results.map((loaded, index) => ({ ...waysChart(loaded, 'line'), isMore: index > 1 })),
      ...results.map((loaded) => ({ ...waysChart(loaded, 'all'), isMore: true })),
      ...results.flatMap(({ result }, index) => later(index + 1, cloneLines(result))),
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
  const title = `${shortName(repository)}, ${scope === 'all' ? 'all branches and tags' : 'main line alone'}: seconds of a clone`
  const moved = shown.flatMap(({ way, bytes, storedBytes }) => {
    const total = bytes === null ? 0 : bytes.peers + bytes.origin + bytes.web
    const parts =
      bytes === null ? '' : `${mb(total)} MB${bytes.peers > 0 ? `, of them ${mb(bytes.peers)} from peers` : ''}`
    return bytes === null ? [] : [`${WAYS[way]} ${parts} (${mb(storedBytes ?? 0)} stored)`]
  })
  return { title, svg: barChart(title, bars), note: `Moved: ${moved.join('; ')}.` }
}

function cloneLines({ repository, rows }: CloneReport): Chart[] {
  const cores = Math.max(...rows.map((row) => row.cores))
  const line = rows.filter((row) => row.scope === 'line')
  const secondsOf = (way: CloneRow['way'], like: CloneRow): Figure =>
    line.find((row) => row.way === way && row.percent === like.percent && row.cores === like.cores)?.effort.seconds ?? 0
  const swarm = line.filter((row) => row.way === 'swarm')
  const grown = swarm.filter((row) => row.cores === cores).sort((a, b) => a.percent - b.percent)
  const charts: Chart[] = []
  if (grown.length >= 3) {
    const series = bothLines('git clone', (side) =>
      grown.map((row) => pointOf(row.percent, secondsOf(side === 0 ? 'swarm' : 'plain', row))),
    )
    const title = `${shortName(repository)}: clone time over length of history`
    const axes = { ...axesFor(series, 's'), xText: (x: number) => `${x} %`, isLinear: true }
    charts.push({ title, svg: lineChart(title, series, axes), note: `The main line from the root on; ${cores} cores.` })
  }
  const by = coresOf(swarm, (row) => [row.effort.seconds, secondsOf('plain', row)])
  return [...charts, ...coresChart(repository, 'Clone', by, 'git clone')]
}

export function readingSection(results: readonly Loaded<CloneReport>[]): Section {
  const bars = results.flatMap((loaded) =>
    loaded.result.reading.map(({ command, ratio }): RatioBar => {
      return {
        label: `${shortName(loaded.result.repository)}, ${command.replace('git ', '').replace(' -n 2000', '')}`,
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

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)
}
