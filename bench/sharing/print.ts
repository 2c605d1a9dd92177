/**
 * The result of a sharing simulation: its JSON shape, and as Markdown.
 */

import type { About } from '../result-file.ts'
import type { Population } from './demand.ts'
import type { RatioBin } from './git-packs.ts'
import type { Books, Outcome } from './simulate.ts'

export interface Report extends About {
  readonly bench: 'sharing'
  readonly tip: string
  /** Commits on the main line, and those of the replayed time. */
  readonly heights: number
  readonly commitsInWindow: number
  readonly seed: number
  readonly days: number
  /** What was measured, and the factors for what was estimated. */
  readonly calibration: {
    readonly gitOverStored: readonly RatioBin[]
    readonly gitCloneOverStored: number
    readonly shallowPoints: readonly { readonly at: number; readonly value: number }[]
    readonly shallowStepOverStored: number
    readonly fineOverStored: Readonly<Record<number, number>>
    readonly dailyOverStored: number
  }
  readonly seconds: { readonly build: number; readonly sample: number; readonly simulate: number }
  /** The same line under several demands; the first is the one that charts show first. */
  readonly runs: readonly Run[]
}

export interface Run {
  /** Clients over those of the full population. */
  readonly scale: number
  readonly population: Population
  readonly fetches: number
  readonly outcomes: readonly Outcome[]
}

export function printReport(report: Report): string {
  const { calibration } = report
  const bins = calibration.gitOverStored.map(
    ({ storedMax, sampleCount, ratio }) =>
      `${Number.isFinite(storedMax) ? `≤ ${storedMax / 1e3} kB` : 'more'}: ${ratio.toFixed(2)} (${sampleCount})`,
  )
  return [
    `## ${report.repository}: ${report.commitsInWindow} main-line commits in ${report.days} days, seed ${report.seed}`,
    '',
    `\`${report.command}\`; ${report.machine}; tip ${report.tip.slice(0, 12)}.`,
    '',
    '"Live" is negotiated with the origin; the rest comes in packs that others can use. "Shared" is the share of all bytes that another client fetched too, within the window before or after; "kept" that somebody fetched at any time before. "Origin" is what the origin sends when whoever fetched within the window before passes it on; "seeded" when one seeder has built every pack. "Stored" is every needed object once, as coarse segments hold it; a pack that git makes for one client can be smaller.',
    '',
    ...report.runs.flatMap(runLines),
    `Sizes. Built: coarse and fine segments, flat chains, packs per day. Measured with \`git pack-objects\` on a sample, then stored object sizes times the ratio of their size class: git's packs per (have, want) [${bins.join('; ')}], clones [${calibration.gitCloneOverStored.toFixed(2)}], depth 1 [${calibration.shallowPoints.length} points, linear between], what depth 1 adds to a snapshot, which is taken to be as long as git's pack of depth 1 [${calibration.shallowStepOverStored.toFixed(2)}]. Estimated: links of other chains with 64 commits or more are the stored sizes of their objects. Fine segments over stored sizes: ${Object.entries(
      calibration.fineOverStored,
    )
      .map(([n0, ratio]) => `N0 ${n0}: ${ratio.toFixed(2)}`)
      .join(', ')}; packs per day: ${calibration.dailyOverStored.toFixed(2)}.`,
    '',
    `Took ${report.seconds.build.toFixed(0)} s to build, ${report.seconds.sample.toFixed(0)} s to sample, ${report.seconds.simulate.toFixed(0)} s to simulate.`,
  ].join('\n')
}

function runLines({ scale, fetches, population, outcomes }: Run): string[] {
  const table = strategyTable(outcomes)
  return [
    `### ${fetches} fetches${scale === 1 ? '' : ` (clients × ${scale})`}: ${JSON.stringify(population)}`,
    '',
    markdown(table.head, table.rows),
    '',
    'Share within a day, by kind of client, and bytes per fetch over the stored bytes of what it needs:',
    '',
    kindTable(outcomes),
    '',
  ]
}

/** Bytes that came, packed and live. */
export function totalOf({ packed, live }: Books): number {
  return packed + live
}

/** One row per strategy, all kinds of clients together. */
export function strategyTable(outcomes: readonly Outcome[]): { readonly head: string[]; readonly rows: string[][] } {
  const most = Math.max(...outcomes.map(({ all }) => totalOf(all)))
  const unit = most >= 1e10 ? { name: 'GB', bytes: 1e9 } : { name: 'MB', bytes: 1e6 }
  const head = ['strategy', 'shared in 30 min', 'in a day', 'in a week', 'kept']
  head.push(`origin ${unit.name}, no peers`, 'peers 30 min', 'peers a day', 'peers a week', 'one seeder')
  head.push('bytes ÷ stored', 'packs', 'packs a day', 'swarms', 'swarms a day', 'peers per swarm', 'peers per byte')
  const rows = outcomes.map((outcome) => {
    const { all } = outcome
    const total = totalOf(all)
    const sent = (bytes: number): string => (bytes / unit.bytes).toFixed(bytes < unit.bytes * 100 ? 1 : 0)
    return [
      outcome.name,
      ...all.within.map((bytes) => percent(bytes / total)),
      percent(all.everBefore / total),
      sent(total),
      ...all.before.map((bytes) => sent(total - bytes)),
      sent(all.live),
      (total / all.stored).toFixed(2),
      String(outcome.packs),
      outcome.packsPerDay.toFixed(1),
      String(outcome.swarms),
      outcome.swarmsPerDay.toFixed(1),
      outcome.peersPerSwarm.toFixed(1),
      outcome.peersPerByte.toFixed(1),
    ]
  })
  return { head, rows }
}

function kindTable(outcomes: readonly Outcome[]): string {
  const kinds = Object.keys(outcomes[0]?.kinds ?? {}) as (keyof Outcome['kinds'])[]
  const rows = outcomes.map(({ name, kinds: books }) => [
    name,
    ...kinds.map((kind) => {
      const mine = books[kind]
      if (mine === undefined) return ''
      const total = totalOf(mine)
      return `${percent((mine.within[1] ?? 0) / total)}, ${(total / mine.stored).toFixed(2)}`
    }),
  ])
  return markdown(['strategy', ...kinds], rows)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

/** A table of Markdown. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
