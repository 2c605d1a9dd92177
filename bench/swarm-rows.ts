/**
 * The figures of live runs: one row per scenario and strategy, measured against what the lines allow at best, and the table
 * that people read. F is what one lone clone receives on its line, with the strategy that receives least.
 */

import { fluidBound, serialBound } from './fluid-bound.ts'
import type { About } from './result-file.ts'
import { LINE_FACTOR, type Outcome, type Scenario, type Strategy } from './swarm-crowd.ts'

export interface SwarmRow {
  readonly scenario: string
  readonly repository: string
  readonly strategy: Strategy
  readonly cloneCount: number
  readonly staggerSeconds: number
  readonly depth: number | null
  readonly uplinkBits: number
  readonly runCount: number
  /** From the first start to the last end: median, smallest, largest of the runs. */
  readonly makespanSeconds: number
  readonly makespanRange: readonly [number, number]
  /** Single clones of all runs. */
  readonly medianCloneSeconds: number
  readonly slowestCloneSeconds: number
  /** What no way of sharing can beat, and what nobody can who does not share and receives as much as a lone clone does. */
  readonly boundSeconds: number
  readonly serialBoundSeconds: number
  readonly makespanOverBound: number
  /** On the wire, headers included. */
  readonly originLength: number
  readonly originOverF: number
  readonly peerLength: number
  /** By the helpers' own account, per clone. */
  readonly bytesFromPeers: number
  readonly bytesFromOrigin: number
  readonly busyCores: number
  readonly failures: readonly string[]
}

export interface SwarmReport extends About {
  readonly bench: 'swarm'
  readonly rows: readonly SwarmRow[]
}

export interface Lengths {
  /** F: bytes that a lone clone receives, with the strategy that receives least. */
  readonly least: number
  /** The same with the row's strategy. */
  readonly own: number
}

/** One row from the runs of a scenario. */
export function rowOf(scenario: Scenario, strategy: Strategy, runs: readonly Outcome[], lengths: Lengths): SwarmRow {
  const { name, repository, cloneCount, staggerSeconds, depth, uplinkBits } = scenario
  const line = { upBits: uplinkBits * LINE_FACTOR, downBits: uplinkBits * LINE_FACTOR }
  const lines = Array.from({ length: cloneCount }, () => line)
  const crowd = { sourceBits: uplinkBits, lines, lastStartSeconds: (cloneCount - 1) * staggerSeconds }
  const boundSeconds = fluidBound({ ...crowd, lengthBytes: lengths.least })
  const of = (figure: (run: Outcome) => number): number => middle(runs.map(figure))
  const makespans = runs.map(({ makespanSeconds }) => makespanSeconds)
  const clones = runs.flatMap(({ cloneSeconds }) => cloneSeconds)
  const originLength = of((run) => run.originLength)
  return {
    scenario: name,
    repository,
    strategy,
    cloneCount,
    staggerSeconds,
    depth,
    uplinkBits,
    runCount: runs.length,
    makespanSeconds: middle(makespans),
    makespanRange: [Math.min(...makespans), Math.max(...makespans)],
    medianCloneSeconds: middle(clones),
    slowestCloneSeconds: Math.max(...clones),
    boundSeconds,
    serialBoundSeconds: serialBound({ ...crowd, lengthBytes: lengths.own }),
    makespanOverBound: middle(makespans) / boundSeconds,
    originLength,
    originOverF: originLength / lengths.least,
    peerLength: of((run) => run.peerLength),
    bytesFromPeers: of((run) => run.bytesFromPeers) / cloneCount,
    bytesFromOrigin: of((run) => run.bytesFromOrigin) / cloneCount,
    busyCores: of((run) => run.busyCores),
    failures: runs.flatMap(({ failures }) => failures),
  }
}

const HOW: Readonly<Record<Strategy, string>> = {
  plain: 'git',
  bundles: 'git, bundle list',
  swarm: 'gittorrent',
  daemons: 'gittorrent, daemons',
}

const COLUMNS: readonly (readonly [string, (row: SwarmRow) => string])[] = [
  ['scenario', (row) => row.scenario],
  ['how', (row) => HOW[row.strategy]],
  ['clones', (row) => String(row.cloneCount)],
  ['all done, s', (row) => row.makespanSeconds.toFixed(1)],
  ['bound, s', (row) => row.boundSeconds.toFixed(1)],
  ['× bound', (row) => row.makespanOverBound.toFixed(2)],
  ['one clone, s', (row) => row.medianCloneSeconds.toFixed(1)],
  ['slowest, s', (row) => row.slowestCloneSeconds.toFixed(1)],
  ['origin sent, MB', (row) => (row.originLength / 1e6).toFixed(2)],
  ['× F', (row) => row.originOverF.toFixed(2)],
  ['busy cores', (row) => row.busyCores.toFixed(1)],
  ['failed', (row) => String(row.failures.length)],
]

/** The rows as a Markdown table, columns aligned. */
export function tableOf(rows: readonly SwarmRow[]): string {
  const cells = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, textOf]) => textOf(row)))]
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  const lines = cells.map((row) => `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`)
  lines.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`)
  return `${lines.join('\n')}\n`
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}
