/**
 * Counts the bytes that a server on loopback sends: a TCP relay in front of it. For servers that do not count themselves, such
 * as `git daemon`.
 */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface ByteMeter {
  readonly port: number
  /** Bytes that the server behind it has sent so far. */
  sentBytes(): number
  connectionCount(): number
  close(): Promise<void>
}

/** Opens a relay on a free port of loopback to `port` there. */
export async function startByteMeter(port: number): Promise<ByteMeter> {
  let sent = 0
  let connections = 0
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    connections++
    const origin = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [client, origin]) keep(socket)
    origin.on('data', (chunk: Uint8Array) => {
      sent += chunk.length
    })
    client.pipe(origin)
    origin.pipe(client)
    client.once('close', () => origin.destroy())
    origin.once('close', () => client.destroySoon())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    sentBytes: () => sent,
    connectionCount: () => connections,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
