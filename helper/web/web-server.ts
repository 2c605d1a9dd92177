/**
 * Our own web server: plain HTTP/1.1 of node:http, whose parser is strict, with every wait and count bounded. One request at a time on
 * a connection: who sends the next one before the answer is there is cut off, because answers in waiting take memory.
 * Left out: TLS (a reverse proxy has it), compression, several ranges in one answer.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Address, HostCount } from '../../net/index.ts'
import { Turns } from '../daemon/turns.ts'
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

export class WebServer {
  readonly address: Address
  readonly #server: Server
  readonly #hosts = new HostCount(WEB_PER_HOST_COUNT_MAX)
  readonly #busy = new Set<Socket>()
  readonly #ports: AnswerPorts

  private constructor(server: Server, listen: Address, ports: Omit<AnswerPorts, 'reads'>) {
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port
    this.address = { host: listen.host, port }
    this.#server = server
    this.#ports = { ...ports, reads: new Turns(WEB_READ_PARALLEL_COUNT) }
    server.maxConnections = WEB_CONNECTION_COUNT_MAX
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
    const leave = this.#hosts.enter(socket.remoteAddress ?? '')
    if (leave === null) socket.destroy()
    else socket.once('close', leave)
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    if (this.#busy.has(socket)) {
      socket.destroy()
      return
    }
    this.#busy.add(socket)
    const end = (): void => void this.#busy.delete(socket)
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
