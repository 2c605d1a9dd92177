/**
 * Watches over what peers and web seeds bring in one conversation, and has the origin asked for it as well when they are slow
 * (origin-race.ts). Where it cannot be asked before git asks, as in a fetch, the slow are left at once: what the origin then sends is no more
 * than what they would have brought. So they are when it was asked for several claims and its answers had to make way each time: all of it is work
 * for the origin. One that says nothing costs nobody anything: others bring meanwhile. Where there is no origin, nothing is watched.
 */
import type { OriginAnswer, SupplyRequest } from '../../remote/supply.ts'
import type { Trace } from '../../trace.ts'
import { ORIGIN_ASK_COUNT_MAX } from './limits.ts'
import { type Arrivals, ORIGIN_LOOK_MS, OriginRace } from './origin-race.ts'

export class BesideOrigin {
  readonly #askOrigin: SupplyRequest['askOrigin']
  readonly #race: OriginRace
  readonly #trace: Trace
  readonly #leaving = new AbortController()
  readonly #handingOver = new AbortController()
  /** Aborted when the origin brings all, what has come included. */
  readonly left: AbortSignal = this.#leaving.signal
  /** Aborted when nothing more is to come of others. */
  readonly over: AbortSignal = AbortSignal.any([this.left, this.#handingOver.signal])
  #answer: OriginAnswer | null = null
  #askedCount = 0

  constructor({ askOrigin }: SupplyRequest, downloadLimit: number | null, trace: Trace) {
    this.#askOrigin = askOrigin
    this.#race = new OriginRace(downloadLimit)
    this.#trace = trace
  }

  /** Nobody is to be asked any more but the origin. */
  get isOver(): boolean {
    return this.over.aborted
  }

  /**
   * Watches over what comes, one claim at a time; returns how to stop.
   * @param arrivals null while there is somebody else to turn to, and nobody slow is in the way
   * @param haves commits that are complete here, and that the origin has
   */
  watch(arrivals: () => Arrivals | null, haves: readonly string[]): () => void {
    if (this.#askOrigin === undefined) return () => {}
    this.#race.begin(performance.now())
    const timer = setInterval(() => {
      const now = arrivals()
      if (now !== null && !this.isOver) this.#look(now, haves)
    }, ORIGIN_LOOK_MS)
    return () => clearInterval(timer)
  }

  #look(arrivals: Arrivals, haves: readonly string[]): void {
    if (this.#answer?.isGone()) this.#answer = null
    const answer = this.#answer
    const kept = answer === null ? null : { keptLength: answer.keptLength(), isFull: answer.isFull() }
    const verdict = this.#race.look(performance.now(), arrivals, kept)
    if (verdict === 'ask') this.#answer = this.#ask(haves)
    const isLeft = verdict === 'leave' || (verdict === 'ask' && this.#answer === null)
    if (isLeft || verdict === 'hand-over')
      this.#trace(() => `slow: ${arrivals.leftLength} bytes are left to the origin, ${verdict}`)
    if (verdict === 'drop' || verdict === 'hand-over') this.drop()
    if (isLeft) this.#leaving.abort()
    if (verdict === 'hand-over') this.#handingOver.abort()
  }

  /** Null where the origin cannot be asked, or was asked often enough. */
  #ask(haves: readonly string[]): OriginAnswer | null {
    return ++this.#askedCount > ORIGIN_ASK_COUNT_MAX ? null : (this.#askOrigin?.(haves) ?? null)
  }

  /** The origin need not bring what it was asked for. */
  drop(): void {
    this.#answer?.drop()
    this.#answer = null
  }
}
