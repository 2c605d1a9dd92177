/**
 * The inflater that the engine brings along, for where nothing faster is injected: `pako` behind the port of the pack
 * reader. Implements the reading of RFC 1950 streams inside a pack entry.
 * It never produces more than one byte past the declared length, so a stream that lies about it costs nothing.
 * Unlike a compressor's, an inflater's state can be re-used without changing what comes out.
 */

import { Z_FINISH, Z_OK, Z_STREAM_END, ZStream, zlibInflate, zlibInflateInit, zlibInflateReset } from 'pako'
import { assert } from './errors.ts'
import type { InflateEntry } from './pack-reader.ts'

/** Makes an inflater; one per reading, because it has state while it runs. */
export function createInflate(): InflateEntry {
  const stream = new ZStream()
  assert(zlibInflateInit(stream) === Z_OK, 'an inflater starts')
  return (bytes, length) => {
    zlibInflateReset(stream)
    stream.input = bytes
    stream.next_in = 0
    stream.avail_in = bytes.length
    // One byte more than declared: room that must stay empty, and that an empty object's stream needs to end at all.
    stream.output = new Uint8Array(length + 1)
    stream.next_out = 0
    stream.avail_out = length + 1
    const status = zlibInflate(stream, Z_FINISH)
    const data = stream.output.subarray(0, stream.next_out)
    const consumed = stream.next_in
    stream.input = stream.output = NOTHING
    return status === Z_STREAM_END && data.length <= length ? { data, consumed } : null
  }
}

const NOTHING = new Uint8Array(0)
