/**
 * Files of a folder over HTTP on loopback, as a plain web server would serve them: byte ranges if wanted, redirects by rule,
 * and manners that tests ask for (stalling, breaking off, lying). Counts what it sent, by path.
 */

import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { join, normalize } from 'node:path'

export interface StaticServerOptions {
  /** Answer Range requests with 206; true unless said otherwise. */
  readonly ranges?: boolean
  /** Takes a request over when it returns true. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
}

export interface StaticServer {
  /** Without a slash at its end. */
  readonly url: string
  /** `METHOD path range` of each request so far. */
  readonly requests: readonly string[]
  /** Bytes of bodies sent so far. */
  sentBytes(): number
  close(): Promise<void>
}

/** Serves the files under `root` on a port of `host`, a free one unless given. */
export async function startStaticServer(
  root: string,
  options: StaticServerOptions = {},
  host = '127.0.0.1',
  fixedPort = 0,
): Promise<StaticServer> {
  const requests: string[] = []
  let sent = 0
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim())
    if (options.intercept?.(request, response) === true) return
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://loopback/').pathname))
    sendFile(join(root, path), request, response, options.ranges !== false, (count) => {
      sent += count
    })
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(fixedPort, host)
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://${host}:${port}`,
    requests,
    sentBytes: () => sent,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function sendFile(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  ranges: boolean,
  onSent: (count: number) => void,
): Promise<void> {
  const found = await stat(path).catch(() => null)
  if (found === null || !found.isFile()) {
    response.writeHead(404).end()
    return
  }
  const etag = `"${found.size}-${found.mtimeMs}"`
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag }).end()
    return
  }
  const match = ranges ? /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') : null
  const start = Number(match?.[1] ?? 0)
  const end = Math.min(match?.[2] ? Number(match[2]) : found.size - 1, found.size - 1)
  if (start > end) {
    response.writeHead(416).end()
    return
  }
  response.writeHead(match === null ? 200 : 206, {
    etag,
    'content-length': end - start + 1,
    ...(match === null ? {} : { 'content-range': `bytes ${start}-${end}/${found.size}` }),
    ...(ranges ? { 'accept-ranges': 'bytes' } : {}),
  })
  const file = createReadStream(path, { start, end })
  file.on('data', (chunk) => onSent(chunk.length))
  file.on('error', () => response.destroy())
  response.on('close', () => file.destroy())
  file.pipe(response)
}
