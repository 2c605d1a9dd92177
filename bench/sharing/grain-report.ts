/**
 * The result of bench:grain as JSON: one row per pair of N0 and G, with the figures by name.
 */

import type { About } from '../result-file.ts'

export interface GrainRow {
  readonly repository: string
  readonly N0: number
  readonly G: number
  /** N0 · 2^G. */
  readonly cut: number
  readonly [figure: string]: number | string
}

export interface GrainReport extends About {
  readonly bench: 'grain'
  readonly rows: readonly GrainRow[]
}
