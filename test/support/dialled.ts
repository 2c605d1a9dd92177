// A connection of ours and the bare socket at its other end, on loopback:
// the ground of tests that say every byte of a peer themselves.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { type Connection, dial } from '../../net/connection.ts'
import { Gates } from '../../net/gates.ts'
import { LOOPBACK } from './loopback-net.ts'

/** Both are gone when the test ends; nothing has been said yet, and the socket is paused. */
export async function openDialled(t: TestContext): Promise<{ connection: Connection; peer: Socket }> {
  const server = createServer((socket) => socket.pause()).listen(LOOPBACK)
  t.after(() => server.close())
  await once(server, 'listening')
  const bound = server.address()
  assert.ok(bound !== null && typeof bound === 'object')
  const accepted = once(server, 'connection')
  const gates = new Gates()
  const connection = await dial({ host: LOOPBACK.host, port: bound.port }, gates, null)
  const [peer] = await accepted
  peer.on('error', () => {})
  t.after(() => {
    peer.destroy()
    connection.destroy()
  })
  return { connection, peer }
}
