/**
 * Charts of one sharing simulation: who can share what, what the origin still sends, what a fetch brings over stored bytes.
 */

import type { Report, Run } from '../sharing/print.ts'
import type { Books, Outcome } from '../sharing/simulate.ts'
import type { Chart, Section } from './page.ts'
import { anchorOf, type Loaded } from './results.ts'
import { type Bar, barChart, percent, shareGrid } from './svg.ts'

const KIND_NAMES: Readonly<Record<string, string>> = {
  clone: 'clones',
  shallow: 'depth 1',
  ci: 'CI, full',
  'ci-shallow': 'CI, depth 1',
  hourly: 'hourly',
  daily: 'daily',
  weekly: 'weekly',
  poisson: 'at random',
}

interface Shown {
  readonly label: string
  readonly role: Bar['role']
  readonly outcome: Outcome
}

/** Charts of the whole population; with `isFull` also those of fewer clients. */
export function sharingSection(loaded: Loaded<Report>, isFull: boolean): Section {
  const report = loaded.result
  const { commitsInWindow, days, runs, seed } = report
  const href = anchorOf(loaded)
  const charts = runs.flatMap((run, index) => {
    const shown = chosen(run)
    const grid = kindsChart(run, shown)
    const origin = originChart(run, shown, href)
    if (index > 0) return isFull ? [grid, origin] : []
    return [grid, origin, overheadChart(shown, href)]
  })
  return {
    title: `${report.repository}: who could share with whom`,
    lead: `${commitsInWindow} commits reached the main line in ${days} days; ${runs[0]?.fetches ?? 0} fetches were replayed on their real times (seed ${seed}).`,
    charts,
    sources: [loaded],
  }
}

/** The strategies that the charts compare; the JSON and the Markdown have all. */
function chosen({ outcomes }: Run): Shown[] {
  const withSnapshots = outcomes.find(({ name }) => name.endsWith(' + snapshots'))?.name ?? ''
  const wanted: readonly (readonly [string, string, Bar['role']])[] = [
    ['pack per pair', 'pack per (have, want)', 'other'],
    ['daily bundle', 'bundle of the day', 'other'],
    ['pack per day', 'a pack for each day', 'other'],
    ['chain N0=64 growth 2', 'chain, N0 = 64', 'other'],
    ['chain N0=4 growth 2', 'chain, N0 = 4', 'other'],
    [withSnapshots.replace(' + snapshots', ''), 'GitTorrent', 'ours'],
    [withSnapshots, 'GitTorrent + snapshots', 'ours'],
    ['ideal', 'every byte shared', 'bound'],
  ]
  return wanted.flatMap(([name, label, role]) => {
    const outcome = outcomes.find((candidate) => candidate.name === name)
    return outcome === undefined ? [] : [{ label, role, outcome }]
  })
}

function kindsChart({ scale, outcomes }: Run, shown: readonly Shown[]): Chart {
  const kinds = Object.keys(outcomes[0]?.kinds ?? {}) as (keyof Outcome['kinds'])[]
  const rows = shown.map(({ label, role, outcome }) => {
    const cells = kinds.map((kind) => {
      const books = outcome.kinds[kind]
      return books === undefined ? null : (books.within[1] ?? 0) / totalOf(books)
    })
    return { label, role, cells }
  })
  const title = `Bytes that somebody else fetched too within a day, by who fetches${clientsText(scale)}`
  const columns = kinds.map((kind) => KIND_NAMES[kind] ?? kind)
  return {
    title,
    svg: shareGrid(title, columns, rows),
    note: 'What a swarm could carry. The first row is granted packs that are the same bytes everywhere, which the 2015 design did not have. Snapshots are taken to be as long as packs of depth 1 that git makes.',
  }
}

function originChart({ scale }: Run, shown: readonly Shown[], href: string): Chart {
  const bars = shown.map(({ label, role, outcome: { all } }) => {
    const value = totalOf(all) - (all.before[1] ?? 0)
    return { label, role, value, text: `${gigabytes(value)} GB`, href }
  })
  const alone = shown.find(({ outcome }) => outcome.name === 'pack per pair')
  const title = `What the origin still sends if everybody passes on, for a day, what they fetched${clientsText(scale)}`
  return {
    title,
    svg: barChart(title, bars, Math.max(...bars.map(({ value }) => value))),
    note: `Plain git sends ${alone === undefined ? '?' : gigabytes(totalOf(alone.outcome.all))} GB. A pack or segment that nobody else fetched during the last day comes from the origin, and so does all that is negotiated live.`,
  }
}

function overheadChart(shown: readonly Shown[], href: string): Chart {
  const compared = shown.filter(({ role }) => role !== 'bound')
  const bars = compared.flatMap(({ label, role, outcome }) => {
    const books = outcome.kinds.daily
    if (books === undefined) return []
    const value = totalOf(books) / books.stored
    return [{ label, role, value, text: `× ${value.toFixed(2)}`, href }]
  })
  const shares = shown.map(({ label, outcome: { all } }) => `${label} ${percent((all.within[1] ?? 0) / totalOf(all))}`)
  const title = 'What a daily fetch brings, over the stored bytes of the objects that it needs'
  return {
    title,
    svg: barChart(title, bars, Math.max(...bars.map(({ value }) => value))),
    note: `1.00 is every new object once, as coarse segments store it; the first bar is what plain git sends, which can be less. What segments bring above it, the client held already. Shared within a day, of all bytes of all clients: ${shares.join('; ')}.`,
  }
}

function clientsText(scale: number): string {
  return scale === 1 ? '' : `; ${scale} × the clients`
}

function totalOf({ packed, live }: Books): number {
  return packed + live
}

function gigabytes(bytes: number): string {
  const value = bytes / 1e9
  return value >= 100 ? value.toFixed(0) : value.toFixed(value < 1 ? 2 : 1)
}
