/**
 * Serving and keeping alive what somebody published, ourselves or another: answers `refs` and `tip` (and `chain`) on the
 * topic of each repository, and puts the signed records into the DHT again before nodes forget them. None of it needs the
 * key: whoever has read a publication can keep it alive. `gittorrent publish` and `follow` use it in the foreground, the daemon
 * through kept-publication.ts.
 */
import { type Net, Refusal, type Seed, type Topic, type TopicHandlers } from '../../net/index.ts'
import { buildChains, type Chains } from '../build/chains.ts'
import { publicTips } from '../build/history.ts'
import { HelperError, messageOf } from '../errors.ts'
import type { Repository } from '../git/repository.ts'
import { CHAIN_KIND } from '../share/chain-message.ts'
import { commitFinder } from '../share/commit-asks.ts'
import { answererOf, type Service } from '../share/serve.ts'
import { openTrace, type Trace } from '../trace.ts'
import { REFS_PAGE_LENGTH, REPUBLISH_INTERVAL_MS } from './limits.ts'
import { PROFILE_TOPIC_NAME, publisherTopic } from './names.ts'
import type { PublisherFolder } from './publisher-folder.ts'
import { decodeRefsQuestion, encodeRecordsAnswer, REFS_KIND } from './refs-message.ts'
import { ServedDocuments } from './served-documents.ts'
import { isStoredTwice, storeOnce } from './store-once.ts'
import { TIP_KIND } from './tip-fetch.ts'
import type { TipServer } from './tip-serve.ts'

/** Builds, or opens, the chains of an isolated repository. */
export type OpenChains = (repository: Repository) => Promise<Chains>

export interface PublisherService extends Service {
  /** Takes up chains of newer commits; those before are served until then. */
  refresh(): Promise<void>
}

/** What is served of the chains. */
interface Offer {
  readonly chains: Chains
  readonly seeds: readonly Seed[]
  readonly handlers: TopicHandlers
  readonly stopAnswering: () => void
}

/** Builds in this process. */
export const buildHere: OpenChains = async (repository) =>
  buildChains(repository, await publicTips(repository, 'origin', true))

/**
 * Serves one repository of a publisher on an open net, from what lies in the publisher's folder at each moment: records and
 * tunnel at once, chains with the first `refresh`. @throws HelperError not-published if the repository is not here
 */
export async function openPublisherService(
  net: Net,
  folder: PublisherFolder,
  name: string,
  tips: TipServer,
  openChains: OpenChains = buildHere,
  trace: Trace = openTrace({}),
): Promise<PublisherService> {
  const repository = await folder.repository(name)
  if (repository === null)
    throw new HelperError('not-published', `'${name}' of ${folder.id}: expected it here, got nothing`)
  const documents = new ServedDocuments(folder)
  let offer: Offer | null = null
  let isClosed = false
  let refreshing = Promise.resolve()
  const handlers: TopicHandlers = {
    onRequest: async (kind, payload, owner) => {
      if (kind === REFS_KIND) return answerRefs(folder, documents, payload)
      if (kind === CHAIN_KIND && offer !== null) return offer.handlers.onRequest(kind, payload, owner)
      if (kind !== TIP_KIND) throw new Refusal('unknown-kind')
      const { gitDir, objectFormat } = repository
      return tips.answer({ gitDir, objectFormat, advertised: await documents.advertised(name) }, payload, owner)
    },
  }
  const topic = net.joinTopic(publisherTopic(folder.id, name), handlers, { announce: true })
  const leaveProfile = joinProfileTopic(net, folder)
  const withdraw = async (): Promise<void> => {
    const before = offer
    offer = null
    before?.stopAnswering()
    await Promise.all((before?.seeds ?? []).map((seed) => seed.close()))
    await before?.chains.close()
  }
  const refreshOnce = async (): Promise<void> => {
    if (isClosed) return
    let chains = await openChains(repository)
    await withdraw()
    if (isStoredTwice(chains)) {
      await chains.close()
      await storeOnce(repository, trace)
      chains = await openChains(repository)
    }
    const links = chains.chains.flatMap(({ links }) => links)
    const seeds = isClosed ? [] : links.map((link) => net.seed(link, link))
    const stopAnswering = isClosed ? () => {} : net.answerAsks(commitFinder(chains))
    offer = { chains, seeds, handlers: answererOf(chains, 'origin'), stopAnswering }
    if (isClosed) await withdraw()
  }
  return {
    topic,
    refresh: () => {
      refreshing = refreshing.catch(() => {}).then(refreshOnce)
      return refreshing
    },
    close: async () => {
      isClosed = true
      await topic.close()
      await withdraw()
      await leaveProfile()
    },
  }
}

/** The same, with chains from the beginning. @throws HelperError not-published if the repository is not here */
export async function servePublisher(
  net: Net,
  folder: PublisherFolder,
  name: string,
  tips: TipServer,
): Promise<PublisherService> {
  const service = await openPublisherService(net, folder, name, tips)
  await service.refresh()
  return service
}

/** Publishers whose profile is answered for, by net: their repositories share one topic. */
const profileTopics = new WeakMap<Net, Map<string, { readonly topic: Topic; userCount: number }>>()

/** Answers those who look for the publisher as such; returns how to stop. */
function joinProfileTopic(net: Net, folder: PublisherFolder): () => Promise<void> {
  const documents = new ServedDocuments(folder)
  const handlers: TopicHandlers = {
    onRequest: async (kind, payload) => {
      if (kind !== REFS_KIND) throw new Refusal('unknown-kind')
      return answerRefs(folder, documents, payload)
    },
  }
  const ofNet = profileTopics.get(net) ?? new Map()
  profileTopics.set(net, ofNet)
  const join = (): Topic => net.joinTopic(publisherTopic(folder.id, PROFILE_TOPIC_NAME), handlers, { announce: true })
  const shared = ofNet.get(folder.id) ?? { topic: join(), userCount: 0 }
  ofNet.set(folder.id, shared)
  shared.userCount++
  return async () => {
    shared.userCount--
    if (shared.userCount > 0) return
    ofNet.delete(folder.id)
    await shared.topic.close()
  }
}

/** Answers kind `refs`. @throws Refusal malformed, not-found, out-of-range */
async function answerRefs(
  folder: PublisherFolder,
  documents: ServedDocuments,
  payload: Uint8Array,
): Promise<Uint8Array> {
  const question = decodeRefsQuestion(payload)
  if (question === null) return encodeRecordsAnswer((await folder.memory()).items())
  const page = await documents.page(question.hash, question.offset, REFS_PAGE_LENGTH)
  if (page === null) throw new Refusal('not-found')
  if (page.length === 0) throw new Refusal('out-of-range')
  return page
}

/**
 * Puts every record of a publisher that lies here into the DHT again, without the key; returns how many nodes took each at least.
 * A record of which the network has a newer one is left alone.
 */
export async function republishPublisher(net: Net, folder: PublisherFolder, trace: Trace): Promise<number | null> {
  const dht = await net.dht()
  if (dht === null) return null
  const items = (await folder.memory()).items()
  const outcomes = await Promise.all(items.map((item) => dht.putItem(item)))
  const told = outcomes.filter(({ isOutdated }) => !isOutdated).map(({ count }) => count)
  trace(() => `republished ${items.length} records of ${folder.id}: ${told.join(', ')} nodes`)
  return told.length === 0 ? 0 : Math.min(...told)
}

/** Republishes now and then until stopped; failures are traced. Returns the function that stops it. */
export function keepAlive(
  net: Net,
  folder: PublisherFolder,
  trace: Trace,
  intervalMs = REPUBLISH_INTERVAL_MS,
): () => void {
  const again = (): void => {
    republishPublisher(net, folder, trace).catch((error: unknown) => trace(() => `republish: ${messageOf(error)}`))
  }
  const timer = setInterval(again, intervalMs)
  return () => clearInterval(timer)
}
