// Goal: a peer that does not read holds a bounded share of our memory, and not for ever.
// Method: one end of a TCP connection on loopback that never reads, time of the test's own where it matters.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type Connection, dial } from '../../net/connection.ts'
import { UNREAD_TIMEOUT_MS } from '../../net/limits.ts'
import { ByteGate } from '../../net/rate.ts'
import { encodeHandshake } from '../../net/swarm/wire-messages.ts'
import { LOOPBACK } from '../support/loopback-net.ts'

const LENGTH_MAX = 8 * 1024 * 1024
const PART = new Uint8Array(256 * 1024)

/** A connection to one who does not read, and his end of it. */
async function openUnread(t: TestContext): Promise<{ connection: Connection; peer: Socket }> {
  const server = createServer((socket) => socket.pause()).listen(LOOPBACK)
  t.after(() => server.close())
  await once(server, 'listening')
  const bound = server.address()
  assert.ok(bound !== null && typeof bound === 'object')
  const accepted = once(server, 'connection')
  const gates = { up: new ByteGate(null), down: new ByteGate(null) }
  const connection = await dial({ host: LOOPBACK.host, port: bound.port }, gates, null)
  const [peer] = await accepted
  peer.on('error', () => {})
  peer.write(encodeHandshake(new Uint8Array(20), new Uint8Array(20)))
  await connection.whenHandshake
  t.after(() => {
    peer.destroy()
    connection.destroy()
  })
  return { connection, peer }
}

test('what a peer does not read is held up to a bound, then the connection ends', async (t) => {
  const { connection } = await openUnread(t)
  let longest = 0
  while (!connection.destroyed) {
    connection.say(PART, LENGTH_MAX)
    longest = Math.max(longest, connection.writableLength)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(longest > LENGTH_MAX && longest <= LENGTH_MAX + PART.length, String(longest))
})

test('a peer that reads nothing of what waits for it is left, one that reads on is not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { connection, peer } = await openUnread(t)
  const beat = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  while (connection.writableLength < 2 * PART.length) {
    connection.say(PART, LENGTH_MAX)
    await beat()
  }
  t.mock.timers.tick(UNREAD_TIMEOUT_MS - 1)
  peer.resume()
  while (connection.writableLength > 0) await beat()
  t.mock.timers.tick(UNREAD_TIMEOUT_MS)
  assert.equal(connection.destroyed, false)
  peer.pause()
  while (connection.writableLength < 2 * PART.length) {
    connection.say(PART, LENGTH_MAX)
    await beat()
  }
  t.mock.timers.tick(UNREAD_TIMEOUT_MS)
  assert.equal(connection.destroyed, true)
})
