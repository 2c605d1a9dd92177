/**
 * The info dict of a payload that a manifest claims without its piece hashes: they lie in the .torrent file beside it, and are
 * only asked for where pieces matter, in a swarm with peers or for a snapshot. What comes is compared with the infohash.
 */

import { linkName, snapshotName } from '../../../engine/index.ts'
import { asDict, decodeBencode, encodeBencode } from '../../../net/index.ts'
import { HelperError, messageOf } from '../../errors.ts'
import { piecesIn } from '../../export/torrent-file.ts'
import { describePayload, type LinkClaim, type SnapshotClaim } from '../chain-claim.ts'
import type { WebSeed } from './web-seed.ts'
import type { WebSeeds } from './web-seeds.ts'

interface ClaimedPayload {
  readonly name: string
  readonly lengthBytes: number
  readonly infohash: Uint8Array
  /** Null where the claim does not have it. */
  readonly info: Uint8Array | null
  readonly isAt: (seed: WebSeed) => boolean
}

/** The bencoded info dict: the claimed one, or that of the first web seed with the right one. @throws HelperError 'webseed-failed' */
export function infoOfLink(link: LinkClaim, webSeeds: WebSeeds): Promise<Uint8Array> {
  const { tip, base, layout, info, infohash } = link
  const payload = { name: linkName(tip, base), lengthBytes: layout.length, info, infohash }
  return infoOf({ ...payload, isAt: (seed) => seed.urlOf(link) !== null }, webSeeds)
}

/** The same of a snapshot. */
export function infoOfSnapshot(claim: SnapshotClaim, webSeeds: WebSeeds): Promise<Uint8Array> {
  const { commit, lengthBytes, info, infohash } = claim
  const payload = { name: snapshotName(commit), lengthBytes, info, infohash }
  return infoOf({ ...payload, isAt: (seed) => seed.urlOfSnapshot(claim) !== null }, webSeeds)
}

async function infoOf(payload: ClaimedPayload, webSeeds: WebSeeds): Promise<Uint8Array> {
  if (payload.info !== null) return payload.info
  let last = `nobody has ${payload.name}.torrent`
  for await (const seed of webSeeds.inTurn()) {
    if (!payload.isAt(seed)) continue
    try {
      return checkedInfo(await seed.torrentOf(payload.name), payload)
    } catch (error) {
      last = messageOf(error)
    }
  }
  throw new HelperError('webseed-failed', last)
}

/** @throws HelperError, EngineError, NetError unless the file is the torrent of the payload */
export function checkedInfo(
  file: Uint8Array,
  { name, lengthBytes, infohash }: Pick<ClaimedPayload, 'name' | 'lengthBytes' | 'infohash'>,
): Uint8Array {
  const info = asDict(asDict(decodeBencode(file))?.get('info'))
  const pieces = info === null ? new Uint8Array(0) : piecesIn(encodeBencode(info))
  const described = describePayload(name, lengthBytes, pieces)
  if (Buffer.from(described.infohash).equals(infohash)) return described.info
  throw new HelperError('webseed-failed', `${name}.torrent: expected the infohash in the manifest, got another`)
}
