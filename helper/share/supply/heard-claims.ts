/**
 * What peers of a topic and web seeds claim, to one request: what is to be tried next, and who else may still be heard.
 * Nobody's word that nothing more is lacking ends a conversation as long as others are about to speak; but what is whole, or a
 * fetch, is not worth much waiting: SOURCE_GRACE_MS from the first claim on, unless CLAIM_AGREED_COUNT sources said the same.
 */

import { createHash } from 'node:crypto'
import { createCheckpointRule, GT1 } from '../../../engine/index.ts'
import type { Topic, TopicPeer } from '../../../net/index.ts'
import { CHAIN_COUNT_MAX, PEER_WAIT_FOR_FETCH_MS, PEER_WAIT_MS, SOURCE_GRACE_MS } from '../../limits.ts'
import type { SupplyRequest } from '../../remote/supply.ts'
import type { Trace } from '../../trace.ts'
import type { ChainClaim } from '../chain-claim.ts'
import { decodeChainAnswer, encodeChainQuestion } from '../chain-message.ts'
import type { WebSeeds } from '../webseed/web-seeds.ts'
import { askPeers } from './ask-peers.ts'
import { type Asking, isAnybodyLeft, noneAsked, takeAnswers } from './asking.ts'
import { goesOnFrom } from './claim-plan.ts'
import { type Claim, claimOfPeer, claimOfWebSeed, rankClaims } from './claims.ts'
import { CLAIM_AGREED_COUNT } from './limits.ts'
import { matchOf } from './match.ts'
import { type Source, Sources } from './sources.ts'

export interface HeardSurroundings {
  readonly topic: Topic | null
  readonly webSeeds: WebSeeds
  /** What web seeds claim is signed by a key of the user's. */
  readonly isWebSigned: boolean
  readonly trace: Trace
}

export class HeardClaims {
  /** Peers of the topic that have nothing of use. */
  readonly useless: ReadonlySet<TopicPeer>
  readonly #claims: Claim[] = []
  readonly #tried = new Set<Claim>()
  readonly #asking: Asking<readonly ChainClaim[]> = noneAsked()
  readonly #sources: Sources<Claim>
  readonly #ofPeers: Source<Claim> = () => this.#claimsOfPeers()
  readonly #request: SupplyRequest
  readonly #around: HeardSurroundings
  /** What answers say, by their bytes: of many who offer the same it is read, and compared, once. Keeps none that is dropped. */
  readonly #decoded = new Map<string, WeakRef<readonly ChainClaim[]>>()
  /** When the first claims were heard. */
  #heardAtMs = 0

  /** Begins to ask. */
  constructor(request: SupplyRequest, around: HeardSurroundings) {
    this.#request = request
    this.#around = around
    this.useless = this.#asking.useless
    const { webSeeds, isWebSigned } = around
    const ofWeb = webSeeds.each.map((read) => async () => {
      const seed = await read
      return seed === null ? [] : [claimOfWebSeed(seed, isWebSigned)]
    })
    this.#sources = new Sources([this.#ofPeers, ...ofWeb])
  }

  /** Waits for the first claims. */
  async first(): Promise<void> {
    this.#claims.push(...(await this.#sources.first((found) => rankClaims(found, this.#request).length > 0)))
    this.#heardAtMs = performance.now()
  }

  /** True if somebody who was not followed goes on, by much, from one of these commits, which are complete. */
  goesOnFrom(complete: readonly string[]): boolean {
    const distinct = new Map(this.#open().map((claim) => [claim.chains, claim]))
    return [...distinct.values()].some((claim) => goesOnFrom(complete, claim, this.#request))
  }

  /** The best claim that was not tried, which is taken to be tried now; null if nobody has said more by now. */
  next(): Claim | null {
    const [claim] = this.#open()
    if (claim === undefined) return null
    this.#tried.add(claim)
    return claim
  }

  /**
   * Waits for somebody to say more; false if nobody has.
   * @param isEnough those who were heard leave nothing to be desired
   */
  async more(isEnough: boolean, waitMs: number): Promise<boolean> {
    const { topic } = this.#around
    const sourceCount = new Set([...this.#tried].map(({ source }) => source)).size
    if (isEnough && sourceCount >= CLAIM_AGREED_COUNT) return false
    if (sourceCount > 0 && (!isEnough || isAnybodyLeft(topic, this.#asking))) this.#sources.ask(this.#ofPeers)
    const graceMs = this.#heardAtMs + SOURCE_GRACE_MS - performance.now()
    const later = await this.#sources.next(isEnough ? Math.min(waitMs, graceMs) : waitMs)
    this.#claims.push(...later)
    return later.length > 0
  }

  /** Peers that a claim can be brought from, who made it first. A hundred that know nothing would fill the places of each link. */
  peersFor({ peer: claimant }: Claim): TopicPeer[] {
    const others = this.#claims.flatMap(({ peer }) =>
      peer === null || peer === claimant || this.useless.has(peer) ? [] : peer,
    )
    return claimant === null ? others : [claimant, ...others]
  }

  /** Claims that were heard by now and not tried, the best first. */
  #open(): Claim[] {
    this.#claims.push(...this.#sources.take())
    // Who answered since the last round.
    if (!this.#sources.isOpen(this.#ofPeers)) this.#claims.push(...takeAnswers(this.#asking).map(claimOf))
    return rankClaims(this.#claims, this.#request).filter((claim) => !this.#tried.has(claim))
  }

  /** What peers of the topic claim that was not heard before. */
  async #claimsOfPeers(): Promise<Claim[]> {
    const { topic, trace } = this.#around
    const { objectFormat, signal, isClone, isUnshallow } = this.#request
    if (topic === null) return []
    const timeoutMs = isClone || isUnshallow ? PEER_WAIT_MS : PEER_WAIT_FOR_FETCH_MS
    if (this.#asking.asked.size === 0 && (await topic.waitForPeer({ timeoutMs, signal })) === null) return []
    const levelOf = await createCheckpointRule(GT1)
    const answers = await askPeers(topic, {
      payload: encodeChainQuestion({ format: objectFormat, chainCountMax: CHAIN_COUNT_MAX }),
      decode: (bytes) => this.#decode(bytes, (answer) => decodeChainAnswer(answer, objectFormat, levelOf)),
      isUsable: (chains) => matchOf(chains, this.#request) > 0,
      asking: this.#asking,
      signal,
      trace,
    })
    return answers.map(claimOf)
  }

  #decode(bytes: Uint8Array, read: (bytes: Uint8Array) => readonly ChainClaim[]): readonly ChainClaim[] {
    const key = createHash('sha256').update(bytes).digest('hex')
    const chains = this.#decoded.get(key)?.deref() ?? read(bytes)
    this.#decoded.set(key, new WeakRef(chains))
    return chains
  }
}

function claimOf({ peer, answer }: { readonly peer: TopicPeer; readonly answer: readonly ChainClaim[] }): Claim {
  return claimOfPeer(peer, answer)
}
