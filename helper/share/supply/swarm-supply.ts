/**
 * The supply behind the relay: finds peers on the origin's topic and web seeds, asks for chains, takes the links that are
 * lacking, lets git index them in quarantine, and reports the commits that are complete by then. Every failure means only
 * that more comes from the origin.
 */

import { createCheckpointRule, GT1, type Oid } from '../../../engine/index.ts'
import { Gates, type Net, openNet, Refusal, type Topic } from '../../../net/index.ts'
import { messageOf } from '../../errors.ts'
import { commonDirOf } from '../../git/repository.ts'
import {
  CHAIN_COUNT_MAX,
  FOLDER_LINE_LENGTH_MIN,
  LINE_LENGTH_MIN,
  PEER_WAIT_FOR_FETCH_MS,
  PEER_WAIT_MS,
  SHORT_LINE_COUNT_MAX,
  WEBSEED_COUNT_MAX,
} from '../../limits.ts'
import { namesPublicOnly } from '../../public-origin.ts'
import {
  NOTHING_SUPPLIED,
  type Supply,
  type SupplyContext,
  type SupplyRequest,
  type SupplyResult,
} from '../../remote/supply.ts'
import type { ChainClaim } from '../chain-claim.ts'
import { decodeChainAnswer, encodeChainQuestion } from '../chain-message.ts'
import { topicOf } from '../topic.ts'
import { hasNoWayIn, netOptionsFor, passing, passingListen } from '../ways-in.ts'
import type { WebSeedLocation } from '../webseed/web-seed.ts'
import { ManifestReader, openWebSeeds, type WebSeeds } from '../webseed/web-seeds.ts'
import { askPeers } from './ask-peers.ts'
import { type Asking, noneAsked } from './asking.ts'
import { BesideOrigin } from './beside-origin.ts'
import { type Brought, bringLines, type FollowedClaim } from './bring-lines.ts'
import { type Claim, claimOfPeer, claimOfWebSeed, rankClaims } from './claims.ts'
import { fsckWanted } from './fsck.ts'
import { rememberSegments } from './kept-line.ts'
import { CLAIM_COUNT_MAX, CLAIM_SECOND_LENGTH, CLAIM_WASTE_MS_MAX } from './limits.ts'
import type { Intake } from './line-intake.ts'
import { matchOf, planFor } from './match.ts'
import { type LineTake, lengthOf, longLines } from './plan.ts'
import { bringSnapshot } from './snapshot-supply.ts'
import { Sources } from './sources.ts'
import { isNews, type Known, sumOfResults } from './yield.ts'

/** Opens the supply of one conversation; costs nothing when nobody can be found. */
export async function openSwarmSupply(context: SupplyContext): Promise<Supply> {
  const { origin, settings, trace, signal } = context
  const gates = new Gates(settings)
  const reader = new ManifestReader(settings.manifestFolder, gates.down)
  const own = settings.webseeds.map((url) => ({ url, mustBePublic: false, isVouchedFor: false }))
  for (const location of own.slice(0, WEBSEED_COUNT_MAX)) reader.fetch(location, signal)
  const options = passing(netOptionsFor(origin, settings, passingListen(settings), trace))
  const net = hasNoWayIn(options) ? null : await openNet({ ...options, gates })
  const topicHash = topicOf(origin)
  const refuse = (): Promise<Uint8Array> => Promise.reject(new Refusal('unknown-kind'))
  const topic = net?.joinTopic(topicHash, { onRequest: refuse }, { announce: false }) ?? null
  const supply = new SwarmSupply(net, topic, { topicHash, own, reader }, context)
  const close = (): Promise<void> => supply.close().finally(() => gates.close())
  return { bring: (request) => supply.bring(request), close }
}

/** A supply on a net and a topic that are open already and stay so. */
export function swarmSupplyOn(net: Net, topic: Topic, context: SupplyContext): Pick<Supply, 'bring'> {
  const none = { topicHash: new Uint8Array(0), own: [], reader: new ManifestReader(null) }
  const supply = new SwarmSupply(net, topic, none, context)
  return { bring: (request) => supply.bring(request).finally(() => supply.settled) }
}

/** Which web seeds the user names, and the topic that their manifests have to name. */
interface WebSeedPlan {
  readonly topicHash: Uint8Array
  readonly own: readonly WebSeedLocation[]
  readonly reader: ManifestReader
}

class SwarmSupply implements Supply {
  readonly #net: Net | null
  readonly #topic: Topic | null
  readonly #webSeeds: WebSeedPlan
  readonly #context: SupplyContext
  /** Resolves when everything that was brought is remembered. */
  settled: Promise<void> = Promise.resolve()

  constructor(net: Net | null, topic: Topic | null, webSeeds: WebSeedPlan, context: SupplyContext) {
    this.#net = net
    this.#topic = topic
    this.#webSeeds = webSeeds
    this.#context = context
  }

  async bring(request: SupplyRequest): Promise<SupplyResult> {
    const { settings, trace, config, warn } = this.#context
    const { topicHash, reader } = this.#webSeeds
    const locations = this.#locationsFor(request)
    if (this.#net === null && locations.length === 0) {
      trace(() => 'no way in: everything comes from the origin')
      return NOTHING_SUPPLIED
    }
    request.progress.update('Looking for peers', '')
    const topicHex = Buffer.from(topicHash).toString('hex')
    const webSeeds = openWebSeeds(locations, topicHex, request, reader, trace, { keys: settings.webseedKeys, warn })
    try {
      if (request.isShallow) {
        const gitDir = await commonDirOf(request.gitDir)
        const fsckObjects = fsckWanted(config)
        const besideOrigin = new BesideOrigin(request, settings.downloadLimit, trace)
        const { peerMemory } = settings
        const ports = { net: this.#net, topic: this.#topic, webSeeds, gitDir }
        const around = { ...ports, fsckObjects, peerMemory, besideOrigin, trace }
        return await bringSnapshot(request, around)
      }
      return await this.#followClaims(webSeeds, await commonDirOf(request.gitDir), request)
    } finally {
      reader.close()
    }
  }

  /** The user's own, then those that the origin names. */
  #locationsFor({ mirrors = [] }: SupplyRequest): readonly WebSeedLocation[] {
    const { origin, settings } = this.#context
    const mustBePublic = namesPublicOnly(origin)
    const named = mirrors.filter((url) => !settings.webseeds.includes(url))
    return [...this.#webSeeds.own, ...named.map((url) => ({ url, mustBePublic, isVouchedFor: true }))]
  }

  async close(): Promise<void> {
    this.#webSeeds.reader.close()
    await this.settled
    await this.#topic?.close()
    await this.#net?.close()
  }

  /**
   * Follows one claim after the other until nothing is lacking. Who lies, stalls or breaks off has the next source asked, who was too slow to be
   * heard at first as well, and then peers that have turned up meanwhile; the origin is left with it when none is left, or too much time has gone
   * for nothing.
   */
  async #followClaims(webSeeds: WebSeeds, gitDir: string, request: SupplyRequest): Promise<SupplyResult> {
    const { trace, settings } = this.#context
    const besideOrigin = new BesideOrigin(request, settings.downloadLimit, trace)
    const asking = noneAsked<readonly ChainClaim[]>()
    const ofPeers = (): Promise<Claim[]> => this.#claimsOfPeers(asking, request)
    const ofWebSeeds = async (): Promise<Claim[]> =>
      (await webSeeds.found).map((seed) => claimOfWebSeed(seed, settings.webseedKeys.length > 0))
    const sources = new Sources([ofPeers, ofWebSeeds])
    const claims = await sources.first((found) => rankClaims(found, request).length > 0)
    const tried = new Set<Claim>()
    const known: Known = { links: new Set(), peers: new Set() }
    const held = new Set<Oid>()
    const { useless } = asking
    const lasting = { useless, webSeeds, gitDir, besideOrigin, broughtBy: new Map() }
    let result: SupplyResult = { ...NOTHING_SUPPLIED, note: 'nobody has a usable chain' }
    let wastedMs = 0
    for (let followedCount = 0; wastedMs < CLAIM_WASTE_MS_MAX && followedCount < CLAIM_COUNT_MAX; ) {
      claims.push(...sources.take())
      const [claim] = rankClaims(claims, request).filter((one) => !tried.has(one))
      if (claim === undefined) {
        if (followedCount > 0) sources.ask(ofPeers)
        const later = await sources.next()
        if (later.length === 0) break
        claims.push(...later)
        continue
      }
      tried.add(claim)
      const { lines: all, complete } = await planFor(claim.chains, request, gitDir, held)
      const shortest = claim.peer === null ? FOLDER_LINE_LENGTH_MIN : 0
      const offered = longLines(all, all.length > SHORT_LINE_COUNT_MAX ? LINE_LENGTH_MIN : shortest)
      result = { ...result, haves: [...new Set([...result.haves, ...complete])] }
      if (offered.length === 0 && followedCount === 0) return { ...result, note: 'nothing that others have is lacking' }
      const length = lengthOf(offered.flatMap(({ takes }) => takes))
      if (length + result.bytesFromPeers > (request.lengthMax ?? Number.POSITIVE_INFINITY)) continue
      // A hundred that know nothing would fill the places of each link.
      const others = claims.flatMap(({ peer }) =>
        peer === null || peer === claim.peer || useless.has(peer) ? [] : peer,
      )
      const peers = claim.peer === null ? others : [claim.peer, ...others]
      if (!isNews(offered, peers, known)) continue
      followedCount++
      const startedMs = performance.now()
      const claimant = claim.peer === null ? null : (claim.peer.address ?? claim.peer.remote)
      const around = { ...lasting, claimant, peers, held: [...held], complete: result.haves }
      const brought = await this.#bringKnown(offered, around, request)
      this.#remember(brought.intakes, gitDir)
      for (const oid of brought.held) held.add(oid)
      result = sumOfResults(result, brought)
      if (brought.isWhole) besideOrigin.drop()
      if (brought.isWhole || besideOrigin.isOver) break
      const earnedMs = (1000 * (brought.bytesFromPeers + (brought.bytesFromWebSeeds ?? 0))) / CLAIM_SECOND_LENGTH
      wastedMs += Math.max(0, performance.now() - startedMs - earnedMs)
      trace(() => `claim of ${claim.source}: not all of it came, the next source is asked`)
    }
    return result
  }

  /**
   * Brings lines while the origin says whether it has their tops: if not all of them, nothing of that is taken in, and those that
   * it has are brought by themselves.
   */
  async #bringKnown(
    offered: readonly LineTake[],
    claim: Omit<FollowedClaim, 'isKnown'>,
    request: SupplyRequest,
  ): Promise<Brought> {
    const means = { net: this.#net, topic: this.#topic, context: this.#context }
    const asked = knownLines(offered, request)
    const isKnown = asked.then((lines) => lines.length === offered.length)
    const brought = await bringLines(offered, { ...claim, isKnown }, request, means)
    if ((await isKnown) || claim.besideOrigin.isOver) return brought
    const lines = await asked
    means.context.trace(() => `the origin has the tops of ${lines.length} of ${offered.length} lines`)
    return lines.length === 0
      ? brought
      : bringLines(lines, { ...claim, isKnown: Promise.resolve(true) }, request, means)
  }

  /** What peers of the topic claim that was not heard before. */
  async #claimsOfPeers(asking: Asking<readonly ChainClaim[]>, request: SupplyRequest): Promise<Claim[]> {
    const topic = this.#topic
    if (topic === null) return []
    const { objectFormat, signal } = request
    const timeoutMs = request.isClone || request.isUnshallow ? PEER_WAIT_MS : PEER_WAIT_FOR_FETCH_MS
    if (asking.asked.size === 0 && (await topic.waitForPeer({ timeoutMs, signal })) === null) return []
    const levelOf = await createCheckpointRule(GT1)
    const answers = await askPeers(topic, {
      payload: encodeChainQuestion({ format: objectFormat, chainCountMax: CHAIN_COUNT_MAX }),
      decode: (bytes) => decodeChainAnswer(bytes, objectFormat, levelOf),
      isUsable: (chains) => matchOf(chains, request) > 0,
      asking,
      signal,
      trace: this.#context.trace,
    })
    return answers.map(({ peer, answer }) => claimOfPeer(peer, answer))
  }

  /** Not waited for by whoever asked for objects: the origin can be asked meanwhile. */
  #remember(intakes: readonly (Intake | null)[], gitDir: string): void {
    const { trace } = this.#context
    const remember = async (): Promise<void> => {
      await this.settled
      await rememberSegments(intakes, gitDir).catch((error: unknown) => trace(() => messageOf(error)))
    }
    this.settled = remember()
  }
}

/** The lines that lead to commits which the origin has, all where it does not say. */
async function knownLines(lines: readonly LineTake[], { knownAmong }: SupplyRequest): Promise<readonly LineTake[]> {
  const known = lines.length === 0 ? null : await knownAmong?.(lines.map(({ top }) => top))
  return known ? lines.filter(({ top }) => known.has(top)) : lines
}
