/**
 * The order in which commits of a segment count (FORMAT.md, "Order of commits"): depth-first from the segment's tip,
 * parents in their stored order, a commit after all its parents. It depends on the graph alone: no dates, no ties.
 */

import type { CommitGraph } from './commit-graph.ts'

/** Marks of commits already taken, one byte per commit number; grows with the graph. */
export class CommitMarks {
  #marks: Uint8Array

  constructor(graph: CommitGraph) {
    this.#marks = new Uint8Array(graph.count)
  }

  has(commit: number): boolean {
    return this.#marks[commit] === 1
  }

  add(commit: number): void {
    this.#marks[commit] = 1
  }

  /** A copy that can go on by itself. */
  clone(graph: CommitGraph): CommitMarks {
    const copy = new CommitMarks(graph)
    copy.#marks.set(this.#marks)
    return copy
  }
}

/**
 * Commits reachable from `tip` that `taken` does not hold yet, parents first; marks them taken.
 * @throws object-missing when a commit's parent is not in the graph (a shallow repository)
 */
export function takeCommits(graph: CommitGraph, tip: number, taken: CommitMarks): number[] {
  const order: number[] = []
  if (taken.has(tip)) return order
  const stack: number[] = [tip]
  const nextParent: number[] = [0]
  taken.add(tip)
  while (stack.length > 0) {
    const top = stack.length - 1
    const commit = stack[top] ?? 0
    const at = nextParent[top] ?? 0
    if (at === graph.parentCountOf(commit)) {
      order.push(commit)
      stack.pop()
      nextParent.pop()
      continue
    }
    nextParent[top] = at + 1
    const parent = graph.parentOf(commit, at)
    if (taken.has(parent)) continue
    taken.add(parent)
    stack.push(parent)
    nextParent.push(0)
  }
  return order
}
