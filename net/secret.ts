/**
 * A net for those who share a secret: every TCP connection is TLS 1.2 with a pre-shared key (RFC 4279, RFC 5489, RFC 7905), so both ends prove
 * that they hold it before either says anything, and nobody else can read along. Topics get names that only holders can work
 * out. PROTOCOL.md section 11 is the specification.
 * TLS 1.2 and one cipher suite, because with TLS 1.3 a client of node:tls that offers a key also takes a server with a
 * certificate instead. No tickets, no renegotiation: each connection proves the secret anew.
 * Surprise: a secret that can be guessed can be tried out offline by whoever answers a connection, so it has to be random.
 */
import { constants, createHmac, hkdfSync } from 'node:crypto'
import type { Socket } from 'node:net'
import { type CommonConnectionOptions, connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls'

/** Bytes that a secret has at least: 32 random hexadecimal digits are 128 bits. */
export const SECRET_LENGTH_MIN = 32
const KEY_LENGTH = 32
const TOPIC_LENGTH = 20
const IDENTITY = 'gittorrent1'
const VERSION = 'TLSv1.2'
const CIPHERS = 'ECDHE-PSK-CHACHA20-POLY1305'

/** Takes a connected socket and gives the one on which is spoken; incoming ones are ours to answer. */
export interface SocketGuard {
  guardOutgoing(socket: Socket): Socket
  guardIncoming(socket: Socket): Socket
}

/** Everybody may connect. */
export const OPEN_GUARD: SocketGuard = { guardOutgoing: (socket) => socket, guardIncoming: (socket) => socket }

export class SharedSecret implements SocketGuard {
  readonly #key: Buffer
  readonly #topicKey: Buffer
  readonly #context: SecureContext

  /** @param secret at least 32 random bytes; kept by nobody @throws RangeError if it is shorter */
  constructor(secret: Uint8Array) {
    if (secret.length < SECRET_LENGTH_MIN)
      throw new RangeError(`secret: expected ${SECRET_LENGTH_MIN} bytes or more, got ${secret.length}`)
    this.#key = derive(secret, 'gittorrent tls-psk 1')
    this.#topicKey = derive(secret, 'gittorrent topic key 1')
    const secureOptions = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION
    this.#context = createSecureContext({ minVersion: VERSION, maxVersion: VERSION, ciphers: CIPHERS, secureOptions })
  }

  /** The name under which holders meet about what others would call `topic`; 20 bytes. */
  topicOf(topic: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#topicKey).update(topic).digest().subarray(0, TOPIC_LENGTH)
  }

  guardOutgoing(socket: Socket): Socket {
    return connect({
      socket,
      secureContext: this.#context,
      pskCallback: () => ({ psk: this.#key, identity: IDENTITY }),
      // There is no certificate whose name could be compared: the key is the proof.
      checkServerIdentity: () => undefined,
    })
  }

  guardIncoming(socket: Socket): Socket {
    const options: CommonConnectionOptions & {
      isServer: true
      pskCallback: (own: unknown, name: string) => Buffer | null
    } = {
      isServer: true,
      secureContext: this.#context,
      pskCallback: (_, identity) => (identity === IDENTITY ? this.#key : null),
    }
    return new TLSSocket(socket, options)
  }
}

/** The name under which holders of a secret meet about a topic; for a tracker that lets only some in. */
export function secretTopicOf(secret: Uint8Array, topic: Uint8Array): Uint8Array {
  return new SharedSecret(secret).topicOf(topic)
}

function derive(secret: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, new Uint8Array(0), purpose, KEY_LENGTH))
}
