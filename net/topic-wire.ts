/**
 * One connection of a topic: bittorrent-protocol for the handshakes, Channel for everything after them.
 * Only extension messages pass; a topic has no pieces and no metadata, so ut_metadata and the rest never run here.
 * The extension handshake (PROTOCOL.md section 2) carries our version, our listening port and how many questions we take.
 */
import Wire, { type Extension } from 'bittorrent-protocol'
import type { AnswerStream } from './answer-stream.ts'
import type { AnswerBudget } from './answers.ts'
import { Channel } from './channel.ts'
import type { Connection } from './connection.ts'
import { NetError } from './errors.ts'
import { HANDSHAKE_TIMEOUT_MS, REQUEST_INCOMING_COUNT_MAX, TOPIC_UNREAD_LENGTH_MAX } from './limits.ts'
import { EXTENSION_NAME, PROTOCOL_VERSION } from './messages.ts'
import { encodeExtended } from './swarm/wire-messages.ts'
import { shieldWire } from './wire-guard.ts'

/** What the peer said of itself. */
export interface Hello {
  readonly version: number
  /** Under which it wants our messages. */
  readonly number: number
  /** TCP port on which it can be dialled, null if it does not listen. */
  readonly listenPort: number | null
}

export interface TopicWireOptions {
  readonly infohash: Uint8Array
  readonly peerId: Uint8Array
  readonly listenPort: number | null
  readonly budget: AnswerBudget
  readonly answer: (kind: string, payload: Uint8Array, lengthMax: number) => Promise<Uint8Array | AnswerStream>
}

const EXTENDED_MESSAGE = 20

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !Array.isArray(value)
}

function asNumber(value: unknown, min: number, max: number): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : null
}

/** Reads the extension handshake as the stand-in codec decoded it; null if the peer does not speak our version. */
export function parseHello(handshake: Record<string, unknown>): Hello | null {
  const { gt1, m, p } = handshake
  const version = isRecord(gt1) ? asNumber(gt1.v, PROTOCOL_VERSION, Number.MAX_SAFE_INTEGER) : null
  const number = isRecord(m) ? asNumber(m[EXTENSION_NAME], 1, 255) : null
  return version === null || number === null ? null : { version, number, listenPort: asNumber(p, 1, 65535) }
}

export class TopicWire {
  readonly connection: Connection
  readonly channel: Channel
  /** The peer's hello, or null when it has none or the connection ends first. */
  readonly hello: Promise<Hello | null>
  /** Known from the hello on; nothing of ours is sent before. */
  #peerNumber = 0

  constructor(connection: Connection, options: TopicWireOptions) {
    this.connection = connection
    connection.wants = (messageId) => messageId === EXTENDED_MESSAGE
    const wire = new Wire('tcp', 0)
    this.channel = new Channel({
      // Past the library, which does not tell when bytes have left.
      send: (bytes, onTaken) =>
        connection.say(encodeExtended(this.#peerNumber, bytes), TOPIC_UNREAD_LENGTH_MAX, onTaken),
      drop: (reason) => connection.destroy(reason),
      answer: options.answer,
      budget: options.budget,
    })
    this.hello = this.#greet(wire, options)
    this.#join(wire)
  }

  #greet(wire: Wire, options: TopicWireOptions): Promise<Hello | null> {
    const { channel, connection } = this
    const topicWire = this
    return new Promise((resolve) => {
      let greeted = false
      const timer = setTimeout(() => {
        connection.destroy(new NetError('timeout', `topic: expected a hello in ${HANDSHAKE_TIMEOUT_MS} ms`))
      }, HANDSHAKE_TIMEOUT_MS)
      connection.once('close', () => {
        clearTimeout(timer)
        resolve(null)
      })
      class GitTorrentExtension implements Extension {
        onExtendedHandshake(handshake: Record<string, unknown>): void {
          if (greeted) return
          const hello = parseHello(handshake)
          if (hello === null) connection.destroy(new NetError('message-malformed', 'topic: expected version 1'))
          greeted = hello !== null
          topicWire.#peerNumber = hello?.number ?? 0
          clearTimeout(timer)
          resolve(hello)
        }
        onMessage(bytes: Uint8Array): void {
          // A question before the hello cannot be answered: the peer's message number is not known.
          if (greeted) channel.receive(bytes)
          else connection.destroy(new NetError('message-malformed', 'topic: expected the hello first'))
        }
      }
      Object.defineProperty(GitTorrentExtension.prototype, 'name', { value: EXTENSION_NAME })
      wire.use(GitTorrentExtension as unknown as Parameters<Wire['use']>[0])
      wire.extendedHandshake = {
        gt1: { r: REQUEST_INCOMING_COUNT_MAX, v: PROTOCOL_VERSION },
        ...(options.listenPort === null ? {} : { p: options.listenPort }),
      }
      shieldWire(wire, (reason) => connection.destroy(new NetError('message-malformed', `topic: ${reason}`)))
      wire.on('extended', (name: unknown) => {
        // The extension is told of a handshake only when that names it.
        if (name === 'handshake' && !greeted) {
          connection.destroy(new NetError('message-malformed', `topic: expected ${EXTENSION_NAME} in the handshake`))
        }
      })
      wire.setKeepAlive(true)
      wire.handshake(options.infohash, options.peerId, {})
    })
  }

  /** Connects the two streams; either end takes the other with it. */
  #join(wire: Wire): void {
    const { connection } = this
    connection.on('data', (bytes: Uint8Array) => wire.write(bytes))
    wire.on('data', (bytes: Uint8Array) => connection.say(bytes, TOPIC_UNREAD_LENGTH_MAX))
    connection.once('close', () => {
      wire.destroy()
      this.channel.close(new NetError('peer-gone', `peer ${connection.id}: connection closed`))
    })
    wire.on('error', (error) => connection.destroy(error))
    wire.once('close', () => connection.destroy())
  }

  /** Drops the connection; idempotent. */
  close(): void {
    this.connection.destroy()
  }
}
