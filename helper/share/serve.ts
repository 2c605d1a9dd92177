/**
 * Serves the chains of one repository: answers `chain` on the origin's topic and seeds every link from the stored
 * segments. Only what publicTips() lists is ever in here.
 */

import { type Net, Refusal, type Seed, type Topic } from '../../net/index.ts'
import type { Chain, Chains } from '../build/chains.ts'
import { CHAIN_KIND, decodeChainQuestion, encodeChainAnswer } from './chain-message.ts'

export interface Service {
  readonly topic: Topic
  close(): Promise<void>
}

/** Starts serving on an open net; bodies are read from the store when somebody asks. */
export function serveChains(net: Net, topicHash: Uint8Array, chains: Chains, remote: string): Service {
  const answer = encodeChainAnswer(chains.chains.map((chain) => ({ ...chain, ref: originRef(chain, remote) })))
  const seeds: Seed[] = []
  for (const { links } of chains.chains) {
    for (const link of links) seeds.push(net.seed(link, link))
  }
  const topic = net.joinTopic(
    topicHash,
    {
      onRequest: async (kind, payload) => {
        if (kind !== CHAIN_KIND) throw new Refusal('unknown-kind')
        if (decodeChainQuestion(payload) !== chains.repository.objectFormat) throw new Refusal('other-object-format')
        return answer
      },
    },
    { announce: true },
  )
  return {
    topic,
    close: async () => {
      await topic.close()
      await Promise.all(seeds.map((seed) => seed.close()))
    },
  }
}

/** What a ref of ours is called in the origin. */
export function originRef({ ref }: Pick<Chain, 'ref'>, remote: string): string {
  const prefix = `refs/remotes/${remote}/`
  return ref.startsWith(prefix) ? `refs/heads/${ref.slice(prefix.length)}` : ref
}
