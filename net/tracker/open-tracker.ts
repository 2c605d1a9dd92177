/**
 * Our own tracker for farms, demonstrations and tests, over HTTP and UDP, IPv4 and IPv6 (BEP 3, 7, 15, 23, 48). Bound to the given
 * address only; no statistics page, no WebSocket, no TLS. An HTTP connection carries one request and lasts a few seconds at most.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { isIPv6, type Socket } from 'node:net'
import { type Address, formatAddress, ownerOf, plainHost } from '../address.ts'
import { NetError } from '../errors.ts'
import { TRACKER_CONNECTION_COUNT_MAX, TRACKER_CONNECTION_MS_MAX, TRACKER_REQUEST_LENGTH_MAX } from '../limits.ts'
import { Shares } from '../shares.ts'
import { ConnectionIds } from './connection-ids.ts'
import { type Asker, Desk } from './desk.ts'
import { encodeHttpAnswer, encodeHttpFailure, encodeHttpScrape, parseHttpRequest } from './http-request.ts'
import {
  encodeUdpAnswer,
  encodeUdpConnection,
  encodeUdpFailure,
  encodeUdpScrape,
  parseUdpRequest,
} from './udp-request.ts'

export interface Tracker {
  /** For `--tracker`: http://host:port/announce */
  readonly httpUrl: string
  /** udp://host:port */
  readonly udpUrl: string
  close(): Promise<void>
}

const NOT_HERE = 'not here'

/**
 * Opens a tracker on `listen`, whose host may be a name; port 0 for any.
 * @param isAllowed whether peers may meet here about an infohash, given in hex; all of them unless it says otherwise
 * @throws NetError listen-failed
 */
export async function openTracker(
  listen: Address,
  isAllowed: (infohashHex: string) => boolean = () => true,
): Promise<Tracker> {
  const desk = new Desk(isAllowed)
  try {
    const { address: host } = await lookup(listen.host)
    const http = await openHttp({ host, port: listen.port }, desk)
    const udp = await openUdp({ host, port: listen.port }, desk).catch((error: unknown) => {
      http.close()
      throw error
    })
    let closing: Promise<void> | null = null
    return {
      httpUrl: `http://${formatAddress({ host, port: portOf(http) })}/announce`,
      udpUrl: `udp://${formatAddress({ host, port: udp.address().port })}`,
      close: () => {
        closing ??= closeBoth(http, udp)
        return closing
      },
    }
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    throw new NetError('listen-failed', `tracker: cannot bind ${formatAddress(listen)}: ${what}`, {}, error)
  }
}

function portOf(http: Server): number {
  const bound = http.address()
  return typeof bound === 'object' && bound !== null ? bound.port : 0
}

async function closeBoth(http: Server, udp: UdpSocket): Promise<void> {
  const closed = once(http, 'close')
  http.close()
  http.closeAllConnections()
  await new Promise<void>((resolve) => udp.close(() => resolve()))
  await closed
}

async function openHttp(listen: Address, desk: Desk): Promise<Server> {
  const server = createServer({ maxHeaderSize: TRACKER_REQUEST_LENGTH_MAX }, (request, response) => {
    const { remoteAddress, remotePort, localAddress } = request.socket
    const from = { host: plainHost(remoteAddress ?? ''), port: remotePort ?? 0 }
    const asker = { from, reachedAt: plainHost(localAddress ?? ''), onlyFamily: null }
    const status = request.method !== 'GET' ? 405 : desk.admits(asker) ? 200 : 429
    const body = status === 200 ? httpBody(request.url ?? '', asker, desk) : encodeHttpFailure('not now')
    response.writeHead(status, { connection: 'close', 'content-type': 'text/plain', 'content-length': body.length })
    response.end(body)
  })
  boundConnections(server)
  server.listen({ host: listen.host, port: listen.port })
  await once(server, 'listening')
  server.on('error', () => {})
  return server
}

/** Who says little, or nothing, cannot keep others out: the host with most connections loses its oldest. */
function boundConnections(server: Server): void {
  const connections = new Shares<Socket>()
  server.on('connection', (socket) => {
    const owner = ownerOf({ host: plainHost(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 })
    if (connections.count >= TRACKER_CONNECTION_COUNT_MAX) connections.oldestOfLargest()?.destroy()
    connections.add(owner, socket)
    const timer = setTimeout(() => socket.destroy(), TRACKER_CONNECTION_MS_MAX)
    socket.once('close', () => {
      clearTimeout(timer)
      connections.delete(owner, socket)
    })
  })
}

function httpBody(target: string, asker: Asker, desk: Desk): Uint8Array {
  try {
    const request = parseHttpRequest(target)
    if (request.kind === 'scrape') return encodeHttpScrape(request.infohashes, desk.counts(request))
    const answer = desk.announce(request, asker)
    return answer === null ? encodeHttpFailure(NOT_HERE) : encodeHttpAnswer(answer)
  } catch (error) {
    if (error instanceof NetError) return encodeHttpFailure(error.message)
    throw error
  }
}

async function openUdp(listen: Address, desk: Desk): Promise<UdpSocket> {
  const socket = createSocket(isIPv6(listen.host) ? 'udp6' : 'udp4')
  const ids = new ConnectionIds()
  socket.on('message', (packet, from) => {
    const answer = udpAnswer(packet, from, ids, desk)
    if (answer !== null) socket.send(answer, from.port, from.address, () => {})
  })
  socket.bind(listen.port, listen.host)
  await once(socket, 'listening')
  socket.on('error', () => {})
  return socket
}

/** Null: no answer. Whoever may not be who he says gets no more bytes than he sent. */
function udpAnswer(packet: Uint8Array, source: RemoteInfo, ids: ConnectionIds, desk: Desk): Uint8Array | null {
  const request = parseUdpRequest(packet)
  if (request === null) return null
  const { transaction, connectionId, asks } = request
  const from = { host: plainHost(source.address), port: source.port }
  if (connectionId === null || asks === null) return encodeUdpConnection(transaction, ids.of(from.host))
  const family = isIPv6(from.host) ? 6 : 4
  const asker = { from, reachedAt: null, onlyFamily: family } as const
  if (!ids.has(from.host, connectionId) || !desk.admits(asker)) return null
  if (asks.kind === 'scrape') return encodeUdpScrape(transaction, desk.counts(asks))
  const answer = desk.announce(asks, asker)
  return answer === null ? encodeUdpFailure(transaction, NOT_HERE) : encodeUdpAnswer(transaction, answer, family)
}
