/**
 * The normative compressor, through the zlib that Node bundles where a self-test finds the same bytes
 * (FORMAT.md, "Compression"). The chunk size is that of the output buffers: it changes no byte, but keeps a small
 * result from holding on to 16 KiB.
 */

import { constants, deflateRawSync, deflateSync } from 'node:zlib'
import {
  type Deflate,
  type DeflatePart,
  deflateReference,
  partOutputLengthMax,
  selectDeflate,
  selectDeflatePart,
} from '../../engine/index.ts'

const CHUNK_LENGTH_MIN = 64
const CHUNK_LENGTH_MAX = 65_536

const deflateNative: Deflate = (bytes) => {
  const bound = bytes.length + 64 + (bytes.length >> 8)
  return deflateSync(bytes, { level: 6, chunkSize: Math.max(CHUNK_LENGTH_MIN, Math.min(bound, CHUNK_LENGTH_MAX)) })
}

export function pickDeflate(): Deflate {
  return selectDeflate(deflateNative)
}

/** What the self-test has found, for the threads of one build. */
const UNTRIED = 0
const TRYING = 1
const NATIVE = 2
const NORM = 3

/** The memory of a verdict that nobody has come to yet. */
export function newVerdict(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
}

/** The same for one of several threads: the first to come runs the self-test, which is most of a thread's start, and the others wait. */
export function pickDeflateOnce(verdict: SharedArrayBuffer): Deflate {
  const state = new Int32Array(verdict)
  if (Atomics.compareExchange(state, 0, UNTRIED, TRYING) === UNTRIED) {
    const picked = pickDeflate()
    Atomics.store(state, 0, picked === deflateNative ? NATIVE : NORM)
    Atomics.notify(state, 0)
    return picked
  }
  while (Atomics.load(state, 0) === TRYING) Atomics.wait(state, 0, TRYING)
  return Atomics.load(state, 0) === NATIVE ? deflateNative : deflateReference
}

/** The same for a part of a large object. */
export function pickDeflatePart(): DeflatePart {
  return selectDeflatePart((bytes, isLast) => {
    const finishFlush = isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH
    return deflateRawSync(bytes, { level: 6, finishFlush, chunkSize: partOutputLengthMax(bytes.length) })
  })
}

/** The same, chosen when the first part comes: hardly a repository has one, and the self-test is most of a worker's start. */
export function pickDeflatePartLater(): DeflatePart {
  let picked: DeflatePart | null = null
  return (bytes, isLast) => {
    picked ??= pickDeflatePart()
    return picked(bytes, isLast)
  }
}
