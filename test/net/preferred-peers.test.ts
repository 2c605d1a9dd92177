/**
 * Goal: a download whose places are all taken by those who bring nothing dials an address that has brought something elsewhere at once.
 * Method: addresses of this machine behind which nobody says anything, a seeder, and a look at who is connected when all is there.
 */

import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import type { Address } from '../../net/index.ts'
import { DOWNLOAD_DIALLED_COUNT_MAX } from '../../net/limits.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, bytesOf, memoryStore, openTestNet, torrentOf } from './fixtures.ts'

test('who has brought something elsewhere waits for nobody', async (t) => {
  const sockets = new Set<Socket>()
  let noteAll = (): void => {}
  const allThere = new Promise<void>((resolve) => {
    noteAll = resolve
  })
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    if (sockets.size === DOWNLOAD_DIALLED_COUNT_MAX) noteAll()
  })
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  t.after(() => server.close())
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const mute = Array.from(
    { length: DOWNLOAD_DIALLED_COUNT_MAX },
    (_, at): Address => ({ host: `127.0.1.${at + 1}`, port }),
  )

  const content = bytesOf('content', 200_000)
  const torrent = torrentOf(content)
  const seeder = await openTestNet(t, { listen: LOOPBACK })
  seeder.seed(torrent, memoryStore(content))
  const net = await openTestNet(t)
  const store = memoryStore(content.length)
  const download = net.download(torrent, { peers: mute, store, stallTimeoutMs: 10_000 })
  await allThere
  download.addPeer(addressOf(seeder))
  download.preferPeer(addressOf(seeder))
  await download.result
  assert.ok(store.bytes.equals(content))
  assert.equal([...sockets].filter((socket) => !socket.readableEnded).length, DOWNLOAD_DIALLED_COUNT_MAX)
})
