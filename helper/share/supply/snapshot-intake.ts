/**
 * Brings the snapshot of a commit for a shallow clone: from the swarm of its payload, or a web seed, into a quarantine, where git names
 * every object, and into the repository once it is known to be the whole tree and nothing else. What it was claimed to be does not matter: the origin
 * decides whether the commit is any use as a have. The commit itself, the first entry, goes in beside the pack, so that it can
 * go out again: without its history it would only mislead git, which follows tags to what is there.
 */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  COMMIT,
  createInflate,
  hashLengthOf,
  type ObjectFormat,
  PACK_HEADER_LENGTH,
  PACK_LIMITS,
  parseCommit,
  parseOid,
  readPackBody,
  readPackHeader,
  sourceOfBytes,
  writePackHeader,
} from '../../../engine/index.ts'
import type { Download, Net, Topic, TopicPeer } from '../../../net/index.ts'
import { HelperError } from '../../errors.ts'
import {
  LINK_STALL_TIMEOUT_MS,
  LINK_START_TIMEOUT_MS,
  READ_CHUNK_LENGTH,
  SNAPSHOT_COMMIT_LENGTH_MAX,
} from '../../limits.ts'
import { incomingFolder } from '../../store/incoming-folder.ts'
import type { Trace } from '../../trace.ts'
import type { DescribedSnapshot, SnapshotClaim } from '../chain-claim.ts'
import { bringSnapshotFromWeb } from '../webseed/bring.ts'
import { infoOfSnapshot } from '../webseed/torrent-info.ts'
import type { WebSeeds } from '../webseed/web-seeds.ts'
import { checkAdded } from './added-check.ts'
import { banClaimants } from './ban-claimant.ts'
import type { BesideOrigin } from './beside-origin.ts'
import { IncomingFile } from './incoming.ts'
import { LooseCommit } from './loose-commit.ts'
import type { Arrivals } from './origin-race.ts'
import { type PackIndexer, Quarantine } from './quarantine.ts'

export interface SnapshotSurroundings {
  readonly net: Net | null
  readonly topic: Topic | null
  /** Peers that offered it; may be none. */
  readonly peers: readonly TopicPeer[]
  readonly webSeeds: WebSeeds
  readonly besideOrigin: BesideOrigin
  /** The common directory of the repository, absolute. */
  readonly gitDir: string
  readonly objectFormat: ObjectFormat
  readonly fsckObjects: boolean
  /** File in which bans outlive a run, null where they do not. */
  readonly peerMemory: string | null
  readonly signal: AbortSignal
  readonly trace: Trace
  readonly onProgress: (receivedLength: number) => void
}

export interface TakenSnapshot {
  readonly bytesFromPeers: number
  readonly bytesFromWebSeeds: number
  readonly commit: LooseCommit
}

/** @throws NetError, HelperError when it did not come or is not whole */
export async function takeSnapshot(offered: SnapshotClaim, surroundings: SnapshotSurroundings): Promise<TakenSnapshot> {
  const { besideOrigin } = surroundings
  const around = { ...surroundings, signal: AbortSignal.any([surroundings.signal, besideOrigin.over]) }
  const claim = { ...offered, info: await infoOfSnapshot(offered, around.webSeeds) }
  const folder = incomingFolder(around.gitDir)
  await IncomingFile.removeOld(folder)
  const file = await IncomingFile.open(join(folder, Buffer.from(claim.infohash).toString('hex')))
  let isTaken = false
  let bytesFromWebSeeds = 0
  let download: Download | null = null
  const arrivals = (): Arrivals | null => {
    if (around.webSeeds.isUsable()) return null
    const { takenLength, presentLength } = download?.progress() ?? { takenLength: 0, presentLength: 0 }
    const cameLength = takenLength + bytesFromWebSeeds
    return { cameLength, leftLength: Math.max(0, claim.lengthBytes - presentLength - cameLength) }
  }
  const endWatch = besideOrigin.watch(arrivals, [])
  try {
    const noteDownload = (begun: Download): void => {
      download = begun
    }
    const fromWeb = async (error: unknown): Promise<number> => {
      const onBytes = (count: number): void => {
        bytesFromWebSeeds += count
        around.onProgress(bytesFromWebSeeds)
      }
      await bringSnapshotFromWeb(claim, { file, fileStart: 0, onBytes }, around, error)
      return 0
    }
    const bytesFromPeers = await fromPeers(claim, file, around, noteDownload).catch(fromWeb).finally(endWatch)
    const commit = await index(claim, file, around)
    isTaken = true
    return { bytesFromPeers, bytesFromWebSeeds, commit }
  } finally {
    // What came is kept for the next try, which goes on where this one ended.
    await (isTaken || besideOrigin.isOver ? file.remove() : file.close()).catch(() => {})
  }
}

async function fromPeers(
  claim: DescribedSnapshot,
  file: IncomingFile,
  { net, topic, peers, signal, onProgress }: SnapshotSurroundings,
  onBegun: (download: Download) => void,
): Promise<number> {
  if (net === null || peers.length === 0)
    throw new HelperError('chain-malformed', 'snapshot: expected a peer, got none')
  const left = Math.min(await file.leftLength(), claim.lengthBytes)
  const running = net.download(claim, {
    peers: peers.map(({ address, remote }) => address ?? remote),
    store: file,
    present: left > 0 ? [{ offset: 0, length: left }] : [],
    startTimeoutMs: LINK_START_TIMEOUT_MS,
    stallTimeoutMs: LINK_STALL_TIMEOUT_MS,
    signal,
    onPiece: () => onProgress(running.progress().verifiedLength),
  })
  onBegun(running)
  // Others of a farm that clone the same commit bring what they have got of it.
  const ignoreTopic = topic?.onPeer(({ address }) => {
    if (address !== null) running.addPeer(address)
  })
  await running.result.finally(() => ignoreTopic?.())
  const { verifiedLength, presentLength } = running.progress()
  return verifiedLength - presentLength
}

/** Puts the pack without the commit into the repository, then the commit. */
async function index(
  { commit, objectCount, lengthBytes }: SnapshotClaim,
  file: IncomingFile,
  { gitDir, objectFormat, fsckObjects, peers, peerMemory, signal, trace }: SnapshotSurroundings,
): Promise<LooseCommit> {
  const end = lengthBytes - hashLengthOf(objectFormat)
  const start = await file.read(0, Math.min(READ_CHUNK_LENGTH, end))
  const first = firstCommit(start, objectFormat)
  const expectedStart = `${objectCount} objects that begin with commit ${commit}`
  if (readPackHeader(start) !== objectCount || first.oid !== commit) throw malformed(commit, expectedStart)
  const restOf = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = first.end; at < end; at += READ_CHUNK_LENGTH) {
      yield await file.read(at, Math.min(READ_CHUNK_LENGTH, end - at))
    }
  }
  const quarantine = await Quarantine.open(gitDir, signal)
  const options = { keep: false, isWholeHistory: false, lengthMax: lengthBytes, fsckObjects }
  try {
    const packHash = await indexPack(quarantine.index(options), objectFormat, objectCount - 1, restOf())
    const whole = { top: parseOid(first.tree, objectFormat), base: null, end: PACK_HEADER_LENGTH + end - first.end }
    const verdict = await checkAdded(quarantine.pathOf(packHash), objectFormat, [whole], quarantine)
    if (verdict === 'not-exact') {
      // All who offered it said so of one and the same payload.
      const claimants = peers.map(({ address, remote }) => address ?? remote)
      await banClaimants(claimants, peerMemory, trace)
    }
    if (verdict !== 'exact') throw malformed(commit, 'its whole tree and nothing else')
    if (fsckObjects) await checkAlone(gitDir, objectFormat, start.subarray(PACK_HEADER_LENGTH, first.end))
    await quarantine.release()
  } finally {
    await quarantine.close()
  }
  return LooseCommit.write(gitDir, commit, first.content)
}

/** Has git judge one entry as it judges what it fetches; nothing of it stays. @throws HelperError 'git-failed' */
async function checkAlone(gitDir: string, objectFormat: ObjectFormat, entry: Uint8Array): Promise<void> {
  const quarantine = await Quarantine.open(gitDir)
  const lengthMax = entry.length + 2 * PACK_HEADER_LENGTH + hashLengthOf(objectFormat)
  try {
    const indexer = quarantine.index({ keep: false, isWholeHistory: false, lengthMax, fsckObjects: true })
    await indexPack(indexer, objectFormat, 1, [entry])
  } finally {
    await quarantine.close()
  }
}

async function indexPack(
  indexer: PackIndexer,
  objectFormat: ObjectFormat,
  objectCount: number,
  bodies: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<string> {
  const hash = createHash(objectFormat)
  const header = new Uint8Array(PACK_HEADER_LENGTH)
  writePackHeader(header, 0, objectCount)
  hash.update(header)
  await indexer.write(header)
  for await (const bytes of bodies) {
    hash.update(bytes)
    await indexer.write(bytes)
  }
  await indexer.write(hash.digest())
  return indexer.finish()
}

interface FirstCommit {
  readonly oid: string
  readonly content: Uint8Array
  readonly tree: string
  /** Offset in the payload behind its entry. */
  readonly end: number
}

/** The commit that a snapshot starts with. @throws EngineError, HelperError 'chain-malformed' */
export function firstCommit(start: Uint8Array, objectFormat: ObjectFormat): FirstCommit {
  const source = sourceOfBytes(start.subarray(PACK_HEADER_LENGTH))
  const limits = { ...PACK_LIMITS, objectLengthMax: SNAPSHOT_COMMIT_LENGTH_MAX }
  const reading = { source, hashLength: hashLengthOf(objectFormat), inflate: createInflate(), limits }
  const { value: entry } = readPackBody(reading, null).next()
  if (entry === undefined || !('type' in entry) || entry.type !== COMMIT) {
    throw new HelperError('chain-malformed', 'snapshot: expected a commit as its first object, got something else')
  }
  const content = entry.data
  const oid = createHash(objectFormat).update(`commit ${content.length}\0`).update(content).digest('hex')
  return { oid, content, tree: parseCommit(content, objectFormat).tree, end: PACK_HEADER_LENGTH + entry.streamEnd }
}

function malformed(commit: string, expected: string): HelperError {
  return new HelperError('chain-malformed', `snapshot ${commit}: expected ${expected}, got something else`)
}
