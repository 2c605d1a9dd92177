/**
 * Who holds the places of a port, topic or swarm, and who gives one up when there is none left (PROTOCOL.md section 8). Whoever is being
 * served keeps his, and for a moment who has just been. Of the others those go first who were of no use or of whom nothing has come yet,
 * then those whose host has most places, then who was idle for longest. So nobody can keep others out by being there, or by coming again
 * and again, and who is pushed out early had nothing to ask.
 * Pure bookkeeping: time is handed in.
 */
import { PLACE_GRACE_MS } from './limits.ts'

/** What a place is worth. */
export interface Worth {
  /** When its holder came, or last asked or brought something that was worth it. */
  readonly activeAtMs: number
  /** He has nothing of what we want. */
  readonly isUseless: boolean
  /** He has neither asked nor brought anything yet. */
  readonly isUntried: boolean
  /** Something is under way. */
  readonly isBusy: boolean
}

/** One who has a place. */
export interface Holder {
  /** Who is charged for it. */
  readonly owner: string
  readonly worth: Worth
}

/** The worth of a place whose holder has just come. */
export function worthOfNewcomer(nowMs: number): Worth {
  return { activeAtMs: nowMs, isUseless: false, isUntried: true, isBusy: false }
}

/**
 * True if there is a place for one more of `newcomer`, or somebody had to give one up, who is no holder any more then.
 * @param count places that are taken, more than there are holders where some cannot be judged yet
 */
export function makeRoom<Held extends Holder & { destroy(): unknown }>(
  holders: Set<Held>,
  countMax: number,
  newcomer: string,
  nowMs: number,
  count = holders.size,
): boolean {
  if (count < countMax) return true
  const leaving = whoLeaves([...holders], newcomer, nowMs)
  if (leaving === null) return false
  holders.delete(leaving)
  leaving.destroy()
  return true
}

/**
 * Who of `holders` gives up a place for one more of `newcomer`; null if nobody has to. While nobody is idle, it is one who is untried, of a host
 * with no fewer places than the newcomer's would have then; while all have just been served, one of a host that would still have more.
 */
export function whoLeaves<Held extends Holder>(holders: readonly Held[], newcomer: string, nowMs: number): Held | null {
  const counts = new Map<string, number>()
  for (const { owner } of holders) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  const countOf = (owner: string): number => counts.get(owner) ?? 0
  const newcomerCount = countOf(newcomer) + 1
  const isIdle = ({ worth }: Held): boolean =>
    worth.isUseless || (!worth.isBusy && nowMs - worth.activeAtMs >= PLACE_GRACE_MS)
  const isTryingMuch = ({ worth, owner }: Held): boolean => worth.isUntried && countOf(owner) >= newcomerCount
  const isGreedy = ({ owner }: Held): boolean => countOf(owner) > newcomerCount
  const leaving = [isIdle, isTryingMuch, isGreedy].map((rule) => holders.filter(rule)).find(({ length }) => length > 0)
  const isFruitless = ({ worth }: Held): boolean => worth.isUseless || worth.isUntried
  const order = (a: Held, b: Held): number =>
    Number(isFruitless(b)) - Number(isFruitless(a)) ||
    Number(a.worth.isBusy) - Number(b.worth.isBusy) ||
    countOf(b.owner) - countOf(a.owner) ||
    a.worth.activeAtMs - b.worth.activeAtMs
  return leaving?.reduce((first, other) => (order(other, first) < 0 ? other : first)) ?? null
}
