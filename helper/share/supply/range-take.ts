/**
 * Brings the bodies of a take as ranges over topic connections that are open already, a unit of whole segments at a time.
 * A unit counts, and is written, once its segments have their claimed hashes. A peer that hardly moves goes on, but the
 * next one works beside it and takes over what is lacking, in the middle of a unit too. Where bytes of several peers
 * give a wrong hash, each has to bring that unit alone, so that the liar is known.
 */

import { createHash } from 'node:crypto'
import { fetchRange, type TopicPeer } from '../../../net/index.ts'
import { HelperError } from '../../errors.ts'
import { RANGE_PART_LENGTH, RANGE_TIMEOUT_MS } from '../../limits.ts'
import type { SegmentClaim } from '../chain-claim.ts'
import type { IncomingFile } from './incoming.ts'
import { bodyRangeOf, type LinkTake, segmentsOf } from './plan.ts'
import { type RangeManners, raceForRange } from './range-race.ts'

export interface RangeTransfer {
  readonly take: LinkTake
  readonly file: IncomingFile
  /** Offset in the payload of the file's first byte. */
  readonly fileStart: number
  /** Whom to ask next, best first. */
  readonly peersNow: () => readonly TopicPeer[]
  readonly manners: RangeManners
  readonly signal: AbortSignal
  /** Called with the number of bytes of each part that came. */
  readonly onBytes: (count: number) => void
}

/** Segments that are brought and checked together. */
interface Unit {
  readonly segments: readonly SegmentClaim[]
  /** Offset in the payload. */
  readonly offset: number
  readonly length: number
  /** What has come of it from its start on, and from whom. */
  bytes: Uint8Array | null
  filled: number
  readonly senders: Set<TopicPeer>
  /** Bytes of several peers did not fit together. */
  isMixed: boolean
  workerCount: number
  /** Set once it is right. */
  written: Promise<void> | null
}

/** Resolves when all segments of the take are in the file. @throws HelperError 'chain-malformed' when no peer brings them */
export async function bringRanges(transfer: RangeTransfer): Promise<void> {
  const { peersNow, manners, signal } = transfer
  const units = unitsOf(transfer.take)
  await raceForRange(peersNow, manners, signal, (peer, joined) =>
    bringUnits(peer, units, { ...transfer, signal: joined }),
  )
  await Promise.all(units.map(({ written }) => written))
}

/** Runs of segments of about RANGE_PART_LENGTH bytes, or one longer segment. */
function unitsOf(take: LinkTake): Unit[] {
  const units: Unit[] = []
  let { offset } = bodyRangeOf(take)
  let segments: SegmentClaim[] = []
  let length = 0
  const close = (): void => {
    if (segments.length === 0) return
    const empty = { bytes: null, filled: 0, senders: new Set<TopicPeer>(), isMixed: false, workerCount: 0 }
    units.push({ segments, offset, length, ...empty, written: null })
    offset += length
    segments = []
    length = 0
  }
  for (const segment of segmentsOf(take)) {
    if (length > 0 && length + segment.length > RANGE_PART_LENGTH) close()
    segments.push(segment)
    length += segment.length
  }
  close()
  return units
}

async function bringUnits(peer: TopicPeer, units: readonly Unit[], transfer: RangeTransfer): Promise<void> {
  for (;;) {
    const open = units.filter(({ written }) => written === null)
    const unit = open.find(({ workerCount }) => workerCount === 0) ?? open[0]
    if (unit === undefined) return
    unit.workerCount++
    try {
      const bytes = unit.isMixed ? await bringAlone(peer, unit, transfer) : await bringTogether(peer, unit, transfer)
      if (bytes !== null) unit.written ??= writeUnit(unit, bytes, transfer)
      await unit.written
    } finally {
      unit.workerCount--
    }
  }
}

async function writeUnit({ offset, length }: Unit, bytes: Uint8Array, transfer: RangeTransfer): Promise<void> {
  const { file, fileStart } = transfer
  await file.write(offset - fileStart, bytes)
  file.noteArrived({ offset: offset - fileStart, length })
}

/** Goes on where others stopped; null if the unit has to be looked at again. @throws HelperError when it is this peer that lies */
async function bringTogether(peer: TopicPeer, unit: Unit, transfer: RangeTransfer): Promise<Uint8Array | null> {
  unit.bytes ??= new Uint8Array(unit.length)
  const { bytes } = unit
  while (unit.filled < unit.length) {
    const at = unit.filled
    const part = await bringPart(peer, unit, at, transfer)
    if (unit.written !== null || unit.isMixed) return null
    // The one who works beside may have been faster.
    if (unit.filled !== at) continue
    bytes.set(part, at)
    unit.filled += part.length
    unit.senders.add(peer)
  }
  const wrong = wrongSegmentOf(unit, bytes)
  if (wrong === null) return bytes
  unit.bytes = null
  unit.filled = 0
  const isShared = unit.senders.size > 1 || !unit.senders.has(peer)
  unit.senders.clear()
  if (!isShared) throw wrong
  unit.isMixed = true
  return null
}

/** @throws HelperError when the peer lies */
async function bringAlone(peer: TopicPeer, unit: Unit, transfer: RangeTransfer): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(unit.length)
  for (let at = 0; at < unit.length; at += RANGE_PART_LENGTH) {
    bytes.set(await bringPart(peer, unit, at, transfer), at)
    if (unit.written !== null) return null
  }
  const wrong = wrongSegmentOf(unit, bytes)
  if (wrong !== null) throw wrong
  return bytes
}

/** A part small enough that a slow line brings it in time. */
async function bringPart(
  peer: TopicPeer,
  { offset, length }: Unit,
  at: number,
  { take, signal, onBytes }: RangeTransfer,
): Promise<Uint8Array> {
  const question = {
    infohash: take.link.infohash,
    offset: offset + at,
    length: Math.min(RANGE_PART_LENGTH, length - at),
  }
  const part = await fetchRange(peer, question, { timeoutMs: RANGE_TIMEOUT_MS, signal })
  onBytes(part.length)
  return part
}

/** What to say of the first segment that differs from its claimed hash; null if all are right. */
function wrongSegmentOf({ segments }: Unit, bytes: Uint8Array): HelperError | null {
  let at = 0
  for (const { length, sha256, plan } of segments) {
    const found = createHash('sha256')
      .update(bytes.subarray(at, at + length))
      .digest('hex')
    if (found !== sha256)
      return new HelperError('chain-malformed', `segment ${plan.tip}: expected ${sha256}, got ${found}`)
    at += length
  }
  return null
}
