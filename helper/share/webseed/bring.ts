/**
 * Brings the bodies of one take from a web seed: one request for each run of segments that is lacking, each segment compared
 * with its claimed hash before anybody reads it. A connection that breaks is opened again where it ended, as long as each
 * brings a fair part. A server without ranges sends the file from its start; what is not wanted is passed over.
 */

import { createHash, type Hash } from 'node:crypto'
import { HelperError } from '../../errors.ts'
import { WEBSEED_GAP_LENGTH, WEBSEED_RETRY_LENGTH, WEBSEED_SKIP_LENGTH_MAX } from '../../limits.ts'
import type { IncomingFile } from '../supply/incoming.ts'
import { type LinkTake, segmentsOf } from '../supply/plan.ts'
import { type WebConnections, webGet } from './http-get.ts'
import type { WebSeed } from './web-seed.ts'

export interface WebTransfer {
  readonly take: LinkTake
  readonly file: IncomingFile
  /** Offset in the payload of the file's first byte. */
  readonly fileStart: number
  readonly connections: WebConnections
  readonly signal: AbortSignal
  /** Called with the number of bytes of each part that arrived, wanted or not. */
  readonly onBytes: (count: number) => void
}

/** One segment that is wanted: where it is in the payload, and its hash. */
interface Wanted {
  readonly offset: number
  readonly length: number
  readonly sha256: string
}

/** Resolves when all segments of the take are in the file. @throws HelperError 'webseed-failed', 'chain-malformed' */
export async function bringFromWeb(seed: WebSeed, transfer: WebTransfer): Promise<void> {
  const { take, file, fileStart } = transfer
  const { layout } = take.link
  const url = seed.urlOf(take.link)
  if (url === null) throw new HelperError('webseed-failed', `web seed ${seed.url}: expected the link, got none`)
  if (fileStart === 0) {
    await file.write(0, layout.header)
    file.noteArrived({ offset: 0, length: layout.header.length })
  }
  const wanted = segmentsOf(take).map(({ length, sha256 }, index) => {
    return { offset: layout.bodyOffsets[take.firstSegment + index] ?? 0, length, sha256 }
  })
  await noteLeft(wanted, transfer)
  const trust = { hasBrought: false, hasFailed: false }
  for (const run of lackingRuns(wanted, transfer)) {
    const state: State = { index: 0, at: run[0]?.offset ?? 0, hash: createHash('sha256') }
    while (state.index < run.length) {
      const before = state.at
      try {
        await bringSome(seed, url, run, state, transfer)
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
  /** Of the segment at hand. */
  index: number
  /** Offset in the payload of the next byte. */
  at: number
  /** Of the part of the segment that is there. */
  hash: Hash
}

/** Notes segments that an earlier source or run has left whole in the file. */
async function noteLeft(wanted: readonly Wanted[], { file, fileStart }: WebTransfer): Promise<void> {
  const left = await file.leftLength()
  for (const { offset, length, sha256 } of wanted) {
    const range = { offset: offset - fileStart, length }
    if (file.hasArrived(range)) continue
    if (range.offset + length > left) return
    const found = createHash('sha256').update(await file.read(range.offset, length))
    if (found.digest('hex') === sha256) file.noteArrived(range)
  }
}

/** Segments that are not there, in order; those with less than WEBSEED_GAP_LENGTH between them come with one request. */
function lackingRuns(wanted: readonly Wanted[], { file, fileStart }: WebTransfer): Wanted[][] {
  const runs: Wanted[][] = []
  let gap: Wanted[] = []
  let gapLength = Number.POSITIVE_INFINITY
  for (const segment of wanted) {
    if (file.hasArrived({ offset: segment.offset - fileStart, length: segment.length })) {
      gap.push(segment)
      gapLength += segment.length
      continue
    }
    const run = runs[runs.length - 1]
    if (run === undefined || gapLength >= WEBSEED_GAP_LENGTH) runs.push([segment])
    else run.push(...gap, segment)
    gap = []
    gapLength = 0
  }
  return runs
}

/** Takes bytes from `state.at` on as they come, until all is there. */
async function bringSome(
  seed: WebSeed,
  url: string,
  wanted: readonly Wanted[],
  state: State,
  { take, file, fileStart, connections, signal, onBytes }: WebTransfer,
): Promise<void> {
  const { length: payloadLength } = take.link.layout
  const last = wanted[wanted.length - 1]
  const end = (last?.offset ?? 0) + (last?.length ?? 0)
  const { mustBePublic } = seed
  const answer = await webGet(url, { offset: state.at, end, mustBePublic, signal }, connections)
  if (answer.fileLength !== null && answer.fileLength !== payloadLength)
    throw wrong('webseed-failed', url, `${payloadLength} bytes`, `${answer.fileLength}`)
  let skip = state.at - answer.offset
  if (skip > WEBSEED_SKIP_LENGTH_MAX) throw wrong('webseed-failed', url, 'a server with ranges', 'one without')
  for await (const chunk of answer.body) {
    onBytes(chunk.length)
    const skipped = Math.min(skip, chunk.length)
    skip -= skipped
    await takeBytes(chunk.subarray(skipped), wanted, state, file, fileStart, url)
    if (state.index === wanted.length) return
  }
  throw wrong('webseed-failed', url, `${end - state.at} bytes more`, 'the end of the file')
}

/** Writes bytes that belong at `state.at`, and tells the file of every segment that they complete. */
async function takeBytes(
  chunk: Uint8Array,
  wanted: readonly Wanted[],
  state: State,
  file: IncomingFile,
  fileStart: number,
  url: string,
): Promise<void> {
  for (let bytes = chunk; bytes.length > 0; ) {
    const segment = wanted[state.index]
    if (segment === undefined) return
    const part = bytes.subarray(0, segment.offset + segment.length - state.at)
    await file.write(state.at - fileStart, part)
    state.hash.update(part)
    state.at += part.length
    bytes = bytes.subarray(part.length)
    if (state.at < segment.offset + segment.length) return
    const found = state.hash.digest('hex')
    if (found !== segment.sha256) throw wrong('chain-malformed', url, `a segment ${segment.sha256}`, found)
    state.hash = createHash('sha256')
    state.index++
    file.noteArrived({ offset: segment.offset - fileStart, length: segment.length })
  }
}

function wrong(code: 'webseed-failed' | 'chain-malformed', url: string, expected: string, got: string): HelperError {
  return new HelperError(code, `web seed ${url}: expected ${expected}, got ${got}`)
}
