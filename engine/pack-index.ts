/**
 * Reads an index that git has made of a pack: gitformat-pack(5), version 2. Left out: checksums, because whoever asks has had
 * git make it just before.
 */

import { EngineError } from './errors.ts'

const INDEX_SIGNATURE = 0xff744f63
const INDEX_VERSION = 2
const FANOUT_OFFSET = 8
const FANOUT_LENGTH = 1024
/** An offset with this bit is the number of a long one. */
const LONG_OFFSET = 0x8000_0000

export interface PackIndex {
  readonly count: number
  /** Names, ascending. */
  readonly oids: Uint8Array
  /** Where the entry of each is. */
  readonly offsets: Float64Array
}

/**
 * @param index the whole .idx file; names are views into it
 * @throws EngineError 'table-malformed'
 */
export function readPackIndex(index: Uint8Array, hashLength: number): PackIndex {
  const view = new DataView(index.buffer, index.byteOffset, index.length)
  if (index.length < FANOUT_OFFSET + FANOUT_LENGTH || view.getUint32(0) !== INDEX_SIGNATURE)
    throw malformed('a pack index')
  if (view.getUint32(4) !== INDEX_VERSION) throw malformed(`version ${INDEX_VERSION}`)
  const count = view.getUint32(FANOUT_OFFSET + FANOUT_LENGTH - 4)
  const oidStart = FANOUT_OFFSET + FANOUT_LENGTH
  const offsetStart = oidStart + count * (hashLength + 4)
  const longStart = offsetStart + count * 4
  if (index.length < longStart + 2 * hashLength) throw malformed(`${count} entries`)
  const offsets = new Float64Array(count)
  for (let number = 0; number < count; number++) {
    const short = view.getUint32(offsetStart + number * 4)
    const isLong = short >= LONG_OFFSET
    offsets[number] = isLong ? Number(view.getBigUint64(longStart + (short - LONG_OFFSET) * 8)) : short
  }
  return { count, oids: index.subarray(oidStart, oidStart + count * hashLength), offsets }
}

function malformed(expected: string): EngineError {
  return new EngineError('table-malformed', `pack index: expected ${expected}, got something else`)
}
