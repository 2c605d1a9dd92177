/**
 * A source outside the swarm, such as a web server, as one of its members: it has everything, is asked for blocks like a
 * peer, reads runs of adjoining ones at once, and is judged like a peer (pieces that are wrong, silence). So several kinds
 * of sources bring one torrent together, and each takes over what another one does not bring.
 */
import { NetError } from '../errors.ts'
import type { CheckedTorrent } from '../torrent.ts'
import type { SwarmEnd } from './swarm.ts'
import type { SwarmLink } from './swarm-peer.ts'
import { type Block, encodeMessage, encodePieceHead, ID, parseMessages } from './wire-messages.ts'

/** Somebody who has the whole content and can be read from any offset. */
export interface OutsideSource {
  /** For people. */
  readonly name: string
  /** `length` bytes from `offset` on, in order, in parts of any size; may fail or end early. */
  read(offset: number, length: number, signal: AbortSignal): AsyncIterable<Uint8Array>
}

/** Blocks asked for at once in the beginning: a request costs a round trip, so it should be worth it. */
const DEPTH_START = 16

export class OutsideLink implements SwarmLink {
  readonly name: string
  readonly fast = true
  readonly extended = false
  readonly backlogLength = 0
  readonly backlogLengthMax = 0
  readonly depthStart = DEPTH_START
  readonly prefersRuns = true
  readonly #source: OutsideSource
  readonly #torrent: CheckedTorrent
  readonly #onLeft: (reason: string) => void
  readonly #abort = new AbortController()
  /** Blocks that are asked for, by offset in the content, in the order of asking. */
  readonly #wanted = new Map<number, Block>()
  #end: SwarmEnd | null = null
  #isReading = false

  /** `onLeft` is called once, after the swarm has forgotten the source. */
  constructor(source: OutsideSource, torrent: CheckedTorrent, onLeft: (reason: string) => void) {
    this.name = source.name
    this.#source = source
    this.#torrent = torrent
    this.#onLeft = onLeft
  }

  /** To be called once the swarm has taken the link. */
  attach(end: SwarmEnd): void {
    this.#end = end
    end.receive(encodeMessage(ID.haveAll))
    end.receive(encodeMessage(ID.unchoke))
  }

  send(parts: readonly Uint8Array[]): void {
    if (this.#abort.signal.aborted) return
    for (const message of parts.flatMap(parseMessages)) {
      if (message.type === 'request') this.#wanted.set(this.#offsetOf(message), message)
      if (message.type === 'cancel') this.#wanted.delete(this.#offsetOf(message))
    }
    if (!this.#isReading && this.#wanted.size > 0) void this.#readAll()
  }

  /** Guilty or not, it is not asked again in this swarm. */
  drop(reason: string): void {
    if (this.#abort.signal.aborted) return
    this.#abort.abort()
    this.#wanted.clear()
    // The swarm may be in the middle of a look at all its members.
    queueMicrotask(() => {
      this.#end?.closed()
      this.#onLeft(reason)
    })
  }

  #offsetOf({ index, offset }: Block): number {
    return index * this.#torrent.pieceLengthBytes + offset
  }

  async #readAll(): Promise<void> {
    this.#isReading = true
    try {
      // What is asked for in one go comes in several messages.
      await null
      for (let run = this.#nextRun(); run.length > 0; run = this.#nextRun()) {
        const error = await this.#readRun(run).then(
          () => null,
          (reason: unknown) => reason,
        )
        if (error === null) continue
        // One that has brought something may break off in between.
        const isFruitless = run.every((block) => this.#wanted.has(this.#offsetOf(block)))
        if (isFruitless) return this.drop(error instanceof Error ? error.message : String(error))
      }
    } finally {
      this.#isReading = false
    }
  }

  /** The block that was asked for first and those that adjoin it. */
  #nextRun(): Block[] {
    const run: Block[] = []
    let next = -1
    for (const [offset, block] of this.#wanted) {
      if (run.length > 0 && offset !== next) break
      run.push(block)
      next = offset + block.length
    }
    return run
  }

  async #readRun(run: readonly Block[]): Promise<void> {
    const [first] = run
    if (first === undefined) return
    const length = run.reduce((sum, block) => sum + block.length, 0)
    let at = 0
    let message = messageOf(first)
    let filled = 0
    for await (const part of this.#source.read(this.#offsetOf(first), length, this.#abort.signal)) {
      for (let bytes = part; bytes.length > 0; ) {
        const block = run[at]
        if (block === undefined) throw new NetError('message-malformed', `${this.name}: expected an end, got more`)
        const taken = bytes.subarray(0, block.length - filled)
        message.set(taken, message.length - block.length + filled)
        filled += taken.length
        bytes = bytes.subarray(taken.length)
        if (filled < block.length) break
        if (this.#wanted.delete(this.#offsetOf(block))) this.#end?.receive(message)
        at += 1
        filled = 0
        const next = run[at]
        if (next !== undefined) message = messageOf(next)
      }
    }
    if (at < run.length) throw new NetError('peer-gone', `${this.name}: expected ${length} bytes, got fewer`)
  }
}

/** A `piece` message whose bytes are still to come. */
function messageOf(block: Block): Uint8Array {
  const head = encodePieceHead(block)
  const message = new Uint8Array(head.length + block.length)
  message.set(head)
  return message
}
