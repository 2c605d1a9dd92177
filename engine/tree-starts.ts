/**
 * Splits a tree into its entries, looking only at those that its delta base does not have: what a delta takes from its base entry
 * by entry needs no second look. git/git's trees have 58 million entries, of which 0.75 million are new.
 */

import { TreeCursor } from './object.ts'

/** Where in an array the starts of a tree's entries are, the last of them its end. */
export interface TreeStarts {
  readonly at: number
  readonly end: number
}

/** Of what is whole. */
export const NO_STARTS: TreeStarts = { at: 0, end: 0 }

/** Most starts that a tree of `length` bytes has: an entry has a space, a NUL and a name at least, and one is for the end. */
export function startCountMax(length: number, hashLength: number): number {
  return Math.floor(length / (hashLength + 2)) + 1
}

export interface TreeSplit {
  /** Holds the starts of the base, and takes those of the tree from `startsAt` on. */
  readonly words: Uint32Array
  readonly startsAt: number
  readonly base: TreeStarts
  /** What was taken from the base, see readCopies. */
  readonly copies: readonly number[]
}

/**
 * Calls `look` for each entry that is not the base's.
 * @returns how many starts were written; -1 as soon as `look` said false
 * @throws EngineError 'object-malformed'
 */
export function splitTree(
  bytes: Uint8Array,
  hashLength: number,
  { words, startsAt, base, copies }: TreeSplit,
  look: (entry: TreeCursor) => boolean,
): number {
  const cursor = new TreeCursor(bytes, hashLength)
  let next = startsAt
  let copy = 0
  for (let at = 0; at < bytes.length; ) {
    while (copy < copies.length && (copies[copy] ?? 0) + (copies[copy + 1] ?? 0) <= at) copy += 3
    const start = copies[copy] ?? Number.POSITIVE_INFINITY
    if (start <= at) {
      const shift = start - (copies[copy + 2] ?? 0)
      const first = firstFrom(words, base, at - shift)
      const isStart = first < base.end && words[first] === at - shift
      const end = isStart ? firstFrom(words, base, start - shift + (copies[copy + 1] ?? 0) + 1) - 1 : first
      if (end > first) {
        words.copyWithin(next, first, end)
        // Mostly a name has taken the place of another, and nothing has moved.
        if (shift !== 0) for (let i = next; i < next + end - first; i++) words[i] = (words[i] ?? 0) + shift
        next += end - first
        at = (words[end] ?? 0) + shift
        continue
      }
    }
    cursor.seek(at)
    cursor.next()
    if (!look(cursor)) return -1
    words[next++] = at
    at = cursor.oidStart + hashLength
  }
  words[next++] = bytes.length
  return next - startsAt
}

/** Index of the first start at or behind `offset`, by bisection. */
function firstFrom(words: Uint32Array, { at, end }: TreeStarts, offset: number): number {
  let low = at
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((words[middle] ?? 0) < offset) low = middle + 1
    else high = middle
  }
  return low
}
