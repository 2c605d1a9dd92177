/**
 * Turns the takes of lines into one indexed pack in a quarantine, while they arrive: one header, the bodies of all one after the
 * other, one trailer. If a download breaks off, the segments that are complete before it are indexed by themselves, so that a
 * stalled link costs only what comes after.
 */

import { createHash } from 'node:crypto'
import { type ObjectFormat, type Oid, PACK_HEADER_LENGTH, writePackHeader } from '../../../engine/index.ts'
import { messageOf } from '../../errors.ts'
import { ADDED_OBJECT_COUNT_MAX, READ_CHUNK_LENGTH } from '../../limits.ts'
import type { Trace } from '../../trace.ts'
import { checkAdded, checkAll, type LineExtent } from './added-check.ts'
import type { Incoming } from './download.ts'
import { ExactCheck, isReadAlong } from './exact-check.ts'
import type { ExactAnswer } from './exact-worker.ts'
import { bodyRangeOf, type LineTake, type LinkTake, lengthOf, segmentsOf, takeUpTo } from './plan.ts'
import type { Quarantine } from './quarantine.ts'

/** Header and trailer of a pack, generously. */
const PACK_OVERHEAD_LENGTH = 1024

/** What was taken in of one line. */
export interface Intake {
  /** The newest commit whose history is complete. */
  readonly top: Oid
  /** What is in the pack, oldest first; the last one may be less than was wanted of its link. */
  readonly takes: readonly LinkTake[]
  /** Everything that was wanted is in the pack. */
  readonly isComplete: boolean
  /** Hash in the pack's name. */
  readonly packHash: string
  /** Where in the pack the first body of the line is. */
  readonly offset: number
}

export interface IntakeOptions {
  readonly objectFormat: ObjectFormat
  /** The takes, of one line then, reach down to the roots, nothing was there before, and the pack is to be kept. */
  readonly isWholeHistory: boolean
  readonly fsckObjects: boolean
  /** Threads of `git index-pack`, null for as many as it thinks. */
  readonly threadCount: number | null
  /** Called when git has all bytes, before it says what it thinks of them. */
  readonly onArrived: () => void
  /** Nothing of it is wanted any more. */
  readonly signal: AbortSignal
  readonly trace: Trace
}

/** Why nothing was taken in: the bytes did not come, git did not want them, or they are not the history and nothing else. */
export type Failure = 'broke-off' | 'refused' | 'not-exact'

/**
 * Indexes as many of the segments, in order, as arrive whole. Lines may rest on those before them.
 * @returns one entry for each line of which something came: the first ones, the last of them perhaps in part
 */
export async function takeIn(
  lines: readonly LineTake[],
  coming: readonly Promise<Incoming>[],
  quarantine: Quarantine,
  options: IntakeOptions,
): Promise<readonly Intake[] | Failure> {
  const takes = lines.flatMap((line) => line.takes)
  for (let there: readonly LinkTake[] = takes; there.length > 0; ) {
    const outcome = await indexTakes(there, coming, quarantine, options)
    if (typeof outcome === 'string') return outcome
    if ('packHash' in outcome) {
      const intakes = intakesOf(lines, there, outcome.packHash)
      if (outcome.isExact) return intakes
      return (await failureOf(intakes, quarantine, options)) ?? intakes
    }
    // What came and cannot be read would be tried for ever.
    if (options.signal.aborted) break
    const isLess = outcome.left.flatMap(segmentsOf).length < there.flatMap(segmentsOf).length
    there = isLess ? outcome.left : []
  }
  return 'broke-off'
}

/** What of which line is in a pack that begins like that of all lines. */
function intakesOf(lines: readonly LineTake[], there: readonly LinkTake[], packHash: string): Intake[] {
  const intakes: Intake[] = []
  let offset = PACK_HEADER_LENGTH
  let at = 0
  for (const line of lines) {
    const takes = there.slice(at, at + line.takes.length)
    const top = topOf(takes)
    if (top === null) break
    const isComplete = line.takes.every((take, index) => take === takes[index])
    intakes.push({ top, takes, isComplete, packHash, offset })
    offset += lengthOf(takes)
    at += takes.length
  }
  return intakes
}

/** The indexed pack, and whether it is known to be exact; or what came of the takes when one broke off; or that git did not take the pack. */
async function indexTakes(
  takes: readonly LinkTake[],
  coming: readonly Promise<Incoming>[],
  quarantine: Quarantine,
  options: IntakeOptions,
): Promise<
  | { readonly packHash: string; readonly isExact: boolean }
  | { readonly left: readonly LinkTake[] }
  | Exclude<Failure, 'broke-off'>
> {
  const { isWholeHistory, fsckObjects, threadCount, onArrived, trace } = options
  const lengthMax = PACK_OVERHEAD_LENGTH + lengthOf(takes)
  const objectCount = objectCountOf(takes)
  if (!isWholeHistory && objectCount > ADDED_OBJECT_COUNT_MAX) return 'refused'
  const check = isWholeHistory && isReadAlong(objectCount) ? startCheck(takes, options) : null
  const threads = threadCount === null ? {} : { threadCount }
  const indexer = quarantine.index({ keep: isWholeHistory, isWholeHistory, lengthMax, fsckObjects, ...threads })
  const hash = createHash(options.objectFormat)
  let isGitWilling = true
  const write = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes)
    isGitWilling = false
    await indexer.write(bytes)
    isGitWilling = true
  }
  const header = new Uint8Array(PACK_HEADER_LENGTH)
  writePackHeader(header, 0, objectCount)
  const left: LinkTake[] = []
  let there: Incoming | null = null
  try {
    await write(header)
    for (const [index, take] of takes.entries()) {
      there = null
      there = (await coming[index]) ?? null
      if (there === null) throw new Error('it was not begun')
      const { offset, length } = bodyRangeOf(take)
      check?.expect(there.file.descriptor, offset - there.fileStart, length)
      for await (const bytes of arrivingBodies(take, there)) {
        check?.noteArrived(bytes.length)
        await write(bytes)
      }
      left.push(take)
    }
  } catch (error) {
    trace(() => `link ${left.length + 1} of ${takes.length} broke off: ${messageOf(error)}`)
    await check?.close()
    await indexer.abort()
    const part = there === null || !isGitWilling ? null : arrivedPartOf(takes[left.length], there)
    return { left: part === null ? left : [...left, part] }
  }
  try {
    await indexer.write(hash.digest())
    trace(() => `pack: git has all ${lengthMax - PACK_OVERHEAD_LENGTH} bytes`)
    onArrived()
    const packHash = await indexer.finish()
    trace(() => `pack ${packHash}: indexed`)
    const verdict = check === null ? null : await verdictOf(check, quarantine.pathOf(packHash), trace)
    if (verdict === null) return { packHash, isExact: false }
    if (verdict === 'exact') return { packHash, isExact: true }
    await quarantine.discard(packHash)
    return verdict === 'too-large' ? 'refused' : 'not-exact'
  } catch (error) {
    trace(() => `pack refused: ${messageOf(error)}`)
    return 'refused'
  } finally {
    await check?.close()
  }
}

/** What the thread says; null when it could not work, so that git has to tell. */
async function verdictOf(check: ExactCheck, path: string, trace: Trace): Promise<ExactAnswer['verdict'] | null> {
  try {
    const { verdict, reason } = await check.answer(path)
    trace(() => `exact check: ${verdict}, read along ${reason}`)
    return verdict
  } catch (error) {
    trace(() => messageOf(error))
    return null
  }
}

function startCheck(
  takes: readonly LinkTake[],
  { objectFormat }: Pick<IntakeOptions, 'objectFormat'>,
): ExactCheck | null {
  const tip = topOf(takes)
  if (tip === null) return null
  const segmentLengths = takes.flatMap(segmentsOf).map(({ length }) => length)
  return new ExactCheck({ objectFormat, tip, objectCount: objectCountOf(takes), segmentLengths })
}

/** Why an indexed pack is not taken, null if its lines hold what they should and nothing else; else nothing is left of it. */
async function failureOf(
  intakes: readonly Intake[],
  quarantine: Quarantine,
  { objectFormat, isWholeHistory, trace }: IntakeOptions,
): Promise<Exclude<Failure, 'broke-off'> | null> {
  const [first] = intakes
  if (first === undefined) return null
  const { packHash } = first
  const verdict = isWholeHistory
    ? await checkAll(first.top, objectFormat, objectCountOf(first.takes), quarantine)
    : await checkAdded(quarantine.pathOf(packHash), objectFormat, intakes.map(extentOf), quarantine)
  trace(() => `exact check: ${verdict}, ${intakes.length} lines`)
  if (verdict === 'exact') return null
  await quarantine.discard(packHash)
  return verdict === 'unfinished' ? 'refused' : 'not-exact'
}

function extentOf({ top, takes, offset }: Intake): LineExtent {
  const [lowest] = takes.flatMap(segmentsOf)
  return { top, base: lowest?.plan.base ?? null, end: offset + lengthOf(takes) }
}

function objectCountOf(takes: readonly LinkTake[]): number {
  return takes.flatMap(segmentsOf).reduce((sum, segment) => sum + segment.objectCount, 0)
}

function topOf(takes: readonly LinkTake[]): Oid | null {
  return takes.flatMap(segmentsOf).at(-1)?.plan.tip ?? null
}

/** The segments of a take that are there from its start on. */
function arrivedPartOf(take: LinkTake | undefined, { file, fileStart }: Incoming): LinkTake | null {
  if (take === undefined) return null
  const { offset } = bodyRangeOf(take)
  return takeUpTo(take, fileStart + file.arrivedFrom(offset - fileStart))
}

/** The bodies of a take, in order, as they become available. */
async function* arrivingBodies(take: LinkTake, { file, fileStart }: Incoming): AsyncGenerator<Uint8Array> {
  const { offset, length } = bodyRangeOf(take)
  const end = offset - fileStart + length
  for (let at = offset - fileStart; at < end; ) {
    const there = Math.min(end, await file.waitFrom(at))
    for (; at < there; at += READ_CHUNK_LENGTH) yield await file.read(at, Math.min(READ_CHUNK_LENGTH, there - at))
    at = there
  }
}
