/**
 * What one conversation knows of its questions to peers, whoever waits for their answers: who was asked and how he does, and the answers that
 * nobody has taken yet. Bounded: answers that are too long together, or much longer than one of use, wait or go.
 */

import { type Topic, type TopicPeer, Turns } from '../../../net/index.ts'
import { HelperError } from '../../errors.ts'
import { CHAIN_ANSWER_LENGTH_ALL_MAX } from '../../limits.ts'
import {
  CHAIN_ALIVE_LENGTH,
  CHAIN_BEAT_MS,
  CHAIN_COMING_COUNT_MAX,
  CHAIN_PATIENT_MS,
  CHAIN_PAUSE_MS,
  CHAIN_PAUSE_MS_MIN,
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
export interface OpenQuestion {
  readonly peer: TopicPeer
  /** Bytes that the peer had sent before, at the last look, and at the last pause. */
  readonly lengthBefore: number
  length: number
  lengthAtPause: number
  /** Next to nothing has come for a pause, or it takes too long. */
  isSlow: boolean
  /** Keeps its place while it is slow. */
  readonly isKept: boolean
  /** Looks of a pause, after which it can be slow. */
  readonly pauseBeatCount: number
  beatCount: number
  /** Looks of the pauses in which it was slow, one after the other until now. */
  slowBeatCount: number
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

export const PAUSE_BEAT_COUNT_MAX = CHAIN_PAUSE_MS / CHAIN_BEAT_MS
const PAUSE_BEAT_COUNT_MIN = CHAIN_PAUSE_MS_MIN / CHAIN_BEAT_MS
/** A pause lasts so many times what a greeting took. */
const GREETED_FACTOR = 2
/** An answer so many times longer than one of use, and than this, waits until that has failed. */
const UNREAD_FACTOR = 4
const UNREAD_LENGTH_MIN = 512 * 1024

/** Looks of a pause of somebody who took so long to greet us. */
export function pauseBeatCountOf(greetedMs: number | null): number {
  if (greetedMs === null) return PAUSE_BEAT_COUNT_MAX
  const beatCount = Math.ceil((GREETED_FACTOR * greetedMs) / CHAIN_BEAT_MS)
  return Math.min(PAUSE_BEAT_COUNT_MAX, Math.max(PAUSE_BEAT_COUNT_MIN, beatCount))
}

/** The same of all who are asked: what most of them need. */
export function usualPauseBeatCount({ open }: Asking<unknown>): number {
  const counts = [...open].map(({ pauseBeatCount }) => pauseBeatCount).sort((a, b) => a - b)
  return counts[counts.length >> 1] ?? PAUSE_BEAT_COUNT_MAX
}

/** Bytes that are due in so many looks, where `length` are in the longest pause. */
export function dueIn(beatCount: number, length: number): number {
  return (length * beatCount) / PAUSE_BEAT_COUNT_MAX
}

/** False for an answer that is worth reading only when those of use have failed. */
export function isReadNow(length: number, { usableLength }: Asking<unknown>): boolean {
  return usableLength === null || length <= Math.max(UNREAD_LENGTH_MIN, UNREAD_FACTOR * usableLength)
}

/** Resolves when peers are asked again. @throws HelperError 'chain-malformed' where too much waits already */
export async function untilAskedAgain(length: number, asking: Asking<unknown>): Promise<void> {
  if (asking.unreadLength + length > CHAIN_ANSWER_LENGTH_ALL_MAX)
    throw new HelperError('chain-malformed', `chain answer: expected one of use, got ${length} bytes more`)
  asking.unreadLength += length
  await new Promise<void>((resolve) => asking.unread.push(resolve))
  asking.unreadLength -= length
}

/** Notes that a peer has nothing of use. */
export function dismiss(peer: TopicPeer, { useless }: Asking<unknown>): void {
  useless.add(peer)
  peer.dismiss()
}

/** What was read of an answer takes several times its length: the longest go when all together have too many bytes. */
export function dropLongest({ answers, handedLength }: Asking<unknown>): void {
  while (answers.length > 0 && handedLength + lengthOf(answers) > CHAIN_ANSWER_LENGTH_ALL_MAX) {
    const lengths = answers.map(({ length }) => length)
    answers.splice(lengths.indexOf(Math.max(...lengths)), 1)
  }
}

/** Hands out the answers that nobody has taken yet. */
export function takeAnswers<Answer>(asking: Asking<Answer>): PeerAnswer<Answer>[] {
  asking.handedLength += lengthOf(asking.answers)
  return asking.answers.splice(0)
}

/** True if somebody may still answer: one who is asked and not slow, who is there and not asked, or who is just being met. */
export function isAnybodyLeft(topic: Topic | null, { asked, open }: Asking<unknown>): boolean {
  if (topic === null) return false
  return topic.isMeeting || [...open].some(({ isSlow }) => !isSlow) || topic.peers().some((peer) => !asked.has(peer))
}

export function lengthOf(answers: readonly PeerAnswer<unknown>[]): number {
  return answers.reduce((sum, { length }) => sum + length, 0)
}

/** Bytes that came of answers since the last look. Finds out who is slow, and gives up what comes of more answers than may come at once: those that were asked last. */
export function lookAt({ open, useless }: Asking<unknown>): number {
  let cameLength = 0
  let comingCount = 0
  for (const question of open) {
    const { peer, lengthBefore, isKept, pauseBeatCount } = question
    const { receivedLength } = peer
    cameLength += receivedLength - question.length
    question.length = receivedLength
    if (++question.beatCount % pauseBeatCount === 0) {
      const dueLength = dueIn(pauseBeatCount, CHAIN_ALIVE_LENGTH)
      const isTooLong = question.beatCount * CHAIN_BEAT_MS > CHAIN_PATIENT_MS
      question.isSlow = isTooLong || receivedLength - question.lengthAtPause < dueLength
      question.slowBeatCount = question.isSlow ? question.slowBeatCount + pauseBeatCount : 0
      question.lengthAtPause = receivedLength
    }
    if (question.isSlow) useless.add(peer)
    // Near ones may be busy: they lose their turn at once, and their place after another pause.
    if (!isKept && question.slowBeatCount > PAUSE_BEAT_COUNT_MAX / 2) peer.dismiss()
    if (receivedLength - lengthBefore >= CHAIN_ALIVE_LENGTH && ++comingCount > CHAIN_COMING_COUNT_MAX) question.giveUp()
  }
  return cameLength
}
