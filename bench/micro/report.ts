/**
 * The result of bench:micro: its JSON shape, and how ranges of rounds are made.
 */

import type { About } from '../result-file.ts'

/** Least, median and most of the rounds. */
export type Range = readonly [number, number, number]

export interface Figures {
  /** The median of the rounds. */
  readonly nsPerByte: number
  /** Name of its bound; null for a bound. */
  readonly bound: string | null
  /** Times the bound; 1 for a bound. */
  readonly ratio: Range
  /** Times the same kernel of the other build; null where there is none. */
  readonly against: Range | null
}

export interface MicroReport extends About {
  readonly bench: 'micro'
  readonly rounds: number
  /** The other build as it was named, or null. */
  readonly against: string | null
  /** Kernels that have become slower beyond noise. */
  readonly slower: readonly string[]
  readonly kernels: Readonly<Record<string, Figures>>
}

export function rangeOf(values: readonly number[]): Range {
  const sorted = [...values].sort((a, b) => a - b)
  return [sorted[0] ?? 1, sorted[sorted.length >> 1] ?? 1, sorted.at(-1) ?? 1]
}

/** To three digits. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
