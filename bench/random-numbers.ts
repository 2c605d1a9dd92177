/**
 * Repeatable numbers for generated content: a linear congruential generator modulo 2^32, of which the upper bits are used.
 * The same seed gives the same numbers on every machine and Node; not for statistics, not for secrets.
 */

/** Returns the next number in 0 … bound - 1; `bound` is at most 65536. */
export type NumberSource = (bound: number) => number

/** Returns a source that depends on the seed (any integer) alone. */
export function randomNumbers(seed: number): NumberSource {
  let state = Math.imul(seed ^ 0x9e3779b9, 2654435761) >>> 0
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return ((state >>> 16) * bound) >>> 16
  }
}
