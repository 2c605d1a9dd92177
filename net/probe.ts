/**
 * Does a way in work from here? Each probe asks as a look-up would, for a topic made up on the spot, and announces nothing: a
 * tracker is told that we leave, a DHT node is pinged, the local network hears a question to which only we have the answer.
 * Returns null if it works, else why not.
 */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import type { Address } from './address.ts'
import { asDict, bencodeDict, decodeBencode, encodeBencode } from './bencode.ts'
import { NetError } from './errors.ts'
import { DHT_DATAGRAM_LENGTH_MAX, DHT_QUERY_TIMEOUT_MS } from './limits.ts'
import { Lsd } from './lsd.ts'
import { INFOHASH_LENGTH } from './torrent.ts'
import { announceToTracker, isTrackerUrl } from './tracker.ts'

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

function isReplyTo(bytes: Uint8Array, transaction: Uint8Array): boolean {
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
