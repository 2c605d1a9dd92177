/**
 * The figures of all repositories in one table of ratios, ours over git's: what is better than git and what is worse, seen
 * before anything is read.
 */

import type { BuildRow } from '../build.ts'
import { anchorOf, type Loaded, type Results } from './results.ts'
import { escapeText, percent } from './svg.ts'

/** Nearer to 1 than this counts as the same. */
const SAME = 0.03

interface Cell {
  readonly text: string
  readonly kind: 'good' | 'bad' | 'same'
  readonly href: string
}

interface Score {
  readonly title: string
  readonly cells: ReadonlyMap<string, Cell>
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
    cells: cellsOf(build, ({ rows }) => {
      const whole = wholeOf(rows)
      return whole === null ? null : ratioOf(whole)
    }),
  })
  const ofClone = (title: string, scope: 'all' | 'line'): Score => ({
    title,
    cells: cellsOf(clone, ({ rows }) => {
      const row = rows.find((one) => one.way === 'swarm' && one.scope === scope && one.percent === 100)
      return row?.secondsRatio?.median ?? null
    }),
  })
  const ofReading = (title: string, wanted: string): Score => ({
    title,
    cells: cellsOf(clone, ({ reading }) => reading.find(({ command }) => command === wanted)?.ratio.median ?? null),
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
    { title: 'bytes from peers', cells: sharesOf(results) },
  ]
}

export function scoreboard(results: Results): string {
  const columns = scores(results).filter(({ cells }) => cells.size > 0)
  const repositories = [...new Set([...results.build, ...results.clone].map(({ result }) => result.repository))]
  if (columns.length === 0) return ''
  const head = ['', ...columns.map(({ title }) => title)].map(
    (title) => `<th>${escapeText(title.replace('-p', '\u2011p'))}</th>`,
  )
  const rows = repositories.map((repository) => {
    const cells = columns.map(({ cells }) => {
      const cell = cells.get(repository)
      return cell === undefined
        ? '<td></td>'
        : `<td class="${cell.kind}"><a href="${escapeText(cell.href)}">${cell.text}</a></td>`
    })
    return `<tr><td>${escapeText(repository)}</td>${cells.join('')}</tr>`
  })
  return `<div class="wide"><table class="score">
<thead><tr>${head.join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>
<p class="note"><i class="key good"></i>less than git <i class="key bad"></i>more than git. Ours over git's: links over git repack -adF, clones over git clone next door on loopback, reading over a fresh repack. The last column is a share of the bytes of a clone of all refs.</p>`
}

function cellsOf<T extends { readonly repository: string }>(
  all: readonly Loaded<T>[],
  ratioOf: (result: T) => number | null,
): Map<string, Cell> {
  const cells = new Map<string, Cell>()
  for (const loaded of all) {
    const ratio = ratioOf(loaded.result)
    if (ratio === null) continue
    const kind = ratio < 1 - SAME ? 'good' : ratio > 1 + SAME ? 'bad' : 'same'
    cells.set(loaded.result.repository, { text: ratio.toFixed(2), kind, href: anchorOf(loaded) })
  }
  return cells
}

function sharesOf({ clone }: Results): Map<string, Cell> {
  const cells = new Map<string, Cell>()
  for (const loaded of clone) {
    const { bytes } = loaded.result.rows.find(({ way, scope }) => way === 'swarm' && scope === 'all') ?? {}
    if (bytes === undefined || bytes === null) continue
    const share = bytes.peers / Math.max(1, bytes.peers + bytes.origin + bytes.web)
    cells.set(loaded.result.repository, { text: percent(share), kind: 'same', href: anchorOf(loaded) })
  }
  return cells
}
