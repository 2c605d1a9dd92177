/**
 * Asks the peers of a topic the `chain` question until enough have answered. A few at a time; who says nothing keeps his
 * turn, but each pause without a usable answer lets as many others be asked, so that neither liars nor the silent nor the
 * slow, however many came first, keep the honest from being heard. The first usable answer ends the asking; who has been
 * asked by then has a moment more.
 */

import type { Topic, TopicPeer } from '../../../net/index.ts'
import { messageOf } from '../../errors.ts'
import {
  CHAIN_ANSWER_LENGTH_MAX,
  CHAIN_PEER_ALL_COUNT_MAX,
  CHAIN_PEER_COUNT_MAX,
  CHAIN_TIMEOUT_MS,
  SOURCE_GRACE_MS,
} from '../../limits.ts'
import type { Trace } from '../../trace.ts'
import { CHAIN_KIND } from '../chain-message.ts'

export interface PeerAnswer<Answer> {
  readonly peer: TopicPeer
  readonly answer: Answer
}

export interface Question<Answer> {
  readonly payload: Uint8Array
  /** Throws when the answer is none. */
  readonly decode: (bytes: Uint8Array) => Answer
  /** True if nobody else needs to be asked. */
  readonly isUsable: (answer: Answer) => boolean
  readonly signal: AbortSignal
  readonly trace: Trace
}

/** What peers answered within CHAIN_TIMEOUT_MS, in the order in which it came; empty on abort. */
export function askPeers<Answer>(topic: Topic, question: Question<Answer>): Promise<PeerAnswer<Answer>[]> {
  const { payload, decode, isUsable, signal, trace } = question
  const answers: PeerAnswer<Answer>[] = []
  const asked = new Set<TopicPeer>()
  const over = new AbortController()
  let openCount = 0
  let turnCount = CHAIN_PEER_COUNT_MAX
  let isFound = false
  let isLastCall = false
  return new Promise((resolve) => {
    const finish = (): void => {
      if (over.signal.aborted) return
      over.abort()
      clearInterval(pause)
      clearTimeout(deadline)
      signal.removeEventListener('abort', finish)
      ignoreTopic()
      resolve(answers)
    }
    const ask = async (peer: TopicPeer): Promise<void> => {
      openCount++
      try {
        const options = { timeoutMs: CHAIN_TIMEOUT_MS, responseLengthMax: CHAIN_ANSWER_LENGTH_MAX, signal: over.signal }
        const answer = decode(await peer.request(CHAIN_KIND, payload, options))
        if (!over.signal.aborted) answers.push({ peer, answer })
        isFound ||= isUsable(answer)
      } catch (error) {
        trace(() => `peer ${peer.remote.host}:${peer.remote.port}: ${messageOf(error)}`)
      }
      openCount--
      askMore()
    }
    const askMore = (): void => {
      for (const peer of topic.peers()) {
        if (isFound || over.signal.aborted || openCount >= turnCount || asked.size >= CHAIN_PEER_ALL_COUNT_MAX) break
        if (asked.has(peer)) continue
        asked.add(peer)
        void ask(peer)
      }
      if (isFound && openCount === 0) finish()
    }
    // Peers may still be on their way when those that are there have failed.
    const pause = setInterval(() => {
      if (isFound ? isLastCall : openCount === 0) finish()
      isLastCall = isFound
      turnCount += CHAIN_PEER_COUNT_MAX
      askMore()
    }, SOURCE_GRACE_MS)
    const deadline = setTimeout(finish, CHAIN_TIMEOUT_MS)
    const ignoreTopic = topic.onPeer(() => queueMicrotask(askMore))
    signal.addEventListener('abort', finish, { once: true })
    if (signal.aborted) finish()
    askMore()
  })
}
