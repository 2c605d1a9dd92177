/**
 * Asks the peers of a topic the `chain` question until enough have answered. A few at a time; each pause in which hardly anything
 * came lets more be asked. Who has said next to nothing for a pause takes nobody's turn any more, and, but for the first few, his place goes to
 * an address that waits for one; if none does, he is listened to as before. So neither liars nor the silent nor the slow, however many came
 * first, keep the honest from being heard; but while answers come, others would only slow them down. Peers of networks and hosts of which
 * fewest were asked have the next turn. The first usable answer ends the asking, who has been asked by then has a moment more; and so does silence.
 */

import { NetError, type Topic, type TopicPeer, Turns } from '../../../net/index.ts'
import { HelperError, messageOf } from '../../errors.ts'
import {
  CHAIN_ANSWER_LENGTH_ALL_MAX,
  CHAIN_ANSWER_LENGTH_MAX,
  CHAIN_TIMEOUT_MS,
  PEER_WAIT_MS,
  RANGE_ALIVE_LENGTH,
} from '../../limits.ts'
import type { Trace } from '../../trace.ts'
import { CHAIN_KIND } from '../chain-message.ts'
import {
  CHAIN_ALIVE_LENGTH,
  CHAIN_BEAT_MS,
  CHAIN_COMING_COUNT_MAX,
  CHAIN_LAST_CALL_MS,
  CHAIN_PATIENT_PAUSE_COUNT,
  CHAIN_PAUSE_MS,
  CHAIN_PEER_ALL_COUNT_MAX,
  CHAIN_PEER_COUNT_MAX,
  CHAIN_PEER_GROWTH,
  CHAIN_PEER_KEPT_COUNT,
  CHAIN_PEER_OPEN_COUNT_MAX,
} from './limits.ts'

export interface PeerAnswer<Answer> {
  readonly peer: TopicPeer
  readonly answer: Answer
  /** Bytes that came. */
  readonly length: number
}

/** Questions of one conversation, whoever waits for their answers. */
export interface Asking<Answer> {
  readonly asked: Set<TopicPeer>
  readonly turns: Turns
  /** Who was asked and says nothing, or nothing of use. Not who refused: one that is cloning does, and may have parts of what is wanted. */
  readonly useless: Set<TopicPeer>
  /** Answers that nobody has taken yet. */
  readonly answers: PeerAnswer<Answer>[]
  readonly open: Set<OpenQuestion>
  /** Much longer answers than one of use, not read yet: reading them takes the processor from what is wanted now. */
  readonly unread: (() => void)[]
  unreadLength: number
  /** Bytes of the shortest answer of use; null as long as there is none. */
  usableLength: number | null
  /** Bytes of answers that were handed out. */
  handedLength: number
  /** Called with each answer, and when a question has failed. */
  onEnd: () => void
}

/** A question that is not answered yet. */
interface OpenQuestion {
  readonly peer: TopicPeer
  /** Bytes that the peer had sent before, at the last look, and at the last pause. */
  readonly lengthBefore: number
  length: number
  lengthAtPause: number
  /** Next to nothing has come for a pause, or it takes too long. */
  isSlow: boolean
  /** Keeps its place while it is slow. */
  readonly isKept: boolean
  beatCount: number
  readonly giveUp: () => void
}

export function noneAsked<Answer>(): Asking<Answer> {
  return {
    asked: new Set(),
    turns: new Turns(),
    useless: new Set(),
    answers: [],
    open: new Set(),
    unread: [],
    unreadLength: 0,
    usableLength: null,
    handedLength: 0,
    onEnd: () => {},
  }
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

const BEATS_PER_PAUSE = CHAIN_PAUSE_MS / CHAIN_BEAT_MS
/** Pauses after which peers that are about to come are not waited for. */
const IDLE_PAUSE_COUNT_MAX = 2
/** An answer so many times longer than one of use, and than this, waits until that has failed. */
const UNREAD_FACTOR = 4
const UNREAD_LENGTH_MIN = 512 * 1024
const LAST_CALL_BEATS = CHAIN_LAST_CALL_MS / CHAIN_BEAT_MS

/**
 * What peers answered within CHAIN_TIMEOUT_MS, or PEER_WAIT_MS if nothing comes by then, and nobody had heard before, in the order in
 * which it came; empty on abort.
 */
export function askPeers<Answer>(topic: Topic, question: Question<Answer>): Promise<PeerAnswer<Answer>[]> {
  const { isUsable, asking, signal } = question
  let turnCount = CHAIN_PEER_COUNT_MAX
  let beatCount = 0
  let cameLength = 0
  let askedCount = 0
  let idlePauseCount = 0
  let isComing = true
  let isOver = false
  let foundAtBeat: number | null = null
  return new Promise((resolve) => {
    const finish = (): void => {
      if (isOver) return
      isOver = true
      clearInterval(beat)
      clearTimeout(deadline)
      signal.removeEventListener('abort', finish)
      ignoreTopic()
      asking.handedLength += lengthOf(asking.answers)
      resolve(signal.aborted ? [] : asking.answers.splice(0))
    }
    const isFound = (): boolean => asking.answers.some(({ answer }) => isUsable(answer))
    const askMore = (): void => {
      if (isOver) return
      const { asked, open } = asking
      while (!isFound() && asked.size < CHAIN_PEER_ALL_COUNT_MAX) {
        const openCount = isComing ? open.size : [...open].filter(({ isSlow }) => !isSlow).length
        const peer = openCount < turnCount ? nextPeer(topic.peers(), asking) : null
        if (peer === null) break
        void ask(peer, question)
      }
      if (!isFound()) return
      foundAtBeat ??= beatCount
      if (beatCount - foundAtBeat >= LAST_CALL_BEATS || [...open].every(({ isSlow }) => isSlow)) finish()
    }
    asking.onEnd = askMore
    const onPause = (pauseCount: number): void => {
      // Peers may still be on their way when those that are there have failed.
      const isIdle = asking.open.size === 0 && asking.asked.size === askedCount && !topic.isMeeting
      idlePauseCount = isIdle ? idlePauseCount + 1 : 0
      askedCount = asking.asked.size
      const isQuiet = cameLength === 0 && pauseCount * CHAIN_PAUSE_MS >= PEER_WAIT_MS
      if (!isFound() && (isQuiet || idlePauseCount === IDLE_PAUSE_COUNT_MAX)) finish()
      isComing = pauseCount <= CHAIN_PATIENT_PAUSE_COUNT && cameLength >= RANGE_ALIVE_LENGTH
      cameLength = 0
      if (!isComing) turnCount = Math.min(CHAIN_PEER_GROWTH * turnCount, CHAIN_PEER_OPEN_COUNT_MAX)
    }
    const beat = setInterval(() => {
      cameLength += lookAt(asking)
      if (++beatCount % BEATS_PER_PAUSE === 0) onPause(beatCount / BEATS_PER_PAUSE)
      askMore()
    }, CHAIN_BEAT_MS)
    const deadline = setTimeout(finish, CHAIN_TIMEOUT_MS)
    const ignoreTopic = topic.onPeer(() => queueMicrotask(askMore))
    signal.addEventListener('abort', finish, { once: true })
    if (signal.aborted) finish()
    asking.usableLength = null
    for (const read of asking.unread.splice(0)) read()
    askMore()
    askedCount = asking.asked.size
  })
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
    beatCount: 0,
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

function isReadNow(length: number, { usableLength }: Asking<unknown>): boolean {
  return usableLength === null || length <= Math.max(UNREAD_LENGTH_MIN, UNREAD_FACTOR * usableLength)
}

/** @throws HelperError 'chain-malformed' where too much waits already */
async function untilAskedAgain(length: number, asking: Asking<unknown>): Promise<void> {
  if (asking.unreadLength + length > CHAIN_ANSWER_LENGTH_ALL_MAX)
    throw new HelperError('chain-malformed', `chain answer: expected one of use, got ${length} bytes more`)
  asking.unreadLength += length
  await new Promise<void>((resolve) => asking.unread.push(resolve))
  asking.unreadLength -= length
}

function dismiss(peer: TopicPeer, { useless }: Asking<unknown>): void {
  useless.add(peer)
  peer.dismiss()
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

/** Bytes that came of answers since the last look. Finds out who is slow, and gives up what comes of more answers than may come at once: those that were asked last. */
function lookAt({ open, useless }: Asking<unknown>): number {
  let cameLength = 0
  let comingCount = 0
  for (const question of open) {
    const { peer, lengthBefore, isKept } = question
    const { receivedLength } = peer
    cameLength += receivedLength - question.length
    question.length = receivedLength
    const pauseCount = ++question.beatCount / BEATS_PER_PAUSE
    if (Number.isInteger(pauseCount)) {
      question.isSlow =
        pauseCount > CHAIN_PATIENT_PAUSE_COUNT || receivedLength - question.lengthAtPause < CHAIN_ALIVE_LENGTH
      question.lengthAtPause = receivedLength
    }
    if (question.isSlow) useless.add(peer)
    if (question.isSlow && !isKept) peer.dismiss()
    if (receivedLength - lengthBefore >= CHAIN_ALIVE_LENGTH && ++comingCount > CHAIN_COMING_COUNT_MAX) question.giveUp()
  }
  return cameLength
}
