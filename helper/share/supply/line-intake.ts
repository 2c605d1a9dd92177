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
import { bodyRangeOf, segmentsOf } from './plan.ts'
import type { Quarantine } from './quarantine.ts'

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

/** Indexes as many of the takes, oldest first, as arrive whole; null when that is none. */
export async function takeIn(
  incoming: readonly Incoming[],
  quarantine: Quarantine,
  options: IntakeOptions,
): Promise<Intake | null> {
  let usable = incoming
  while (usable.length > 0) {
    const outcome = await indexTakes(usable, quarantine, options)
    if (typeof outcome === 'string') {
      const top = usable[usable.length - 1]?.take.link.tip
      return top === undefined ? null : { top, incoming: usable, packHash: outcome }
    }
    usable = usable.slice(0, outcome)
  }
  return null
}

/** Hash of the indexed pack, or how many takes from the oldest on arrived whole (0 when git refused the pack). */
async function indexTakes(
  incoming: readonly Incoming[],
  quarantine: Quarantine,
  { objectFormat, isWholeHistory, fsckObjects, trace }: IntakeOptions,
): Promise<string | number> {
  const bodiesLength = incoming.reduce((sum, { take }) => sum + bodyRangeOf(take).length, 0)
  const lengthMax = bodiesLength + 1024
  const indexer = quarantine.index({ keep: isWholeHistory, isWholeHistory, lengthMax, fsckObjects })
  const hash = createHash(objectFormat)
  const write = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes)
    await indexer.write(bytes)
  }
  const header = new Uint8Array(PACK_HEADER_LENGTH)
  const claims = incoming.flatMap(({ take }) => segmentsOf(take))
  writePackHeader(
    header,
    0,
    claims.reduce((sum, { objectCount }) => sum + objectCount, 0),
  )
  await write(header)
  for (const [index, source] of incoming.entries()) {
    try {
      for await (const bytes of arrivingBodies(source)) await write(bytes)
    } catch (error) {
      trace(() => `link ${index + 1} of ${incoming.length} broke off: ${messageOf(error)}`)
      indexer.abort()
      return index
    }
  }
  try {
    await indexer.write(hash.digest())
    return await indexer.finish()
  } catch (error) {
    trace(() => `pack refused: ${messageOf(error)}`)
    return 0
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
