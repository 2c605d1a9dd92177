/**
 * Turns the takes of one line into one indexed pack in a quarantine, while they arrive. If a download breaks off, what
 * is complete before it is indexed by itself, so that a stalled link costs only the links above it.
 */

import { createHash } from 'node:crypto'
import { type ObjectFormat, type Oid, PACK_HEADER_LENGTH, writePackHeader } from '../../../engine/index.ts'
import { messageOf } from '../../errors.ts'
import { READ_CHUNK_LENGTH } from '../../limits.ts'
import type { Trace } from '../../trace.ts'
import type { Incoming } from './download.ts'
import { bodyRangeOf, type LinkTake, segmentsOf } from './plan.ts'
import type { Quarantine } from './quarantine.ts'

/** Header and trailer of a pack, generously. */
const PACK_OVERHEAD_LENGTH = 1024

const REFUSED = -1

export interface Intake {
  /** The newest commit whose history is complete. */
  readonly top: Oid
  /** Takes that are in the pack, oldest first. */
  readonly incoming: readonly Incoming[]
  /** Hash in the pack's name. */
  readonly packHash: string
}

export interface IntakeOptions {
  readonly objectFormat: ObjectFormat
  /** The takes reach down to the roots and the pack is to be kept. */
  readonly isWholeHistory: boolean
  readonly fsckObjects: boolean
  readonly trace: Trace
}

/** Why nothing was taken in: the bytes did not come, or git did not want them. */
export type Failure = 'broke-off' | 'refused'

/** Indexes as many of the takes, oldest first, as arrive whole. */
export async function takeIn(
  takes: readonly LinkTake[],
  coming: readonly Promise<Incoming>[],
  quarantine: Quarantine,
  options: IntakeOptions,
): Promise<Intake | Failure> {
  for (let count = takes.length; count > 0; ) {
    const outcome = await indexTakes(takes.slice(0, count), coming, quarantine, options)
    if (typeof outcome !== 'number') {
      const top = takes[count - 1]?.link.tip
      return top === undefined ? 'refused' : { top, ...outcome }
    }
    if (outcome === REFUSED) return 'refused'
    count = outcome
  }
  return 'broke-off'
}

/** The indexed pack, or how many takes from the oldest on arrived whole, REFUSED when git did not take the pack. */
async function indexTakes(
  takes: readonly LinkTake[],
  coming: readonly Promise<Incoming>[],
  quarantine: Quarantine,
  { objectFormat, isWholeHistory, fsckObjects, trace }: IntakeOptions,
): Promise<Pick<Intake, 'incoming' | 'packHash'> | number> {
  const lengthMax = takes.reduce((sum, take) => sum + bodyRangeOf(take).length, PACK_OVERHEAD_LENGTH)
  const indexer = quarantine.index({ keep: isWholeHistory, isWholeHistory, lengthMax, fsckObjects })
  const hash = createHash(objectFormat)
  const write = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes)
    await indexer.write(bytes)
  }
  const header = new Uint8Array(PACK_HEADER_LENGTH)
  const objectCount = takes.flatMap(segmentsOf).reduce((sum, segment) => sum + segment.objectCount, 0)
  writePackHeader(header, 0, objectCount)
  const incoming: Incoming[] = []
  try {
    await write(header)
    for (const source of coming.slice(0, takes.length)) {
      const there = await source
      for await (const bytes of arrivingBodies(there)) await write(bytes)
      incoming.push(there)
    }
  } catch (error) {
    trace(() => `link ${incoming.length + 1} of ${takes.length} broke off: ${messageOf(error)}`)
    indexer.abort()
    return incoming.length
  }
  try {
    await indexer.write(hash.digest())
    return { incoming, packHash: await indexer.finish() }
  } catch (error) {
    trace(() => `pack refused: ${messageOf(error)}`)
    return REFUSED
  }
}

/** The bodies of a take, in order, as they become available. */
async function* arrivingBodies({ take, file, bodyOffset }: Incoming): AsyncGenerator<Uint8Array> {
  const end = bodyOffset + bodyRangeOf(take).length
  for (let at = bodyOffset; at < end; ) {
    const there = Math.min(end, await file.waitBeyond(at))
    for (; at < there; at += READ_CHUNK_LENGTH) yield await file.read(at, Math.min(READ_CHUNK_LENGTH, there - at))
    at = there
  }
}
