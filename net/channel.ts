/**
 * Questions and answers over one connection (PROTOCOL.md section 4): ids, time-outs, chunks, credit, rates.
 * Knows messages, not sockets: `send` takes bytes out, `receive` takes them in, `drop` ends the connection.
 * Both sides may ask; the answering half is in answers.ts.
 */
import { IncomingStream, type StreamOptions } from './answer-stream.ts'
import { type AnswerPorts, Answers } from './answers.ts'
import { concatBytes } from './bencode.ts'
import { NetError } from './errors.ts'
import {
  CONTROL_BURST_COUNT,
  CONTROL_RATE_PER_S,
  REQUEST_OUTGOING_COUNT_MAX,
  RESPONSE_CREDIT_LENGTH,
  RESPONSE_LENGTH_MAX,
  RESPONSE_WINDOW_LENGTH,
  STRAY_BURST_COUNT,
  STRAY_RATE_PER_S,
  STREAM_LENGTH_MAX,
} from './limits.ts'
import { encodeMessage, type Message, type MessageOf, parseMessage } from './messages.ts'
import { TokenBucket } from './rate.ts'

export interface RequestOptions {
  /** Milliseconds until the whole answer must be there. */
  readonly timeoutMs: number
  /** Bytes; a longer answer is refused by the peer, or ends the connection. */
  readonly responseLengthMax: number
  readonly signal?: AbortSignal | undefined
}

export interface ChannelPorts extends Omit<AnswerPorts, 'send'> {
  /** `onTaken` is called when the bytes have left our memory. */
  readonly send: (bytes: Uint8Array, onTaken?: () => void) => void
}

interface Asking {
  readonly lengthMax: number
  /** Where the bytes of a whole answer gather, or the reader of a streamed one. */
  readonly sink: Uint8Array[] | IncomingStream
  readonly signal: AbortSignal | undefined
  readonly settle: (outcome: Uint8Array | NetError) => void
}

interface Asked {
  readonly id: number
  /** Tells the peer that nobody waits any more, and settles the question with `error`. */
  readonly giveUp: (error: NetError) => void
}

interface Question extends Pick<Asking, 'lengthMax' | 'sink' | 'settle'> {
  /** Known when the response head has come; null before, and for a stream. */
  length: number | null
  hasHead: boolean
  received: number
  /** Bytes taken since the last credit. */
  owed: number
}

export class Channel {
  readonly #ports: ChannelPorts
  readonly #questions = new Map<number, Question>()
  readonly #answers: Answers
  readonly #control = new TokenBucket(CONTROL_RATE_PER_S, CONTROL_BURST_COUNT)
  readonly #strays = new TokenBucket(STRAY_RATE_PER_S, STRAY_BURST_COUNT)
  #nextId = 1
  #closed: NetError | null = null

  constructor(ports: ChannelPorts) {
    this.#ports = ports
    this.#answers = new Answers({ ...ports, send: (message, onTaken) => this.#send(message, onTaken) })
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
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => asked.giveUp(new NetError('timeout', `question ${kind}: expected an answer in ${options.timeoutMs} ms`)),
        options.timeoutMs,
      )
      const asked = this.#ask(kind, payload, {
        sink: [],
        lengthMax: Math.min(options.responseLengthMax, RESPONSE_LENGTH_MAX),
        signal: options.signal,
        settle: (outcome) => {
          clearTimeout(timer)
          if (outcome instanceof NetError) reject(outcome)
          else resolve(outcome)
        },
      })
    })
  }

  /** Asks the peer for a streamed answer; what it throws, as `request` does, comes out of the iteration. */
  requestStream(kind: string, payload: Uint8Array, options: StreamOptions): AsyncIterable<Uint8Array> {
    const { stallTimeoutMs, signal } = options
    const stream = new IncomingStream(
      (length) => this.#owe(asked.id, length),
      () => asked.giveUp(new NetError('aborted', `question ${kind}: left`)),
    )
    stream.onStall(stallTimeoutMs, () =>
      asked.giveUp(new NetError('timeout', `question ${kind}: expected bytes in ${stallTimeoutMs} ms`)),
    )
    const asked = this.#ask(kind, payload, {
      sink: stream,
      lengthMax: Math.min(options.lengthMax, STREAM_LENGTH_MAX),
      signal,
      settle: (outcome) => stream.finish(outcome instanceof NetError ? outcome : 'complete'),
    })
    return stream
  }

  /** Sends a question; one that cannot be asked is settled at once. */
  #ask(kind: string, payload: Uint8Array, asking: Asking): Asked {
    const id = this.#nextId++
    const { lengthMax, sink, signal } = asking
    const settle = (outcome: Uint8Array | NetError): void => {
      if (!this.#questions.delete(id)) return
      signal?.removeEventListener('abort', onAbort)
      asking.settle(outcome)
    }
    const giveUp = (error: NetError): void => {
      if (this.#questions.has(id)) this.#send({ type: 'cancel', id })
      settle(error)
    }
    const onAbort = (): void => giveUp(new NetError('aborted', `question ${kind}: aborted`))
    const refusal = this.#refusalOf(kind, signal)
    if (refusal !== null) asking.settle(refusal)
    else {
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#questions.set(id, { lengthMax, sink, length: null, hasHead: false, received: 0, owed: 0, settle })
      this.#send({ type: 'request', id, kind, payload, lengthMax })
    }
    return { id, giveUp }
  }

  /** Why a question cannot be asked, null if it can. */
  #refusalOf(kind: string, signal: AbortSignal | undefined): NetError | null {
    if (this.#closed !== null) return this.#closed
    if (signal?.aborted === true) return new NetError('aborted', `question ${kind}: aborted`)
    if (this.#questions.size < REQUEST_OUTGOING_COUNT_MAX) return null
    return new NetError('message-limit', `question ${kind}: too many are waiting on this peer`)
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
    this.#answers.close()
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
        this.#answers.onRequest(message)
        return
      case 'cancel':
        this.#answers.onCancel(message.id)
        return
      case 'credit':
        this.#answers.onCredit(message)
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
