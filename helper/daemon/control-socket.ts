/**
 * The daemon's local socket: one JSON line in, one JSON line out, then the end. Bounded in length, time and number of
 * connections; who may connect is decided by the file system (home.ts).
 */
import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { messageOf } from '../errors.ts'
import { CONTROL_CONNECTION_COUNT_MAX, CONTROL_REQUEST_LENGTH_MAX, CONTROL_TIMEOUT_MS } from '../limits.ts'

/** Answers one request; what it throws is told to the asker as text. */
export type AnswerRequest = (request: Readonly<Record<string, unknown>>) => Promise<unknown>

const SOCKET_MODE = 0o600

export class ControlSocket {
  readonly #server: Server
  readonly #path: string
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, path: string, answer: AnswerRequest) {
    this.#server = server
    this.#path = path
    server.maxConnections = CONTROL_CONNECTION_COUNT_MAX
    server.on('connection', (socket) => this.#serve(socket, answer))
    server.on('error', () => {})
  }

  /** Listens on `path`, which nobody answers on. @throws what listening throws */
  static async open(path: string, answer: AnswerRequest): Promise<ControlSocket> {
    await rm(path, { force: true })
    const server = createServer({ allowHalfOpen: true })
    const control = new ControlSocket(server, path, answer)
    server.listen(path)
    await Promise.race([
      once(server, 'listening'),
      once(server, 'error').then(([error]) => {
        throw error
      }),
    ])
    await chmod(path, SOCKET_MODE)
    return control
  }

  #serve(socket: Socket, answer: AnswerRequest): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
    socket.setTimeout(CONTROL_TIMEOUT_MS, () => socket.destroy())
    let text = ''
    const take = (chunk: Uint8Array): void => {
      text += Buffer.from(chunk).toString('utf8')
      const end = text.indexOf('\n')
      if (end < 0 && text.length > CONTROL_REQUEST_LENGTH_MAX) socket.destroy()
      if (end < 0) return
      socket.off('data', take)
      socket.resume()
      void reply(text.slice(0, end), answer).then((line) => socket.end(line))
    }
    socket.on('data', take)
    socket.on('end', () => {
      if (!text.includes('\n')) socket.destroy()
    })
  }

  /** Stops listening; answers under way still leave. */
  async close(): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroySoon()
    await rm(this.#path, { force: true })
  }
}

/** The line that answers a line; never rejects. */
export async function reply(line: string, answer: AnswerRequest): Promise<string> {
  try {
    const request: unknown = JSON.parse(line)
    return `${JSON.stringify({ ok: true, result: await answer(Object(request)) })}\n`
  } catch (error) {
    return `${JSON.stringify({ ok: false, error: messageOf(error) })}\n`
  }
}
