/**
 * The figures of all repositories in one table of ratios, ours over git's: what is better than git and what is worse, seen
 * before anything is read.
 */

import type { BuildRow } from '../build.ts'
import { anchorOf, type Loaded, type Results, shortName } from './results.ts'
import { escapeText, percent } from './svg.ts'

/** Nearer to 1 than this counts as the same. */
const SAME = 0.03

/** A figure of one repository; `kind` says how it compares with git's. */
export interface ScoreFigure {
  readonly repository: string
  readonly value: number
  readonly text: string
  readonly kind: 'good' | 'bad' | 'same'
  /** Of the run that it leads to. */
  readonly id: string
}

interface Score {
  readonly title: string
  readonly figures: readonly ScoreFigure[]
}

/** The full history on all cores. */
export function wholeOf(rows: readonly BuildRow[]): BuildRow | null {
  const whole = rows.filter(({ percent }) => percent === 100)
  return whole.sort((a, b) => b.cores - a.cores)[0] ?? null
}

export function scores(results: Results): Score[] {
  const { build, clone } = results
  const ofBuild = (title: string, ratioOf: (row: BuildRow) => number | null): Score => ({
    title,
    figures: figuresOf(build, ({ rows }) => {
      const whole = wholeOf(rows)
      return whole === null ? null : ratioOf(whole)
    }),
  })
  const ofClone = (title: string, scope: 'all' | 'line'): Score => ({
    title,
    figures: figuresOf(clone, ({ rows }) => {
      const row = rows.find((one) => one.way === 'swarm' && one.scope === scope && one.percent === 100)
      return row?.secondsRatio?.median ?? null
    }),
  })
  const ofReading = (title: string, wanted: string): Score => ({
    title,
    figures: figuresOf(clone, ({ reading }) => reading.find(({ command }) => command === wanted)?.ratio.median ?? null),
  })
  return [
    ofBuild('bytes', ({ linkBytes, repackBytes }) => linkBytes / repackBytes),
    ofBuild('build time', ({ secondsRatio }) => secondsRatio.median),
    ofBuild('build memory', ({ build: ours, repack }) =>
      ours.peakMiB === null || repack.peakMiB === null ? null : ours.peakMiB / Math.max(1, repack.peakMiB),
    ),
    ofClone('clone, all refs', 'all'),
    ofClone('clone, main line', 'line'),
    ofReading('log -p', 'git log -p -n 2000'),
    ofReading('checkout', 'git checkout'),
    { title: 'bytes from peers', figures: sharesOf(results) },
  ]
}

/** The table: one row per repository, one figure per column. */
export function scoreboard(results: Results): string {
  const columns = scores(results).filter(({ figures }) => figures.length > 0)
  if (columns.length === 0) return ''
  const head = ['', ...columns.map(({ title }) => title)].map(
    (title) => `<th>${escapeText(title.replace('-p', '\u2011p'))}</th>`,
  )
  const rows = repositoriesOf(results).map((repository) => {
    const cells = columns.map(({ figures }) => {
      const figure = figures.find((one) => one.repository === repository)
      return figure === undefined
        ? '<td></td>'
        : `<td class="${figure.kind}"><a href="${escapeText(anchorOf(figure))}">${figure.text}</a></td>`
    })
    return `<tr><td>${escapeText(shortName(repository))}</td>${cells.join('')}</tr>`
  })
  return `<div class="wide"><table class="score">
<thead><tr>${head.join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>
<p class="note">Ours over git’s: <i class="key good"></i>below 1, less than git; <i class="key bad"></i>above 1, more. Links over git repack -adF, clones over git clone next door on loopback, reading over a fresh repack. The last column is a share of the bytes of a clone of all refs.</p>`
}

/** Repositories that were built or cloned, the longest history first. */
export function repositoriesOf({ build, clone }: Results): string[] {
  return [...new Set([...build, ...clone].map(({ result }) => result.repository))]
}

function figuresOf<T extends { readonly repository: string }>(
  all: readonly Loaded<T>[],
  ratioOf: (result: T) => number | null,
): ScoreFigure[] {
  return all.flatMap(({ id, result }) => {
    const value = ratioOf(result)
    if (value === null) return []
    const kind = value < 1 - SAME ? 'good' : value > 1 + SAME ? 'bad' : 'same'
    return [{ repository: result.repository, value, text: value.toFixed(2), kind, id }]
  })
}

function sharesOf({ clone }: Results): ScoreFigure[] {
  return clone.flatMap(({ id, result: { repository, rows } }) => {
    const { bytes } = rows.find(({ way, scope }) => way === 'swarm' && scope === 'all') ?? {}
    if (bytes === undefined || bytes === null) return []
    const value = bytes.peers / Math.max(1, bytes.peers + bytes.origin + bytes.web)
    return [{ repository, value, text: percent(value), kind: 'same' as const, id }]
  })
}
