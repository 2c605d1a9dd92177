/**
 * Charts of one sharing simulation: who can share what, what the origin still sends, what a fetch brings over stored bytes.
 */

import { type Report, type Run, strategyTable, totalOf } from '../sharing/print.ts'
import type { Outcome } from '../sharing/simulate.ts'
import type { Chart, Section } from './page.ts'
import { anchorOf, type Loaded, shortName } from './results.ts'
import { dailyOverStored, ORIGINAL, type Shown, sentWithinDay, shownOf } from './shown-strategies.ts'
import { barChart, shareGrid } from './svg.ts'

const KIND_NAMES: Readonly<Record<string, string>> = {
  clone: 'clone\nfull',
  shallow: 'clone\ndepth 1',
  ci: 'CI\nfull',
  'ci-shallow': 'CI\ndepth 1',
  hourly: 'fetch\nhourly',
  daily: 'fetch\ndaily',
  weekly: 'fetch\nweekly',
  poisson: 'fetch\nrandom',
}

/** Charts of the whole population; with `isFull` also those of fewer clients. */
export function sharingSection(loaded: Loaded<Report>, isFull: boolean): Section {
  const report = loaded.result
  const { commitsInWindow, days, runs, seed } = report
  const href = anchorOf(loaded)
  const charts = runs.flatMap((run, index) => {
    const shown = shownOf(run)
    const grid = kindsChart(run, shown)
    const origin = originChart(run, shown, href)
    if (index > 0) return isFull ? [grid, origin].map((chart) => ({ ...chart, isMore: true })) : []
    return [grid, origin, overheadChart(shown, href)]
  })
  return {
    title: `Sharing: ${shortName(report.repository)}`,
    lead: `Simulated: ${commitsInWindow} commits reached the main line in ${days} days, at their real times; ${runs[0]?.fetches ?? 0} fetches of people and CI met every strategy (seed ${seed}). Sizes are those of real builds.`,
    charts,
    tables: runs.map((run) => ({
      title: `All strategies and figures${clientsText(run.scale)}`,
      ...strategyTable(run.outcomes),
    })),
    sources: [loaded],
  }
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
  const title = `Percent of the bytes that somebody else fetched too within a day, by who fetches${clientsText(scale)}`
  const columns = kinds.map((kind) => KIND_NAMES[kind] ?? kind)
  return {
    title,
    svg: shareGrid(title, columns, rows),
    note: 'What a swarm could carry. The first row, one pack for each (have, want) as in 2015, is granted the same bytes everywhere, which it did not have. Snapshots are taken to be as long as git’s packs of depth 1.',
  }
}

function originChart({ scale }: Run, shown: readonly Shown[], href: string): Chart {
  const bars = shown.map(({ label, role, outcome: { all } }) => {
    const value = sentWithinDay(all)
    return { label, role, value, text: `${gigabytes(value)} GB`, href }
  })
  const alone = shown.find(({ outcome }) => outcome.name === ORIGINAL)
  const title = `What the origin sends if all pass on, for a day, what they fetched${clientsText(scale)}`
  return {
    title,
    svg: barChart(title, bars),
    note: `Plain git sends ${alone === undefined ? '?' : gigabytes(totalOf(alone.outcome.all))} GB. A pack or segment that nobody else fetched during the last day comes from the origin, and so does all that is negotiated live.`,
  }
}

function overheadChart(shown: readonly Shown[], href: string): Chart {
  const compared = shown.filter(({ role }) => role !== 'bound')
  const bars = compared.flatMap(({ label, role, outcome }) => {
    const value = dailyOverStored(outcome)
    if (value === null) return []
    return [{ label, role, value, text: `× ${value.toFixed(2)}`, href }]
  })
  const title = 'What a daily fetch brings, over the stored bytes of the objects that it needs'
  return {
    title,
    svg: barChart(title, bars),
    note: '1.00 is every new object once, as coarse segments store it. The first bar is what plain git sends, which can be less; what segments bring above it, the client held already.',
  }
}

function clientsText(scale: number): string {
  return scale === 1 ? '' : `; ${scale} times the clients`
}

function gigabytes(bytes: number): string {
  const value = bytes / 1e9
  return value >= 100 ? value.toFixed(0) : value.toFixed(value < 1 ? 2 : 1)
}
