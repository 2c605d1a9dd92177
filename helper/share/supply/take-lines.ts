/**
 * Takes in many lines: a line after the one that it leaves, those that wait for nothing more several at a time. A
 * repository can have hundreds of branches, and each costs a `git index-pack` of its own; what they brought is checked
 * for connectivity in one walk.
 */

import type { Oid } from '../../../engine/index.ts'
import { INDEX_PARALLEL_COUNT } from '../../limits.ts'
import type { Failure, Intake } from './line-intake.ts'
import { type LineTake, segmentsOf } from './plan.ts'
import type { Quarantine } from './quarantine.ts'

/**
 * Calls `take` for each line, in waves; after a line that brought less than all, no further wave is begun, because its
 * peers are no good any more.
 * @returns one entry per line, null where nothing was taken in
 */
export async function takeLines(
  lines: readonly LineTake[],
  take: (line: LineTake, index: number) => Promise<Intake | Failure>,
): Promise<(Intake | null)[]> {
  const intakes: (Intake | null)[] = lines.map(() => null)
  let isGoingOn = true
  for (const wave of wavesOf(lines)) {
    const waiting = [...wave]
    const work = async (): Promise<void> => {
      for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
        const line = lines[index]
        if (line === undefined) continue
        const intake = await take(line, index)
        if (typeof intake !== 'string') intakes[index] = intake
        if (typeof intake === 'string' ? intake === 'broke-off' : !intake.isComplete) isGoingOn = false
      }
    }
    await Promise.all(Array.from({ length: INDEX_PARALLEL_COUNT }, work))
    if (!isGoingOn) break
  }
  return intakes
}

/**
 * Indexes of the lines, grouped so that each line's base is in an earlier group or in the repository. A base that no claim
 * names is an old commit of the main line, which only has coarse segments there: such a line follows the first one.
 */
function wavesOf(lines: readonly LineTake[]): number[][] {
  const waveOfTip = new Map<Oid, number>()
  const waves: number[][] = []
  lines.forEach(({ takes }, index) => {
    const [first] = takes
    const base = first === undefined ? null : (segmentsOf(first)[0]?.plan.base ?? null)
    const below = base === null ? undefined : waveOfTip.get(base)
    const wave = base === null || index === 0 ? 0 : (below ?? 0) + 1
    for (const { link } of takes) for (const { plan } of link.segments) waveOfTip.set(plan.tip, wave)
    waves[wave] = [...(waves[wave] ?? []), index]
  })
  return waves
}

/**
 * Commits among the new tops whose whole history is there. `isChecked` says of which that is known already
 * since they were indexed; `held` are commits that are whole already; `areRefsWhole` is false in a shallow repository, whose refs vouch for nothing.
 */
export async function completeTops(
  intakes: readonly (Intake | null)[],
  isChecked: (index: number) => boolean,
  quarantine: Quarantine,
  held: readonly Oid[],
  areRefsWhole: boolean,
): Promise<Oid[]> {
  const checked: Oid[] = []
  const others: Oid[] = []
  for (const [index, intake] of intakes.entries()) {
    if (intake !== null) (isChecked(index) ? checked : others).push(intake.top)
  }
  const complete = await quarantine.commitsAmong(checked)
  if (others.length === 0) return complete
  const areConnected = (tops: readonly Oid[]): Promise<boolean> =>
    quarantine.areConnected(tops, [...held, ...complete], areRefsWhole)
  if (await areConnected(others)) return [...complete, ...others]
  for (const top of others) if (await areConnected([top])) complete.push(top)
  return complete
}
