/**
 * What is brought from web seeds, one after the other until one has brought it: the bodies of one take of a link, held against the hashes of
 * its segments; the payload of a snapshot, held against those of its pieces. How the bytes come is bring-parts.ts's matter.
 */

import { messageOf } from '../../errors.ts'
import { piecesIn } from '../../export/torrent-file.ts'
import type { Trace } from '../../trace.ts'
import type { DescribedSnapshot } from '../chain-claim.ts'
import { type LinkTake, segmentsOf } from '../supply/plan.ts'
import { bringParts, type Part, type WantedParts, type WebTransfer } from './bring-parts.ts'
import type { WebSeed } from './web-seed.ts'
import type { WebSeeds } from './web-seeds.ts'

const PIECE_HASH_LENGTH = 20

/** Where bytes come to. */
export type WebTarget = Pick<WebTransfer, 'file' | 'fileStart' | 'onBytes'>

export interface WebSurroundings {
  readonly webSeeds: WebSeeds
  readonly signal: AbortSignal
  readonly trace: Trace
}

/**
 * Resolves when all segments of the take are in the file.
 * @throws what the last web seed said (HelperError 'webseed-failed', 'chain-malformed'), or `failure` if there is none
 */
export async function bringTakeFromWeb(
  take: LinkTake,
  target: WebTarget,
  around: WebSurroundings,
  failure: unknown,
): Promise<void> {
  const { link, firstSegment } = take
  const { header, bodyOffsets, length: payloadLength } = link.layout
  const parts = segmentsOf(take).map(({ length, sha256: digest }, index) => {
    return { offset: bodyOffsets[firstSegment + index] ?? 0, length, digest }
  })
  const { file, fileStart } = target
  if (fileStart === 0) {
    await file.write(0, header)
    file.noteArrived({ offset: 0, length: header.length })
  }
  const wanted: WantedParts = { payloadLength, parts, algorithm: 'sha256' }
  await bringFromAny((seed) => seed.urlOf(link), wanted, target, around, failure)
}

/** The same for the whole payload of a snapshot. */
export async function bringSnapshotFromWeb(
  claim: DescribedSnapshot,
  target: WebTarget,
  around: WebSurroundings,
  failure: unknown,
): Promise<void> {
  const wanted: WantedParts = { payloadLength: claim.lengthBytes, parts: piecesOf(claim), algorithm: 'sha1' }
  await bringFromAny((seed) => seed.urlOfSnapshot(claim), wanted, target, around, failure)
}

function piecesOf({ info, lengthBytes, pieceLengthBytes }: DescribedSnapshot): Part[] {
  const hashes = Buffer.from(piecesIn(info))
  return Array.from({ length: Math.ceil(lengthBytes / pieceLengthBytes) }, (_, index) => {
    const offset = index * pieceLengthBytes
    const digest = hashes.toString('hex', index * PIECE_HASH_LENGTH, (index + 1) * PIECE_HASH_LENGTH)
    return { offset, length: Math.min(pieceLengthBytes, lengthBytes - offset), digest }
  })
}

async function bringFromAny(
  urlOf: (seed: WebSeed) => string | null,
  wanted: WantedParts,
  target: WebTarget,
  { webSeeds, signal, trace }: WebSurroundings,
  failure: unknown,
): Promise<void> {
  const { connections, failed } = webSeeds
  let last = failure
  for await (const seed of webSeeds.inTurn()) {
    if (signal.aborted) break
    const url = urlOf(seed)
    if (url === null) continue
    try {
      return await bringParts(wanted, { ...target, url, mustBePublic: seed.mustBePublic, connections, signal })
    } catch (error) {
      last = error
      if (!signal.aborted) failed.add(seed)
      trace(() => messageOf(error))
    }
  }
  throw last
}
