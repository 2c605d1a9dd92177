/**
 * How a complete source shows its pieces to a crowd: a few at a time, and each piece to one peer before any piece to two
 * (BEP 16, super-seeding), so that the source sends everything once and the crowd shares it out. Decides only what is shown
 * to whom next. A peer that downloads alone, or says that it wants certain pieces, is shown everything.
 * How many pieces are under way, to one peer and to all together, follows how soon they are had: more while that is quick,
 * fewer when it is slow. All together, because they share the source's line: each of many connections gets so little of a
 * slow one, and so unevenly, that some pieces come many times later than others, and seem to be lost.
 */
import type { CheckedTorrent } from '../torrent.ts'
import type { Availability } from './availability.ts'
import type { Bitfield } from './bitfield.ts'
import { Room } from './room.ts'
import { SLOW_MS, View } from './view.ts'

/** What is later than so many times what a piece takes on average does not count as under way any more. */
const LATE_FACTOR = 4
/** A single piece counts for no more than so many times the average: one that says late what it has must not hold up all. */
const OUTLIER_FACTOR = 4
/**
 * A piece that was promised to somebody, and should have come round by itself, is shown to others as well: after so many times what a
 * piece takes on average, on a slow or lossy line too, where a fixed time would have the source send everything twice …
 */
const OVERDUE_MS_MIN = 4_000
const OVERDUE_MS_MAX = 16_000
const OVERDUE_FACTOR = 8
/** … to those who wait for nothing else after four times what a piece usually takes, within these bounds. */
const OVERDUE_FOR_IDLE_FACTOR = 4
const OVERDUE_FOR_IDLE_MS_MIN = 100
const OVERDUE_FOR_IDLE_MS_MAX = 4_000
/** Milliseconds between two searches for what is overdue, for one peer. */
const SEEK_INTERVAL_MS = 50
/** Among so many of the first pieces one is chosen by chance, so that two sources seldom show the same. */
const SPREAD_COUNT = 128

type Sizes = Pick<CheckedTorrent, 'pieceCount' | 'pieceLengthBytes'>

/** Shows a piece to a peer, as one of so many that are under way; false if there is none for it. */
type Show<Peer> = (peer: Peer, view: View, underWayCount: number) => boolean

export class Unveiling<Peer extends object> {
  readonly #availability: Availability
  readonly #random: () => number
  readonly #views = new Map<Peer, View>()
  /** By piece: when it was last shown to or asked for by somebody who did not have it; 0 for never. */
  readonly #promisedAtMs: Float64Array
  /** Average milliseconds from shown to had, of all peers; 0 before the first. */
  #tookMs = 0
  readonly #room: Room
  /** Pieces that nobody has and that are promised to nobody, ascending; null when it has to be made anew. */
  #fresh: number[] | null = null

  constructor({ pieceCount, pieceLengthBytes }: Sizes, availability: Availability, random: () => number) {
    this.#availability = availability
    this.#random = random
    this.#promisedAtMs = new Float64Array(pieceCount)
    this.#room = new Room(pieceLengthBytes)
  }

  /** @param pieces what the peer has; kept up to date by the caller */
  add(peer: Peer, pieces: Bitfield, nowMs: number): void {
    this.#views.set(peer, new View(pieces, nowMs))
  }

  /** A peer has gone; what was promised to it alone, or had by it alone, is fresh again. */
  remove(peer: Peer): void {
    const view = this.#views.get(peer)
    this.#views.delete(peer)
    for (const index of view?.open ?? []) this.#promisedAtMs[index] = 0
    this.#fresh = null
  }

  /** True while there are pieces that `peer` was not shown. */
  isVeiled(peer: Peer): boolean {
    return this.#views.get(peer)?.shown.isFull === false
  }

  /** Shows everything; returns the pieces that were not shown before, ascending. */
  showAll(peer: Peer): number[] {
    const shown = this.#views.get(peer)?.shown
    const rest: number[] = []
    for (let index = 0; index < this.#promisedAtMs.length; index++) if (shown?.set(index) === true) rest.push(index)
    return rest
  }

  /** `peer` has said which pieces it has from before. */
  onPieces(peer: Peer): void {
    this.#views.get(peer)?.forgetHad()
    this.#fresh = null
  }

  /** `peer` asks for a block of piece `index`. */
  onAsked(peer: Peer, index: number, nowMs: number): void {
    this.#views.get(peer)?.onAsked(index)
    if (this.#promisedAtMs[index] === 0) this.#promise(index, nowMs)
  }

  /** `peer` has piece `index` now; returns true if that was one that it had been shown, so that there may be room for another. */
  onHave(peer: Peer, index: number, nowMs: number): boolean {
    if (this.#promisedAtMs[index] === 0) this.#promise(index, nowMs)
    const had = this.#views.get(peer)?.onHave(index, nowMs) ?? null
    if (had === null) return false
    if (this.#tookMs === 0) this.#tookMs = had.tookMs
    else this.#tookMs += (Math.min(had.tookMs, OUTLIER_FACTOR * this.#tookMs) - this.#tookMs) / 16
    if (had.isOurs) this.#room.fit(had.underWayCount, had.tookMs, had.aimMs)
    return true
  }

  /**
   * Pieces to show now, by peer.
   * @param isAlone nobody else downloads: the pieces come in order
   */
  next(isAlone: boolean, nowMs: number): Map<Peer, number[]> {
    const chosen = new Map<Peer, number[]>()
    const show: Show<Peer> = (peer, view, underWayCount) => {
      const index = this.#choose(view, isAlone, nowMs)
      if (index === null) return false
      view.show(index, underWayCount, nowMs)
      if (!view.isDeaf) this.#promise(index, nowMs)
      const indexes = chosen.get(peer)
      if (indexes === undefined) chosen.set(peer, [index])
      else indexes.push(index)
      return true
    }
    this.#showOthers(show, nowMs)
    this.#fillRoom(show, nowMs)
    return chosen
  }

  /** To those who want only certain pieces, and leave others alone. Such pieces take no room, and stay fresh for others. */
  #showOthers(show: Show<Peer>, nowMs: number): void {
    for (const [peer, view] of this.#views) {
      if (!view.forgetUnwanted(nowMs)) continue
      while (view.takesMore(nowMs) && show(peer, view, this.#room.count));
    }
  }

  /** One piece at a time to who has fewest open; of several to who has waited longest. */
  #fillRoom(show: Show<Peer>, nowMs: number): void {
    const waiting = new Map([...this.#views].filter(([, view]) => view.takesMore(nowMs)))
    let underWayCount = this.#countUnderWay(nowMs)
    while (underWayCount < this.#room.count) {
      const first = firstOf(waiting)
      if (first === null) break
      const [peer, view] = first
      const isShown = show(peer, view, underWayCount + 1)
      if (isShown) underWayCount += 1
      if (!isShown || !view.takesMore(nowMs)) waiting.delete(peer)
    }
  }

  #countUnderWay(nowMs: number): number {
    const lateMs = clamp(LATE_FACTOR * this.#tookMs, SLOW_MS, OVERDUE_MS_MAX)
    let count = 0
    for (const view of this.#views.values()) count += view.countUnderWay(lateMs, nowMs)
    return count
  }

  #promise(index: number, nowMs: number): void {
    this.#promisedAtMs[index] = nowMs
    const at = this.#fresh?.indexOf(index) ?? -1
    if (at >= 0) this.#fresh?.splice(at, 1)
  }

  #choose(view: View, isAlone: boolean, nowMs: number): number | null {
    this.#fresh ??= this.#findFresh()
    const fresh = this.#fresh
    const count = Math.min(SPREAD_COUNT, fresh.length)
    const start = isAlone ? 0 : Math.floor(this.#random() * count)
    for (let step = 0; step < fresh.length; step++) {
      const index = fresh[step < count ? (start + step) % count : step]
      if (index !== undefined && !view.shown.has(index) && !view.pieces.has(index)) return index
    }
    return this.#overdue(view, nowMs)
  }

  #findFresh(): number[] {
    const fresh: number[] = []
    for (let index = 0; index < this.#promisedAtMs.length; index++) {
      if (this.#availability.of(index) > 0) continue
      if (this.#promisedAtMs[index] === 0 || !this.#isOpenToSomebody(index)) fresh.push(index)
    }
    return fresh
  }

  #isOpenToSomebody(index: number): boolean {
    for (const view of this.#views.values()) if (view.isOpen(index)) return true
    return false
  }

  /** Of the pieces that were shown to others and should have come round by now: the rarest. */
  #overdue(view: View, nowMs: number): number | null {
    if (nowMs - view.soughtInVainAtMs < SEEK_INTERVAL_MS) return null
    const overdueMs = this.#overdueMs(view)
    let best: number | null = null
    let bestCount = Number.POSITIVE_INFINITY
    for (let index = 0; index < this.#promisedAtMs.length; index++) {
      if (view.shown.has(index) || view.pieces.has(index)) continue
      const promisedAtMs = this.#promisedAtMs[index] ?? 0
      if (promisedAtMs !== 0 && nowMs - promisedAtMs < overdueMs) continue
      const count = this.#availability.of(index)
      if (count >= bestCount) continue
      best = index
      bestCount = count
    }
    if (best === null) view.soughtInVainAtMs = nowMs
    return best
  }

  #overdueMs({ openCount, tookMs }: View): number {
    if (openCount > 0) return clamp(OVERDUE_FACTOR * this.#tookMs, OVERDUE_MS_MIN, OVERDUE_MS_MAX)
    const usualMs = Math.max(tookMs, this.#tookMs)
    return clamp(OVERDUE_FOR_IDLE_FACTOR * usualMs, OVERDUE_FOR_IDLE_MS_MIN, OVERDUE_FOR_IDLE_MS_MAX)
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value))
}

/** Who has fewest pieces open; of those, who was shown something, or came, longest ago. */
function firstOf<Peer>(views: ReadonlyMap<Peer, View>): [Peer, View] | null {
  let first: [Peer, View] | null = null
  for (const [peer, view] of views) {
    const best = first?.[1]
    const isFewer = best === undefined || view.openCount < best.openCount
    if (isFewer || (view.openCount === best.openCount && view.shownAtMs < best.shownAtMs)) first = [peer, view]
  }
  return first
}
