/**
 * Asks the peers of a topic the `chain` question until enough have answered. A few at a time; each pause in which hardly anything
 * came lets more be asked. Who has said next to nothing for a pause takes nobody's turn any more, and, but for the first few, his place goes to
 * an address that waits for one; if none does, he is listened to as before. So neither liars nor the silent nor the slow, however many came
 * first, keep the honest from being heard; but while answers come, others would only slow them down. Peers of networks and hosts of which
 * fewest were asked have the next turn. The first usable answer ends the asking, who has been asked by then has a moment more; and so does silence.
 */

import { NetError, type Topic, type TopicPeer } from '../../../net/index.ts'
import { messageOf } from '../../errors.ts'
import { CHAIN_ANSWER_LENGTH_MAX, CHAIN_TIMEOUT_MS, PEER_WAIT_MS, RANGE_ALIVE_LENGTH } from '../../limits.ts'
import type { Trace } from '../../trace.ts'
import { CHAIN_KIND } from '../chain-message.ts'
import {
  type Asking,
  dismiss,
  dropLongest,
  dueIn,
  isReadNow,
  lookAt,
  PAUSE_BEAT_COUNT_MAX,
  type PeerAnswer,
  pauseBeatCountOf,
  takeAnswers,
  untilAskedAgain,
  usualPauseBeatCount,
} from './asking.ts'
import {
  CHAIN_BEAT_MS,
  CHAIN_LAST_CALL_MS,
  CHAIN_PATIENT_MS,
  CHAIN_PEER_ALL_COUNT_MAX,
  CHAIN_PEER_COUNT_MAX,
  CHAIN_PEER_GROWTH,
  CHAIN_PEER_KEPT_COUNT,
  CHAIN_PEER_OPEN_COUNT_MAX,
} from './limits.ts'

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

/** Looks without anybody to ask or to wait for, after which peers that are about to come are not waited for. */
const IDLE_BEAT_COUNT_MAX = 2 * PAUSE_BEAT_COUNT_MAX
const LAST_CALL_BEAT_COUNT = CHAIN_LAST_CALL_MS / CHAIN_BEAT_MS

/**
 * What peers answered within CHAIN_TIMEOUT_MS, or PEER_WAIT_MS if nothing comes by then, and nobody had heard before, in the order in
 * which it came; empty on abort.
 */
export async function askPeers<Answer>(topic: Topic, question: Question<Answer>): Promise<PeerAnswer<Answer>[]> {
  const { asking, signal } = question
  const round = new Round(topic, question)
  asking.onEnd = () => round.askMore()
  asking.usableLength = null
  for (const read of asking.unread.splice(0)) read()
  const onAbort = (): void => round.end()
  signal.addEventListener('abort', onAbort, { once: true })
  const beat = setInterval(() => round.beat(), CHAIN_BEAT_MS)
  const deadline = setTimeout(() => round.end(), CHAIN_TIMEOUT_MS)
  const ignoreTopic = topic.onPeer(() => queueMicrotask(() => round.askMore()))
  if (signal.aborted) round.end()
  round.askMore()
  await round.ended
  clearInterval(beat)
  clearTimeout(deadline)
  ignoreTopic()
  signal.removeEventListener('abort', onAbort)
  const answers = takeAnswers(asking)
  return signal.aborted ? [] : answers
}

/** One round of asking. Beats follow one another quickly, a few of them are a pause; what was found out in it counts in the next one. */
class Round<Answer> {
  /** Resolves when enough was heard, or nothing more is to be expected. */
  readonly ended: Promise<void>
  #isOver = false
  #resolve: () => void = () => {}
  readonly #topic: Topic
  readonly #question: Question<Answer>
  /** Peers that may be asked at a time. */
  #turnCount = CHAIN_PEER_COUNT_MAX
  /** Answers come: those that are slow have turns as well. */
  #isComing = true
  #beatCount = 0
  /** When something of use was found; null before. */
  #foundAtBeat: number | null = null
  /** In this pause: beats until now, bytes that came, and peers that had been asked before it. */
  #passedBeatCount = 0
  #cameLength = 0
  #askedCount = 0
  #idleBeatCount = 0
  /** Beats of the last pauses in which nothing came at all. */
  #quietBeatCount = 0

  constructor(topic: Topic, question: Question<Answer>) {
    this.#topic = topic
    this.#question = question
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  end(): void {
    this.#isOver = true
    this.#resolve()
  }

  get #isFound(): boolean {
    const { asking, isUsable } = this.#question
    return asking.answers.some(({ answer }) => isUsable(answer))
  }

  /** Asks as many as have a turn; once something of use is there, ends after the last call. */
  askMore(): void {
    if (this.#isOver) return
    const { asking } = this.#question
    while (!this.#isFound && asking.asked.size < CHAIN_PEER_ALL_COUNT_MAX && this.#openCount < this.#turnCount) {
      const peer = nextPeer(this.#topic.peers(), asking)
      if (peer === null) break
      void ask(peer, this.#question)
    }
    if (this.#beatCount === 0) this.#askedCount = asking.asked.size
    if (!this.#isFound) return
    this.#foundAtBeat ??= this.#beatCount
    const callBeatCount = Math.min(LAST_CALL_BEAT_COUNT, usualPauseBeatCount(asking))
    const isCalled = this.#beatCount - this.#foundAtBeat >= callBeatCount
    if (isCalled || [...asking.open].every(({ isSlow }) => isSlow)) this.end()
  }

  /** Questions that take a turn. */
  get #openCount(): number {
    const { open } = this.#question.asking
    return this.#isComing ? open.size : [...open].filter(({ isSlow }) => !isSlow).length
  }

  beat(): void {
    const { asking } = this.#question
    this.#cameLength += lookAt(asking)
    this.#beatCount += 1
    this.#passedBeatCount += 1
    if (this.#passedBeatCount >= usualPauseBeatCount(asking)) this.#pause()
    this.askMore()
  }

  #pause(): void {
    const { asked, open } = this.#question.asking
    // Peers may still be on their way when those that are there have failed.
    const isIdle = open.size === 0 && asked.size === this.#askedCount && !this.#topic.isMeeting
    this.#idleBeatCount = isIdle ? this.#idleBeatCount + this.#passedBeatCount : 0
    const passedMs = this.#beatCount * CHAIN_BEAT_MS
    this.#quietBeatCount = this.#cameLength === 0 ? this.#quietBeatCount + this.#passedBeatCount : 0
    const isQuiet = this.#quietBeatCount >= PAUSE_BEAT_COUNT_MAX && passedMs >= PEER_WAIT_MS
    if (!this.#isFound && (isQuiet || this.#idleBeatCount >= IDLE_BEAT_COUNT_MAX)) this.end()
    const dueLength = dueIn(this.#passedBeatCount, RANGE_ALIVE_LENGTH)
    this.#isComing = passedMs <= CHAIN_PATIENT_MS && this.#cameLength >= dueLength
    if (!this.#isComing) this.#turnCount = Math.min(CHAIN_PEER_GROWTH * this.#turnCount, CHAIN_PEER_OPEN_COUNT_MAX)
    this.#askedCount = asked.size
    this.#passedBeatCount = 0
    this.#cameLength = 0
  }
}

/** Who is asked next; null if all were asked. */
function nextPeer(peers: readonly TopicPeer[], { asked, turns }: Asking<unknown>): TopicPeer | null {
  const waiting = peers.filter((peer) => !asked.has(peer))
  return waiting[turns.next(waiting.map(({ remote }) => remote))] ?? null
}

async function ask<Answer>(
  peer: TopicPeer,
  { payload, decode, isUsable, asking, signal, trace }: Question<Answer>,
): Promise<void> {
  asking.asked.add(peer)
  asking.turns.note(peer.remote)
  const given = new AbortController()
  const isKept = asking.asked.size <= CHAIN_PEER_KEPT_COUNT
  const giveUp = (): void => given.abort()
  const length = peer.receivedLength
  const question = {
    peer,
    lengthBefore: length,
    length,
    lengthAtPause: length,
    isSlow: false,
    isKept,
    pauseBeatCount: pauseBeatCountOf(peer.greetedMs),
    beatCount: 0,
    slowBeatCount: 0,
    giveUp,
  }
  asking.open.add(question)
  try {
    const responseLengthMax = CHAIN_ANSWER_LENGTH_MAX
    const options = { timeoutMs: CHAIN_TIMEOUT_MS, responseLengthMax, signal: AbortSignal.any([signal, given.signal]) }
    const bytes = await peer.request(CHAIN_KIND, payload, options)
    if (!isReadNow(bytes.length, asking)) {
      asking.open.delete(question)
      asking.onEnd()
      await untilAskedAgain(bytes.length, asking)
    }
    const answer = decode(bytes)
    if (isUsable(answer)) asking.usableLength = Math.min(bytes.length, asking.usableLength ?? bytes.length)
    asking.answers.push({ peer, answer, length: bytes.length })
    asking.useless.delete(peer)
    if (!isUsable(answer)) dismiss(peer, asking)
    dropLongest(asking)
  } catch (error) {
    trace(() => `peer ${peer.remote.host}:${peer.remote.port}: ${messageOf(error)}`)
    if (error instanceof NetError && error.code === 'peer-refused') peer.dismiss()
    else dismiss(peer, asking)
  }
  asking.open.delete(question)
  asking.onEnd()
}
