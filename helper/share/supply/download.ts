/**
 * Brings the bytes of one take: a whole large link through its swarm, anything small as a range over the connection that
 * is open already, and what peers do not bring from web seeds, which go on where the peers ended. Ranges and web seeds are
 * checked against the claimed hashes of the segments, what a swarm brings against its pieces; git checks the rest.
 */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Address, fetchRange, type Net, type Topic, type TopicPeer } from '../../../net/index.ts'
import { HelperError, messageOf } from '../../errors.ts'
import { LINK_STALL_TIMEOUT_MS, RANGE_PART_LENGTH, RANGE_TIMEOUT_MS, SWARM_LENGTH_MIN } from '../../limits.ts'
import type { Trace } from '../../trace.ts'
import { bringFromWeb } from '../webseed/bring.ts'
import type { WebSeeds } from '../webseed/web-seeds.ts'
import { IncomingFile } from './incoming.ts'
import { bodyRangeOf, type LinkTake, segmentsOf } from './plan.ts'
import { noPeer, type RangeManners, raceForRange } from './range-race.ts'

export interface Incoming {
  readonly take: LinkTake
  readonly file: IncomingFile
  /** Offset in the file of the first body. */
  readonly bodyOffset: number
  /** Bytes that came from peers so far. */
  receivedLength(): number
  /** Bytes that came from web seeds so far. */
  webLength(): number
  /** Settles when the download ends; never rejects, failure reaches the file's readers. */
  readonly ended: Promise<void>
  /** Ends the download and serving what it brought; to be called before the file is closed. */
  stop(): Promise<void>
}

export interface DownloadSurroundings {
  /** Null, as the topic, where no way in to peers is configured. */
  readonly net: Net | null
  readonly topic: Topic | null
  readonly webSeeds: WebSeeds
  readonly trace: Trace
  readonly folder: string
  /** Peers that answered on the topic, the one whose claim is followed first; may be none. */
  readonly peers: readonly TopicPeer[]
  /** How peers were as senders of ranges, in this conversation. */
  readonly manners: RangeManners
  readonly signal: AbortSignal
}

/** True for a take that comes through the swarm of its link. */
export function isSwarmed(take: LinkTake): boolean {
  return take.isWhole && bodyRangeOf(take).length >= SWARM_LENGTH_MIN
}

/** Starts to bring a take. */
export async function startDownload(take: LinkTake, around: DownloadSurroundings): Promise<Incoming> {
  const swarmed = isSwarmed(take)
  const name = Buffer.from(take.link.infohash).toString('hex')
  const { offset } = bodyRangeOf(take)
  const file = await IncomingFile.open(join(around.folder, swarmed ? name : `${name}-${offset}`))
  const fromPeers = swarmed ? await startSwarm(take, file, around) : startRange(take, file, around)
  let webLength = 0
  const onBytes = (count: number): void => {
    webLength += count
  }
  const ended = fromPeers.ended
    .catch(async (error: unknown) => {
      around.trace(() => `link ${name}: ${messageOf(error)}`)
      await bringFromAnyWeb({ take, file, fileStart: swarmed ? 0 : offset, onBytes }, around, error)
    })
    .catch((error: unknown) => file.noteFailed(error))
  const bodyOffset = swarmed ? (take.link.layout.bodyOffsets[0] ?? 0) : 0
  const { receivedLength, stop } = fromPeers
  return { take, file, bodyOffset, receivedLength, webLength: () => webLength, ended, stop }
}

interface Attempt {
  receivedLength(): number
  /** Rejects when not all came. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

const NOTHING_STARTED = { receivedLength: () => 0, stop: async () => {} }

/** Tries web seeds in order; rejects with what the last one said, or with `failure` if there is none. */
async function bringFromAnyWeb(
  what: Pick<Parameters<typeof bringFromWeb>[1], 'take' | 'file' | 'fileStart' | 'onBytes'>,
  { webSeeds, signal, trace }: DownloadSurroundings,
  failure: unknown,
): Promise<void> {
  let last = failure
  for (const seed of signal.aborted ? [] : await webSeeds.found) {
    if (seed.urlOf(what.take.link) === null || webSeeds.failed.has(seed)) continue
    try {
      return await bringFromWeb(seed, { ...what, connections: webSeeds.connections, signal })
    } catch (error) {
      last = error
      if (!signal.aborted) webSeeds.failed.add(seed)
      trace(() => messageOf(error))
    }
  }
  throw last
}

async function startSwarm(
  take: LinkTake,
  file: IncomingFile,
  { net, topic, peers, signal }: DownloadSurroundings,
): Promise<Attempt> {
  if (net === null || peers.length === 0) return { ...NOTHING_STARTED, ended: Promise.reject(noPeer()) }
  const { link } = take
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
  const receivedLength = (): number => {
    const { verifiedLength, presentLength } = download.progress()
    return verifiedLength - presentLength
  }
  // Others that work with the same repository download the same links: what one has got, the others need not ask a seeder for.
  const ignoreTopic = topic?.onPeer(({ address }) => {
    if (address !== null) download.addPeer(address)
  })
  const ended = download.result
    .then(() => file.noteArrived({ offset: 0, length: link.layout.length }))
    .finally(() => ignoreTopic?.())
  const seeding = download.result.then(
    ({ seed }) => seed,
    () => null,
  )
  const stop = async (): Promise<void> => {
    download.cancel()
    await (await seeding)?.close()
  }
  return { receivedLength, ended, stop }
}

function startRange(take: LinkTake, file: IncomingFile, around: DownloadSurroundings): Attempt {
  let received = 0
  const ended = (async () => {
    const bytes = await raceForRange(around.peers, around.manners, around.signal, async (peer, signal) => {
      const brought = await bringRange(peer, take, signal)
      received += brought.length
      requireSegments(take, brought)
      return brought
    })
    await file.write(0, bytes)
    file.noteArrived({ offset: 0, length: bytes.length })
  })()
  return { ...NOTHING_STARTED, receivedLength: () => received, ended }
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
