/**
 * Fuzz target of the stored rows of a segment. Only EngineError may come out. Rows that were taken in form a forest: an
 * object is one deeper than its base, so no later walk towards a base can go on for ever; written again and read again,
 * they are the same bytes.
 */

import { AssertionError, EngineError } from '../../engine/errors.ts'
import { LineState, ObjectRows } from '../../engine/line-state.ts'
import { encodeSegmentRows, loadSegmentRows } from '../../engine/segment-rows.ts'

const HASH_LENGTH = 20
const ROW_COUNT_MAX = 2 ** 15
const OLDER = '09'.repeat(HASH_LENGTH)

let rows = new ObjectRows(HASH_LENGTH)

export function fuzz(bytes: Uint8Array): void {
  if (rows.count > ROW_COUNT_MAX) rows = new ObjectRows(HASH_LENGTH)
  const written = rewrite(bytes)
  if (written === null) return
  const again = rewrite(written)
  if (again === null || Buffer.compare(again, written) !== 0) throw new AssertionError('rows change when written again')
}

/** Loads rows into a line with one older object, and writes them. */
function rewrite(bytes: Uint8Array): Uint8Array | null {
  const line = new LineState(rows)
  line.add(OLDER, 3, 1)
  line.closeSegment()
  const first = rows.count
  try {
    loadSegmentRows(bytes, line)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return null
  }
  const { bases, depths } = rows.views
  const numbers = Int32Array.from({ length: rows.count - first }, (_, index) => first + index)
  for (const number of numbers) {
    const base = bases[number] ?? -1
    const expected = base < 0 ? 0 : (depths[base] ?? 0) + 1
    if (depths[number] !== expected) throw new AssertionError('an object is not one deeper than its base')
  }
  return encodeSegmentRows(numbers, rows)
}

export function seeds(): Uint8Array[] {
  const own = new ObjectRows(HASH_LENGTH)
  const line = new LineState(own)
  line.add(OLDER, 3, 1)
  line.closeSegment()
  const first = own.count
  for (const name of [1, 2, 3, 4]) line.add(`0${name}`.repeat(HASH_LENGTH), 3, name)
  own.views.bases.set([-1, 0, first, first + 1], first)
  own.views.depths.set([0, 1, 1, 2], first)
  const whole = encodeSegmentRows(Int32Array.from([first, first + 1, first + 2, first + 3]), own)
  const lone = encodeSegmentRows(Int32Array.of(first), own)
  return [whole, lone, encodeSegmentRows(new Int32Array(0), own)]
}

export const dictionary = ['GTR1', '\x14\0\0\0', '\xff\xff\xff\xff', '\xfe\xff\xff\xff', '\x09'.repeat(20)]
