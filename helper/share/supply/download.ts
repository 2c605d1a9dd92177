/**
 * Brings the bytes of one take: a large one through the swarm of its link, anything small as a range over the connection that
 * is open already, and what peers do not bring from web seeds, which go on where the peers ended. Of a link that is lacking
 * in part only the pieces that cover that part are fetched; with what the repository has the whole link is served. Ranges
 * and web seeds are checked against the claimed hashes of the segments, what a swarm brings against its pieces; git checks
 * the rest.
 */

import { join } from 'node:path'
import type { Address, Download, DownloadProgress, Net, Topic, TopicPeer } from '../../../net/index.ts'
import { messageOf } from '../../errors.ts'
import { LINK_STALL_TIMEOUT_MS, LINK_START_TIMEOUT_MS, SWARM_LENGTH_MIN, WEBSEED_AHEAD_LENGTH } from '../../limits.ts'
import type { SegmentStore } from '../../store/segment-store.ts'
import type { Trace } from '../../trace.ts'
import { bringTakeFromWeb } from '../webseed/bring.ts'
import { rangesOf } from '../webseed/ranges.ts'
import { infoOfLink } from '../webseed/torrent-info.ts'
import type { WebSeeds } from '../webseed/web-seeds.ts'
import { IncomingFile } from './incoming.ts'
import { LinkStore } from './link-store.ts'
import type { Arrivals } from './origin-race.ts'
import { bodyRangeOf, type LinkTake } from './plan.ts'
import { noPeer, type RangeManners } from './range-race.ts'
import { bringRanges } from './range-take.ts'
import { type BroughtBy, inOrderOfBringing, lengthBroughtBy, makeWayForOthers } from './way-for-others.ts'

export interface Incoming {
  readonly take: LinkTake
  readonly file: IncomingFile
  /** Offset in the payload of the file's first byte. */
  readonly fileStart: number
  /** Bytes that came from peers so far. */
  receivedLength(): number
  /** Bytes that came from web seeds so far. */
  webLength(): number
  /** What came of it so far, from peers and web seeds, and what is still to come. */
  arrivals(): Arrivals
  /** Settles when all but the last WEBSEED_AHEAD_LENGTH bytes are there, or the download ends. */
  readonly ending: Promise<void>
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
  /** What the repository has of links that are lacking in part. */
  readonly store: SegmentStore
  /** Peers that answered on the topic, the one whose claim is followed first; may be none. */
  readonly peers: readonly TopicPeer[]
  /** Peers of the topic that are asked for nothing. */
  readonly useless: ReadonlySet<TopicPeer>
  /** How peers were as senders of ranges, in this conversation. */
  readonly manners: RangeManners
  /** Who brought how much in swarms, in this conversation. */
  readonly broughtBy: BroughtBy
  readonly signal: AbortSignal
}

/** True for a take that comes through the swarm of its link. */
export function isSwarmed(take: LinkTake): boolean {
  return bodyRangeOf(take).length >= SWARM_LENGTH_MIN
}

/** Starts to bring a take. */
export async function startDownload(take: LinkTake, around: DownloadSurroundings): Promise<Incoming> {
  const swarmed = isSwarmed(take)
  const name = Buffer.from(take.link.infohash).toString('hex')
  const fileStart = swarmed ? 0 : bodyRangeOf(take).offset
  const file = await IncomingFile.open(join(around.folder, swarmed ? name : `${name}-${fileStart}`))
  let webLength = 0
  let noteEnding = (): void => {}
  const isEnding = new Promise<void>((resolve) => {
    noteEnding = resolve
  })
  const onBytes = (count: number): void => {
    webLength += count
    if (bodyRangeOf(take).length - webLength <= WEBSEED_AHEAD_LENGTH) noteEnding()
  }
  onBytes(0)
  const fromPeers = swarmed
    ? await startSwarm(take, file, around, onBytes).catch(nothingFor)
    : startRange(take, file, around)
  let isThere = false
  const ended = fromPeers.ended
    .catch(async (error: unknown) => {
      around.trace(() => `link ${name}: ${messageOf(error)}`)
      await bringTakeFromWeb(take, { file, fileStart, onBytes }, around, error)
    })
    .then(
      () => {
        isThere = true
      },
      (error: unknown) => file.noteFailed(error),
    )
  const arrivals = (): Arrivals => {
    const { takenLength, presentWantedLength } = fromPeers.progress()
    const cameLength = takenLength + webLength
    const leftLength = isThere ? 0 : Math.max(0, bodyRangeOf(take).length - presentWantedLength - cameLength)
    return { cameLength, leftLength }
  }
  const { receivedLength, stop } = fromPeers
  const ending = Promise.race([isEnding, ended])
  return { take, file, fileStart, receivedLength, webLength: () => webLength, arrivals, ending, ended, stop }
}

interface Attempt {
  receivedLength(): number
  /** Bytes that came from peers, verified or not, and those of what is lacking that were there. */
  progress(): Pick<DownloadProgress, 'takenLength' | 'presentWantedLength'>
  /** Rejects when not all came. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

const NOTHING_STARTED = {
  receivedLength: () => 0,
  progress: () => ({ takenLength: 0, presentWantedLength: 0 }),
  stop: async () => {},
}

function nothingFor(error: unknown): Attempt {
  return { ...NOTHING_STARTED, ended: Promise.reject(error) }
}

async function startSwarm(
  take: LinkTake,
  file: IncomingFile,
  { net, topic, peers, useless, broughtBy, store, signal, webSeeds }: DownloadSurroundings,
  onWebBytes: (count: number) => void,
): Promise<Attempt> {
  if (net === null || peers.length === 0) throw noPeer()
  const { link } = take
  const info = await infoOfLink(link, webSeeds)
  const left = Math.min(await file.leftLength(), link.layout.length)
  const payload = await LinkStore.open(take, file, store)
  // What lies behind the bodies is wanted too, so that all is there to be served.
  const start = take.isWhole ? 0 : bodyRangeOf(take).offset
  const wanted = { offset: start, length: link.layout.length - start }
  const addresses = [...inOrderOfBringing(broughtBy), ...peers.map(({ address, remote }) => address ?? remote)]
  const download = net.download(
    {
      infohash: link.infohash,
      info,
      lengthBytes: link.layout.length,
      pieceLengthBytes: link.pieceLengthBytes,
    },
    {
      peers: uniqueAddresses(addresses),
      store: payload,
      present: payload.present(left),
      wanted: [wanted],
      startTimeoutMs: LINK_START_TIMEOUT_MS,
      stallTimeoutMs: LINK_STALL_TIMEOUT_MS,
      signal,
      onPiece: (range) => file.noteArrived(range),
      keepSeeding: true,
    },
  )
  let webLength = 0
  const onBytes = (count: number): void => {
    webLength += count
    onWebBytes(count)
  }
  // Web seeds share the pieces with peers; those that do not know ranges are for when there is nobody else.
  for (const read of webSeeds.each)
    void read.then((seed) => {
      const url = seed === null || webSeeds.failed.has(seed) ? null : seed.urlOf(link)
      if (seed === null || url === null) return
      const { connections } = webSeeds
      download.addSource(rangesOf({ url, mustBePublic: seed.mustBePublic, link, connections, onBytes }))
    })
  // Others that work with the same repository download the same links: what one has got, the others need not ask a seeder for.
  const ignoreTopic = topic?.onPeer((peer) => {
    if (peer.address !== null && !useless.has(peer)) download.addPeer(peer.address)
  })
  const endWay = topic === null ? null : makeWayForOthers(download, topic, broughtBy)
  const ended = download.result
    .then(() => file.noteArrived(wanted))
    .finally(() => {
      ignoreTopic?.()
      endWay?.()
    })
  const seeding = download.result.then(
    ({ seed }) => seed,
    () => null,
  )
  const stop = async (): Promise<void> => {
    download.cancel()
    await (await seeding)?.close()
  }
  return { ...shareOfPeers(download, () => webLength), ended, stop }
}

/** What of a download did not come from web seeds. */
function shareOfPeers(download: Download, webLength: () => number): Pick<Attempt, 'receivedLength' | 'progress'> {
  return {
    receivedLength: () => {
      const { verifiedLength, presentLength } = download.progress()
      return Math.max(0, verifiedLength - presentLength - webLength())
    },
    progress: () => {
      const { takenLength, presentWantedLength } = download.progress()
      return { takenLength: Math.max(0, takenLength - webLength()), presentWantedLength }
    },
  }
}

function startRange(take: LinkTake, file: IncomingFile, around: DownloadSurroundings): Attempt {
  const { topic, manners, broughtBy, signal } = around
  // Who has brought something else goes first, whether he was asked for his chain or not, and whenever he turns up.
  const peersNow = (): readonly TopicPeer[] => {
    const lengthBy = (peer: TopicPeer): number => lengthBroughtBy(peer, broughtBy)
    const others = (topic?.peers() ?? []).filter((peer) => lengthBy(peer) > 0 && !around.peers.includes(peer))
    return [...around.peers, ...others].sort((a, b) => lengthBy(b) - lengthBy(a))
  }
  let received = 0
  const onBytes = (count: number): void => {
    received += count
  }
  const { offset: fileStart } = bodyRangeOf(take)
  const ended = bringRanges({ take, file, fileStart, peersNow, manners, signal, onBytes })
  const progress = () => ({ takenLength: received, presentWantedLength: 0 })
  return { ...NOTHING_STARTED, receivedLength: () => received, progress, ended }
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
