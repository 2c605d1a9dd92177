/**
 * Which branches are worth a chain. A segment of a branch that merges the main line holds again what the main line brought since
 * the segment's older end: of tigerbeetle's 382 branches with checkpoints the chains would hold 9,232 commits, 7,371 of them for
 * the second time. So a branch's chain ends where the main line has merged it, and a branch whose segments repeat far more
 * than they bring has none: the origin sends what it brings. Commits are counted, because they are known before anything is built.
 */

import type { CommitGraph, Oid, TracedLine } from '../../engine/index.ts'
import { LINE_REPEATED_FACTOR_MAX } from '../limits.ts'

export class LineChoice {
  readonly #graph: CommitGraph
  /**
   * By commit number: of what the main line's newest checkpoint reaches, the height of the oldest commit of that line which
   * does; of what a chosen branch brings, minus the greatest such height that it reaches; else 0.
   */
  readonly #heights: Int32Array

  /** Linear in the commits that the main line reaches. */
  constructor(graph: CommitGraph, main: TracedLine) {
    this.#graph = graph
    this.#heights = new Int32Array(graph.count)
    const newest = main.checkpoints[0]?.height ?? 0
    for (let height = 1; height <= newest; height++) {
      const commit = main.commits[main.length - height]
      if (commit !== undefined) this.#walk(commit, (found) => found === 0, height)
    }
  }

  /** True if the main line's newest checkpoint reaches the commit. */
  isMerged(oid: Oid): boolean {
    return this.#heightOf(oid) > 0
  }

  /**
   * Takes the branch whose chain leads from `tip` down to `base`, if it brings enough; from then on others bring only what it does
   * not. Linear in the commits that are new, and those that may be repeated for them.
   */
  take(tip: Oid, base: Oid | null): boolean {
    const floor = base === null ? 0 : Math.abs(this.#heightOf(base))
    const fresh = this.#walk(this.#graph.numberOf(tip), (height) => height === 0, -1)
    const repeated = this.#repeatedBy(fresh, floor, fresh.length * LINE_REPEATED_FACTOR_MAX)
    const height = repeated === null ? 0 : -Math.max(1, floor, repeated.top)
    for (const commit of fresh) this.#heights[commit] = height
    return fresh.length > 0 && repeated !== null
  }

  #heightOf(oid: Oid): number {
    return this.#heights[this.#graph.numberOf(oid)] ?? 0
  }

  /** The commits from one on that are as asked for; notes `height` for each. */
  #walk(from: number, isWanted: (height: number) => boolean, height: number): number[] {
    const found: number[] = []
    const look = (commit: number): void => {
      if (!isWanted(this.#heights[commit] ?? 0)) return
      this.#heights[commit] = height
      found.push(commit)
    }
    look(from)
    for (let at = 0; at < found.length; at++) this.#forParentsOf(found[at] ?? 0, look)
    return found
  }

  /** The greatest height among commits of the main line above `floor` that new ones rest on; null if they are more than `countMax`. */
  #repeatedBy(fresh: readonly number[], floor: number, countMax: number): { readonly top: number } | null {
    const repeated = new Set<number>()
    let top = 0
    const look = (commit: number): void => {
      const height = this.#heights[commit] ?? 0
      if (height <= floor) return
      top = Math.max(top, height)
      repeated.add(commit)
    }
    for (const commit of fresh) this.#forParentsOf(commit, look)
    // A set goes on to what is added while it is walked.
    for (const commit of repeated) {
      if (repeated.size > countMax) return null
      this.#forParentsOf(commit, look)
    }
    return repeated.size > countMax ? null : { top }
  }

  #forParentsOf(commit: number, look: (parent: number) => void): void {
    const count = this.#graph.parentCountOf(commit)
    for (let at = 0; at < count; at++) look(this.#graph.parentOf(commit, at))
  }
}
