/**
 * Does a way in work from here? Each probe asks as a look-up would, for a topic made up on the spot, and announces nothing: a
 * tracker is told that we leave, a DHT node is pinged, the local network hears a question to which only we have the answer, a peer a
 * handshake. Most return null if it works, else why not.
 */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import type { Address } from './address.ts'
import { asDict, bencodeDict, decodeBencode, encodeBencode } from './bencode.ts'
import { NetError } from './errors.ts'
import { CONNECT_TIMEOUT_MS, DHT_DATAGRAM_LENGTH_MAX, DHT_QUERY_TIMEOUT_MS } from './limits.ts'
import { Lsd } from './lsd.ts'
import { SharedSecret } from './secret.ts'
import { encodeHandshake } from './swarm/wire-messages.ts'
import { INFOHASH_LENGTH } from './torrent.ts'
import { announceToTracker, isTrackerUrl } from './tracker.ts'

/** The first byte and the name of the protocol, alike in every handshake. */
const PROTOCOL_LENGTH = 20
/** The discard port: told where some port must be told, to ourselves alone. */
const SOME_PORT = 9

/** Asks a tracker, HTTP or UDP, as one who leaves. One that refuses unknown topics works too. */
export async function probeTracker(url: string): Promise<string | null> {
  if (!isTrackerUrl(url)) return 'no kind of tracker that is known'
  const [infohash, peerId] = [randomBytes(INFOHASH_LENGTH), randomBytes(INFOHASH_LENGTH)]
  const { signal } = new AbortController()
  try {
    await announceToTracker(url, { infohash, peerId, port: null, event: 'stopped', seeding: false, signal })
    return null
  } catch (error) {
    if (error instanceof NetError && error.data.reason === 'failure') return null
    return error instanceof Error ? error.message : String(error)
  }
}

/** Pings a DHT node (BEP 5); names are allowed. */
export function probeDhtNode({ host, port }: Address): Promise<string | null> {
  const transaction = randomBytes(4)
  const fields = { a: bencodeDict({ id: randomBytes(INFOHASH_LENGTH) }), q: Buffer.from('ping') }
  const ping = encodeBencode(bencodeDict({ ...fields, t: transaction, y: Buffer.from('q') }))
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    const settle = (failure: string | null): void => {
      clearTimeout(timer)
      socket.removeAllListeners('message')
      socket.close(() => resolve(failure))
    }
    const timer = setTimeout(() => settle(`no answer in ${DHT_QUERY_TIMEOUT_MS} ms`), DHT_QUERY_TIMEOUT_MS)
    socket.once('error', (error) => settle(error.message))
    socket.on('message', (bytes) => {
      if (isReplyTo(bytes, transaction)) settle(null)
    })
    socket.send(ping, port, host, (error) => {
      if (error !== null) settle(error.message)
    })
  })
}

/** Whether a datagram is a node's reply to the ping with this transaction. */
export function isReplyTo(bytes: Uint8Array, transaction: Uint8Array): boolean {
  if (bytes.length > DHT_DATAGRAM_LENGTH_MAX) return false
  try {
    const message = asDict(decodeBencode(bytes, { canonical: false }))
    const echoed = message?.get('t')
    return (
      asDict(message?.get('r')) !== null && echoed instanceof Uint8Array && Buffer.compare(echoed, transaction) === 0
    )
  } catch {
    return false
  }
}

/** Asks the local network on one interface for a topic that only this call knows, and answers. @param address of the interface */
export async function probeLsd(address: string): Promise<string | null> {
  const failures: string[] = []
  const [there, here] = [new Lsd([address], (line) => failures.push(line)), new Lsd([address], () => {})]
  const infohash = randomBytes(INFOHASH_LENGTH)
  const { signal } = new AbortController()
  let isHeard = false
  try {
    await there.find({ infohash, announcePort: SOME_PORT, seeding: false, onAddress: () => {}, signal })
    const onAddress = (): void => {
      isHeard = true
    }
    await here.find({ infohash, announcePort: null, seeding: false, onAddress, signal })
  } finally {
    there.close()
    here.close()
  }
  return isHeard ? null : (failures[0] ?? 'a question did not come back')
}

/** What somebody who was dialled does about a torrent that is made up: gives its handshake, hangs up as nearly all do, proves the secret, or else. */
export type PeerProbe = 'handshake' | 'hangs-up' | 'secret' | 'no-connection' | 'silent' | 'other'

/**
 * Dials a peer with a BitTorrent handshake (BEP 3) for an infohash of chance, or, where a secret is given, with that alone; names are allowed.
 * @throws RangeError for a short secret
 */
export function probePeer({ host, port }: Address, secret: Uint8Array | null): Promise<PeerProbe> {
  const guard = secret === null ? null : new SharedSecret(secret)
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    let isConnected = false
    const settle = (found: PeerProbe): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(found)
    }
    const timer = setTimeout(() => settle(isConnected ? 'silent' : 'no-connection'), CONNECT_TIMEOUT_MS)
    const onEnd = (): void => settle(isConnected ? 'hangs-up' : 'no-connection')
    socket.on('error', onEnd)
    socket.once('close', onEnd)
    socket.once('connect', () => {
      isConnected = true
      if (guard === null) return greet(socket, settle)
      const guarded = guard.guardOutgoing(socket)
      guarded.once('secureConnect', () => settle('secret'))
      guarded.on('error', () => settle('other'))
    })
  })
}

function greet(socket: Socket, settle: (found: PeerProbe) => void): void {
  const own = encodeHandshake(randomBytes(INFOHASH_LENGTH), randomBytes(INFOHASH_LENGTH))
  const expected = Buffer.from(own.subarray(0, PROTOCOL_LENGTH))
  let heard = Buffer.alloc(0)
  socket.once('end', () => settle(heard.length === 0 ? 'hangs-up' : 'other'))
  socket.on('data', (bytes) => {
    heard = Buffer.concat([heard, bytes])
    const length = Math.min(heard.length, PROTOCOL_LENGTH)
    if (!heard.subarray(0, length).equals(expected.subarray(0, length))) settle('other')
    else if (length === PROTOCOL_LENGTH) settle('handshake')
  })
  socket.write(own)
}
