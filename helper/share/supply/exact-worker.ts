/**
 * The thread of the exact check: reads the commits and trees of a pack as far as it has arrived, from the files it arrives in, and
 * compares them with its index once git has made that. Wiring only; what is read, and why that is enough, is in
 * engine/history-scan.ts.
 */

import { hash } from 'node:crypto'
import { readFileSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import {
  EngineError,
  HistoryScan,
  hashLengthOf,
  type ObjectFormat,
  type Oid,
  PACK_HEADER_LENGTH,
  readPackIndex,
} from '../../../engine/index.ts'

export interface ExactTask {
  readonly objectFormat: ObjectFormat
  /** What the pack has to be the history of. */
  readonly tip: Oid
  /** Objects and lengths of its segments' bodies, oldest first. */
  readonly objectCount: number
  readonly segmentLengths: readonly number[]
}

/** What the thread is told. */
export type ExactNews =
  /** The next bytes of the pack are, or will be, in this open file: its name may be gone, with another process that is done with it. */
  | { readonly type: 'part'; readonly descriptor: number; readonly offset: number; readonly length: number }
  /** The bodies have arrived up to here, counted from the start of the first. */
  | { readonly type: 'arrived'; readonly length: number }
  /** Git has indexed the pack: its path without `.pack` and `.idx`. */
  | { readonly type: 'indexed'; readonly path: string }

export interface ExactAnswer {
  /** `too-large`: to find out would take more than we give. */
  readonly verdict: 'exact' | 'not-exact' | 'too-large'
  /** The error that says so, if one did; for the trace. */
  readonly reason: string
}

interface Part {
  readonly file: number
  /** Where it starts in its file, and in the pack, where it ends in the pack. */
  readonly fileOffset: number
  readonly start: number
  readonly end: number
}

const { objectFormat, tip, objectCount, segmentLengths } = workerData as ExactTask
const hashLength = hashLengthOf(objectFormat)
const bodiesEnd = segmentLengths.reduce((sum, length) => sum + length, PACK_HEADER_LENGTH)
const parts: Part[] = []

function addPart(file: number, fileOffset: number, length: number): void {
  const start = parts.at(-1)?.end ?? PACK_HEADER_LENGTH
  parts.push({ file, fileOffset, start, end: start + length })
}

function readPack(offset: number, into: Uint8Array): void {
  for (let filled = 0; filled < into.length; ) {
    const at = offset + filled
    const part = parts.find(({ start, end }) => start <= at && at < end)
    if (part === undefined) throw new Error(`exact check: nothing has arrived at ${at}`)
    const wanted = Math.min(into.length - filled, part.end - at)
    const count = readSync(part.file, into, filled, wanted, part.fileOffset + at - part.start)
    if (count === 0) throw new Error(`exact check: expected ${wanted} bytes at ${at}, got none`)
    filled += count
  }
}

const scan = new HistoryScan({
  length: bodiesEnd,
  read: readPack,
  hashLength,
  objectCount,
  hash: (bytes) => hash(objectFormat, bytes, 'buffer'),
})
let scannedCount = 0
let scannedEnd = PACK_HEADER_LENGTH
/** What is against the pack. */
let verdict: ExactAnswer['verdict'] | null = null
let reason = ''

function judge(ask: () => boolean): void {
  if (verdict !== null) return
  try {
    if (!ask()) verdict = 'not-exact'
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    verdict = error.code === 'pack-limit' ? 'too-large' : 'not-exact'
    reason = error.message
  }
}

/** Reads the segments that have arrived whole. */
function scanUpTo(end: number): boolean {
  for (;;) {
    const length = segmentLengths[scannedCount]
    if (length === undefined || scannedEnd + length > end) return true
    scannedCount++
    scannedEnd += length
    if (!scan.scan(scannedEnd - length, scannedEnd)) return false
  }
}

function compare(path: string): void {
  judge(() => scanUpTo(bodiesEnd))
  scan.endReading()
  judge(() => scan.matches(tip, readPackIndex(readFileSync(`${path}.idx`), hashLength)))
  const answer: ExactAnswer = { verdict: verdict ?? 'exact', reason }
  parentPort?.postMessage(answer)
}

parentPort?.on('message', (news: ExactNews) => {
  if (news.type === 'indexed') compare(news.path)
  else if (news.type === 'part') addPart(news.descriptor, news.offset, news.length)
  else judge(() => scanUpTo(PACK_HEADER_LENGTH + news.length))
})
