/**
 * Serves the chains of one repository: answers `chain` on the origin's topic, and who asks for a commit by its name, and
 * seeds every link from the stored segments. Only what publicTips() lists is ever in here.
 */

import { type Net, Refusal, type Seed, type Topic, type TopicHandlers } from '../../net/index.ts'
import type { Chains } from '../build/chains.ts'
import { CHAIN_KIND, chainAnswers, decodeChainQuestion } from './chain-message.ts'
import { commitFinder } from './commit-asks.ts'

export interface Service {
  readonly topic: Topic
  close(): Promise<void>
}

const NOTHING_ELSE: TopicHandlers = { onRequest: () => Promise.reject(new Refusal('unknown-kind')) }

/** Starts serving on an open net; bodies are read from the store when somebody asks. `others` answers other kinds. */
export function serveChains(
  net: Net,
  topicHash: Uint8Array,
  chains: Chains,
  remote: string,
  others: TopicHandlers = NOTHING_ELSE,
): Service {
  const seeds: Seed[] = []
  for (const { links } of chains.chains) {
    for (const link of links) seeds.push(net.seed(link, link))
  }
  for (const snapshot of chains.snapshots) seeds.push(net.seed(snapshot, snapshot))
  const topic = net.joinTopic(topicHash, answererOf(chains, remote, others), { announce: true })
  const stopAnswering = net.answerAsks(commitFinder(chains))
  return {
    topic,
    close: async () => {
      stopAnswering()
      await topic.close()
      await Promise.all(seeds.map((seed) => seed.close()))
    },
  }
}

/** Answers what peers ask about one repository's chains; `others` answers other kinds. */
export function answererOf(
  chains: Pick<Chains, 'chains' | 'repository' | 'snapshots'>,
  remote: string,
  others: TopicHandlers = NOTHING_ELSE,
): TopicHandlers {
  const named = chains.chains.map((chain) => ({ ...chain, ref: originRef(chain.ref, remote) }))
  const answerWith = chainAnswers(named, chains.snapshots)
  const whole = answerWith(named.length)
  return {
    onRequest: async (kind, payload, owner) => {
      if (kind !== CHAIN_KIND) return others.onRequest(kind, payload, owner)
      const { format, chainCountMax } = decodeChainQuestion(payload)
      if (format !== chains.repository.objectFormat) throw new Refusal('other-object-format')
      // A line comes after those that it rests on, so the first ones stand by themselves.
      return chainCountMax >= named.length ? whole : answerWith(chainCountMax)
    },
  }
}

/** What a ref of ours is called in the origin. */
export function originRef(ref: string, remote: string): string {
  const prefix = `refs/remotes/${remote}/`
  return ref.startsWith(prefix) ? `refs/heads/${ref.slice(prefix.length)}` : ref
}
