/**
 * An embedded tracker for farms, demonstrations and tests: bittorrent-tracker's server, HTTP and UDP over IPv4.
 * Bound to the given address only; no statistics page, no WebSocket; bounded in the number of infohashes.
 */
import { createSocket } from 'node:dgram'
import type { Address } from './address.ts'
import { NetError } from './errors.ts'
import { TRACKER_INFOHASH_COUNT_MAX } from './limits.ts'

export interface Tracker {
  /** For `--tracker`: http://host:port/announce */
  readonly httpUrl: string
  /** udp://host:port */
  readonly udpUrl: string
  close(): Promise<void>
}

/** True if UDP `host:port` can be bound now. */
function udpIsFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => resolve(false))
    socket.bind(port, host, () => socket.close(() => resolve(true)))
  })
}

/**
 * Opens a tracker on `listen` (IPv4); port 0 for any.
 * @param isAllowed whether peers may meet here about an infohash, given in hex; all of them unless it says otherwise
 * @throws NetError listen-failed
 */
export async function openTracker(
  listen: Address,
  isAllowed: (infohashHex: string) => boolean = () => true,
): Promise<Tracker> {
  const { Server } = await import('bittorrent-tracker')
  if (listen.port !== 0 && !(await udpIsFree(listen.host, listen.port))) {
    throw new NetError('listen-failed', `tracker: cannot bind UDP ${listen.host}:${listen.port}`)
  }
  const server = new Server({
    http: true,
    udp: true,
    ws: false,
    stats: false,
    filter: (infohash, _params, done) => {
      const known = Object.hasOwn(server.torrents, infohash)
      const full = Object.keys(server.torrents).length >= TRACKER_INFOHASH_COUNT_MAX
      if (!isAllowed(infohash)) done(new Error('not here'))
      else done(full && !known ? new Error('tracker is full') : null)
    },
  })
  // The library would bind its IPv6 socket to the same host and fails for an IPv4 one, but counts on its 'listening'.
  server.udp6?.emit('listening')
  server.udp6?.close()
  server.udp6 = null
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error: Error) => {
      server.close()
      reject(new NetError('listen-failed', `tracker: cannot bind ${listen.host}:${listen.port}`, {}, error))
    })
    server.listen({ http: listen.port, udp: listen.port }, { http: listen.host, udp: listen.host })
  })
  server.on('error', () => {})
  server.on('warning', () => {})
  const http = server.http.address()
  const httpPort = typeof http === 'object' && http !== null ? http.port : listen.port
  let closing: Promise<void> | null = null
  return {
    httpUrl: `http://${listen.host}:${httpPort}/announce`,
    udpUrl: `udp://${listen.host}:${server.udp4.address().port}`,
    close: () => {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve())
        server.http.closeAllConnections()
      })
      return closing
    },
  }
}
