/**
 * When a delta is worth trying and how much it weighs (FORMAT.md, "Placement"): the rules that placement of segments
 * and of snapshots share. Integer arithmetic only.
 */

import { DELTA_OBJECT_LENGTH_MIN, type FormatParameters } from './format.ts'

const WEIGHT_UNIT = 64
/** A bound below this leaves no room for a delta. */
const DELTA_LENGTH_MIN = 8

/**
 * Longest delta, in bytes, that may turn an object of `sourceLength` bytes into one of `targetLength`, when the best one
 * so far has `lengthBest`; null when none is tried.
 */
export function deltaLengthMax(
  sourceLength: number,
  targetLength: number,
  lengthBest: number | null,
  hashLength: number,
  { deltaObjectLengthMax }: FormatParameters,
): number | null {
  if (targetLength < DELTA_OBJECT_LENGTH_MIN || sourceLength < DELTA_OBJECT_LENGTH_MIN) return null
  if (targetLength > deltaObjectLengthMax || sourceLength > deltaObjectLengthMax) return null
  const whole = (targetLength >> 1) - hashLength
  const lengthMax = lengthBest === null ? whole : Math.min(whole, lengthBest - 1)
  return lengthMax < DELTA_LENGTH_MIN || targetLength - sourceLength > lengthMax ? null : lengthMax
}

/** Weight of a delta of `length` bytes against a base of that depth; the lightest is taken. */
export function weightOf(length: number, depth: number, { depthPenalty }: FormatParameters): number {
  return length * (WEIGHT_UNIT + depthPenalty * depth)
}
