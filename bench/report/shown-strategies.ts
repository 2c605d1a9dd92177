/**
 * The strategies of a sharing simulation that charts, tables and answers compare; the page has all of them on demand.
 */

import { type Run, totalOf } from '../sharing/print.ts'
import type { Books, Outcome } from '../sharing/simulate.ts'
import type { Role } from './svg.ts'

export interface Shown {
  readonly label: string
  readonly role: Role
  readonly outcome: Outcome
}

const SNAPSHOTS = ' + snapshots'
export const ORIGINAL = 'pack per pair'

export function shownOf({ outcomes }: Run): Shown[] {
  const withSnapshots = outcomes.find(({ name }) => name.endsWith(SNAPSHOTS))?.name ?? ''
  const wanted: readonly (readonly [string, string, Role])[] = [
    [ORIGINAL, 'pack per pair', 'other'],
    ['daily bundle', 'bundle of the day', 'other'],
    ['pack per day', 'pack per day', 'other'],
    ['chain N0=64 growth 2', 'chain, N0 = 64', 'other'],
    ['chain N0=4 growth 2', 'chain, N0 = 4', 'other'],
    [withSnapshots.replace(SNAPSHOTS, ''), 'GitTorrent', 'ours'],
    [withSnapshots, '+ snapshots', 'ours'],
    ['ideal', 'every byte shared', 'bound'],
  ]
  return wanted.flatMap(([name, label, role]) => {
    const outcome = outcomes.find((candidate) => candidate.name === name)
    return outcome === undefined ? [] : [{ label, role, outcome }]
  })
}

/** Plain git, and the best of ours. */
export function gitAndOurs(run: Run | undefined): { readonly git: Outcome; readonly ours: Outcome } | null {
  const git = run?.outcomes.find(({ name }) => name === ORIGINAL)
  const ours = run?.outcomes.find(({ name }) => name.endsWith(SNAPSHOTS))
  return git === undefined || ours === undefined ? null : { git, ours }
}

/** What the origin sends when whoever fetched a pack within a day before passes it on. */
export function sentWithinDay(all: Books): number {
  return totalOf(all) - (all.before[1] ?? 0)
}

/** What a daily fetch brings, over the stored bytes of what it needs; null without such fetches. */
export function dailyOverStored({ kinds }: Outcome): number | null {
  return kinds.daily === undefined ? null : totalOf(kinds.daily) / kinds.daily.stored
}
