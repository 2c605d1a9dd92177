/**
 * Goal: a download whose places are all taken by those who say nothing dials an address that has brought something elsewhere at once, and any
 * other before their handshakes are given up.
 * Method: addresses of this machine behind which nobody says anything, a seeder, and a look at who is connected when all is there.
 */

import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Address, Download } from '../../net/index.ts'
import { DOWNLOAD_DIALLED_COUNT_MAX, HANDSHAKE_TIMEOUT_MS } from '../../net/limits.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, bytesOf, memoryStore, openTestNet, torrentOf } from './fixtures.ts'

const CONTENT = bytesOf('content', 200_000)

interface Scene {
  readonly download: Download
  readonly seeder: Address
  readonly store: ReturnType<typeof memoryStore>
  /** What the mute ones were dialled by. */
  readonly sockets: ReadonlySet<Socket>
}

/** Addresses of this machine behind which nobody says anything, as many as a download dials, and a seeder. */
async function sceneOf(t: TestContext): Promise<Scene> {
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

  const torrent = torrentOf(CONTENT)
  const seeder = await openTestNet(t, { listen: LOOPBACK })
  seeder.seed(torrent, memoryStore(CONTENT))
  const net = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  const download = net.download(torrent, { peers: mute, store, stallTimeoutMs: HANDSHAKE_TIMEOUT_MS / 2 })
  await allThere
  return { download, seeder: addressOf(seeder), store, sockets }
}

test('who has brought something elsewhere waits for nobody', async (t) => {
  const { download, seeder, store, sockets } = await sceneOf(t)
  download.addPeer(seeder)
  download.preferPeer(seeder)
  await download.result
  assert.ok(store.bytes.equals(CONTENT))
  assert.equal([...sockets].filter((socket) => !socket.readableEnded).length, DOWNLOAD_DIALLED_COUNT_MAX)
})

test('who does not even send a handshake leaves for an address that waits, before the download counts as stalled', async (t) => {
  const { download, seeder, store } = await sceneOf(t)
  download.addPeer(seeder)
  await download.result
  assert.ok(store.bytes.equals(CONTENT))
})
