/**
 * Which snapshot a first fetch of depth 1 builds on, and from where it comes: one that peers offer, else one of a web seed. A
 * web seed with the same payload completes what peers do not bring.
 */

import { createCheckpointRule, GT1 } from '../../../engine/index.ts'
import type { Net, Topic, TopicPeer } from '../../../net/index.ts'
import { messageOf } from '../../errors.ts'
import { PEER_WAIT_MS, SOURCE_GRACE_MS } from '../../limits.ts'
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
  const offers = await firstOffers([offerOfPeers(request, ports), offerOfWeb(webSeeds)])
  let note = 'nobody has a snapshot'
  for (const { claim, peers } of offers) {
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

/** What was offered, in the given order; the first one to come gives the others a moment more. */
async function firstOffers(asked: readonly Promise<Offer | null>[]): Promise<Offer[]> {
  let end = (): void => {}
  const isEnough = new Promise<null>((resolve) => {
    end = () => resolve(null)
  })
  let timer: NodeJS.Timeout | undefined
  const heard = asked.map(async (offer) => {
    const found = await offer
    if (found !== null) timer ??= setTimeout(end, SOURCE_GRACE_MS)
    return found
  })
  const offers = await Promise.all(heard.map((offer) => Promise.race([offer, isEnough])))
  clearTimeout(timer)
  return offers.filter((offer) => offer !== null)
}

async function offerOfWeb({ found }: WebSeeds): Promise<Offer | null> {
  const [claim] = (await found).flatMap(({ snapshots }) => snapshots.slice(0, 1))
  return claim === undefined ? null : { claim, peers: [] }
}

/** The newest snapshot of the first peer that has one, and all peers that have the same. */
async function offerOfPeers(request: SupplyRequest, { topic, trace }: SnapshotSupplyPorts): Promise<Offer | null> {
  const { objectFormat, signal } = request
  const peer = (await topic?.waitForPeer({ timeoutMs: PEER_WAIT_MS, signal })) ?? null
  if (topic === null || peer === null) return null
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
  if (claim === undefined) return null
  const offers = ({ answer }: { answer: readonly SnapshotClaim[] }): boolean =>
    answer.some(({ infohash }) => Buffer.from(infohash).equals(claim.infohash))
  return { claim, peers: answers.filter(offers).map(({ peer: one }) => one) }
}
