/**
 * Serving and keeping alive what somebody published, ourselves or another: answers `refs` and `tip` (and `chain`) on the
 * topic of each repository, and puts the signed records into the DHT again before nodes forget them. None of it needs the
 * key: whoever has read a publication can keep it alive. `gittorrent publish` uses it in the foreground; a daemon may call the
 * same functions.
 */
import { type Net, NetError, Refusal, type Topic, type TopicHandlers } from '../../net/index.ts'
import { buildChains, type Chains } from '../build/chains.ts'
import { publicTips } from '../build/history.ts'
import { HelperError, messageOf } from '../errors.ts'
import { REFS_PAGE_LENGTH } from '../limits.ts'
import { type Service, serveChains } from '../share/serve.ts'
import type { Trace } from '../trace.ts'
import { PROFILE_TOPIC_NAME, publisherTopic } from './names.ts'
import type { PublisherFolder } from './publisher-folder.ts'
import { decodeRecord } from './record.ts'
import { decodeDocument } from './refs-document.ts'
import { decodeRefsQuestion, encodeRecordsAnswer, REFS_KIND } from './refs-message.ts'
import { TIP_KIND } from './tip-fetch.ts'
import type { TipServer } from './tip-serve.ts'

/** How often records are put again; nodes forget after two hours (BEP 44). */
export const REPUBLISH_INTERVAL_MS = 45 * 60_000

/**
 * Serves one repository of a publisher on an open net, from what lies in the publisher's folder at each moment.
 * `refresh` takes up chains of newer commits. @throws HelperError not-published if the repository is not here
 */
export async function servePublisher(
  net: Net,
  folder: PublisherFolder,
  name: string,
  tips: TipServer,
): Promise<Service & { refresh(): Promise<void> }> {
  const repository = await folder.repository(name)
  if (repository === null)
    throw new HelperError('not-published', `'${name}' of ${folder.id}: expected it here, got nothing`)
  const handlers: TopicHandlers = {
    onRequest: async (kind, payload, peerId) => {
      if (kind === REFS_KIND) return answerRefs(folder, payload)
      if (kind !== TIP_KIND) throw new Refusal('unknown-kind')
      const { gitDir, objectFormat } = repository
      return tips.answer({ gitDir, objectFormat, advertised: await advertisedOids(folder, name) }, payload, peerId)
    },
  }
  const open = async (): Promise<{ service: Service; chains: Chains }> => {
    const chains = await buildChains(repository, await publicTips(repository, 'origin', true))
    return { service: serveChains(net, publisherTopic(folder.id, name), chains, 'origin', handlers), chains }
  }
  let { service, chains } = await open()
  const profile = joinProfileTopic(net, folder)
  const leave = async (): Promise<void> => {
    await service.close()
    await chains.close()
  }
  const close = async (): Promise<void> => {
    await leave()
    await profile?.close()
  }
  const refresh = async (): Promise<void> => {
    await leave()
    ;({ service, chains } = await open())
  }
  return {
    get topic() {
      return service.topic
    },
    close,
    refresh,
  }
}

/** Answers those who look for the publisher as such; null if another repository of the publisher's does it on this net. */
function joinProfileTopic(net: Net, folder: PublisherFolder): Topic | null {
  const handlers: TopicHandlers = {
    onRequest: async (kind, payload) => {
      if (kind !== REFS_KIND) throw new Refusal('unknown-kind')
      return answerRefs(folder, payload)
    },
  }
  try {
    return net.joinTopic(publisherTopic(folder.id, PROFILE_TOPIC_NAME), handlers, { announce: true })
  } catch (error) {
    if (error instanceof NetError && error.code === 'torrent-busy') return null
    throw error
  }
}

/** Answers kind `refs`. @throws Refusal malformed, not-found, out-of-range */
async function answerRefs(folder: PublisherFolder, payload: Uint8Array): Promise<Uint8Array> {
  const question = decodeRefsQuestion(payload)
  if (question === null) return encodeRecordsAnswer((await folder.memory()).items())
  const bytes = await folder.document(question.hash)
  if (bytes === null) throw new Refusal('not-found')
  if (question.offset >= bytes.length) throw new Refusal('out-of-range')
  return bytes.subarray(question.offset, question.offset + REFS_PAGE_LENGTH)
}

/** Every oid that records of this repository name, the publisher's and those of delegates. */
async function advertisedOids(folder: PublisherFolder, name: string): Promise<Set<string>> {
  const oids = new Set<string>()
  for (const { value } of (await folder.memory()).items()) {
    const record = decodeRecord(value)
    if (record.type !== 'repository' || record.name !== name) continue
    const bytes = await folder.document(record.documentHash)
    for (const { oid } of bytes === null ? [] : decodeDocument(bytes).refs) if (oid !== null) oids.add(oid)
  }
  return oids
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
