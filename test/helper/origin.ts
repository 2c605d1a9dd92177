/**
 * Origins on loopback for tests: git-daemon behind a socket of ours (so that the port is free and open when the call
 * returns), git-http-backend behind a small HTTP server, plain files for dumb HTTP, and a program that stands in for ssh.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { chmod, stat, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { join, normalize } from 'node:path'
import { hermeticEnvironment } from '../support/git.ts'

export interface TestOrigin {
  /** URL of the served root, without a slash at its end. */
  readonly url: string
  /** Requests (HTTP) or connections (git://) so far. */
  readonly requests: () => readonly string[]
  close(): Promise<void>
}

/** Serves every repository under `root` over git://, pushes included. */
export async function startGitDaemon(root: string): Promise<TestOrigin> {
  const requests: string[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    requests.push('connection')
    const args = ['daemon', '--inetd', '--export-all', '--enable=receive-pack', `--base-path=${root}`, root]
    const child = spawn('git', args, { env: hermeticEnvironment(), stdio: ['pipe', 'pipe', 'ignore'] })
    socket.on('error', () => child.kill())
    child.stdin.on('error', () => {})
    socket.pipe(child.stdin)
    child.stdout.pipe(socket)
  })
  return listening(server, 'git', requests)
}

/** Answers a request itself (true), or leaves it to the server behind. */
export type Front = (request: IncomingMessage, response: ServerResponse) => boolean

/** Serves every repository under `root` over smart HTTP, behind `front`. */
export function startSmartHttp(root: string, front: Front = () => false): Promise<TestOrigin> {
  return startHttp((request, response) => {
    if (!front(request, response)) runBackend(root, request, response)
  })
}

/** Serves the files under `root`, as a web server without git would. */
export function startDumbHttp(root: string): Promise<TestOrigin> {
  return startHttp(async (request, response) => {
    const file = join(root, normalize(new URL(request.url ?? '/', 'http://loopback/').pathname))
    const isFile = await stat(file).then(
      (found) => found.isFile(),
      () => false,
    )
    response.statusCode = isFile ? 200 : 404
    if (isFile) createReadStream(file).pipe(response)
    else response.end()
  })
}

/** Writes a program that takes ssh's arguments and runs the command on this machine; returns its path. */
export async function writeFakeSsh(directory: string): Promise<string> {
  const path = join(directory, 'fake-ssh')
  const script = `#!/bin/sh\necho "$*" >>"$0.log"\nwhile [ $# -gt 2 ]; do shift; done\nexec sh -c "$2"\n`
  await writeFile(path, script)
  await chmod(path, 0o755)
  return path
}

async function startHttp(
  serve: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<TestOrigin> {
  const requests: string[] = []
  const server = createHttpServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    serve(request, response)
  })
  return listening(server, 'http', requests)
}

async function listening(server: Server, scheme: string, requests: readonly string[]): Promise<TestOrigin> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    requests: () => requests,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function runBackend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://loopback/')
  const child = spawn('git', ['-c', 'http.receivepack=true', 'http-backend'], {
    env: hermeticEnvironment({
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      CONTENT_LENGTH: request.headers['content-length'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: [request.headers['git-protocol']].flat()[0],
      REMOTE_USER: 'tester',
      REMOTE_ADDR: '127.0.0.1',
    }),
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin.on('error', () => {})
  request.pipe(child.stdin)
  relayCgi(child.stdout, response)
}

/** A CGI answer starts with header lines, `Status:` among them, and an empty line. */
function relayCgi(output: NodeJS.ReadableStream, response: ServerResponse): void {
  let head = Buffer.alloc(0)
  let inBody = false
  output.on('data', (chunk: Buffer) => {
    if (inBody) {
      response.write(chunk)
      return
    }
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    inBody = true
    for (const line of head.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(/: */, 2)
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.write(head.subarray(end + 4))
  })
  output.on('end', () => response.end())
}
