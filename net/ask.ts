/**
 * The question of the first GitTorrent (2015), PROTOCOL.md section 7: one dials the infohash that is the 20-byte name he looks
 * for, asks for it under the BEP 10 name `ut_gittorrent`, and is told the infohash of a torrent that holds it.
 * Which name is in which torrent the embedding room says. A handshake is answered only where the name is known, so that
 * nobody takes us for a member of any swarm that he can think of; what is not known gets no answer, as it always was.
 */
import { asBytes, asDict, asInteger, bencodeDict, decodeBencode, encodeBencode, fromLatin1, latin1 } from './bencode.ts'
import type { Connection } from './connection.ts'
import { NetError } from './errors.ts'
import {
  ASK_BURST_COUNT,
  ASK_CONNECTION_COUNT_MAX,
  ASK_DURATION_MS_MAX,
  ASK_MESSAGE_COUNT_MAX,
  ASK_OWNER_BURST_COUNT,
  ASK_OWNER_COUNT_MAX,
  ASK_OWNER_RATE_PER_S,
  ASK_RATE_PER_S,
} from './limits.ts'
import { makeRoom } from './places.ts'
import { KeyedBuckets, MONOTONIC, TokenBucket } from './rate.ts'
import { encodeExtended, encodeHandshake, ID, parseMessages } from './swarm/wire-messages.ts'
import { INFOHASH_LENGTH } from './torrent.ts'

/** The infohash of a torrent that holds what has this name; null if there is none. */
export type FindByName = (name: Uint8Array) => Promise<Uint8Array | null>

const EXTENSION = 'ut_gittorrent'
const HANDSHAKE_ID = 0
/** Under this number we want questions. */
const OWN_ID = 1
const HANDSHAKE_LENGTH = 68
const HEX_LENGTH = 2 * INFOHASH_LENGTH

/** Our extension handshake. */
export function encodeAskHello(): Uint8Array {
  return encodeBencode(bencodeDict({ m: bencodeDict({ [EXTENSION]: BigInt(OWN_ID) }) }))
}

/** The number under which a peer wants answers, null if it does not speak this. @throws NetError message-malformed, message-limit */
export function decodeAskHello(payload: Uint8Array): number | null {
  const hello = asDict(decodeBencode(payload, { canonical: false }))
  return asInteger(asDict(hello?.get('m'))?.get(EXTENSION), 1, 255)
}

/** The name that is asked for, null if the message is no question. @throws NetError message-malformed, message-limit */
export function decodeAsk(payload: Uint8Array): Uint8Array | null {
  const question = asDict(asDict(decodeBencode(payload, { canonical: false }))?.get('gittorrent'))
  const hex = asBytes(question?.get('sha'), HEX_LENGTH, HEX_LENGTH)
  const text = hex === null ? '' : latin1(hex)
  return /^[0-9a-f]+$/.test(text) ? Buffer.from(text, 'hex') : null
}

/** The answer to a question. @param infohash 20 bytes */
export function encodeAskAnswer(infohash: Uint8Array): Uint8Array {
  const hex = fromLatin1(Buffer.from(infohash).toString('hex'))
  return encodeBencode(bencodeDict({ gittorrent: bencodeDict({ infoHash: hex }) }))
}

export class AskService {
  readonly #peerId: Uint8Array
  readonly #trace: (line: string) => void
  readonly #finders = new Set<FindByName>()
  readonly #rate = new TokenBucket(ASK_RATE_PER_S, ASK_BURST_COUNT)
  readonly #rateOfOwner = new KeyedBuckets(ASK_OWNER_RATE_PER_S, ASK_OWNER_BURST_COUNT, ASK_OWNER_COUNT_MAX)
  readonly #open = new Set<Connection>()

  constructor(peerId: Uint8Array, trace: (line: string) => void) {
    this.#peerId = peerId
    this.#trace = trace
  }

  /** Asks `find` from now on; returns how to stop. */
  add(find: FindByName): () => void {
    this.#finders.add(find)
    return () => this.#finders.delete(find)
  }

  /** Takes a connection that named neither a topic nor a swarm; false if it is to be dropped. */
  accept(connection: Connection): boolean {
    const { handshake } = connection
    if (this.#finders.size === 0 || handshake?.extended !== true) return false
    // His own first: whoever asks too often takes nothing of what is for all.
    if (!this.#rateOfOwner.take(connection.owner) || !this.#rate.take()) return false
    if (!makeRoom(this.#open, ASK_CONNECTION_COUNT_MAX, connection.owner, MONOTONIC.nowMs())) return false
    this.#open.add(connection)
    const timer = setTimeout(() => connection.destroy(), ASK_DURATION_MS_MAX)
    connection.once('close', () => {
      clearTimeout(timer)
      this.#open.delete(connection)
    })
    void this.#serve(connection, handshake.infohash)
    return true
  }

  async #serve(connection: Connection, name: Uint8Array): Promise<void> {
    if ((await this.#find(name)) === null || connection.destroyed) {
      connection.destroy()
      return
    }
    connection.wants = (messageId) => messageId === ID.extended
    connection.write(encodeHandshake(name, this.#peerId))
    connection.write(encodeExtended(HANDSHAKE_ID, encodeAskHello()))
    let handshakeLeft = HANDSHAKE_LENGTH
    const peer = { answerId: null as number | null, messageCount: 0 }
    connection.on('data', (run: Uint8Array) => {
      const skipped = Math.min(handshakeLeft, run.length)
      handshakeLeft -= skipped
      try {
        this.#receive(connection, run.subarray(skipped), peer)
      } catch (error) {
        connection.destroy(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  #receive(connection: Connection, run: Uint8Array, peer: { answerId: number | null; messageCount: number }): void {
    for (const message of parseMessages(run)) {
      if (message.type !== 'extended') continue
      peer.messageCount += 1
      if (peer.messageCount > ASK_MESSAGE_COUNT_MAX) throw new NetError('message-limit', 'ask: too many messages')
      if (message.id === HANDSHAKE_ID) peer.answerId = decodeAskHello(message.payload) ?? peer.answerId
      const name = message.id === OWN_ID ? decodeAsk(message.payload) : null
      if (name === null) continue
      const { answerId } = peer
      if (answerId === null) throw new NetError('message-malformed', 'ask: expected the hello first')
      void this.#find(name).then((infohash) => {
        if (infohash === null || connection.destroyed) return
        connection.write(encodeExtended(answerId, encodeAskAnswer(infohash)))
      })
    }
  }

  async #find(name: Uint8Array): Promise<Uint8Array | null> {
    for (const find of this.#finders) {
      try {
        const infohash = await find(name)
        if (infohash !== null) return infohash
      } catch (error) {
        this.#trace(`ask: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    return null
  }
}
