/**
 * Takes in many lines. A repository can have hundreds of branches, and a `git index-pack` for each would cost more than what it
 * brings; so all that are not kept share packs, as few as whoever offers them says is possible. Nobody's word is needed for that to
 * go well: a pack that git refuses is taken in two halves, so that what spoils it stays alone. What all brought is checked for
 * connectivity in one walk.
 */

import type { Oid } from '../../../engine/index.ts'
import { PACK_REFUSED_COUNT_MAX } from '../../limits.ts'
import type { Failure, Intake } from './line-intake.ts'
import type { LineTake } from './plan.ts'
import type { Quarantine } from './quarantine.ts'

/**
 * Calls `take` for each line that stands alone, and for lines that share a pack. No further one is begun after a pack that
 * brought less than all, because its peers are no good any more, after one that somebody padded, and where the first line is no good.
 * @param standsAlone true for a line whose pack is its own
 * @returns one entry per line, null where nothing was taken in
 */
export async function takeLines(
  lines: readonly LineTake[],
  standsAlone: (line: LineTake) => boolean,
  take: (indexes: readonly number[]) => Promise<readonly Intake[] | Failure>,
): Promise<(Intake | null)[]> {
  const intakes: (Intake | null)[] = lines.map(() => null)
  let isOver = false
  await halveUntil(packsOf(lines, standsAlone), PACK_REFUSED_COUNT_MAX, async (pack) => {
    const outcome = isOver ? 'broke-off' : await take(pack)
    if (typeof outcome === 'string') {
      // What the others rest on is not there.
      const isTrunk = pack.length === 1 && pack[0] === 0
      isOver ||= outcome !== 'refused' || isTrunk
      return isOver
    }
    for (const [at, intake] of outcome.entries()) intakes[pack[at] ?? 0] = intake
    isOver = outcome.length < pack.length || !outcome.every(({ isComplete }) => isComplete)
    return true
  })
  return intakes
}

/** Indexes of the lines of each pack, in order: a line rests on lines before it, in its own pack or an earlier one. */
function packsOf(lines: readonly LineTake[], standsAlone: (line: LineTake) => boolean): number[][] {
  const alone: number[][] = []
  const shared = new Map<number, number[]>()
  for (const [index, line] of lines.entries()) {
    const { pack } = line.chain
    if (standsAlone(line)) alone.push([index])
    else shared.set(pack, [...(shared.get(pack) ?? []), index])
  }
  const numbers = [...shared.keys()].sort((a, b) => a - b)
  return [...alone, ...numbers.map((number) => shared.get(number) ?? [])]
}

/**
 * Commits among the new tops whose whole history is there. `isChecked` says of which that is known already
 * since they were indexed; `held` are commits that are whole already and need no ref to be; `areRefsWhole` is false in a shallow repository, whose refs vouch for nothing.
 */
export async function completeTops(
  intakes: readonly (Intake | null)[],
  isChecked: (index: number) => boolean,
  quarantine: Quarantine,
  held: readonly string[],
  areRefsWhole: boolean,
): Promise<Oid[]> {
  const checked: Oid[] = []
  const others: Oid[] = []
  for (const [index, intake] of intakes.entries()) {
    if (intake !== null) (isChecked(index) ? checked : others).push(intake.top)
  }
  const complete = await quarantine.commitsAmong(checked)
  await halveUntil(others.length === 0 ? [] : [others], PACK_REFUSED_COUNT_MAX, async (tops) => {
    const isGood = await quarantine.areConnected(tops, [...held, ...complete], areRefsWhole)
    if (isGood) complete.push(...tops)
    return isGood
  })
  return complete
}

/** Tries each group; of one that is no good each half by itself, as long as no more than `failedCountMax` are. */
async function halveUntil<One>(
  groups: readonly (readonly One[])[],
  failedCountMax: number,
  isGood: (some: readonly One[]) => Promise<boolean>,
): Promise<void> {
  const waiting = [...groups]
  let failedCount = 0
  for (let some = waiting.shift(); some !== undefined; some = waiting.shift()) {
    if (await isGood(some)) continue
    if (++failedCount > failedCountMax) return
    const middle = some.length >> 1
    if (middle > 0) waiting.unshift(some.slice(0, middle), some.slice(middle))
  }
}
