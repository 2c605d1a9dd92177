/**
 * Brings the bodies of one take from a web seed: one request for all that is lacking, each segment compared with its claimed
 * hash before anybody reads it. A connection that breaks is opened again where it ended, as long as each brings a fair part.
 * A server without ranges sends the file from its start; what is not wanted is passed over.
 */

import { createHash, type Hash } from 'node:crypto'
import { HelperError } from '../../errors.ts'
import { WEBSEED_RETRY_LENGTH, WEBSEED_SKIP_LENGTH_MAX } from '../../limits.ts'
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
  const first = await firstLacking(wanted, transfer)
  const state: State = { index: first, at: wanted[first]?.offset ?? 0, hash: createHash('sha256') }
  let hasFailed = false
  while (state.index < wanted.length) {
    const before = state.at
    try {
      await bringSome(seed, url, wanted, state, transfer)
    } catch (error) {
      // A server that has brought something may fail once in between.
      const isFruitless = state.at - before < WEBSEED_RETRY_LENGTH
      const isHopeless = transfer.signal.aborted || (isFruitless && (hasFailed || state.index === first))
      hasFailed ||= isFruitless
      if (isHopeless || (error instanceof HelperError && error.code !== 'webseed-failed')) throw error
    }
  }
}

/** How far a transfer has come, over all its connections. */
interface State {
  /** Of the segment at hand. */
  index: number
  /** Offset in the payload of the next byte. */
  at: number
  /** Of the part of the segment that is there. */
  hash: Hash
}

/** Index of the first segment that an earlier source or run has not left whole in the file. */
async function firstLacking(wanted: readonly Wanted[], { file, fileStart }: WebTransfer): Promise<number> {
  const left = await file.leftLength()
  for (const [index, { offset, length, sha256 }] of wanted.entries()) {
    if (offset - fileStart + length > left) return index
    const found = createHash('sha256').update(await file.read(offset - fileStart, length))
    if (found.digest('hex') !== sha256) return index
    file.noteArrived({ offset: offset - fileStart, length })
  }
  return wanted.length
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
