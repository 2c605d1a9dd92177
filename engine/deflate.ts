/**
 * The compressor of the format. The norm is the output of `pako` 3.0.3 at its defaults (level 6, zlib wrapper, window 15,
 * memory level 8), with fresh state and the whole input in one call (FORMAT.md, "Compression"). A native zlib is two to
 * five times faster and may be used when it gives the same bytes, which a self-test finds out: four families of zlib are
 * known, and no version number tells them apart.
 * Surprise: re-using the state of a compressor changes its output, even after a reset. The hash of this family looks one
 * byte past the input, where an earlier input may have left something.
 */

import { deflate } from 'pako'
import { EngineError } from './errors.ts'

/** Compresses one object or delta to a zlib stream (RFC 1950). Reads its argument only; the result is the caller's. */
export type Deflate = (bytes: Uint8Array) => Uint8Array

/** The norm itself. */
export const deflateReference: Deflate = (bytes) => deflate(bytes)

/**
 * Digest of what the norm makes of the self-test's inputs. A constant, because running the norm instead takes 50 ms in a
 * fresh process; a test holds it against the norm.
 */
const SELF_TEST_DIGEST = '425fe2de4ed21351'

/**
 * Chooses the compressor.
 * @param native a fast candidate (zlib at level 6), or null where there is none
 * @returns `native` when it gives the bytes of the norm on every input of the self-test, else the norm
 */
export function selectDeflate(native: Deflate | null): Deflate {
  return native !== null && selfTestDigestOf(native) === SELF_TEST_DIGEST ? native : deflateReference
}

/** Digest of what a compressor makes of the self-test's inputs, as `digestOf` says; null when it threw. */
export function selfTestDigestOf(deflater: Deflate): string | null {
  return digestOf(selfTestInputs().map((bytes) => () => deflater(bytes)))
}

/**
 * Digest of some outputs: FNV-1a over every output and its length, twice with different seeds, as 16 hex digits.
 * @returns null when one threw
 */
export function digestOf(outputs: readonly (() => Uint8Array)[]): string | null {
  let low = 0x811c9dc5
  let high = 0x9e3779b9
  const mix = (value: number): void => {
    low = Math.imul(low ^ value, 0x01000193)
    high = Math.imul(high ^ value, 0x01000193) + low
  }
  try {
    for (const output of outputs) {
      const stream = output()
      // By index: an iterator over the bytes is slow until it is compiled, and a short build never gets that far.
      for (let at = 0; at < stream.length; at++) mix(stream[at] ?? 0)
      mix(stream.length)
    }
  } catch {
    return null // A native candidate may throw whatever it likes; then it is not the norm.
  }
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0')
}

/**
 * Checks one output of a chosen compressor against the norm: what a careful builder does for a sample of its objects.
 * @throws EngineError 'deflate-drift' when the norm gives other bytes
 */
export function checkDeflated(bytes: Uint8Array, stream: Uint8Array): void {
  const norm = deflateReference(bytes)
  if (equalBytes(stream, norm)) return
  throw new EngineError(
    'deflate-drift',
    `the compressor left the format: expected the ${norm.length} bytes of pako 3.0.3 for an input of ${bytes.length}, ` +
      `got ${stream.length} bytes; try without native zlib`,
    { inputLength: bytes.length, expectedLength: norm.length, gotLength: stream.length },
  )
}

/**
 * Inputs on which the known families of zlib differ: a text longer than two windows, a table of numbers, noise that fills
 * more than one block with literals, and noise over few letters in many short pieces.
 */
export function selfTestInputs(): Uint8Array[] {
  const next = generator(20)
  const inputs = [textOf(next, 80_000), tableOf(next, 12_000), lettersOf(next, 40_000, 40), new Uint8Array(0)]
  for (let round = 1; round <= 64; round++) inputs.push(lettersOf(next, 1 + next(round * 8), 2 + (round % 30)))
  return inputs
}

/** Lines of words from a small vocabulary, as source text repeats them. */
function textOf(next: (bound: number) => number, length: number): Uint8Array {
  const out = new Uint8Array(length)
  const words = Array.from({ length: 400 }, () => lettersOf(next, 1 + next(9), 26))
  for (let at = 0; at < length; ) {
    const word = words[Math.min(next(400), next(400))] ?? out
    out.set(word.subarray(0, length - at), at)
    at += word.length
    if (at < length) out[at++] = next(9) === 0 ? 10 : 32
  }
  return out
}

/** Records of 24 bytes that share most of themselves with the one before, as trees and binaries do. */
function tableOf(next: (bound: number) => number, length: number): Uint8Array {
  const out = new Uint8Array(length)
  for (let at = 0; at < length; at++) out[at] = at % 24 < 6 || at < 24 ? next(256) : (out[at - 24] ?? 0)
  return out
}

function lettersOf(next: (bound: number) => number, length: number, letters: number): Uint8Array {
  const out = new Uint8Array(length)
  for (let at = 0; at < length; at++) out[at] = 97 + Math.min(next(letters), next(letters))
  return out
}

/** Integers below `bound` from a linear congruential generator modulo 2^32, of which the upper half is used. */
function generator(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 16) % bound
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
