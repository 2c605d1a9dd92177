/**
 * The answering half of a channel (PROTOCOL.md section 4): works out what the peer asks, sends it in parts as credit allows.
 * An answer never has more than RESPONSE_WINDOW_LENGTH bytes on their way without credit. It keeps its place and its share of
 * the memory for answers until all that was sent of it has left, so that one who asks and does not read gets no more.
 */
import { type AnswerStream, OutgoingStream } from './answer-stream.ts'
import { NetError } from './errors.ts'
import {
  REQUEST_INCOMING_COUNT_MAX,
  RESPONSE_CHUNK_LENGTH,
  RESPONSE_LENGTH_MAX,
  RESPONSE_STALL_TIMEOUT_MS,
  RESPONSE_WINDOW_LENGTH,
} from './limits.ts'
import type { Message, MessageOf } from './messages.ts'

/** Memory for answers, shared by all channels. */
export class AnswerBudget {
  #free: number

  constructor(length: number) {
    this.#free = length
  }

  take(length: number): boolean {
    if (length > this.#free) return false
    this.#free -= length
    return true
  }

  give(length: number): void {
    this.#free += length
  }
}

/** Thrown by answerers to refuse with a word of their own (lowercase letters, digits, hyphens). */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

export interface AnswerPorts {
  /** `onTaken` is called when the message has left our memory. */
  readonly send: (message: Message, onTaken?: () => void) => void
  readonly drop: (reason: NetError) => void
  /** Answers a question of the peer; throws Refusal, anything else is told as "failed". */
  readonly answer: (kind: string, payload: Uint8Array, lengthMax: number) => Promise<Uint8Array | AnswerStream>
  readonly budget: AnswerBudget
}

interface Answer {
  bytes: Uint8Array | null
  stream: OutgoingStream | null
  sent: number
  credited: number
  /** Nothing more is sent of it. */
  isOver: boolean
  /** The work on it, and messages that have not left our memory: while there are some, it keeps its place and what it holds. */
  pendingCount: number
  /** Bytes taken from the budget. */
  heldLength: number
  timer: NodeJS.Timeout | null
}

export class Answers {
  readonly #ports: AnswerPorts
  readonly #answers = new Map<number, Answer>()

  constructor(ports: AnswerPorts) {
    this.#ports = ports
  }

  /** Answers under way. */
  get size(): number {
    return this.#answers.size
  }

  /** True while an answer of this id is under way. */
  has(id: number): boolean {
    return this.#answers.has(id)
  }

  /** The connection has ended, and what waited in it is gone. */
  close(): void {
    for (const [id, answer] of this.#answers) {
      this.#endAnswer(id, answer)
      this.#forgetAnswer(id, answer)
    }
  }

  /** Takes a question of the peer. @throws NetError message-malformed */
  onRequest(message: MessageOf<'request'>): void {
    const { id } = message
    if (this.#answers.has(id)) throw new NetError('message-malformed', 'request: expected a fresh id')
    if (this.#answers.size >= REQUEST_INCOMING_COUNT_MAX) {
      this.#ports.send({ type: 'error', id, reason: 'busy' })
      return
    }
    const answer: Answer = {
      bytes: null,
      stream: null,
      sent: 0,
      credited: 0,
      isOver: false,
      pendingCount: 1,
      heldLength: 0,
      timer: null,
    }
    this.#answers.set(id, answer)
    void this.#workOut(answer, message).then(() => this.#settle(id, answer))
  }

  async #workOut(answer: Answer, { id, kind, payload, lengthMax }: MessageOf<'request'>): Promise<void> {
    try {
      const found = await this.#ports.answer(kind, Uint8Array.from(payload), lengthMax)
      if (!(found instanceof Uint8Array)) await this.#streamAnswer(id, answer, found, lengthMax)
      else this.#startAnswer(id, answer, found, Math.min(lengthMax, RESPONSE_LENGTH_MAX))
    } catch (error) {
      this.#refuse(id, answer, error instanceof Refusal ? error.reason : 'failed')
    }
  }

  #refuse(id: number, answer: Answer, reason: string): void {
    if (!answer.isOver) this.#sendOf(answer, { type: 'error', id, reason })
    this.#endAnswer(id, answer)
  }

  /** Sends a message of an answer, which is not forgotten before the message has left. */
  #sendOf(answer: Answer, message: Message): void {
    answer.pendingCount += 1
    this.#ports.send(message, () => this.#settle(message.id, answer))
  }

  #hold(answer: Answer, length: number): boolean {
    if (!this.#ports.budget.take(length)) return false
    answer.heldLength = length
    return true
  }

  #startAnswer(id: number, answer: Answer, bytes: Uint8Array, lengthMax: number): void {
    if (answer.isOver) return
    const reason = bytes.length > lengthMax ? 'too-long' : this.#hold(answer, bytes.length) ? null : 'busy'
    if (reason !== null) {
      this.#refuse(id, answer, reason)
      return
    }
    answer.bytes = bytes
    this.#sendOf(answer, { type: 'response', id, length: bytes.length })
    this.#continueAnswer(id, answer)
  }

  #continueAnswer(id: number, answer: Answer): void {
    const { bytes } = answer
    if (bytes === null) return
    while (answer.sent < bytes.length && answer.sent - answer.credited < RESPONSE_WINDOW_LENGTH) {
      const chunk = bytes.subarray(answer.sent, answer.sent + RESPONSE_CHUNK_LENGTH)
      answer.sent += chunk.length
      this.#sendOf(answer, { type: 'chunk', id, bytes: chunk })
    }
    if (answer.timer !== null) clearTimeout(answer.timer)
    if (answer.sent === bytes.length) this.#endAnswer(id, answer)
    else answer.timer = this.#stallTimer()
  }

  async #streamAnswer(id: number, answer: Answer, source: AnswerStream, lengthMax: number): Promise<void> {
    if (answer.isOver || !this.#hold(answer, RESPONSE_WINDOW_LENGTH)) {
      source.close()
      this.#refuse(id, answer, 'busy')
      return
    }
    answer.stream = new OutgoingStream(source)
    this.#sendOf(answer, { type: 'response', id, length: null })
    const send = (bytes: Uint8Array): void => this.#sendOf(answer, { type: 'chunk', id, bytes })
    const onWait = (waits: boolean): void => {
      if (answer.timer !== null) clearTimeout(answer.timer)
      answer.timer = waits ? this.#stallTimer() : null
    }
    try {
      const isWhole = await answer.stream.run(lengthMax, send, onWait)
      if (isWhole) this.#sendOf(answer, { type: 'end', id })
      this.#endAnswer(id, answer)
    } catch (error) {
      this.#refuse(id, answer, error instanceof NetError && error.code === 'message-limit' ? 'too-long' : 'failed')
    } finally {
      source.close()
    }
  }

  #stallTimer(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#ports.drop(new NetError('timeout', `answer: expected credit in ${RESPONSE_STALL_TIMEOUT_MS} ms`))
    }, RESPONSE_STALL_TIMEOUT_MS)
  }

  /** Sends nothing more of an answer; it is forgotten when nothing of it is pending. */
  #endAnswer(id: number, answer: Answer): void {
    if (answer.isOver) return
    answer.isOver = true
    answer.stream?.cancel()
    if (answer.timer !== null) clearTimeout(answer.timer)
    if (answer.pendingCount === 0) this.#forgetAnswer(id, answer)
  }

  #settle(id: number, answer: Answer): void {
    answer.pendingCount -= 1
    if (answer.isOver && answer.pendingCount === 0) this.#forgetAnswer(id, answer)
  }

  #forgetAnswer(id: number, answer: Answer): void {
    this.#ports.budget.give(answer.heldLength)
    answer.heldLength = 0
    if (this.#answers.get(id) === answer) this.#answers.delete(id)
  }

  /** The asker wants no more of an answer. */
  onCancel(id: number): void {
    const answer = this.#answers.get(id)
    if (answer !== undefined) this.#endAnswer(id, answer)
  }

  /** The asker has taken so much. @throws NetError message-malformed for more than was sent */
  onCredit(message: MessageOf<'credit'>): void {
    const answer = this.#answers.get(message.id)
    if (answer === undefined || answer.isOver) return
    if (answer.stream !== null) {
      if (!answer.stream.credit(message.length))
        throw new NetError('message-malformed', 'credit: expected no more than was sent')
      return
    }
    answer.credited += message.length
    if (answer.credited > answer.sent) throw new NetError('message-malformed', 'credit: expected no more than was sent')
    this.#continueAnswer(message.id, answer)
  }
}
