/**
 * Fuzz target of both inflaters. The first two bytes are the declared length, the rest the stream. The one never throws, never
 * gives more than was declared, and agrees with the zlib of Node on what a stream holds and where it ends; the other agrees where
 * the length is exact, and refuses all else.
 */

import { deflateRawSync, deflateSync, inflateSync } from 'node:zlib'
import { EngineError } from '../../engine/errors.ts'
import { createInflate } from '../../engine/inflate.ts'
import { ExactInflater } from '../../engine/inflate-exact.ts'

const inflate = createInflate()
const exact = new ExactInflater()

export function fuzz(bytes: Uint8Array): void {
  const length = (bytes[0] ?? 0) + 256 * (bytes[1] ?? 0)
  const stream = bytes.subarray(2)
  const ours = inflate(stream, length)
  const theirs = nativeInflate(stream, length)
  if (ours !== null && (ours.data.length > length || ours.consumed > stream.length)) throw new Error('past a bound')
  checkExact(stream, length, theirs)
  if ((ours === null) !== (theirs === null)) throw new Error(`pako and zlib disagree: ${ours === null}`)
  if (ours === null || theirs === null) return
  if (ours.consumed !== theirs.consumed || Buffer.compare(ours.data, theirs.data) !== 0) throw new Error('other bytes')
}

function checkExact(stream: Uint8Array, length: number, theirs: ReturnType<typeof nativeInflate>): void {
  const content = new Uint8Array(length)
  let consumed: number
  try {
    consumed = exact.inflateInto(content, stream)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    if (theirs?.data.length === length) throw new Error('the exact inflater refuses what zlib takes')
    return
  }
  if (theirs?.consumed !== consumed || Buffer.compare(theirs.data, content) !== 0)
    throw new Error('the exact inflater gives other bytes')
}

function nativeInflate(stream: Uint8Array, length: number): { data: Uint8Array; consumed: number } | null {
  if (stream.length === 0) return null
  try {
    const result: unknown = inflateSync(stream, { info: true, maxOutputLength: Math.max(1, length), chunkSize: 1024 })
    if (typeof result !== 'object' || result === null || !('buffer' in result) || !('engine' in result)) return null
    const { buffer, engine } = result
    if (!(buffer instanceof Uint8Array) || typeof engine !== 'object' || engine === null) return null
    if (buffer.length > length) return null
    return { data: buffer, consumed: 'bytesWritten' in engine ? Number(engine.bytesWritten) : -1 }
  } catch {
    return null
  }
}

export function seeds(): Uint8Array[] {
  const texts = [
    Buffer.alloc(0),
    Buffer.from('hello'),
    Buffer.alloc(600, 'abcdefg'),
    Buffer.from(deflateRawSync('noise')),
  ]
  return texts.flatMap((text) =>
    [0, 6, 9].map((level) =>
      Buffer.concat([Buffer.of(text.length & 255, text.length >> 8), deflateSync(text, { level })]),
    ),
  )
}

export const dictionary = ['x\x9c', 'x\x01', '\x03\0\0\0\0\x01', '\0\0\0\xff\xff']
