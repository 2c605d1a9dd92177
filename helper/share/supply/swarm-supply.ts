/**
 * The supply behind the relay: finds peers on the origin's topic and web seeds, asks for chains, takes the links that are
 * lacking, lets git index them in quarantine, and reports the commits that are complete by then. Every failure means only
 * that more comes from the origin.
 */

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createCheckpointRule, GT1, type LevelOf } from '../../../engine/index.ts'
import { type Net, openNet, type Topic, type TopicPeer } from '../../../net/index.ts'
import { HelperError, messageOf } from '../../errors.ts'
import { DOWNLOAD_PARALLEL_COUNT, PEER_WAIT_FOR_FETCH_MS, PEER_WAIT_MS, SOURCE_GRACE_MS } from '../../limits.ts'
import { humanBytes } from '../../progress.ts'
import { isPublicHost } from '../../public-origin.ts'
import {
  NOTHING_SUPPLIED,
  NULL_SUPPLY,
  type Supply,
  type SupplyContext,
  type SupplyRequest,
  type SupplyResult,
} from '../../remote/supply.ts'
import { SegmentStore } from '../../store/segment-store.ts'
import { type ChainClaim, decodeChainAnswer, encodeChainQuestion } from '../chain-message.ts'
import { topicOf } from '../topic.ts'
import { hasNoWayIn, netOptionsFor, passingListen } from '../ways-in.ts'
import type { WebSeedLocation } from '../webseed/web-seed.ts'
import { openWebSeeds, type WebSeeds } from '../webseed/web-seeds.ts'
import { askPeers, type PeerAnswer } from './ask-peers.ts'
import { type Incoming, isSwarmed, startDownload } from './download.ts'
import { fsckWanted } from './fsck.ts'
import { IncomingFile } from './incoming.ts'
import { indexThreads, isKeptLine, rememberSegments } from './kept-line.ts'
import { type Failure, type Intake, takeIn } from './line-intake.ts'
import { matchOf, planFor } from './match.ts'
import { bodyRangeOf, type LineTake } from './plan.ts'
import { Quarantine } from './quarantine.ts'
import { bringSnapshot } from './snapshot-supply.ts'
import { completeTops, takeLines } from './take-lines.ts'

/** Opens the supply of one conversation; costs nothing when nobody can be found. */
export async function openSwarmSupply(context: SupplyContext): Promise<Supply> {
  const { origin, settings, trace } = context
  const options = netOptionsFor(origin, settings, passingListen(settings), trace)
  const own = settings.webseeds.map((url) => ({ url, mustBePublic: false, isVouchedFor: false }))
  // A public origin may not point into the network that the user sits in.
  const mustBePublic = origin.scheme !== 'file' && isPublicHost(origin.host)
  const named = (context.mirrors ?? []).map((url) => ({ url, mustBePublic, isVouchedFor: true }))
  const locations = [...own, ...named.filter(({ url }) => !settings.webseeds.includes(url))]
  if (hasNoWayIn(options) && locations.length === 0) {
    trace(() => 'no way in: everything comes from the origin')
    return NULL_SUPPLY
  }
  const net = hasNoWayIn(options) ? null : await openNet(options)
  const topicHash = topicOf(origin)
  const refuse = async (): Promise<Uint8Array> => {
    throw new Error('this client serves nothing')
  }
  const topic = net?.joinTopic(topicHash, { onRequest: refuse }, { announce: false }) ?? null
  return new SwarmSupply(net, topic, { topicHash, locations }, context)
}

/** A supply on a net and a topic that are open already and stay so. */
export function swarmSupplyOn(net: Net, topic: Topic, context: SupplyContext): Pick<Supply, 'bring'> {
  const supply = new SwarmSupply(net, topic, { topicHash: new Uint8Array(0), locations: [] }, context)
  return { bring: (request) => supply.bring(request).finally(() => supply.settled) }
}

/** Which web seeds there are, and the topic that their manifests have to name. */
interface WebSeedPlan {
  readonly topicHash: Uint8Array
  readonly locations: readonly WebSeedLocation[]
}

/** Chains to follow, and the peers that have them, the one whose claim it is first; none where a web seed made it. */
interface Offer {
  readonly chains: readonly ChainClaim[]
  readonly peers: readonly TopicPeer[]
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
    request.progress.update('Looking for peers', '')
    const topicHex = Buffer.from(this.#webSeeds.topicHash).toString('hex')
    const { settings, trace, config, warn } = this.#context
    const trust = { keys: settings.webseedKeys, warn }
    const webSeeds = openWebSeeds(this.#webSeeds.locations, topicHex, request, trace, trust)
    try {
      if (request.isShallow) {
        const gitDir = await commonDirOf(request.gitDir)
        const around = { net: this.#net, topic: this.#topic, webSeeds, gitDir, fsckObjects: fsckWanted(config), trace }
        return await bringSnapshot(request, around)
      }
      const offer = await this.#bestOffer(webSeeds, request)
      if (offer === null) return { ...NOTHING_SUPPLIED, note: 'nobody has a usable chain' }
      const gitDir = await commonDirOf(request.gitDir)
      const { lines, complete } = await planFor(offer.chains, request, gitDir)
      if (lines.length === 0)
        return { ...NOTHING_SUPPLIED, haves: complete, note: 'nothing that others have is lacking' }
      const result = await this.#takeLines(lines, offer.peers, webSeeds, gitDir, request)
      return { ...result, haves: [...complete, ...result.haves] }
    } finally {
      webSeeds.close()
    }
  }

  async close(): Promise<void> {
    await this.settled
    await this.#topic?.close()
    await this.#net?.close()
  }

  /** The offer that reaches furthest, of peers where theirs is as good as a web seed's. */
  async #bestOffer(webSeeds: WebSeeds, request: SupplyRequest): Promise<Offer | null> {
    const fromPeers = this.#offerOfPeers(request)
    const fromWeb = webSeeds.found.then((seeds) => {
      const offers = seeds.map(({ chains }) => ({ chains, peers: [] }))
      return offers.reduce<Offer | null>(
        (best, offer) => (scoreOf(offer, request) > scoreOf(best, request) ? offer : best),
        null,
      )
    })
    const first = await Promise.race([fromPeers, fromWeb])
    // Whoever answered first with something usable waits for the other, but not for long.
    const patience = new AbortController()
    const enough = first === null ? new Promise<never>(() => {}) : delay(SOURCE_GRACE_MS, patience.signal)
    const orLate = (offer: Promise<Offer | null>): Promise<Offer | null> =>
      Promise.race([offer, enough.then(() => null)])
    const [peers, web] = await Promise.all([orLate(fromPeers), orLate(fromWeb)])
    patience.abort()
    return scoreOf(peers, request) >= scoreOf(web, request) ? (peers ?? web) : web
  }

  async #offerOfPeers(request: SupplyRequest): Promise<Offer | null> {
    if (this.#topic === null) return null
    const timeoutMs = request.isClone || request.isUnshallow ? PEER_WAIT_MS : PEER_WAIT_FOR_FETCH_MS
    const peer = await this.#topic.waitForPeer({ timeoutMs, signal: request.signal })
    if (peer === null) return null
    return this.#askForChains(this.#topic, request, await createCheckpointRule(GT1))
  }

  /** Asks the peers that are there, and takes the answer that reaches furthest; its peer comes first. */
  async #askForChains(topic: Topic, request: SupplyRequest, levelOf: LevelOf): Promise<Offer | null> {
    const answers = await this.#ask(
      topic,
      request,
      (bytes) => decodeChainAnswer(bytes, request.objectFormat, levelOf),
      (chains) => matchOf(chains, request) > 0,
    )
    const usable = answers.filter(({ answer }) => matchOf(answer, request) > 0)
    const [best] = usable.sort((a, b) => matchOf(b.answer, request) - matchOf(a.answer, request))
    if (best === undefined) return null
    const others = answers.flatMap((answer) => (answer === best ? [] : [answer.peer]))
    return { chains: best.answer, peers: [best.peer, ...others] }
  }

  /** What peers answer about chains, as `decode` reads it; those that say nothing usable are left out. */
  #ask<Answer>(
    topic: Topic,
    { objectFormat, signal }: SupplyRequest,
    decode: (bytes: Uint8Array) => Answer,
    isUsable: (answer: Answer) => boolean,
  ): Promise<PeerAnswer<Answer>[]> {
    const { trace } = this.#context
    return askPeers(topic, { payload: encodeChainQuestion(objectFormat), decode, isUsable, signal, trace })
  }

  async #takeLines(
    lines: readonly LineTake[],
    peers: readonly TopicPeer[],
    webSeeds: WebSeeds,
    gitDir: string,
    request: SupplyRequest,
  ): Promise<SupplyResult> {
    const folder = join(gitDir, 'gittorrent', 'incoming')
    await IncomingFile.removeOld(folder)
    const started: Incoming[] = []
    const title = peers.length > 0 ? 'Receiving from peers' : 'Receiving from web seeds'
    const total = lines.reduce((sum, { takes }) => sum + takes.reduce((s, take) => s + bodyRangeOf(take).length, 0), 0)
    const show = setInterval(() => {
      const received = sumOf(started, (incoming) => incoming.receivedLength() + incoming.webLength())
      const percent = Math.min(100, Math.floor((received * 100) / total))
      request.progress.update(title, `${percent}% (${humanBytes(received)} of ${humanBytes(total)})`)
    }, 100)
    const store = new SegmentStore(gitDir)
    const quarantine = await Quarantine.open(gitDir)
    const enough = new AbortController()
    try {
      const signal = AbortSignal.any([request.signal, enough.signal])
      const { trace } = this.#context
      const around = {
        net: this.#net,
        topic: this.#topic,
        webSeeds,
        trace,
        folder,
        store,
        peers,
        manners: { failed: new Set<TopicPeer>(), slow: new Set<TopicPeer>() },
        signal,
      }
      const coming = startAll(lines, started, around)
      const intakes = await takeLines(lines, async (line, index) => {
        const intake = await this.#takeLine(line, coming[index] ?? [], quarantine, request)
        if (typeof intake === 'string') return intake
        // What came of a link that broke off is kept for the next try.
        for (const [at, take] of intake.takes.entries()) {
          if (take !== line.takes[at]) continue
          const incoming = await coming[index]?.[at]
          await incoming?.stop()
          await incoming?.file.remove()
        }
        return intake
      })
      const isChecked = (index: number): boolean =>
        quarantine.isOfEmptyStore || lines.slice(index, index + 1).some((line) => isKeptLine(line, request))
      const tops = await completeTops(intakes, isChecked, quarantine, !request.isUnshallow)
      await quarantine.release()
      this.#remember(intakes, gitDir)
      const bytesFromPeers = sumOf(started, (incoming) => incoming.receivedLength())
      const bytesFromWebSeeds = sumOf(started, (incoming) => incoming.webLength())
      request.progress.done(title, humanBytes(bytesFromPeers + bytesFromWebSeeds))
      return { haves: tops, bytesFromPeers, bytesFromWebSeeds, peerCount: peers.length, note: null }
    } finally {
      clearInterval(show)
      enough.abort()
      await quarantine.close()
      // What a swarm brought is kept for the next try, which goes on where this one ended; ranges are not.
      for (const { file, take, stop } of started) {
        await stop()
        await (isSwarmed(take) ? file.close() : file.remove()).catch(() => {})
      }
      await store.close()
    }
  }

  /** Not waited for by whoever asked for objects: the origin can be asked meanwhile. */
  #remember(intakes: readonly (Intake | null)[], gitDir: string): void {
    const { trace } = this.#context
    const remembered = rememberSegments(intakes, gitDir).catch((error: unknown) => trace(() => messageOf(error)))
    this.settled = Promise.all([this.settled, remembered]).then(() => {})
  }

  #takeLine(
    line: LineTake,
    incoming: readonly Promise<Incoming>[],
    quarantine: Quarantine,
    request: SupplyRequest,
  ): Promise<Intake | Failure> {
    const { trace, config } = this.#context
    return takeIn(line.takes, incoming, quarantine, {
      objectFormat: request.objectFormat,
      isWholeHistory: isKeptLine(line, request),
      fsckObjects: fsckWanted(config),
      threadCount: isKeptLine(line, request) ? indexThreads(config) : null,
      trace,
    })
  }
}

/**
 * Starts the takes of all lines, oldest first and a few at a time; each is a promise that settles when its turn comes, or
 * rejects once `signal` says that nobody waits for it any more.
 */
function startAll(
  lines: readonly LineTake[],
  started: Incoming[],
  around: Parameters<typeof startDownload>[1],
): Promise<Incoming>[][] {
  let running = 0
  const waiting: (() => void)[] = []
  const release = (): void => {
    running--
    waiting.shift()?.()
  }
  const begin = async (take: LineTake['takes'][number]): Promise<Incoming> => {
    if (running >= DOWNLOAD_PARALLEL_COUNT) await new Promise<void>((resolveSlot) => waiting.push(resolveSlot))
    running++
    if (around.signal.aborted) {
      release()
      throw new HelperError('interrupted', 'download: not needed any more')
    }
    try {
      const incoming = await startDownload(take, around)
      started.push(incoming)
      void incoming.ended.then(release)
      return incoming
    } catch (error) {
      release()
      throw error
    }
  }
  return lines.map(({ takes }) =>
    takes.map((take) => {
      const incoming = begin(take)
      incoming.catch(() => {})
      return incoming
    }),
  )
}

function scoreOf(offer: Offer | null, request: SupplyRequest): number {
  return offer === null ? 0 : matchOf(offer.chains, request)
}

function sumOf(incoming: readonly Incoming[], lengthOf: (one: Incoming) => number): number {
  return incoming.reduce((sum, one) => sum + lengthOf(one), 0)
}

/** Resolves after a while, or when it is not needed any more. */
function delay(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolveDelay) => {
    const timer = setTimeout(resolveDelay, durationMs)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolveDelay()
    })
  })
}

/** The directory that all worktrees of a repository share, absolute. */
async function commonDirOf(gitDir: string): Promise<string> {
  const written = await readFile(join(gitDir, 'commondir'), 'utf8').catch(() => '.')
  return resolve(gitDir, written.trim())
}
