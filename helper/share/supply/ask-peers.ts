/**
 * Asks the peers of a topic the `chain` question until enough have answered. A few at a time; each pause in which hardly anything
 * came lets twice as many be asked, up to a bound, beyond which who has said nothing for two pauses loses his turn. So neither liars
 * nor the silent nor the slow, however many came first, keep the honest from being heard; but while answers come, others would only
 * slow them down. The first usable answer ends the asking; who has been asked by then has a moment more.
 */

import type { Topic, TopicPeer } from '../../../net/index.ts'
import { messageOf } from '../../errors.ts'
import {
  CHAIN_ANSWER_LENGTH_ALL_MAX,
  CHAIN_ANSWER_LENGTH_MAX,
  CHAIN_PATIENT_PAUSE_COUNT,
  CHAIN_PEER_ALL_COUNT_MAX,
  CHAIN_PEER_COUNT_MAX,
  CHAIN_PEER_OPEN_COUNT_MAX,
  CHAIN_TIMEOUT_MS,
  RANGE_ALIVE_LENGTH,
  SOURCE_GRACE_MS,
} from '../../limits.ts'
import type { Trace } from '../../trace.ts'
import { CHAIN_KIND } from '../chain-message.ts'

export interface PeerAnswer<Answer> {
  readonly peer: TopicPeer
  readonly answer: Answer
  /** Bytes that came. */
  readonly length: number
}

/** Questions of one conversation, whoever waits for their answers. */
export interface Asking<Answer> {
  readonly asked: Set<TopicPeer>
  /** Answers that nobody has taken yet. */
  readonly answers: PeerAnswer<Answer>[]
  readonly open: Set<OpenQuestion>
  /** Bytes of answers that were handed out. */
  handedLength: number
  /** Called with each answer, and when a question has failed. */
  onEnd: () => void
}

/** A question that is not answered yet. */
interface OpenQuestion {
  readonly peer: TopicPeer
  /** Bytes that the peer had sent before, and at the last pause. */
  readonly lengthBefore: number
  length: number
  pauseCount: number
  readonly giveUp: () => void
}

export function noneAsked<Answer>(): Asking<Answer> {
  return { asked: new Set(), answers: [], open: new Set(), handedLength: 0, onEnd: () => {} }
}

export interface Question<Answer> {
  readonly payload: Uint8Array
  /** Throws when the answer is none. */
  readonly decode: (bytes: Uint8Array) => Answer
  /** True if nobody else needs to be asked. */
  readonly isUsable: (answer: Answer) => boolean
  /** What was asked before; goes on with it. */
  readonly asking: Asking<Answer>
  readonly signal: AbortSignal
  readonly trace: Trace
}

/** What peers answered within CHAIN_TIMEOUT_MS and nobody had heard before, in the order in which it came; empty on abort. */
export function askPeers<Answer>(topic: Topic, question: Question<Answer>): Promise<PeerAnswer<Answer>[]> {
  const { isUsable, asking, signal } = question
  let turnCount = CHAIN_PEER_COUNT_MAX
  let pauseCount = 0
  let isOver = false
  let isLastCall = false
  return new Promise((resolve) => {
    const finish = (): void => {
      if (isOver) return
      isOver = true
      clearInterval(pause)
      clearTimeout(deadline)
      signal.removeEventListener('abort', finish)
      ignoreTopic()
      asking.handedLength += lengthOf(asking.answers)
      resolve(signal.aborted ? [] : asking.answers.splice(0))
    }
    const isFound = (): boolean => asking.answers.some(({ answer }) => isUsable(answer))
    const askMore = (): void => {
      if (isOver) return
      for (const peer of topic.peers()) {
        const { asked, open } = asking
        if (isFound() || open.size >= turnCount || asked.size >= CHAIN_PEER_ALL_COUNT_MAX) break
        if (!asked.has(peer)) void ask(peer, question)
      }
      if (isFound() && asking.open.size === 0) finish()
    }
    asking.onEnd = askMore
    // Peers may still be on their way when those that are there have failed.
    const pause = setInterval(() => {
      if (isFound() ? isLastCall : asking.open.size === 0) finish()
      isLastCall = isFound()
      const isComing = ++pauseCount <= CHAIN_PATIENT_PAUSE_COUNT && lengthSincePause(asking.open) >= RANGE_ALIVE_LENGTH
      if (!isComing) turnCount = Math.min(2 * turnCount, CHAIN_PEER_OPEN_COUNT_MAX)
      if (asking.open.size >= CHAIN_PEER_OPEN_COUNT_MAX) for (const one of silentOf(asking.open)) one.giveUp()
      askMore()
    }, SOURCE_GRACE_MS)
    const deadline = setTimeout(finish, CHAIN_TIMEOUT_MS)
    const ignoreTopic = topic.onPeer(() => queueMicrotask(askMore))
    signal.addEventListener('abort', finish, { once: true })
    if (signal.aborted) finish()
    askMore()
  })
}

async function ask<Answer>(
  peer: TopicPeer,
  { payload, decode, isUsable, asking, signal, trace }: Question<Answer>,
): Promise<void> {
  asking.asked.add(peer)
  const given = new AbortController()
  const length = peer.receivedLength
  const question = { peer, lengthBefore: length, length, pauseCount: 0, giveUp: () => given.abort() }
  asking.open.add(question)
  try {
    const responseLengthMax = CHAIN_ANSWER_LENGTH_MAX
    const options = { timeoutMs: CHAIN_TIMEOUT_MS, responseLengthMax, signal: AbortSignal.any([signal, given.signal]) }
    const bytes = await peer.request(CHAIN_KIND, payload, options)
    const answer = decode(bytes)
    asking.answers.push({ peer, answer, length: bytes.length })
    if (!isUsable(answer)) peer.dismiss()
    dropLongest(asking)
  } catch (error) {
    trace(() => `peer ${peer.remote.host}:${peer.remote.port}: ${messageOf(error)}`)
    peer.dismiss()
  }
  asking.open.delete(question)
  asking.onEnd()
}

/** What was read of an answer takes several times its length: the longest go when all together have too many bytes. */
function dropLongest({ answers, handedLength }: Asking<unknown>): void {
  while (answers.length > 0 && handedLength + lengthOf(answers) > CHAIN_ANSWER_LENGTH_ALL_MAX) {
    const lengths = answers.map(({ length }) => length)
    answers.splice(lengths.indexOf(Math.max(...lengths)), 1)
  }
}

function lengthOf(answers: readonly PeerAnswer<unknown>[]): number {
  return answers.reduce((sum, { length }) => sum + length, 0)
}

/** Bytes that came of open questions since the last pause; begins the next one. */
function lengthSincePause(open: Iterable<OpenQuestion>): number {
  let sum = 0
  for (const question of open) {
    const length = question.peer.receivedLength
    sum += length - question.length
    question.length = length
    question.pauseCount++
  }
  return sum
}

/** Those of whom nothing has come for two pauses. */
function silentOf(open: Iterable<OpenQuestion>): OpenQuestion[] {
  return [...open].filter(({ pauseCount, length, lengthBefore }) => pauseCount >= 2 && length === lengthBefore)
}
