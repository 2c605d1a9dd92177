// Goal: a peer that does not read holds a bounded share of our memory, and not for ever.
// Method: one end of a TCP connection on loopback that never reads, time of the test's own where it matters.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Connection } from '../../net/connection.ts'
import { UNREAD_TIMEOUT_MS } from '../../net/limits.ts'
import { encodeHandshake } from '../../net/swarm/wire-messages.ts'
import { openDialled } from '../support/dialled.ts'

const LENGTH_MAX = 8 * 1024 * 1024
const PART = new Uint8Array(256 * 1024)

/** A connection to one who does not read, and his end of it. */
async function openUnread(t: TestContext): Promise<{ connection: Connection; peer: Socket }> {
  const { connection, peer } = await openDialled(t)
  peer.write(encodeHandshake(new Uint8Array(20), new Uint8Array(20)))
  await connection.whenHandshake
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

test('what is said in one go is handed to the system in one go', async (t) => {
  const { connection, peer } = await openUnread(t)
  await once(connection, 'data')
  // What comes together goes to _writev.
  const single = t.mock.method(Socket.prototype, '_write')
  for (const length of [9, 13, 16_384]) connection.say(new Uint8Array(length), LENGTH_MAX)
  peer.resume()
  while (connection.writableLength > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(single.mock.callCount(), 0)
})
