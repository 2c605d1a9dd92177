/**
 * Which of several genuine items of one key and salt holds, given the one that was accepted before (BEP 44, seq).
 * Never behind a seq seen (rollback: what was seen stands), and two values for one seq are proof that the holder of the
 * key signed both (equivocation: nobody can say which one is meant). Pure; knows neither clocks nor records' contents.
 */
import type { MutableItem } from '../../net/index.ts'
import { HelperError } from '../errors.ts'

export interface Verdict {
  /** What holds; null if nothing is known. */
  readonly item: MutableItem | null
  /** Items with one seq and different values, if the one that holds is newer than they are. */
  readonly healedConflict: readonly [MutableItem, MutableItem] | null
  /** The newest that was found is older than what was seen before. */
  readonly rolledBackTo: number | null
  /** Nothing was found now; what holds was seen before. */
  readonly isFromMemory: boolean
}

/**
 * Judges `found` against `seen`.
 * @throws HelperError 'record-conflict' if the newest seq has two values; `data.seq` says which
 */
export function judge(what: string, found: readonly MutableItem[], seen: MutableItem | null): Verdict {
  const all = seen === null ? found : [seen, ...found]
  const newest = all.reduce<MutableItem | null>(
    (best, item) => (best === null || item.seq > best.seq ? item : best),
    null,
  )
  const conflict = conflictOf(all)
  if (newest !== null && conflict !== null && conflict[0].seq === newest.seq) {
    throw new HelperError(
      'record-conflict',
      `${what}: expected one value for seq ${newest.seq}, got two, both signed by its key: its holder says different things to different people, or somebody else has the key`,
      { seq: newest.seq },
    )
  }
  const newestFound = found.reduce((seq, item) => Math.max(seq, item.seq), -1)
  const isBehind = seen !== null && found.length > 0 && newestFound < seen.seq
  return {
    item: newest,
    healedConflict: conflict,
    rolledBackTo: isBehind ? newestFound : null,
    isFromMemory: newest !== null && found.length === 0,
  }
}

/** Two items with one seq and different values, those with the highest seq first; null if there are none. */
function conflictOf(items: readonly MutableItem[]): readonly [MutableItem, MutableItem] | null {
  const bySeq = new Map<number, MutableItem>()
  let worst: readonly [MutableItem, MutableItem] | null = null
  for (const item of items) {
    const other = bySeq.get(item.seq)
    if (other === undefined) bySeq.set(item.seq, item)
    else if (Buffer.compare(other.value, item.value) !== 0 && item.seq > (worst?.[0].seq ?? -1)) worst = [other, item]
  }
  return worst
}

/** The seq of the next value: unix seconds, or one more than anything that was ever seen. */
export function nextSeq(nowSeconds: number, known: readonly MutableItem[]): number {
  return known.reduce((seq, item) => Math.max(seq, item.seq + 1), nowSeconds)
}
