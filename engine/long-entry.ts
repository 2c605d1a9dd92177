/**
 * The stream of a long entry (FORMAT.md, "Compression"): a zlib stream made of parts that are compressed by
 * themselves, so that an object of any length goes through with one part in memory. Every part but the last ends with
 * a sync flush (RFC 1951, 3.2.4: an empty stored block), the last one with the final block; RFC 1950 around it.
 * Surprise: as with short entries, the norm is the output of `pako` 3.0.3 with fresh state and room for all output.
 */

import { Deflate as PakoDeflate, Z_FINISH, Z_SYNC_FLUSH } from 'pako'
import { concatBytes } from './bytes.ts'
import { digestOf, selfTestInputs } from './deflate.ts'
import type { ObjectType } from './object.ts'

/** Compresses one part to raw deflate blocks that end at a byte. Reads its argument only; the result is the caller's. */
export type DeflatePart = (bytes: Uint8Array, isLast: boolean) => Uint8Array

/** Gives the content of an object from its first to its last byte, in chunks of any length. @throws object-missing */
export type StreamObject = (oid: string, type: ObjectType) => AsyncIterable<Uint8Array>

const ADLER_MODULUS = 65521
/** Bytes after which the sums of Adler-32 have to be reduced to stay below 2^32 (RFC 1950, section 8.2). */
const ADLER_RUN = 5552
const STREAM_HEADER = [0x78, 0x9c]

/** Room in which the output of any part fits: one call gives all of it, as the norm says. */
export function partOutputLengthMax(length: number): number {
  return length + (length >> 8) + 1024
}

/** The norm itself. */
export const deflatePartReference: DeflatePart = (bytes, isLast) => {
  const deflate = new PakoDeflate({ raw: true, chunkSize: partOutputLengthMax(bytes.length) })
  const output: Uint8Array[] = []
  deflate.onData = (chunk) => {
    output.push(chunk)
  }
  deflate.onEnd = () => {}
  deflate.push(bytes, isLast ? Z_FINISH : Z_SYNC_FLUSH)
  return concatBytes(output)
}

/** Digest of what the norm makes of the self-test's inputs as inner parts, then as last ones; a test holds it to that. */
const SELF_TEST_DIGEST = '81ef6644fbec70e5'

/** Returns `native` when it gives the bytes of the norm on every input of the self-test, else the norm. */
export function selectDeflatePart(native: DeflatePart | null): DeflatePart {
  return native !== null && partDigestOf(native) === SELF_TEST_DIGEST ? native : deflatePartReference
}

/** Digest of what a compressor of parts makes of the self-test's inputs, as `digestOf` says; null when it threw. */
export function partDigestOf(deflatePart: DeflatePart): string | null {
  const inputs = selfTestInputs()
  return digestOf([...inputs, ...inputs].map((bytes, index) => () => deflatePart(bytes, index >= inputs.length)))
}

/** The stream of an entry, in pieces, from what it inflates to, in chunks; parts have `partLength` bytes. */
export async function* deflateLong(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  partLength: number,
  deflatePart: DeflatePart,
): AsyncGenerator<Uint8Array> {
  yield Uint8Array.from(STREAM_HEADER)
  const checksum = new Adler32()
  const part = new Uint8Array(partLength)
  let filled = 0
  for await (const chunk of content) {
    checksum.update(chunk)
    for (let at = 0; at < chunk.length; ) {
      // A full part is compressed only when more follows: the last one ends the stream.
      if (filled === part.length) {
        yield deflatePart(part, false)
        filled = 0
      }
      const count = Math.min(chunk.length - at, part.length - filled)
      part.set(chunk.subarray(at, at + count), filled)
      filled += count
      at += count
    }
  }
  yield deflatePart(part.subarray(0, filled), true)
  yield checksum.digest()
}

/** Adler-32 of a stream of bytes (RFC 1950, section 8.2). */
class Adler32 {
  #a = 1
  #b = 0

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(at + ADLER_RUN, bytes.length)
      for (; at < end; at++) {
        this.#a += bytes[at] ?? 0
        this.#b += this.#a
      }
      this.#a %= ADLER_MODULUS
      this.#b %= ADLER_MODULUS
    }
  }

  /** The checksum, 4 bytes, big-endian. */
  digest(): Uint8Array {
    return Uint8Array.of(this.#b >> 8, this.#b & 0xff, this.#a >> 8, this.#a & 0xff)
  }
}
