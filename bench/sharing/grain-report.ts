/**
 * The result of bench:grain as JSON: one row per pair of N0 and G, with the figures by name.
 */

export interface GrainRow {
  readonly repository: string
  readonly N0: number
  readonly G: number
  /** N0 · 2^G. */
  readonly cut: number
  readonly [figure: string]: number | string
}

export interface GrainReport {
  readonly bench: 'grain'
  readonly repository: string
  readonly command: string
  readonly machine: string
  readonly rows: readonly GrainRow[]
}
