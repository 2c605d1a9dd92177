/**
 * The four questions that people ask first, answered from the results in a few lines each: is it smaller, is it faster, what does
 * the origin save, what speaks against it. Every figure is made of results and leads to them, so that no answer outlives its runs.
 */

import type { CloneReport, CloneRow } from '../clone.ts'
import { totalOf } from '../sharing/print.ts'
import { type Loaded, type Results, shortName } from './results.ts'
import { scores, wholeOf } from './scoreboard.ts'
import { dailyOverStored, gitAndOurs, sentWithinDay } from './shown-strategies.ts'
import { percent } from './svg.ts'

/** Text, some of which leads to the run with that id. */
export type Piece = string | { readonly text: string; readonly id: string }

export interface Answer {
  readonly question: string
  /** The figure that one remembers, and what it is. */
  readonly figure: string
  readonly unit: string
  readonly lines: readonly (readonly Piece[])[]
}

export function answersOf(results: Results): Answer[] {
  return [smaller(results), faster(results), originSaves(results), against(results)].flatMap((answer) => answer ?? [])
}

/** A figure of one repository and the run that it leads to. */
interface Figure {
  readonly value: number
  readonly name: string
  readonly id: string
}

function figuresOf<T extends { readonly repository: string }>(
  all: readonly Loaded<T>[],
  pick: (result: T) => number | null | undefined,
): Figure[] {
  return all.flatMap(({ id, result }) => {
    const value = pick(result) ?? Number.NaN
    return Number.isFinite(value) ? [{ value, name: shortName(result.repository), id }] : []
  })
}

/** "lead: git 0.86, express 0.95." with a link behind each; nothing where there are none. */
function lineOf(
  lead: string,
  figures: readonly Figure[],
  textOf = (value: number): string => value.toFixed(2),
): Piece[][] {
  const pieces = figures.flatMap(({ value, name, id }, index): Piece[] => {
    return [...(index > 0 ? [', '] : []), { text: `${name} ${textOf(value)}`, id }]
  })
  return pieces.length === 0 ? [] : [[`${lead}: `, ...pieces, '.']]
}

function rangeOf(figures: readonly Figure[]): string {
  const values = figures.map(({ value }) => value)
  const [least, most] = [Math.min(...values).toFixed(2), Math.max(...values).toFixed(2)]
  return least === most ? least : `${least} to ${most}`
}

function wholeClone({ rows }: CloneReport, way: CloneRow['way'], scope: CloneRow['scope']): CloneRow | undefined {
  return rows.find((row) => row.way === way && row.scope === scope && row.percent === 100)
}

/** All bytes that a clone moved, NaN where they were not counted. */
function movedBytes(row: CloneRow | undefined): number {
  return row?.bytes ? row.bytes.peers + row.bytes.origin + row.bytes.web : Number.NaN
}

function smaller({ build, clone }: Results): Answer | null {
  const links = figuresOf(build, ({ rows }) => {
    const whole = wholeOf(rows)
    return whole === null ? null : whole.linkBytes / whole.repackBytes
  })
  if (links.length === 0) return null
  const moved = figuresOf(
    clone,
    (one) => movedBytes(wholeClone(one, 'swarm', 'line')) / movedBytes(wholeClone(one, 'plain', 'line')),
  )
  return {
    question: 'Is it smaller?',
    figure: rangeOf(links),
    unit: 'times the bytes of git repack -adF --window=10 --depth=50, all history',
    lines: [
      ...lineOf('All links of the main line', links),
      ...lineOf('Over what git clone receives from a mirror as a forge packs it', moved),
    ],
  }
}

function faster({ build, clone }: Results): Answer | null {
  const cloneRatio = (scope: CloneRow['scope']): Figure[] =>
    figuresOf(clone, (one) => wholeClone(one, 'swarm', scope)?.secondsRatio?.median)
  const line = cloneRatio('line')
  if (line.length === 0) return null
  return {
    question: 'Is it faster?',
    figure: rangeOf(line),
    unit: 'times the seconds of git clone, next door to a server whose bandwidth is free',
    lines: [
      ...lineOf('Main line', line),
      ...lineOf('All branches and tags', cloneRatio('all')),
      ...lineOf(
        'Building all links, over that repack',
        figuresOf(build, ({ rows }) => wholeOf(rows)?.secondsRatio.median),
      ),
    ],
  }
}

function originSaves({ swarm, sharing, clone }: Results): Answer | null {
  const [crowd] = swarm
  const together = (crowd?.result.rows ?? []).filter(({ scenario }) => scenario.endsWith('together'))
  const most = Math.max(...together.map(({ cloneCount }) => cloneCount))
  const of = (strategy: string) => together.find((row) => row.strategy === strategy && row.cloneCount === most)
  const [plain, ours] = [of('plain'), of('swarm')]
  if (crowd === undefined || plain === undefined || ours === undefined) return null
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(0)
  const seconds = `all done in ${ours.makespanSeconds.toFixed(0)} s instead of ${plain.makespanSeconds.toFixed(0)} s`
  const shares = figuresOf(clone, (one) => {
    const row = wholeClone(one, 'swarm', 'all')
    return row?.bytes ? row.bytes.peers / movedBytes(row) : null
  })
  const years = figuresOf(sharing, ({ runs }) => {
    const both = gitAndOurs(runs[0])
    return both === null ? null : sentWithinDay(both.ours.all) / totalOf(both.git.all)
  })
  return {
    question: 'What does the origin save?',
    figure: `${mb(plain.originLength)} → ${mb(ours.originLength)} MB`,
    unit: `sent for ${most} clones of ${shortName(crowd.result.repository)} at once`,
    lines: [
      ['They were ', { text: seconds, id: crowd.id }, '; the origin’s uplink is an eighth of each line.'],
      ...lineOf('Of one clone of all branches and tags comes from a peer', shares, percent),
      ...lineOf(
        'A year of fetches by people and CI, simulated: what the origin still sends of plain git’s bytes',
        years,
        (value) => `${(value * 100).toPrecision(2)} %`,
      ),
    ],
  }
}

const SPELT: Readonly<Record<string, string>> = {
  'build time': 'Time to build',
  'build memory': 'Memory to build',
  'clone, all refs': 'Clone of all branches and tags',
  'clone, main line': 'Clone of the main line',
  'log -p': 'git log -p',
  checkout: 'git checkout',
}

/** Whatever stands at more than git's, and what the lines would have allowed. */
function against(results: Results): Answer | null {
  const worse = scores(results).map(({ title, figures }) => {
    return { title, figures: figures.filter(({ kind }) => kind === 'bad') }
  })
  const lines = worse.flatMap(({ title, figures }) => {
    const named = figures.map(({ value, repository, id }): Figure => ({ value, name: shortName(repository), id }))
    return lineOf(`${SPELT[title] ?? title}, times git’s`, named)
  })
  const clones = worse.find(({ title }) => title === 'clone, all refs')?.figures ?? []
  const worst = [...clones].sort((a, b) => b.value - a.value)[0]
  const daily = (which: 'git' | 'ours'): Figure[] =>
    figuresOf(results.sharing, ({ runs }) => {
      const both = gitAndOurs(runs[0])
      return both === null ? null : dailyOverStored(both[which])
    })
  const [ours] = lineOf('A daily fetch, in bytes of the new objects', daily('ours'))
  const [git] = lineOf('plain git', daily('git'))
  if (ours !== undefined && git !== undefined) lines.push([...ours.slice(0, -1), '; ', ...git])
  for (const { id, result } of results.swarm) {
    const together = result.rows.filter(
      ({ scenario, strategy }) => strategy === 'swarm' && scenario.endsWith('together'),
    )
    const largest = [...together].sort((one, other) => other.cloneCount - one.cloneCount)[0]
    if (largest === undefined) continue
    const { cloneCount, makespanOverBound, originOverF } = largest
    const text = `${makespanOverBound.toFixed(1)} times`
    lines.push([
      `${cloneCount} clones at once take `,
      { text, id },
      ` what their lines allow; the origin sends ${originOverF.toFixed(1)} copies.`,
    ])
  }
  if (worst === undefined) return null
  return {
    question: 'What speaks against it?',
    figure: `× ${worst.value.toFixed(2)}`,
    unit: `git’s time for a clone of ${shortName(worst.repository)} with all branches, next door: the worst case`,
    lines,
  }
}
