/**
 * What a source that shows its pieces by and by has shown to one peer, and what came of it: how many pieces may be open to
 * the peer (more while it has them soon, fewer when late), how many of those take some of the source's line, and how soon
 * one was had, held against what this peer's own line can do. Bookkeeping only; `Unveiling` decides.
 */
import { Bitfield } from './bitfield.ts'

/** Pieces open to a peer at the least, if there is room: enough that the line never waits for a peer that is slow to answer. */
const WINDOW_COUNT_MIN = 4
/** Milliseconds from shown to had: below, the peer is shown more at a time; above, less. */
const QUICK_MS = 500
export const SLOW_MS = 1_000
/** What a piece should take: this, or so many times the quickest of this peer, where its own line is what takes the time. */
const AIM_MS = 750
const AIM_FACTOR = 2
/** Milliseconds in which a peer asks for what it was shown; what it has not asked for until then takes none of the line. */
const ASKED_MS_MAX = 500
/**
 * Milliseconds after which a peer that asks for nothing of what it was shown wants something else: longer than a line takes to get over
 * lost frames, because what is shown to another one meanwhile is sent twice.
 */
const UNWANTED_MS = 5_000

/** A piece that was open has been had. */
export interface Had {
  /** Milliseconds since it was shown. */
  readonly tookMs: number
  /** What it should have taken. */
  readonly aimMs: number
  /** Pieces that were under way to all peers when it was shown, itself included. */
  readonly underWayCount: number
  /** The peer had asked us for it; what others bring says nothing of our line. */
  readonly isOurs: boolean
}

interface Open {
  readonly shownAtMs: number
  readonly underWayCount: number
}

export class View {
  /** What the peer has; kept up to date by whoever made the view. */
  readonly pieces: Bitfield
  /** Pieces that it knows we have. */
  readonly shown: Bitfield
  /** Average milliseconds from shown to had. */
  tookMs = 0
  /** When it was shown something last, or came. */
  shownAtMs: number
  /** When nothing was found that could be shown to it. */
  soughtInVainAtMs = Number.NEGATIVE_INFINITY
  /** Shown and not had yet. */
  readonly #open = new Map<number, Open>()
  /** Of those, the ones that it has asked for. */
  readonly #asked = new Set<number>()
  #windowCount = WINDOW_COUNT_MIN
  #tookMsMin = Number.POSITIVE_INFINITY
  #isDeaf = false

  constructor(pieces: Bitfield, nowMs: number) {
    this.pieces = pieces
    this.shown = new Bitfield(pieces.pieceCount)
    this.shownAtMs = nowMs
  }

  get openCount(): number {
    return this.#open.size
  }

  /** It asked for nothing of what it was shown, and for nothing since: there is no knowing whether it will. */
  get isDeaf(): boolean {
    return this.#isDeaf
  }

  /** Pieces that are open, in the order in which they were shown. */
  get open(): Iterable<number> {
    return this.#open.keys()
  }

  isOpen(index: number): boolean {
    return this.#open.has(index)
  }

  /** True if the peer may be shown another piece: not while it leaves alone what it has been shown. */
  takesMore(nowMs: number): boolean {
    if (this.shown.isFull || this.#open.size >= this.#windowCount) return false
    return this.#isDeaf || this.#unaskedMs(nowMs) < ASKED_MS_MAX
  }

  /** @param underWayCount pieces that are under way to all peers now, this one included */
  show(index: number, underWayCount: number, nowMs: number): void {
    this.shown.set(index)
    this.#open.set(index, { shownAtMs: nowMs, underWayCount })
    this.shownAtMs = nowMs
  }

  /** The peer asks for a block of piece `index`. */
  onAsked(index: number): void {
    this.#isDeaf = false
    if (this.#open.has(index)) this.#asked.add(index)
  }

  /** The peer has piece `index`; null if that was not open. */
  onHave(index: number, nowMs: number): Had | null {
    const open = this.#open.get(index)
    if (open === undefined) return null
    this.#open.delete(index)
    const tookMs = nowMs - open.shownAtMs
    this.tookMs += (tookMs - this.tookMs) / 8
    if (tookMs < QUICK_MS) this.#windowCount += 1
    else if (tookMs > SLOW_MS && this.#windowCount > WINDOW_COUNT_MIN) this.#windowCount -= 1
    const isOurs = this.#asked.delete(index)
    if (isOurs) this.#tookMsMin = Math.min(this.#tookMsMin, tookMs)
    const aimMs = Math.max(AIM_MS, AIM_FACTOR * this.#tookMsMin)
    return { tookMs, aimMs, underWayCount: open.underWayCount, isOurs }
  }

  /** The peer has said what it had when it came: of what it was shown before that, nothing of it is open. */
  forgetHad(): void {
    for (const index of this.#open.keys()) if (this.pieces.has(index)) this.#open.delete(index)
  }

  /** Pieces that take some of the source's line, or will soon: those asked for within the last `lateMs`, and those just shown. */
  countUnderWay(lateMs: number, nowMs: number): number {
    if (this.#isDeaf) return 0
    let count = 0
    for (const [index, { shownAtMs }] of this.#open) {
      if (nowMs - shownAtMs < (this.#asked.has(index) ? lateMs : ASKED_MS_MAX)) count += 1
    }
    return count
  }

  /** Returns whether the peer has left alone all it was shown for so long that it wants something else; then twice as much may be open. */
  forgetUnwanted(nowMs: number): boolean {
    if (this.#open.size === 0 || this.#asked.size > 0) return false
    if (nowMs - this.shownAtMs < UNWANTED_MS) return false
    this.#open.clear()
    this.#windowCount *= 2
    this.#isDeaf = true
    return true
  }

  /** Milliseconds since the oldest open piece was shown, if none of them was asked for. */
  #unaskedMs(nowMs: number): number {
    if (this.#asked.size > 0) return 0
    for (const { shownAtMs } of this.#open.values()) return nowMs - shownAtMs
    return 0
  }
}
