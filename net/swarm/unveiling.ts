/**
 * How a complete source shows its pieces to a crowd: a few at a time to each, and each piece to one peer before any piece
 * to two (BEP 16, super-seeding), so that the source sends everything once and the crowd shares it out. Decides only what
 * is shown to whom next. A peer that downloads alone, or says that it wants certain pieces, is shown everything.
 * How many pieces are open to a peer follows how soon it has them: more while that is quick, fewer when it is slow.
 */
import type { Availability } from './availability.ts'
import { Bitfield } from './bitfield.ts'

/** Pieces open to a peer at the least: enough that the line never waits for a peer that is slow to answer. */
const WINDOW_COUNT_MIN = 4
/** Milliseconds from shown to had: below, the window grows; above, it shrinks. */
const QUICK_MS = 500
const SLOW_MS = 1_000
/**
 * Milliseconds after which a peer that asks for nothing of what it was shown wants something else: longer than a line takes to get over
 * lost frames, because what is shown to another one meanwhile is sent twice …
 */
const UNWANTED_MS = 5_000
/**
 * … and a piece that was promised to somebody, and should have come round by itself, is shown to others as well: after so many times what a
 * piece takes on average, on a slow or lossy line too, where a fixed time would have the source send everything twice …
 */
const OVERDUE_MS_MIN = 4_000
const OVERDUE_MS_MAX = 16_000
const OVERDUE_FACTOR = 8
/** … to those who wait for nothing else after four times what a piece usually takes them, within these bounds. */
const OVERDUE_FOR_IDLE_MS_MIN = 100
const OVERDUE_FOR_IDLE_MS_MAX = 4_000
/** Among so many of the first pieces one is chosen by chance, so that two sources seldom show the same. */
const SPREAD_COUNT = 128

/** What one peer has been shown. */
export interface View {
  /** Pieces that it knows we have. */
  readonly shown: Bitfield
  /** Shown and not had yet, with the time when that was. */
  readonly open: Map<number, number>
  /** Of those, the ones that it has asked for. */
  readonly asked: Set<number>
  windowCount: number
  /** Average milliseconds from shown to had. */
  tookMs: number
}

export class Unveiling {
  readonly #availability: Availability
  readonly #random: () => number
  readonly #views = new Map<object, View>()
  /** By piece: when it was last shown to or asked for by somebody who did not have it; 0 for never. */
  readonly #promisedAtMs: Float64Array
  /** Average milliseconds from shown to had, of all peers. */
  #tookMs = 0
  /** Pieces that nobody has and that are promised to nobody, ascending; null when it has to be made anew. */
  #fresh: number[] | null = null

  constructor(pieceCount: number, availability: Availability, random: () => number) {
    this.#availability = availability
    this.#random = random
    this.#promisedAtMs = new Float64Array(pieceCount)
  }

  add(peer: object): void {
    const shown = new Bitfield(this.#promisedAtMs.length)
    this.#views.set(peer, { shown, open: new Map(), asked: new Set(), windowCount: WINDOW_COUNT_MIN, tookMs: 0 })
  }

  /** A peer has gone; what was promised to it alone, or had by it alone, is fresh again. */
  remove(peer: object): void {
    const view = this.#views.get(peer)
    this.#views.delete(peer)
    for (const index of view?.open.keys() ?? []) this.#promisedAtMs[index] = 0
    this.#fresh = null
  }

  /** True while there are pieces that `peer` was not shown. */
  isVeiled(peer: object): boolean {
    return this.#views.get(peer)?.shown.isFull === false
  }

  /** Shows everything; returns the pieces that were not shown before, ascending. */
  showAll(peer: object): number[] {
    const shown = this.#views.get(peer)?.shown
    const rest: number[] = []
    for (let index = 0; index < this.#promisedAtMs.length; index++) if (shown?.set(index) === true) rest.push(index)
    return rest
  }

  /** A peer has said which pieces it has from before. */
  onPieces(): void {
    this.#fresh = null
  }

  /** `peer` asks for a block of piece `index`. */
  onAsked(peer: object, index: number, nowMs: number): void {
    const view = this.#views.get(peer)
    if (view === undefined) return
    if (view.open.has(index)) view.asked.add(index)
    else if (this.#promisedAtMs[index] === 0) this.#promise(index, nowMs)
  }

  /** `peer` has piece `index` now. */
  onHave(peer: object, index: number, nowMs: number): void {
    const view = this.#views.get(peer)
    if (this.#promisedAtMs[index] === 0) this.#promise(index, nowMs)
    const shownAtMs = view?.open.get(index)
    if (view === undefined || shownAtMs === undefined) return
    view.open.delete(index)
    view.asked.delete(index)
    const tookMs = nowMs - shownAtMs
    view.tookMs += (tookMs - view.tookMs) / 8
    this.#tookMs += this.#tookMs === 0 ? tookMs : (tookMs - this.#tookMs) / 16
    if (tookMs < QUICK_MS) view.windowCount += 1
    else if (tookMs > SLOW_MS && view.windowCount > WINDOW_COUNT_MIN) view.windowCount -= 1
  }

  /**
   * Pieces to show to `peer` now.
   * @param pieces what it has
   * @param isAlone nobody else downloads: the pieces come in order
   */
  next(peer: object, pieces: Bitfield, isAlone: boolean, nowMs: number): number[] {
    const view = this.#views.get(peer)
    if (view === undefined || view.shown.isFull) return []
    this.#forgetUnwanted(view, nowMs)
    const chosen: number[] = []
    while (view.open.size < view.windowCount) {
      const index = this.#choose(view, pieces, isAlone, nowMs)
      if (index === null) break
      view.shown.set(index)
      view.open.set(index, nowMs)
      this.#promise(index, nowMs)
      chosen.push(index)
    }
    return chosen
  }

  #promise(index: number, nowMs: number): void {
    this.#promisedAtMs[index] = nowMs
    const at = this.#fresh?.indexOf(index) ?? -1
    if (at >= 0) this.#fresh?.splice(at, 1)
  }

  /** A peer that wants only certain pieces leaves others alone: show it twice as many at a time. */
  #forgetUnwanted(view: View, nowMs: number): void {
    if (view.asked.size > 0 || view.open.size < view.windowCount) return
    for (const shownAtMs of view.open.values()) if (nowMs - shownAtMs < UNWANTED_MS) return
    view.open.clear()
    view.windowCount *= 2
  }

  #choose(view: View, pieces: Bitfield, isAlone: boolean, nowMs: number): number | null {
    this.#fresh ??= this.#findFresh()
    const fresh = this.#fresh
    const count = Math.min(SPREAD_COUNT, fresh.length)
    const start = isAlone ? 0 : Math.floor(this.#random() * count)
    for (let step = 0; step < fresh.length; step++) {
      const index = fresh[step < count ? (start + step) % count : step]
      if (index !== undefined && !view.shown.has(index) && !pieces.has(index)) return index
    }
    return this.#rarest(view, pieces, nowMs)
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
    for (const { open } of this.#views.values()) if (open.has(index)) return true
    return false
  }

  /** Of the pieces that were shown to others and should have come round by now: the rarest. */
  #rarest(view: View, pieces: Bitfield, nowMs: number): number | null {
    const idleMs = Math.min(OVERDUE_FOR_IDLE_MS_MAX, Math.max(OVERDUE_FOR_IDLE_MS_MIN, 4 * view.tookMs))
    const lateMs = Math.min(OVERDUE_MS_MAX, Math.max(OVERDUE_MS_MIN, OVERDUE_FACTOR * this.#tookMs))
    const overdueMs = view.open.size === 0 ? idleMs : lateMs
    let best: number | null = null
    let bestCount = Number.POSITIVE_INFINITY
    for (let index = 0; index < this.#promisedAtMs.length; index++) {
      if (view.shown.has(index) || pieces.has(index)) continue
      const promisedAtMs = this.#promisedAtMs[index] ?? 0
      if (promisedAtMs !== 0 && nowMs - promisedAtMs < overdueMs) continue
      const count = this.#availability.of(index)
      if (count >= bestCount) continue
      best = index
      bestCount = count
    }
    return best
  }
}
