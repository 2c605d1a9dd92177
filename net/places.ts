/**
 * Who holds the places of a topic, and who gives one up when there is none left (PROTOCOL.md section 8). Whoever is being answered
 * keeps his, and so does who has just come. Of the others those go first who were of no use, then those whose host has most
 * places, then who was idle for longest. So nobody can keep others out by being there, and who is pushed out early had nothing to ask.
 * Pure bookkeeping: time is handed in.
 */
import { TOPIC_PLACE_GRACE_MS } from './limits.ts'

/** One who has a place. */
export interface Holder {
  /** Who is charged for it. */
  readonly owner: string
  /** When it came, or last asked or answered something that was worth it. */
  readonly activeAtMs: number
  /** It has nothing of what we want. */
  readonly isUseless: boolean
  /** A question or an answer is under way. */
  readonly isBusy: boolean
}

/**
 * Who of `holders` gives up a place for one more of `newcomer`; null if nobody has to. While all are being answered, or have just come, it is
 * one of a host that has more places than the newcomer's would have then.
 */
export function whoLeaves<Held extends Holder>(holders: readonly Held[], newcomer: string, nowMs: number): Held | null {
  const counts = new Map<string, number>()
  for (const { owner } of holders) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  const countOf = (owner: string): number => counts.get(owner) ?? 0
  const isIdle = ({ isBusy, isUseless, activeAtMs }: Held): boolean =>
    isUseless || (!isBusy && nowMs - activeAtMs >= TOPIC_PLACE_GRACE_MS)
  const idle = holders.filter(isIdle)
  const others = holders.filter(({ owner }) => countOf(owner) > countOf(newcomer) + 1)
  const [first] = (idle.length > 0 ? idle : others).sort(
    (a, b) =>
      Number(b.isUseless) - Number(a.isUseless) || countOf(b.owner) - countOf(a.owner) || a.activeAtMs - b.activeAtMs,
  )
  return first ?? null
}
