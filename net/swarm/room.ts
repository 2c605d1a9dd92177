/**
 * How many pieces a source has under way to all peers together. What is under way is what the line carries in the time that
 * a piece takes (Little's law): if there were ten, and they took twice as long as they should, the line carries five in
 * due time. So it is not by trial that the room grows and shrinks: what is heard now was shown a while ago, and steps of
 * one for each piece that was quick or slow swing.
 */

/** Pieces under way at the least: the line never waits for a peer that is slow to answer, nor for two that never do. */
const COUNT_MIN = 4
/** Bytes under way in the beginning, when nothing is known of the line: a second of a slow one. */
const START_LENGTH = 256 * 1024
/** There is never room for more than so many times what was under way: then it is seen how long that takes. */
const GROWTH_MAX = 2
/** One piece, of a peer that says late what it has, counts as taking no longer than so many times what it should. */
const LATENESS_MAX = 16

export class Room {
  /** Pieces that were under way when one was shown, on average of the last ones. */
  #underWayCount: number
  /** What they took over what they should have taken, on average. */
  #lateness = 1

  constructor(pieceLengthBytes: number) {
    this.#underWayCount = START_LENGTH / pieceLengthBytes
  }

  get count(): number {
    return Math.max(COUNT_MIN, Math.floor(this.#underWayCount / Math.max(this.#lateness, 1 / GROWTH_MAX)))
  }

  /**
   * A piece has come.
   * @param underWayCount pieces that were under way when it was shown, itself included
   * @param tookMs from then on
   * @param aimMs what it should take
   */
  fit(underWayCount: number, tookMs: number, aimMs: number): void {
    // As many pieces as are under way at once make an average.
    const share = 1 / Math.max(COUNT_MIN, underWayCount)
    this.#underWayCount += (underWayCount - this.#underWayCount) * share
    this.#lateness += (Math.min(LATENESS_MAX, tookMs / aimMs) - this.#lateness) * share
  }
}
