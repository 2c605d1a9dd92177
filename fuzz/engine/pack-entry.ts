/**
 * Fuzz target of the header of a pack entry. The first byte chooses the object format. Only EngineError may come out;
 * what was read is written in the same bytes, because a number has one form.
 */

import { AssertionError, EngineError } from '../../engine/errors.ts'
import {
  PACK_OFS_DELTA,
  PACK_REF_DELTA,
  readEntryHeader,
  readPackHeader,
  writeEntryHeader,
  writeOfsDistance,
  writePackHeader,
} from '../../engine/pack-entry.ts'
import { entryBytes, SMALL_DELTA } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  const data = bytes.subarray(1)
  const hashLength = (bytes[0] ?? 0) & 1 ? 32 : 20
  const out = new Uint8Array(64)
  try {
    const header = readEntryHeader(data, 0, hashLength)
    let length = writeEntryHeader(out, 0, header.type, header.length)
    if (header.type === PACK_OFS_DELTA) length += writeOfsDistance(out, length, header.distance)
    if (header.type === PACK_REF_DELTA) {
      out.set(header.deltaBase, length)
      length += hashLength
    }
    expectSame(out.subarray(0, length), data.subarray(0, header.headerLength))
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
  try {
    writePackHeader(out, 0, readPackHeader(data))
    expectSame(out.subarray(0, 12), data.subarray(0, 12))
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
}

function expectSame(written: Uint8Array, read: Uint8Array): void {
  if (Buffer.compare(written, read) !== 0) throw new AssertionError('a header with two forms')
}

export function seeds(): Uint8Array[] {
  const data = Buffer.alloc(5000)
  const entries = [
    entryBytes({ type: 3, data }),
    entryBytes({ type: PACK_OFS_DELTA, data: SMALL_DELTA, deltaBase: 2 ** 40 + 5 }),
    entryBytes({ type: PACK_REF_DELTA, data: SMALL_DELTA, deltaBase: data.subarray(0, 20) }),
  ].map((entry) => Buffer.concat([Buffer.of(0), entry.subarray(0, 40)]))
  return [...entries, Buffer.from('00' + '5041434b0000000200000003', 'hex')]
}

export const dictionary = ['\xff\xff\xff\xff', '\x80\x80', 'PACK\0\0\0\x02']
export const inputLengthMax = 64
