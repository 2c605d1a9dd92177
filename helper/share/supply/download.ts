/**
 * Brings the bytes of one take: a whole large link through its swarm, anything small as a range over the connection that
 * is open already. What a range brings is checked against the claimed hashes of the segments, what a swarm brings
 * against its pieces; git checks the rest.
 */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Address, fetchRange, type Net, type Topic, type TopicPeer } from '../../../net/index.ts'
import { HelperError } from '../../errors.ts'
import { LINK_STALL_TIMEOUT_MS, RANGE_PART_LENGTH, RANGE_TIMEOUT_MS, SWARM_LENGTH_MIN } from '../../limits.ts'
import { IncomingFile } from './incoming.ts'
import { bodyRangeOf, type LinkTake, segmentsOf } from './plan.ts'

export interface Incoming {
  readonly take: LinkTake
  readonly file: IncomingFile
  /** Offset in the file of the first body. */
  readonly bodyOffset: number
  /** Bytes that came from peers so far. */
  receivedLength(): number
  /** Settles when the download ends; never rejects, failure reaches the file's readers. */
  readonly ended: Promise<void>
  /** Ends the download and serving what it brought; to be called before the file is closed. */
  stop(): Promise<void>
}

export interface DownloadSurroundings {
  readonly net: Net
  readonly topic: Topic
  readonly folder: string
  /** Peers that answered on the topic, the one whose claim is followed first. */
  readonly peers: readonly TopicPeer[]
  /** Peers that failed once in this conversation; not asked for ranges again. */
  readonly failed: Set<TopicPeer>
  readonly signal: AbortSignal
}

/** True for a take that comes through the swarm of its link. */
export function isSwarmed(take: LinkTake): boolean {
  return take.isWhole && bodyRangeOf(take).length >= SWARM_LENGTH_MIN
}

/** Starts to bring a take. */
export async function startDownload(take: LinkTake, around: DownloadSurroundings): Promise<Incoming> {
  return isSwarmed(take) ? startSwarm(take, around) : startRange(take, around)
}

async function startSwarm(
  take: LinkTake,
  { net, topic, folder, peers, signal }: DownloadSurroundings,
): Promise<Incoming> {
  const { link } = take
  const file = await IncomingFile.open(join(folder, Buffer.from(link.infohash).toString('hex')))
  const left = Math.min(await file.leftLength(), link.layout.length)
  const addresses = peers.map(({ address, remote }) => address ?? remote)
  const download = net.download(
    {
      infohash: link.infohash,
      info: link.info,
      lengthBytes: link.layout.length,
      pieceLengthBytes: link.pieceLengthBytes,
    },
    {
      peers: uniqueAddresses(addresses),
      store: file,
      present: left > 0 ? [{ offset: 0, length: left }] : [],
      stallTimeoutMs: LINK_STALL_TIMEOUT_MS,
      signal,
      onPiece: (range) => file.noteArrived(range),
      keepSeeding: true,
    },
  )
  const received = (): number => {
    const { verifiedLength, presentLength } = download.progress()
    return verifiedLength - presentLength
  }
  // Others that work with the same repository download the same links: what one has got, the others need not ask a seeder for.
  const ignoreTopic = topic.onPeer(({ address }) => {
    if (address !== null) download.addPeer(address)
  })
  const ended = download.result
    .then(
      () => file.noteArrived({ offset: 0, length: link.layout.length }),
      (error: unknown) => file.noteFailed(error),
    )
    .finally(ignoreTopic)
  const seeding = download.result.then(
    ({ seed }) => seed,
    () => null,
  )
  const stop = async (): Promise<void> => {
    download.cancel()
    await (await seeding)?.close()
  }
  return { take, file, bodyOffset: link.layout.bodyOffsets[0] ?? 0, receivedLength: received, ended, stop }
}

async function startRange(take: LinkTake, around: DownloadSurroundings): Promise<Incoming> {
  const range = bodyRangeOf(take)
  const name = `${Buffer.from(take.link.infohash).toString('hex')}-${range.offset}`
  const file = await IncomingFile.open(join(around.folder, name))
  let received = 0
  const ended = (async () => {
    let failure: unknown = new HelperError('chain-malformed', 'range: expected a peer, got none')
    for (const peer of around.peers) {
      if (around.failed.has(peer)) continue
      try {
        const bytes = await bringRange(peer, take, around.signal)
        received += bytes.length
        requireSegments(take, bytes)
        await file.write(0, bytes)
        file.noteArrived({ offset: 0, length: bytes.length })
        return
      } catch (error) {
        failure = error
        around.failed.add(peer)
      }
    }
    file.noteFailed(failure)
  })()
  return { take, file, bodyOffset: 0, receivedLength: () => received, ended, stop: async () => {} }
}

/** The bodies of a take, in parts small enough that a slow line brings each in time. */
async function bringRange(peer: TopicPeer, take: LinkTake, signal: AbortSignal): Promise<Uint8Array> {
  const { offset, length } = bodyRangeOf(take)
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += RANGE_PART_LENGTH) {
    const question = {
      infohash: take.link.infohash,
      offset: offset + at,
      length: Math.min(RANGE_PART_LENGTH, length - at),
    }
    bytes.set(await fetchRange(peer, question, { timeoutMs: RANGE_TIMEOUT_MS, signal }), at)
  }
  return bytes
}

/** @throws HelperError 'chain-malformed' when a body differs from its claimed hash */
function requireSegments(take: LinkTake, bytes: Uint8Array): void {
  let at = 0
  for (const { length, sha256, plan } of segmentsOf(take)) {
    const found = createHash('sha256')
      .update(bytes.subarray(at, at + length))
      .digest('hex')
    if (found !== sha256)
      throw new HelperError('chain-malformed', `segment ${plan.tip}: expected ${sha256}, got ${found}`)
    at += length
  }
}

function uniqueAddresses(addresses: readonly Address[]): Address[] {
  const seen = new Set<string>()
  return addresses.filter(({ host, port }) => {
    const key = `${host} ${port}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}
