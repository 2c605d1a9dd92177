/**
 * Questions and answers over one connection (PROTOCOL.md section 4): ids, time-outs, chunks, credit, rates.
 * Knows messages, not sockets: `send` takes bytes out, `receive` takes them in, `drop` ends the connection.
 * Both sides may ask. An answer never has more than RESPONSE_WINDOW_LENGTH bytes on their way without credit.
 */
import { type AnswerStream, IncomingStream, OutgoingStream, type StreamOptions } from './answer-stream.ts'
import { concatBytes } from './bencode.ts'
import { NetError } from './errors.ts'
import {
  CONTROL_BURST_COUNT,
  CONTROL_RATE_PER_S,
  REQUEST_INCOMING_COUNT_MAX,
  REQUEST_OUTGOING_COUNT_MAX,
  RESPONSE_CHUNK_LENGTH,
  RESPONSE_CREDIT_LENGTH,
  RESPONSE_LENGTH_MAX,
  RESPONSE_STALL_TIMEOUT_MS,
  RESPONSE_WINDOW_LENGTH,
  STRAY_BURST_COUNT,
  STRAY_RATE_PER_S,
  STREAM_LENGTH_MAX,
} from './limits.ts'
import { encodeMessage, type Message, parseMessage } from './messages.ts'
import { TokenBucket } from './rate.ts'

export interface RequestOptions {
  /** Milliseconds until the whole answer must be there. */
  readonly timeoutMs: number
  /** Bytes; a longer answer is refused by the peer, or ends the connection. */
  readonly responseLengthMax: number
  readonly signal?: AbortSignal | undefined
}

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

export interface ChannelPorts {
  /** `onTaken` is called when the bytes have left our memory, or the connection has ended. */
  readonly send: (bytes: Uint8Array, onTaken?: () => void) => void
  readonly drop: (reason: NetError) => void
  /** Answers a question of the peer; throws Refusal, anything else is told as "failed". */
  readonly answer: (kind: string, payload: Uint8Array, lengthMax: number) => Promise<Uint8Array | AnswerStream>
  readonly budget: AnswerBudget
}

interface Question {
  readonly lengthMax: number
  /** Where the bytes of a whole answer gather, or the reader of a streamed one. */
  readonly sink: Uint8Array[] | IncomingStream
  /** Known when the response head has come; null before, and for a stream. */
  length: number | null
  hasHead: boolean
  received: number
  /** Bytes taken since the last credit. */
  owed: number
  readonly settle: (outcome: Uint8Array | NetError) => void
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

type MessageOf<T extends Message['type']> = Extract<Message, { type: T }>

export class Channel {
  readonly #ports: ChannelPorts
  readonly #questions = new Map<number, Question>()
  readonly #answers = new Map<number, Answer>()
  readonly #control = new TokenBucket(CONTROL_RATE_PER_S, CONTROL_BURST_COUNT)
  readonly #strays = new TokenBucket(STRAY_RATE_PER_S, STRAY_BURST_COUNT)
  #nextId = 1
  #closed: NetError | null = null

  constructor(ports: ChannelPorts) {
    this.#ports = ports
  }

  /** True while a question or an answer is under way. */
  get busy(): boolean {
    return this.#questions.size + this.#answers.size > 0
  }

  /**
   * Asks the peer.
   * @throws NetError peer-refused, peer-gone, timeout, aborted, message-limit, closed
   */
  request(kind: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    if (this.#closed !== null) return Promise.reject(this.#closed)
    if (options.signal?.aborted) return Promise.reject(new NetError('aborted', `question ${kind}: aborted`))
    if (this.#questions.size >= REQUEST_OUTGOING_COUNT_MAX) {
      return Promise.reject(new NetError('message-limit', `question ${kind}: too many are waiting on this peer`))
    }
    const id = this.#nextId++
    const lengthMax = Math.min(options.responseLengthMax, RESPONSE_LENGTH_MAX)
    return new Promise((resolve, reject) => {
      const giveUp = (error: NetError): void => {
        this.#send({ type: 'cancel', id })
        settle(error)
      }
      const onAbort = (): void => giveUp(new NetError('aborted', `question ${kind}: aborted`))
      const timer = setTimeout(() => {
        giveUp(new NetError('timeout', `question ${kind}: expected an answer in ${options.timeoutMs} ms`))
      }, options.timeoutMs)
      const settle = (outcome: Uint8Array | NetError): void => {
        if (!this.#questions.delete(id)) return
        clearTimeout(timer)
        options.signal?.removeEventListener('abort', onAbort)
        if (outcome instanceof NetError) reject(outcome)
        else resolve(outcome)
      }
      options.signal?.addEventListener('abort', onAbort, { once: true })
      this.#questions.set(id, { lengthMax, sink: [], length: null, hasHead: false, received: 0, owed: 0, settle })
      this.#send({ type: 'request', id, kind, payload, lengthMax })
    })
  }

  /** Asks the peer for a streamed answer; what it throws, as `request` does, comes out of the iteration. */
  requestStream(kind: string, payload: Uint8Array, options: StreamOptions): AsyncIterable<Uint8Array> {
    const id = this.#nextId++
    const lengthMax = Math.min(options.lengthMax, STREAM_LENGTH_MAX)
    const taken = (length: number): void => this.#owe(id, length)
    const stream = new IncomingStream(taken, () => giveUp(new NetError('aborted', `question ${kind}: left`)))
    const settle = (outcome: Uint8Array | NetError): void => {
      if (!this.#questions.delete(id)) return
      options.signal?.removeEventListener('abort', onAbort)
      stream.finish(outcome instanceof NetError ? outcome : 'complete')
    }
    const giveUp = (error: NetError): void => {
      if (this.#questions.has(id)) this.#send({ type: 'cancel', id })
      settle(error)
    }
    const onAbort = (): void => giveUp(new NetError('aborted', `question ${kind}: aborted`))
    if (this.#closed !== null) stream.finish(this.#closed)
    else if (options.signal?.aborted) stream.finish(new NetError('aborted', `question ${kind}: aborted`))
    else if (this.#questions.size >= REQUEST_OUTGOING_COUNT_MAX)
      stream.finish(new NetError('message-limit', `question ${kind}: too many are waiting on this peer`))
    else {
      options.signal?.addEventListener('abort', onAbort, { once: true })
      stream.onStall(options.stallTimeoutMs, () =>
        giveUp(new NetError('timeout', `question ${kind}: expected bytes in ${options.stallTimeoutMs} ms`)),
      )
      this.#questions.set(id, { lengthMax, sink: stream, length: null, hasHead: false, received: 0, owed: 0, settle })
      this.#send({ type: 'request', id, kind, payload, lengthMax })
    }
    return stream
  }

  /** Takes one message of the peer; a malformed one or too many end the connection. */
  receive(bytes: Uint8Array): void {
    if (this.#closed !== null) return
    try {
      this.#dispatch(parseMessage(bytes))
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      this.#ports.drop(error)
    }
  }

  /** Ends all questions with `reason`; idempotent. */
  close(reason: NetError): void {
    if (this.#closed !== null) return
    this.#closed = reason
    for (const question of [...this.#questions.values()]) question.settle(reason)
    for (const [id, answer] of this.#answers) {
      this.#endAnswer(id, answer)
      this.#forgetAnswer(id, answer)
    }
  }

  #send(message: Message, onTaken?: () => void): void {
    if (this.#closed === null) this.#ports.send(encodeMessage(message), onTaken)
  }

  #dispatch(message: Message | null): void {
    const isControl = message === null || message.type === 'request' || message.type === 'cancel'
    if (isControl && !this.#control.take()) throw new NetError('message-limit', 'extension messages: too many')
    if (message === null) return
    const isOpen = (message.type === 'credit' ? this.#answers : this.#questions).has(message.id)
    if (!isControl && !isOpen && !this.#strays.take())
      throw new NetError('message-limit', 'extension messages: too many about nothing that is open')
    switch (message.type) {
      case 'request':
        this.#onRequest(message)
        return
      case 'cancel':
        this.#onCancel(message.id)
        return
      case 'credit':
        this.#onCredit(message)
        return
      case 'response':
        this.#onResponse(message)
        return
      case 'chunk':
        this.#onChunk(message)
        return
      case 'end':
        this.#onEnd(message.id)
        return
      case 'error':
        this.#questions
          .get(message.id)
          ?.settle(new NetError('peer-refused', `peer refused: ${message.reason}`, { reason: message.reason }))
    }
  }

  #onRequest(message: MessageOf<'request'>): void {
    const { id } = message
    if (this.#answers.has(id)) throw new NetError('message-malformed', 'request: expected a fresh id')
    if (this.#answers.size >= REQUEST_INCOMING_COUNT_MAX) {
      this.#send({ type: 'error', id, reason: 'busy' })
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
    this.#send(message, () => this.#settle(message.id, answer))
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

  #onCancel(id: number): void {
    const answer = this.#answers.get(id)
    if (answer !== undefined) this.#endAnswer(id, answer)
  }

  #onCredit(message: MessageOf<'credit'>): void {
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

  #onResponse(message: MessageOf<'response'>): void {
    const question = this.#questions.get(message.id)
    if (question === undefined) return
    if (question.hasHead) throw new NetError('message-malformed', 'response: expected one head')
    if (message.length === null && Array.isArray(question.sink))
      throw new NetError('message-malformed', 'response: expected a length')
    if ((message.length ?? 0) > question.lengthMax)
      throw new NetError('message-limit', 'response: longer than asked for')
    question.length = message.length
    question.hasHead = true
    if (message.length === 0) question.settle(new Uint8Array(0))
  }

  #onChunk(message: MessageOf<'chunk'>): void {
    const question = this.#questions.get(message.id)
    if (question === undefined) return
    const { bytes } = message
    question.received += bytes.length
    if (!question.hasHead || question.received > (question.length ?? question.lengthMax)) {
      throw new NetError('message-malformed', 'chunk: expected no more than the head announced')
    }
    if (!Array.isArray(question.sink)) {
      // A sender who does not wait for credit would fill our memory.
      question.sink.push(bytes)
      if (question.sink.waitingLength > 2 * RESPONSE_WINDOW_LENGTH)
        throw new NetError('message-limit', 'chunk: expected no more than was granted')
      if (question.received === question.length) question.settle(bytes)
      return
    }
    question.sink.push(bytes)
    if (question.received === question.length) question.settle(concatBytes(question.sink))
    else this.#owe(message.id, bytes.length)
  }

  #onEnd(id: number): void {
    const question = this.#questions.get(id)
    if (question === undefined) return
    if (!question.hasHead || question.length !== null)
      throw new NetError('message-malformed', 'end: expected it behind a stream')
    question.settle(new Uint8Array(0))
  }

  /** Grants credit for bytes that were taken. */
  #owe(id: number, length: number): void {
    const question = this.#questions.get(id)
    if (question === undefined) return
    question.owed += length
    if (question.owed < RESPONSE_CREDIT_LENGTH) return
    this.#send({ type: 'credit', id, length: question.owed })
    question.owed = 0
  }
}
