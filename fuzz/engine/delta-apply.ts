/**
 * Fuzz target of the delta decoder. The first byte is the length of the base, which follows; the rest is the delta.
 * Only EngineError may come out, and a result is as long as the delta declared. Deltas that declare more than 1 MiB are
 * only read as far as their header, as a caller with a limit would.
 */

import { applyDelta, readDeltaHeader } from '../../engine/delta-apply.ts'
import { AssertionError, EngineError } from '../../engine/errors.ts'
import { SMALL_DELTA } from '../driver/seeds.ts'

const RESULT_LENGTH_MAX = 2 ** 20

export function fuzz(bytes: Uint8Array): void {
  const baseLength = Math.min(bytes[0] ?? 0, Math.max(0, bytes.length - 1))
  const deltaBase = bytes.subarray(1, 1 + baseLength)
  const delta = bytes.subarray(1 + baseLength)
  try {
    const { resultLength } = readDeltaHeader(delta)
    if (resultLength > RESULT_LENGTH_MAX) return
    if (applyDelta(deltaBase, delta).length !== resultLength) throw new AssertionError('the result has another length')
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const long = Buffer.of(
    200,
    ...new Uint8Array(200).fill(65),
    0xc8,
    1,
    0xd2,
    1,
    0xb1,
    100,
    0,
    100,
    3,
    1,
    2,
    3,
    0x90,
    107,
  )
  return [Buffer.of(5, 1, 2, 3, 4, 5, ...SMALL_DELTA), long]
}

/** The longest result. */
export const allocationLengthMax = RESULT_LENGTH_MAX + 2 ** 16
