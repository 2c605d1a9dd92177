/**
 * Fuzz target of the delta encoder, which sees contents that strangers wrote. The first two bytes say where the base ends
 * and the target begins; the delta must be within its bound and turn the one into the other.
 */

import { applyDelta } from '../../engine/delta-apply.ts'
import { DeltaBase, DeltaEncoder } from '../../engine/delta-encode.ts'

const encoder = new DeltaEncoder()

export function fuzz(bytes: Uint8Array): void {
  const split = 2 + Math.min((bytes[0] ?? 0) + 256 * (bytes[1] ?? 0), Math.max(0, bytes.length - 2))
  const source = bytes.subarray(2, split)
  const target = bytes.subarray(split)
  const lengthMax = 64 + target.length * 2
  const delta = encoder.encode(new DeltaBase(source), new DeltaBase(target), lengthMax)
  if (delta === null) throw new Error('no delta within twice the length')
  if (Buffer.compare(applyDelta(source, delta), target) !== 0) throw new Error('the delta makes something else')
  const again = encoder.encode(new DeltaBase(source), new DeltaBase(target), delta.length)
  // A search that is given up early gives none (FORMAT.md, "Deltas"), but never another.
  if (again !== null && Buffer.compare(again, delta) !== 0) throw new Error('a bound changes the delta')
  if (encoder.encode(new DeltaBase(source), new DeltaBase(target), delta.length - 1) !== null)
    throw new Error('a delta longer than its bound')
}

export function seeds(): Uint8Array[] {
  const text = Buffer.from('the quick brown fox jumps over the lazy dog\n'.repeat(6))
  const table = Buffer.from(Array.from({ length: 400 }, (_, index) => (index * index) >> 3))
  const pairs: [Uint8Array, Uint8Array][] = [
    [text, Buffer.concat([text.subarray(0, 100), Buffer.from('changed'), text.subarray(90)])],
    [table, Buffer.concat([table.subarray(200), table.subarray(0, 220)])],
    [Buffer.alloc(300, 1), Buffer.alloc(400, 1)],
    [Buffer.alloc(0), table],
  ]
  return pairs.map(([a, b]) => Buffer.concat([Buffer.of(a.length & 255, a.length >> 8), a, b]))
}
