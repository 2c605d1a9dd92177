/**
 * One TCP connection that speaks BitTorrent, as a stream of whole messages: Framer inside, rate gates, no Nagle, idle time-out.
 * Topics (topic-wire.ts) and swarms (swarm-client.ts) take it from here.
 * Surprise: the handshake is known before anybody reads, so an incoming connection can be routed without unshifting bytes.
 */
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type Address, formatAddress, ownerOf, plainHost } from './address.ts'
import { NetError } from './errors.ts'
import { Framer, type Handshake } from './framer.ts'
import type { Gates } from './gates.ts'
import {
  BLOCK_BACKLOG_LENGTH_MAX,
  CONNECT_TIMEOUT_MS,
  HANDSHAKE_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  UNREAD_TIMEOUT_MS,
} from './limits.ts'
import { type Holder, type Worth, worthOfNewcomer } from './places.ts'
import { MONOTONIC } from './rate.ts'
import type { SharedSecret } from './secret.ts'

type Callback = (error?: Error | null) => void

/** Bytes handed to the system at a time, so that it shows whether the peer reads. */
const PORTION_LENGTH = 64 * 1024

export class Connection extends Duplex implements Holder {
  /** Host and port of the peer. */
  readonly id: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly outgoing: boolean
  /** The address that was asked for, when it is not the one that answered (names). */
  dialled: Address | null = null
  /** Dropped because the peer has another connection to us. */
  isSecond = false
  /** Known as soon as the peer's first 68 bytes have come. */
  handshake: Handshake | null = null
  /** Bytes of the peer, overhead included. */
  receivedLength = 0
  readonly owner: string
  /** Said anew by the one who takes the connection, once he knows more. */
  worth: Worth = worthOfNewcomer(MONOTONIC.nowMs())
  /** Narrowed by the one who takes the connection: message ids that may pass. */
  wants: (messageId: number) => boolean = () => true

  readonly #socket: Socket
  readonly #gates: Gates
  readonly #framer: Framer
  readonly #handshakeTimer: NodeJS.Timeout
  #unreadTimer: NodeJS.Timeout | undefined
  #resolveHandshake: (handshake: Handshake | null) => void = () => {}
  /** Resolves with the handshake, or null when the connection ends first. */
  readonly whenHandshake: Promise<Handshake | null>

  constructor(socket: Socket, gates: Gates, outgoing: boolean) {
    super({ allowHalfOpen: false })
    this.remoteAddress = plainHost(socket.remoteAddress ?? '')
    this.remotePort = socket.remotePort ?? 0
    this.id = formatAddress(this.remote)
    this.owner = ownerOf(this.remote)
    this.outgoing = outgoing
    this.#socket = socket
    this.#gates = gates
    this.whenHandshake = new Promise((resolve) => {
      this.#resolveHandshake = resolve
    })
    this.#framer = new Framer({
      onHandshake: (handshake) => this.#onHandshake(handshake),
      wants: (messageId) => this.wants(messageId),
    })
    this.#handshakeTimer = setTimeout(() => {
      this.destroy(new NetError('timeout', `handshake with ${this.id}: expected it in ${HANDSHAKE_TIMEOUT_MS} ms`))
    }, HANDSHAKE_TIMEOUT_MS)
    this.on('error', () => {})
    this.#attach()
  }

  /** Bytes of blocks that may wait unsent: one block where a rate limit makes everything behind them wait. */
  get backlogLengthMax(): number {
    return this.#gates.up.isLimited ? 16 * 1024 : BLOCK_BACKLOG_LENGTH_MAX
  }

  /** Writes a message; ends the connection instead when the peer has left more than `unreadLengthMax` bytes unread. */
  say(bytes: Uint8Array, unreadLengthMax: number, onTaken?: () => void): void {
    if (this.destroyed) return
    if (this.writableLength > unreadLengthMax) {
      this.#endUnread(`${this.writableLength} bytes that wait`)
      return
    }
    // Corked until the tick ends, so that what is said in one go leaves in one packet.
    if (this.writableCorked === 0) {
      this.cork()
      process.nextTick(() => this.uncork())
    }
    this.write(bytes, onTaken)
  }

  get remote(): Address {
    return { host: this.remoteAddress, port: this.remotePort }
  }

  #attach(): void {
    const socket = this.#socket
    socket.setNoDelay(true)
    socket.setTimeout(IDLE_TIMEOUT_MS, () => this.destroy(new NetError('timeout', `connection to ${this.id}: silent`)))
    socket.on('data', (chunk) => this.#onData(chunk))
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  #onHandshake(handshake: Handshake): void {
    clearTimeout(this.#handshakeTimer)
    this.handshake = handshake
    this.#resolveHandshake(handshake)
  }

  #onData(chunk: Uint8Array): void {
    this.receivedLength += chunk.length
    let passed = false
    this.#gates.down.enter(chunk.length, () => {
      passed = true
      this.#onPassed(chunk)
      if (this.#socket.isPaused() && this.readableLength < this.readableHighWaterMark) this.#socket.resume()
    })
    if (!passed) this.#socket.pause()
  }

  #onPassed(chunk: Uint8Array): void {
    if (this.destroyed) return
    try {
      for (const frame of this.#framer.push(chunk)) if (!this.push(frame)) this.#socket.pause()
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Uint8Array, _encoding: string, done: Callback): void {
    this.#send([chunk], done)
  }

  override _writev(writes: { chunk: Uint8Array }[], done: Callback): void {
    this.#sendPortions(
      writes.map((write) => write.chunk),
      0,
      done,
    )
  }

  #sendPortions(chunks: readonly Uint8Array[], from: number, done: Callback): void {
    let to = from
    let length = 0
    while (to < chunks.length && (to === from || length + (chunks[to]?.length ?? 0) <= PORTION_LENGTH)) {
      length += chunks[to]?.length ?? 0
      to += 1
    }
    this.#send(chunks.slice(from, to), (error) => {
      if (to === chunks.length || (error ?? null) !== null) done(error)
      else this.#sendPortions(chunks, to, done)
    })
  }

  #send(chunks: readonly Uint8Array[], done: Callback): void {
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    this.#gates.up.enter(length, () => {
      if (this.#socket.destroyed) {
        done(new NetError('peer-gone', `connection to ${this.id}: closed`))
        return
      }
      this.#socket.cork()
      this.#unreadTimer = setTimeout(() => this.#endUnread(`nothing in ${UNREAD_TIMEOUT_MS} ms`), UNREAD_TIMEOUT_MS)
      for (const chunk of chunks.slice(0, -1)) this.#socket.write(chunk)
      this.#socket.write(chunks.at(-1) ?? new Uint8Array(0), (error) => {
        clearTimeout(this.#unreadTimer)
        done(error)
      })
      this.#socket.uncork()
    })
  }

  #endUnread(what: string): void {
    this.destroy(new NetError('timeout', `connection to ${this.id}: expected it to read what it is sent, got ${what}`))
  }

  override _final(done: Callback): void {
    this.#socket.end(() => done())
  }

  override _destroy(error: Error | null, done: Callback): void {
    clearTimeout(this.#handshakeTimer)
    clearTimeout(this.#unreadTimer)
    this.#resolveHandshake(null)
    this.#socket.destroy()
    done(error)
  }
}

/**
 * Dials `address`, and has it prove the secret if there is one.
 * @throws NetError peer-gone when refused, timeout, aborted
 */
export function dial(
  address: Address,
  gates: Gates,
  secret: SharedSecret | null,
  signal?: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const name = formatAddress(address)
    if (signal?.aborted) {
      reject(new NetError('aborted', `dialling ${name}: aborted`))
      return
    }
    const socket = connect({ host: address.host, port: address.port, noDelay: true })
    const fail = (error: NetError): void => {
      finish()
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(new NetError('aborted', `dialling ${name}: aborted`))
    const onError = (error: Error): void =>
      fail(new NetError('peer-gone', `dialling ${name}: ${error.message}`, {}, error))
    const timer = setTimeout(() => fail(new NetError('timeout', `dialling ${name}: no answer`)), CONNECT_TIMEOUT_MS)
    const finish = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.off('error', onError)
      socket.on('error', () => {})
    }
    socket.once('error', onError)
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.once('connect', () => {
      finish()
      resolve(new Connection(secret?.guardOutgoing(socket) ?? socket, gates, true))
    })
  })
}
