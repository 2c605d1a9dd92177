/**
 * Brings parts of a payload from a web seed, each compared with its hash before it counts as there: segments of a link (bring.ts), pieces of
 * a snapshot. One request for each run of parts that is lacking. A connection that breaks is opened again where it ended, as long
 * as each brings a fair part. A server without ranges sends the file from its start; what is not wanted is passed over.
 */

import { createHash, type Hash } from 'node:crypto'
import { HelperError } from '../../errors.ts'
import { WEBSEED_GAP_LENGTH, WEBSEED_RETRY_LENGTH, WEBSEED_SKIP_LENGTH_MAX } from '../../limits.ts'
import type { IncomingFile } from '../supply/incoming.ts'
import { type WebConnections, webGet } from './http-get.ts'

/** One part that is wanted: where it is in the payload, and its hash. */
export interface Part {
  readonly offset: number
  readonly length: number
  /** Lowercase hexadecimal. */
  readonly digest: string
}

export interface WantedParts {
  readonly payloadLength: number
  /** Ascending. */
  readonly parts: readonly Part[]
  readonly algorithm: 'sha1' | 'sha256'
}

/** Where bytes come from, and where to. */
export interface WebTransfer {
  readonly url: string
  readonly mustBePublic: boolean
  readonly file: IncomingFile
  /** Offset in the payload of the file's first byte. */
  readonly fileStart: number
  readonly connections: WebConnections
  readonly signal: AbortSignal
  /** Called with the number of bytes of each part that arrived, wanted or not. */
  readonly onBytes: (count: number) => void
}

/** Resolves when all parts are in the file. @throws HelperError 'webseed-failed', 'chain-malformed' */
export async function bringParts(wanted: WantedParts, transfer: WebTransfer): Promise<void> {
  await noteLeft(wanted, transfer)
  const trust = { hasBrought: false, hasFailed: false }
  for (const run of lackingRuns(wanted.parts, transfer)) {
    const state: State = { index: 0, at: run[0]?.offset ?? 0, hash: createHash(wanted.algorithm) }
    while (state.index < run.length) {
      const before = state.at
      try {
        await bringSome(run, state, wanted, transfer)
        trust.hasBrought = true
      } catch (error) {
        // A server that has brought something may fail once in between.
        const isFruitless = state.at - before < WEBSEED_RETRY_LENGTH
        trust.hasBrought ||= state.index > 0
        const isHopeless = transfer.signal.aborted || (isFruitless && (trust.hasFailed || !trust.hasBrought))
        trust.hasFailed ||= isFruitless
        if (isHopeless || (error instanceof HelperError && error.code !== 'webseed-failed')) throw error
      }
    }
  }
}

/** How far a run has come, over all its connections. */
interface State {
  /** Of the part at hand. */
  index: number
  /** Offset in the payload of the next byte. */
  at: number
  /** Of what is there of the part. */
  hash: Hash
}

/** Notes parts that an earlier source or run has left whole in the file. */
async function noteLeft({ parts, algorithm }: WantedParts, { file, fileStart }: WebTransfer): Promise<void> {
  const left = await file.leftLength()
  for (const { offset, length, digest } of parts) {
    const range = { offset: offset - fileStart, length }
    if (file.hasArrived(range)) continue
    if (range.offset + length > left) return
    const found = createHash(algorithm).update(await file.read(range.offset, length))
    if (found.digest('hex') === digest) file.noteArrived(range)
  }
}

/** Parts that are not there, in order; those with less than WEBSEED_GAP_LENGTH between them come with one request. */
function lackingRuns(parts: readonly Part[], { file, fileStart }: WebTransfer): Part[][] {
  const runs: Part[][] = []
  let gap: Part[] = []
  let gapLength = Number.POSITIVE_INFINITY
  for (const part of parts) {
    if (file.hasArrived({ offset: part.offset - fileStart, length: part.length })) {
      gap.push(part)
      gapLength += part.length
      continue
    }
    const run = runs[runs.length - 1]
    if (run === undefined || gapLength >= WEBSEED_GAP_LENGTH) runs.push([part])
    else run.push(...gap, part)
    gap = []
    gapLength = 0
  }
  return runs
}

/** Takes bytes from `state.at` on as they come, until all is there. */
async function bringSome(
  run: readonly Part[],
  state: State,
  wanted: WantedParts,
  transfer: WebTransfer,
): Promise<void> {
  const { url, mustBePublic, connections, signal, onBytes } = transfer
  const last = run[run.length - 1]
  const end = (last?.offset ?? 0) + (last?.length ?? 0)
  const answer = await webGet(url, { offset: state.at, end, mustBePublic, signal }, connections)
  if (answer.fileLength !== null && answer.fileLength !== wanted.payloadLength)
    throw wrong('webseed-failed', url, `${wanted.payloadLength} bytes`, `${answer.fileLength}`)
  let skip = state.at - answer.offset
  if (skip > WEBSEED_SKIP_LENGTH_MAX) throw wrong('webseed-failed', url, 'a server with ranges', 'one without')
  for await (const chunk of answer.body) {
    onBytes(chunk.length)
    const skipped = Math.min(skip, chunk.length)
    skip -= skipped
    await takeBytes(chunk.subarray(skipped), run, state, wanted, transfer)
    if (state.index === run.length) return
  }
  throw wrong('webseed-failed', url, `${end - state.at} bytes more`, 'the end of the file')
}

/** Writes bytes that belong at `state.at` where they are lacking, and tells the file of every part that they complete. */
async function takeBytes(
  chunk: Uint8Array,
  run: readonly Part[],
  state: State,
  { algorithm }: WantedParts,
  { url, file, fileStart }: WebTransfer,
): Promise<void> {
  for (let bytes = chunk; bytes.length > 0; ) {
    const part = run[state.index]
    if (part === undefined) return
    const own = bytes.subarray(0, part.offset + part.length - state.at)
    const range = { offset: part.offset - fileStart, length: part.length }
    await file.writeLacking(state.at - fileStart, own)
    state.hash.update(own)
    state.at += own.length
    bytes = bytes.subarray(own.length)
    if (state.at < part.offset + part.length) return
    const found = state.hash.digest('hex')
    if (found !== part.digest)
      throw wrong('chain-malformed', url, `${part.length} bytes at ${part.offset} as claimed`, 'other bytes')
    state.hash = createHash(algorithm)
    state.index++
    file.noteArrived(range)
  }
}

function wrong(code: 'webseed-failed' | 'chain-malformed', url: string, expected: string, got: string): HelperError {
  return new HelperError(code, `web seed ${url}: expected ${expected}, got ${got}`)
}
