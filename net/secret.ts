/**
 * A net for those who share a secret: every TCP connection is TLS 1.2 with a pre-shared key (RFC 4279, RFC 5489, RFC 7905), so both ends prove
 * that they hold it before either says anything, and nobody else can read along. Topics get names that only holders can work
 * out. PROTOCOL.md section 11 is the specification.
 * The identity in the greeting is made from the secret, so that one port can serve holders of several.
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
const IDENTITY_PREFIX = 'gittorrent1-'
const IDENTITY_LENGTH = 8
const VERSION = 'TLSv1.2'
const CIPHERS = 'ECDHE-PSK-CHACHA20-POLY1305'

const SECURE_OPTIONS = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION
const CONTEXT: SecureContext = createSecureContext({
  minVersion: VERSION,
  maxVersion: VERSION,
  ciphers: CIPHERS,
  secureOptions: SECURE_OPTIONS,
})

export class SharedSecret {
  /** What a holder calls the secret when he dials; in clear. */
  readonly identity: string
  readonly #key: Buffer
  readonly #topicKey: Buffer

  /** @param secret at least 32 random bytes; kept by nobody @throws RangeError if it is shorter */
  constructor(secret: Uint8Array) {
    if (secret.length < SECRET_LENGTH_MIN)
      throw new RangeError(`secret: expected ${SECRET_LENGTH_MIN} bytes or more, got ${secret.length}`)
    const name = derive(secret, 'gittorrent identity 1').subarray(0, IDENTITY_LENGTH)
    this.identity = `${IDENTITY_PREFIX}${name.toString('hex')}`
    this.#key = derive(secret, 'gittorrent tls-psk 1')
    this.#topicKey = derive(secret, 'gittorrent topic key 1')
  }

  /** The name under which holders meet about what others would call `topic`; 20 bytes. */
  topicOf(topic: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#topicKey).update(topic).digest().subarray(0, TOPIC_LENGTH)
  }

  /** What is spoken over a connected socket whose other end has to prove the secret. */
  guardOutgoing(socket: Socket): Socket {
    return connect({
      socket,
      secureContext: CONTEXT,
      pskCallback: () => ({ psk: this.#key, identity: this.identity }),
      // There is no certificate whose name could be compared: the key is the proof.
      checkServerIdentity: () => undefined,
    })
  }

  /**
   * The same for a socket that came in, of a holder of any of several secrets; `onNamed` is told which one he names, before he has
   * proved it: nothing is heard from one who does not.
   */
  static guardIncoming(
    socket: Socket,
    secrets: Iterable<SharedSecret>,
    onNamed: (secret: SharedSecret) => void,
  ): Socket {
    const keyOf = (_: unknown, identity: string): Buffer | null => {
      for (const secret of secrets) {
        if (secret.identity !== identity) continue
        onNamed(secret)
        return secret.#key
      }
      return null
    }
    const options: CommonConnectionOptions & { isServer: true; pskCallback: typeof keyOf } = {
      isServer: true,
      secureContext: CONTEXT,
      pskCallback: keyOf,
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
