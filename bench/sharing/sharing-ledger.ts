/**
 * Who else fetched the same bytes, and how long before or after: the ledger of one strategy. Bytes come as items with a
 * name (a whole pack) or as ranges of heights on a line of segments (any part of it can come from whoever has that
 * part). Each remembers its last fetch only, which is enough: the nearest earlier fetch decides for the later one, and
 * the nearest later one for the earlier. A client that takes the same bytes twice is no other client.
 */

/** Longest distance to the other fetch, in seconds, ascending. Level = index of the first that holds. */
export const WINDOWS_SECONDS = [1800, 86400, 604800] as const
const NO_LEVEL = WINDOWS_SECONDS.length

export interface SharedBytes {
  /** All bytes that came in items and ranges. */
  total: number
  /** By window: bytes that somebody else fetched within it, before or after. */
  readonly within: number[]
  /** By window: bytes that somebody fetched within it before. */
  readonly before: number[]
  /** Bytes that somebody fetched before, however long ago. */
  everBefore: number
}

/** Who takes something, and when: Unix seconds. */
export interface Taker {
  readonly client: number
  readonly kind: string
  readonly time: number
}

interface Piece {
  readonly taker: Taker
  /** First window in which an earlier fetch lies. */
  readonly level: number
}

interface RangePiece extends Piece {
  readonly low: number
  readonly high: number
}

export class SharingLedger {
  readonly #lines: readonly Float64Array[]
  readonly #items = new Map<string, Piece>()
  /** By line, ascending and disjoint. */
  readonly #ranges: RangePiece[][]
  readonly #byKind = new Map<string, SharedBytes>()

  /** `lines` give, by height, the bytes of everything up to it. */
  constructor(lines: readonly Float64Array[]) {
    this.#lines = lines
    this.#ranges = lines.map(() => [])
  }

  get byKind(): ReadonlyMap<string, SharedBytes> {
    return this.#byKind
  }

  /** Somebody takes the whole item; times never fall from call to call. */
  takeItem(id: string, byteCount: number, taker: Taker): void {
    const level = this.#note(this.#items.get(id), byteCount, taker)
    this.#items.set(id, { taker, level })
  }

  /** Somebody takes what is above height `low` and not above `high` on a line. */
  takeRange(line: number, low: number, high: number, taker: Taker): void {
    if (low >= high) return
    const bytesUpTo = this.#lines[line]
    if (bytesUpTo === undefined) return
    const kept: RangePiece[] = []
    const taken: RangePiece[] = []
    let at = low
    const note = (before: Piece | undefined, from: number, to: number): void => {
      if (from >= to) return
      const level = this.#note(before, (bytesUpTo[to] ?? 0) - (bytesUpTo[from] ?? 0), taker)
      const last = taken[taken.length - 1]
      if (last !== undefined && last.level === level) taken[taken.length - 1] = { ...last, high: to }
      else taken.push({ low: from, high: to, taker, level })
    }
    for (const piece of this.#ranges[line] ?? []) {
      if (piece.high <= low || piece.low >= high) {
        kept.push(piece)
        continue
      }
      const from = Math.max(piece.low, low)
      const to = Math.min(piece.high, high)
      if (piece.low < from) kept.push({ ...piece, high: from })
      note(undefined, at, from)
      note(piece, from, to)
      at = to
      if (piece.high > to) kept.push({ ...piece, low: to })
    }
    note(undefined, at, high)
    this.#ranges[line] = [...kept, ...taken].sort((a, b) => a.low - b.low)
  }

  /** Books bytes whose last fetch was `before`; returns the level of the new fetch. */
  #note(before: Piece | undefined, byteCount: number, taker: Taker): number {
    const mine = this.#bytesOf(taker.kind)
    mine.total += byteCount
    if (before === undefined || before.taker.client === taker.client) return NO_LEVEL
    mine.everBefore += byteCount
    const level = levelOf(taker.time - before.taker.time)
    for (let window = level; window < NO_LEVEL; window++) {
      mine.before[window] = (mine.before[window] ?? 0) + byteCount
      mine.within[window] = (mine.within[window] ?? 0) + byteCount
    }
    const theirs = this.#bytesOf(before.taker.kind)
    for (let window = level; window < before.level; window++) {
      theirs.within[window] = (theirs.within[window] ?? 0) + byteCount
    }
    return level
  }

  #bytesOf(kind: string): SharedBytes {
    let bytes = this.#byKind.get(kind)
    if (bytes === undefined) {
      bytes = { total: 0, within: WINDOWS_SECONDS.map(() => 0), before: WINDOWS_SECONDS.map(() => 0), everBefore: 0 }
      this.#byKind.set(kind, bytes)
    }
    return bytes
  }
}

function levelOf(gapSeconds: number): number {
  let level = 0
  while (level < NO_LEVEL && gapSeconds > (WINDOWS_SECONDS[level] ?? 0)) level++
  return level
}
