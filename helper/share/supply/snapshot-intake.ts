/**
 * Brings the snapshot of a commit for a shallow clone: from the swarm of its payload into a quarantine, where git names
 * every object, and into the repository once the tree is whole. What it was claimed to be does not matter: the origin
 * decides whether the commit is any use as a have.
 */

import { join } from 'node:path'
import type { Net, TopicPeer } from '../../../net/index.ts'
import { HelperError } from '../../errors.ts'
import { LINK_STALL_TIMEOUT_MS, READ_CHUNK_LENGTH } from '../../limits.ts'
import type { SnapshotClaim } from '../chain-message.ts'
import { IncomingFile } from './incoming.ts'
import { Quarantine } from './quarantine.ts'

export interface SnapshotSurroundings {
  readonly net: Net
  /** Peers that offered it. */
  readonly peers: readonly TopicPeer[]
  /** The common directory of the repository, absolute. */
  readonly gitDir: string
  readonly fsckObjects: boolean
  readonly signal: AbortSignal
  readonly onProgress: (receivedLength: number) => void
}

/** Returns the bytes that came from peers. @throws NetError, HelperError when it did not come or is not whole */
export async function takeSnapshot(claim: SnapshotClaim, around: SnapshotSurroundings): Promise<number> {
  const folder = join(around.gitDir, 'gittorrent', 'incoming')
  const file = await IncomingFile.open(join(folder, Buffer.from(claim.infohash).toString('hex')))
  let isTaken = false
  try {
    const receivedLength = await download(claim, file, around)
    await index(claim, file, around)
    isTaken = true
    return receivedLength
  } finally {
    // What came is kept for the next try, which goes on where this one ended.
    await (isTaken ? file.remove() : file.close()).catch(() => {})
  }
}

async function download(
  claim: SnapshotClaim,
  file: IncomingFile,
  { net, peers, signal, onProgress }: SnapshotSurroundings,
): Promise<number> {
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
