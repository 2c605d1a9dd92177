/**
 * Brings the snapshot of a commit for a shallow clone: from the swarm of its payload, or a web seed, into a quarantine, where git names
 * every object, and into the repository once the tree is whole. What it was claimed to be does not matter: the origin
 * decides whether the commit is any use as a have.
 */

import { join } from 'node:path'
import type { Net, TopicPeer } from '../../../net/index.ts'
import { HelperError, messageOf } from '../../errors.ts'
import { LINK_STALL_TIMEOUT_MS, READ_CHUNK_LENGTH } from '../../limits.ts'
import type { Trace } from '../../trace.ts'
import type { SnapshotClaim } from '../chain-message.ts'
import { bringSnapshotFromWeb } from '../webseed/bring-snapshot.ts'
import type { WebSeeds } from '../webseed/web-seeds.ts'
import { IncomingFile } from './incoming.ts'
import { Quarantine } from './quarantine.ts'

export interface SnapshotSurroundings {
  readonly net: Net | null
  /** Peers that offered it; may be none. */
  readonly peers: readonly TopicPeer[]
  readonly webSeeds: WebSeeds
  /** The common directory of the repository, absolute. */
  readonly gitDir: string
  readonly fsckObjects: boolean
  readonly signal: AbortSignal
  readonly trace: Trace
  readonly onProgress: (receivedLength: number) => void
}

export interface SnapshotBytes {
  readonly bytesFromPeers: number
  readonly bytesFromWebSeeds: number
}

/** Returns the bytes that came. @throws NetError, HelperError when it did not come or is not whole */
export async function takeSnapshot(claim: SnapshotClaim, around: SnapshotSurroundings): Promise<SnapshotBytes> {
  const folder = join(around.gitDir, 'gittorrent', 'incoming')
  const file = await IncomingFile.open(join(folder, Buffer.from(claim.infohash).toString('hex')))
  let isTaken = false
  try {
    let bytesFromWebSeeds = 0
    const bytesFromPeers = await fromPeers(claim, file, around).catch(async (error: unknown) => {
      bytesFromWebSeeds = await fromAnyWeb(claim, file, around, error)
      return 0
    })
    await index(claim, file, around)
    isTaken = true
    return { bytesFromPeers, bytesFromWebSeeds }
  } finally {
    // What came is kept for the next try, which goes on where this one ended.
    await (isTaken ? file.remove() : file.close()).catch(() => {})
  }
}

/** Tries web seeds in order; rejects with what the last one said, or with `failure` if there is none. */
async function fromAnyWeb(
  claim: SnapshotClaim,
  file: IncomingFile,
  { webSeeds, signal, trace, onProgress }: SnapshotSurroundings,
  failure: unknown,
): Promise<number> {
  const { connections, failed } = webSeeds
  let received = 0
  const onBytes = (count: number): void => {
    received += count
    onProgress(received)
  }
  let last = failure
  for (const seed of signal.aborted ? [] : await webSeeds.found) {
    if (seed.urlOfSnapshot(claim) === null || failed.has(seed)) continue
    try {
      await bringSnapshotFromWeb(seed, { claim, file, connections, signal, onBytes })
      return received
    } catch (error) {
      last = error
      if (!signal.aborted) failed.add(seed)
      trace(() => messageOf(error))
    }
  }
  throw last
}

async function fromPeers(
  claim: SnapshotClaim,
  file: IncomingFile,
  { net, peers, signal, onProgress }: SnapshotSurroundings,
): Promise<number> {
  if (net === null || peers.length === 0)
    throw new HelperError('chain-malformed', 'snapshot: expected a peer, got none')
  const left = Math.min(await file.leftLength(), claim.lengthBytes)
  const running = net.download(claim, {
    peers: peers.map(({ address, remote }) => address ?? remote),
    store: file,
    present: left > 0 ? [{ offset: 0, length: left }] : [],
    stallTimeoutMs: LINK_STALL_TIMEOUT_MS,
    signal,
    onPiece: () => onProgress(running.progress().verifiedLength),
  })
  await running.result
  const { verifiedLength, presentLength } = running.progress()
  return verifiedLength - presentLength
}

async function index(
  { commit, lengthBytes }: SnapshotClaim,
  file: IncomingFile,
  { gitDir, fsckObjects }: SnapshotSurroundings,
): Promise<void> {
  const quarantine = await Quarantine.open(gitDir)
  try {
    const indexer = quarantine.index({ keep: false, isWholeHistory: false, lengthMax: lengthBytes, fsckObjects })
    for (let at = 0; at < lengthBytes; at += READ_CHUNK_LENGTH) {
      await indexer.write(await file.read(at, Math.min(READ_CHUNK_LENGTH, lengthBytes - at)))
    }
    await indexer.finish()
    if (!(await quarantine.holdsTree(commit))) {
      throw new HelperError('chain-malformed', `snapshot ${commit}: expected its whole tree, got less`)
    }
    await quarantine.release()
  } finally {
    await quarantine.close()
  }
}
