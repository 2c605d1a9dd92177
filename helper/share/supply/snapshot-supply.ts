/**
 * Which snapshot a first fetch of depth 1 builds on, and from where it comes: one that peers offer, else one of a web seed. A
 * web seed with the same payload completes what peers do not bring.
 */

import { createCheckpointRule, GT1 } from '../../../engine/index.ts'
import type { Net, Topic, TopicPeer } from '../../../net/index.ts'
import { messageOf } from '../../errors.ts'
import { PEER_WAIT_MS } from '../../limits.ts'
import { humanBytes } from '../../progress.ts'
import { NOTHING_SUPPLIED, type SupplyRequest, type SupplyResult } from '../../remote/supply.ts'
import type { Trace } from '../../trace.ts'
import type { SnapshotClaim } from '../chain-claim.ts'
import { decodeSnapshots, encodeChainQuestion } from '../chain-message.ts'
import type { WebSeeds } from '../webseed/web-seeds.ts'
import { askPeers } from './ask-peers.ts'
import { noneAsked } from './asking.ts'
import type { BesideOrigin } from './beside-origin.ts'
import { takeSnapshot } from './snapshot-intake.ts'
import { Sources } from './sources.ts'

export interface SnapshotSupplyPorts {
  /** Null, as the topic, where no way in to peers is configured. */
  readonly net: Net | null
  readonly topic: Topic | null
  readonly webSeeds: WebSeeds
  /** The common directory of the repository, absolute. */
  readonly gitDir: string
  readonly fsckObjects: boolean
  /** File in which bans outlive a run, null where they do not. */
  readonly peerMemory: string | null
  readonly besideOrigin: BesideOrigin
  readonly trace: Trace
}

interface Offer {
  readonly claim: SnapshotClaim
  /** None where a web seed made the claim. */
  readonly peers: readonly TopicPeer[]
}

/** Brings a snapshot, if anybody has one; never rejects because of what others do. */
export async function bringSnapshot(request: SupplyRequest, ports: SnapshotSupplyPorts): Promise<SupplyResult> {
  const { net, topic, webSeeds, trace, gitDir, fsckObjects, peerMemory, besideOrigin } = ports
  const sources = new Sources([() => offersOfPeers(request, ports), () => offersOfWeb(webSeeds)])
  let note = 'nobody has a snapshot'
  for await (const { claim, peers } of offersOf(sources)) {
    trace(() => `snapshot ${claim.commit} of ${claim.lengthBytes} bytes`)
    const title = peers.length > 0 ? 'Receiving from peers' : 'Receiving from web seeds'
    const onProgress = (received: number): void =>
      request.progress.update(title, `${humanBytes(received)} of ${humanBytes(claim.lengthBytes)}`)
    try {
      const { objectFormat, signal } = request
      const from = { net, topic, peers, webSeeds, besideOrigin }
      const around = { ...from, gitDir, objectFormat, fsckObjects, peerMemory, trace, signal, onProgress }
      const { commit, ...bytes } = await takeSnapshot(claim, around)
      request.progress.done(title, humanBytes(claim.lengthBytes))
      besideOrigin.drop()
      return { ...NOTHING_SUPPLIED, ...bytes, snapshot: commit, peerCount: peers.length }
    } catch (error) {
      if (request.signal.aborted) throw error
      note = messageOf(error)
      trace(() => note)
      if (besideOrigin.isOver) break
    }
  }
  return { ...NOTHING_SUPPLIED, note }
}

/** What is offered, first what came first; whoever was too slow has his turn when that has failed. */
async function* offersOf(sources: Sources<Offer>): AsyncGenerator<Offer> {
  const isAny = (found: readonly Offer[]): boolean => found.length > 0
  for (let offers = await sources.first(isAny); offers.length > 0; offers = await sources.next()) yield* offers
}

async function offersOfWeb({ found }: WebSeeds): Promise<Offer[]> {
  const claims = (await found).flatMap(({ snapshots }) => snapshots.slice(0, 1))
  return claims.slice(0, 1).map((claim) => ({ claim, peers: [] }))
}

/** The newest snapshot of the first peer that has one, and all peers that have the same. */
async function offersOfPeers(request: SupplyRequest, { topic, trace }: SnapshotSupplyPorts): Promise<Offer[]> {
  const { objectFormat, signal } = request
  const peer = (await topic?.waitForPeer({ timeoutMs: PEER_WAIT_MS, signal })) ?? null
  if (topic === null || peer === null) return []
  const levelOf = await createCheckpointRule(GT1)
  const answers = await askPeers(topic, {
    payload: encodeChainQuestion({ format: objectFormat, chainCountMax: 1 }),
    decode: (bytes) => decodeSnapshots(bytes, objectFormat, levelOf),
    isUsable: (snapshots) => snapshots.length > 0,
    asking: noneAsked<readonly SnapshotClaim[]>(),
    signal,
    trace,
  })
  const [claim] = answers.flatMap(({ answer }) => answer.slice(0, 1))
  if (claim === undefined) return []
  const offers = ({ answer }: { answer: readonly SnapshotClaim[] }): boolean =>
    answer.some(({ infohash }) => Buffer.from(infohash).equals(claim.infohash))
  return [{ claim, peers: answers.filter(offers).map(({ peer: one }) => one) }]
}
