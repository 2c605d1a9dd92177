/**
 * Our own web server: plain HTTP/1.1 of node:http, whose parser is strict, with every wait and count bounded. One request at a time on
 * a connection: who sends the next one before the answer is there is cut off, because answers in waiting take memory.
 * Where there are as many connections as there may be, one that asks nothing makes room for the next, by the rule of all places.
 * Left out: TLS (a reverse proxy has it), compression, several ranges in one answer.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import {
  type Address,
  type Holder,
  HostCount,
  makeRoom,
  ownerOf,
  type Worth,
  worthOfNewcomer,
} from '../../net/index.ts'
import { JobLimit } from '../daemon/job-limit.ts'
import { HelperError, messageOf } from '../errors.ts'
import {
  WEB_CONNECTION_COUNT_MAX,
  WEB_HEADER_COUNT_MAX,
  WEB_HEADER_LENGTH_MAX,
  WEB_IDLE_TIMEOUT_MS,
  WEB_PER_HOST_COUNT_MAX,
  WEB_READ_PARALLEL_COUNT,
  WEB_REQUEST_TIMEOUT_MS,
} from '../limits.ts'
import { type AnswerPorts, answer } from './answer.ts'

/** A connection and what its place is worth. */
class Visitor implements Holder {
  readonly socket: Socket
  readonly owner: string
  worth: Worth = worthOfNewcomer(performance.now())

  constructor(socket: Socket) {
    this.socket = socket
    this.owner = ownerOf({ host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 })
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** A request of his begins to be answered, or has been. */
  note(isBusy: boolean): void {
    this.worth = { activeAtMs: performance.now(), isUseless: false, isUntried: false, isBusy }
  }
}

export class WebServer {
  readonly address: Address
  readonly #server: Server
  readonly #hosts = new HostCount(WEB_PER_HOST_COUNT_MAX)
  readonly #visitors = new Set<Visitor>()
  readonly #bySocket = new WeakMap<Socket, Visitor>()
  readonly #ports: AnswerPorts

  private constructor(server: Server, listen: Address, ports: Omit<AnswerPorts, 'reads'>) {
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port
    this.address = { host: listen.host, port }
    this.#server = server
    this.#ports = { ...ports, reads: new JobLimit(WEB_READ_PARALLEL_COUNT) }
    server.maxHeadersCount = WEB_HEADER_COUNT_MAX
    server.on('connection', (socket) => this.#onConnection(socket))
    server.on('request', (request, response) => this.#onRequest(request, response))
    server.on('checkContinue', (_, response) => response.writeHead(417, { connection: 'close' }).end())
    server.on('error', () => {})
  }

  /** Starts to listen. @throws HelperError 'listen-failed' */
  static open(
    { host, port }: Address,
    ports: Omit<AnswerPorts, 'reads'>,
    requestTimeoutMs = WEB_REQUEST_TIMEOUT_MS,
  ): Promise<WebServer> {
    const server = createServer({
      maxHeaderSize: WEB_HEADER_LENGTH_MAX,
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: requestTimeoutMs / 2,
      keepAliveTimeout: WEB_IDLE_TIMEOUT_MS,
      insecureHTTPParser: false,
    })
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
        const message = `gittorrent.http: expected to listen on ${host}:${port}, got ${messageOf(error)}`
        reject(new HelperError('listen-failed', message, {}, error))
      })
      server.listen({ host, port }, () => resolve(new WebServer(server, { host, port }, ports)))
    })
  }

  #onConnection(socket: Socket): void {
    const visitor = new Visitor(socket)
    const leave = this.#hosts.enter(socket.remoteAddress ?? '')
    const hasRoom = (): boolean => makeRoom(this.#visitors, WEB_CONNECTION_COUNT_MAX, visitor.owner, performance.now())
    if (leave === null || !hasRoom()) {
      leave?.()
      socket.destroy()
      return
    }
    this.#visitors.add(visitor)
    this.#bySocket.set(socket, visitor)
    socket.once('close', () => {
      this.#visitors.delete(visitor)
      leave()
    })
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    const visitor = this.#bySocket.get(socket)
    if (visitor === undefined || visitor.worth.isBusy) {
      socket.destroy()
      return
    }
    visitor.note(true)
    const end = (): void => visitor.note(false)
    response.once('finish', end)
    response.once('close', end)
    response.on('error', () => {})
    answer(request, response, this.#ports).catch(() => socket.destroy())
  }

  /** Stops listening and drops every connection; idempotent. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }
}
