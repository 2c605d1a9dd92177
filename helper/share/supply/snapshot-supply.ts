/**
 * Which snapshot a first fetch of depth 1 builds on, and from where it comes: one that peers offer, else one of a web seed, and when that
 * is no good another one. A web seed with the same payload completes what peers do not bring.
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
import { type Asking, noneAsked } from './asking.ts'
import type { BesideOrigin } from './beside-origin.ts'
import { sourceOfPeer } from './claims.ts'
import { SNAPSHOT_TRY_COUNT_MAX } from './limits.ts'
import { takeSnapshot } from './snapshot-intake.ts'
import { type Source, Sources } from './sources.ts'
import { TryBudget } from './try-budget.ts'

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

/** What one peer, or one web seed, offers. */
interface Answer {
  /** Null for a web seed. */
  readonly peer: TopicPeer | null
  /** Newest first. */
  readonly snapshots: readonly SnapshotClaim[]
}

interface Offer {
  readonly claim: SnapshotClaim
  /** None where a web seed made the claim. */
  readonly peers: readonly TopicPeer[]
}

/** Payloads that were tried, and from whom; web seeds were asked whenever one was. */
type Tried = Map<string, ReadonlySet<TopicPeer>>

/** Brings a snapshot, if anybody has one; never rejects because of what others do. */
export async function bringSnapshot(request: SupplyRequest, ports: SnapshotSupplyPorts): Promise<SupplyResult> {
  const over = new AbortController()
  const signal = AbortSignal.any([request.signal, over.signal])
  const asking = noneAsked<readonly SnapshotClaim[]>()
  const ofPeers = (): Promise<Answer[]> => answersOfPeers({ ...request, signal }, ports, asking)
  const ofWeb = ports.webSeeds.each.map((read) => async (): Promise<Answer[]> => {
    const seed = await read
    return seed === null ? [] : [{ peer: null, snapshots: seed.snapshots }]
  })
  const sources = new Sources([ofPeers, ...ofWeb])
  try {
    const answers = await sources.first((found) => found.some(({ snapshots }) => snapshots.length > 0))
    return await followOffers(answers, sources, ofPeers, request, ports)
  } finally {
    over.abort()
  }
}

/** Tries one offer after the other, and those that come meanwhile: who offers what is no good costs his own time. */
async function followOffers(
  answers: Answer[],
  sources: Sources<Answer>,
  ofPeers: Source<Answer>,
  request: SupplyRequest,
  ports: SnapshotSupplyPorts,
): Promise<SupplyResult> {
  const { besideOrigin, trace } = ports
  const budget = new TryBudget(SNAPSHOT_TRY_COUNT_MAX)
  const tried: Tried = new Map()
  let note = 'nobody has a snapshot'
  while (budget.leftMs > 0 && !besideOrigin.isOver) {
    const sinceMs = performance.now()
    answers.push(...sources.take())
    const offer = bestOffer(answers, tried)
    if (offer === null) {
      if (budget.tryCount > 0) sources.ask(ofPeers)
      const later = await sources.next(budget.leftMs)
      budget.noteLost(sinceMs)
      if (later.length === 0) break
      answers.push(...later)
      continue
    }
    const payload = payloadOf(offer.claim)
    tried.set(payload, new Set([...(tried.get(payload) ?? []), ...offer.peers]))
    budget.noteTry()
    let cameLength = 0
    const noteCame = (length: number): void => {
      cameLength = length
    }
    try {
      return await bringOffer(offer, request, ports, noteCame)
    } catch (error) {
      if (request.signal.aborted) throw error
      note = messageOf(error)
      trace(() => note)
      budget.noteLost(sinceMs, cameLength)
    }
  }
  return { ...NOTHING_SUPPLIED, note }
}

/** @throws NetError, HelperError when it did not come or is not whole */
async function bringOffer(
  { claim, peers }: Offer,
  request: SupplyRequest,
  ports: SnapshotSupplyPorts,
  noteCame: (length: number) => void,
): Promise<SupplyResult> {
  const { objectFormat, signal, progress } = request
  ports.trace(() => `snapshot ${claim.commit} of ${claim.lengthBytes} bytes`)
  const title = peers.length > 0 ? 'Receiving from peers' : 'Receiving from web seeds'
  const onProgress = (received: number): void => {
    noteCame(received)
    progress.update(title, `${humanBytes(received)} of ${humanBytes(claim.lengthBytes)}`)
  }
  const { commit, ...bytes } = await takeSnapshot(claim, { ...ports, peers, objectFormat, signal, onProgress })
  progress.done(title, humanBytes(claim.lengthBytes))
  ports.besideOrigin.drop()
  return { ...NOTHING_SUPPLIED, ...bytes, snapshot: commit, peerCount: peers.length }
}

/**
 * Of the newest that each one offers, what most hosts do, then what came first; and all peers that have the same. Null when all were
 * tried, and from all that have it.
 */
function bestOffer(answers: readonly Answer[], tried: Tried): Offer | null {
  const offers = new Map<string, Offer & { readonly hostCount: number }>()
  for (const claim of answers.flatMap(({ snapshots }) => snapshots.slice(0, 1))) {
    const payload = payloadOf(claim)
    const known = offers.get(payload)
    // A peer tells the piece hashes at once.
    if (known !== undefined && known.claim.info !== null) continue
    const peers = answers.flatMap(({ peer, snapshots }) =>
      peer !== null && snapshots.some((one) => payloadOf(one) === payload) ? peer : [],
    )
    const triedPeers = tried.get(payload)
    if (triedPeers !== undefined && peers.every((peer) => triedPeers.has(peer))) continue
    const hosts = new Set(peers.map(sourceOfPeer))
    offers.set(payload, { claim, peers, hostCount: hosts.size })
  }
  const [best] = [...offers.values()].sort((a, b) => b.hostCount - a.hostCount)
  return best ?? null
}

/** All that is said of it: who lies about one thing has not spoken for who does not. */
function payloadOf({ commit, infohash, objectCount, lengthBytes, sha256 }: SnapshotClaim): string {
  return [commit, Buffer.from(infohash).toString('hex'), objectCount, lengthBytes, sha256].join(' ')
}

/** What peers of the topic offer that was not heard before. */
async function answersOfPeers(
  { objectFormat, signal }: SupplyRequest,
  { topic, trace }: SnapshotSupplyPorts,
  asking: Asking<readonly SnapshotClaim[]>,
): Promise<Answer[]> {
  if (topic === null) return []
  if (asking.asked.size === 0 && (await topic.waitForPeer({ timeoutMs: PEER_WAIT_MS, signal })) === null) return []
  const levelOf = await createCheckpointRule(GT1)
  const answers = await askPeers(topic, {
    payload: encodeChainQuestion({ format: objectFormat, chainCountMax: 1 }),
    decode: (bytes) => decodeSnapshots(bytes, objectFormat, levelOf),
    isUsable: (snapshots) => snapshots.length > 0,
    asking,
    signal,
    trace,
  })
  return answers.map(({ peer, answer }) => ({ peer, snapshots: answer }))
}
