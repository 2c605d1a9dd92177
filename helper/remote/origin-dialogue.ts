/**
 * The relay's end towards the origin: requests go out, answers pass to git packet by packet through a change, or as they come.
 * One request may go out ahead of its time, when what it says is there is not checked yet, or may come sooner from elsewhere; its answer
 * waits in a spool and is passed on only if all of that turned out true, else the origin is asked again. A connection that was idle for long, or that
 * is full of an answer which nobody wants any more, is given up, and opened anew when there is something to ask.
 */
import { HelperError, messageOf } from '../errors.ts'
import { ORIGIN_IDLE_MS_MAX } from '../limits.ts'
import type { Trace } from '../trace.ts'
import { AnswerSpool } from './answer-spool.ts'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { OriginStream } from './origin-stream.ts'
import { AnswerScanner, type Packet, readPacket, textOf } from './pkt-line.ts'
import type { Change } from './sideband-all.ts'
import type { OriginAnswer } from './supply.ts'

export interface OriginManners {
  /** An inner git-remote-http ends each answer with 0002 and asks over connections of its own; else an answer ends with a flush. */
  readonly isStateless: boolean
  /** Opens the same service once more. */
  readonly reopen: () => Promise<OriginStream>
  readonly trace: Trace
}

/** The kind of packet that ends an answer. */
type Last = 'end' | 'flush'

/** What was asked ahead of its time. */
interface Ahead {
  /** Commits that the request says are there. */
  readonly haves: readonly string[]
  /** Null where the request could not be made. */
  readonly spool: Promise<AnswerSpool | null>
}

export class OriginDialogue {
  private stream: OriginStream
  /** `stream` was given up: the next request opens another. */
  private isAbandoned = false
  private readonly manners: OriginManners
  private readonly client: ByteWriter
  /** What connections that are gone have brought, without the greetings of those that were opened anew. */
  private earlierBytes = 0
  /** When the origin was last asked or heard. */
  private activeMs = performance.now()
  private ahead: Ahead | null = null
  private asksAhead = true
  /** Resolves when what was given up is out of the way. */
  private dropping: Promise<void> = Promise.resolve()

  constructor(stream: OriginStream, client: ByteWriter, manners: OriginManners) {
    this.stream = stream
    this.client = client
    this.manners = manners
  }

  /** Bytes that the origin has sent so far. */
  get consumedBytes(): number {
    return this.earlierBytes + this.stream.reader.consumedBytes
  }

  /** Passes the capability advertisement on, whose first packet may have been read already. */
  async advertise(first: Packet | null, note: (line: string) => void): Promise<void> {
    let packet = first ?? (await readPacket(this.stream.reader))
    while (packet !== null) {
      await this.client.write(packet.raw)
      if (packet.kind === 'flush') return
      note(textOf(packet))
      packet = await readPacket(this.stream.reader)
    }
  }

  /**
   * Sends a request. Connections of an inner helper are new ones anyway; another that was idle for long is opened anew, as is one that was
   * given up.
   * @throws HelperError what opening throws, 'origin-unreachable' where no greeting comes; then the next request tries again
   */
  async ask(request: Uint8Array): Promise<void> {
    const { isStateless, trace } = this.manners
    if (!isStateless && performance.now() - this.activeMs > ORIGIN_IDLE_MS_MAX) {
      trace(() => 'connect anew: the connection was idle for long')
      this.abandon()
    }
    await this.connect()
    await this.say(request)
  }

  /** Sends what has no answer; where the connection was given up nobody is there to hear it. */
  async say(bytes: Uint8Array): Promise<void> {
    if (this.isAbandoned) return
    this.activeMs = performance.now()
    await this.stream.writer.write(bytes)
  }

  /**
   * Asks something of our own, of which git hears nothing and whose answer does not count; an answer that still waits is given up.
   * @param read reads the whole answer, up to the kind of packet that ends it
   * @throws what `read` throws; then the next request can be made all the same
   */
  async question<T>(request: Uint8Array, read: (reader: ByteReader, last: Last) => Promise<T>): Promise<T> {
    await this.dropAhead()
    const before = this.consumedBytes
    try {
      await this.ask(request)
      return await read(this.stream.reader, this.last)
    } catch (error) {
      // The answers of an inner helper have an end in any case.
      if (!this.manners.isStateless) this.abandon()
      throw error
    } finally {
      this.earlierBytes = before - this.stream.reader.consumedBytes
    }
  }

  /**
   * Asks what is to be passed on later, once in a conversation; the answer waits in a file in `folder`. Until `passAhead` only `question`
   * may be called. What was asked beside is given up.
   * @param haves commits that the request names and that are not known to be there yet
   */
  askAhead(request: Uint8Array, haves: readonly string[], folder: string): void {
    if (!this.asksAhead) return
    this.asksAhead = false
    this.manners.trace(() => `the origin is asked ahead, with ${haves.length} haves`)
    this.ahead = this.startAhead(request, haves, folder)
  }

  /** Asks what `passAhead` passes on unless it is dropped, because it came from elsewhere; what was asked ahead before is given up. */
  askBeside(request: Uint8Array, haves: readonly string[], folder: string): OriginAnswer {
    this.manners.trace(() => `the origin is asked beside others, with ${haves.length} haves`)
    const ahead = this.startAhead(request, haves, folder)
    this.ahead = ahead
    let there: AnswerSpool | null = null
    void ahead.spool.then((spool) => {
      there = spool
    })
    return {
      keptLength: () => there?.keptLength ?? 0,
      isFull: () => there?.isFull === true,
      isGone: () => this.ahead !== ahead,
      drop: () => {
        if (this.ahead === ahead) void this.dropAhead().catch(() => {})
      },
    }
  }

  private startAhead(request: Uint8Array, haves: readonly string[], folder: string): Ahead {
    const dropped = this.dropAhead()
    const ask = async (): Promise<AnswerSpool> => {
      await dropped
      await this.ask(request)
      return AnswerSpool.open(this.stream.reader, new AnswerScanner(this.last), folder)
    }
    const spool = ask().catch((error: unknown) => {
      this.manners.trace(() => `cannot ask ahead: ${messageOf(error)}`)
      return null
    })
    return { haves, spool }
  }

  /**
   * Passes the answer to what was asked ahead on; false when the origin ended the connection instead. Null if nothing was asked, if the
   * answer broke off or waited for long, or if not all that the request named is among `haves`: the origin can be asked anew then.
   */
  async passAhead(haves: readonly string[]): Promise<boolean | null> {
    const { ahead } = this
    const isTrue = ahead?.haves.every((oid) => haves.includes(oid)) === true
    const spool = await ahead?.spool
    const answer = isTrue ? (spool?.take() ?? null) : null
    if (answer === null) {
      await this.dropAhead()
      return null
    }
    this.manners.trace(() => 'asked ahead: the answer holds')
    this.ahead = null
    try {
      return await this.passUnchanged(answer)
    } finally {
      spool?.close()
    }
  }

  /** Gives up what was asked ahead. */
  private dropAhead(): Promise<void> {
    const { ahead } = this
    this.ahead = null
    const drop = async ({ spool: coming }: Ahead): Promise<void> => {
      const spool = await coming
      this.manners.trace(() => 'asked ahead: in vain')
      spool?.close()
      if (spool?.isWhole !== true) this.abandon()
    }
    if (ahead !== null) this.dropping = this.dropping.then(() => drop(ahead))
    return this.dropping
  }

  /** Ends the connection, whatever it still says. */
  private abandon(): void {
    if (this.isAbandoned) return
    this.isAbandoned = true
    this.stream.abandon()
  }

  /** Opens the service anew where the connection was given up, and passes over what it can do. */
  private async connect(): Promise<void> {
    if (!this.isAbandoned) return
    const stream = await this.manners.reopen()
    try {
      await skipGreeting(stream.reader)
    } catch (error) {
      stream.abandon()
      throw error
    }
    this.earlierBytes += this.stream.reader.consumedBytes - stream.reader.consumedBytes
    this.stream = stream
    this.isAbandoned = false
  }

  /** Passes one answer on packet by packet through `change`; false when the origin ended the connection instead. */
  async pass(change: Change, reader = this.stream.reader): Promise<boolean> {
    for (;;) {
      const packet = await readPacket(reader)
      this.activeMs = performance.now()
      if (packet === null) return false
      for (const bytes of change(packet)) await this.client.write(bytes)
      if (packet.kind === this.last) return true
      // The lines of a section may be in band 1.
      if (packet.kind === 'data' && /^\u0001?packfile$/.test(textOf(packet))) return this.passUnchanged(reader)
    }
  }

  /** Passes the answer, or what is left of it, on as it comes. */
  async passUnchanged(reader = this.stream.reader): Promise<boolean> {
    const scanner = new AnswerScanner(this.last)
    for (let bytes = await reader.next(); bytes !== null; bytes = await reader.next()) {
      const end = scanner.endIn(bytes)
      await this.client.write(end < 0 ? bytes : bytes.subarray(0, end))
      if (end < 0) continue
      this.activeMs = performance.now()
      reader.unread(bytes.subarray(end))
      return true
    }
    return false
  }

  private get last(): Last {
    return this.manners.isStateless ? 'end' : 'flush'
  }

  /** Ends the conversation; returns the exit status of the origin's process, 0 for one that was given up. */
  async close(): Promise<number> {
    return this.isAbandoned ? 0 : this.stream.close()
  }
}

/** Reads the capability advertisement of a connection that was opened anew. Throws origin-unreachable, origin-protocol. */
async function skipGreeting(reader: ByteReader): Promise<void> {
  for (let packet = await readPacket(reader); packet?.kind !== 'flush'; packet = await readPacket(reader)) {
    if (packet !== null) continue
    const got = 'expected a greeting, got the end of the connection'
    throw new HelperError('origin-unreachable', `cannot ask the origin again: ${got}, try again later`)
  }
}
