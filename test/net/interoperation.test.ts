// Goal: a stock BitTorrent program downloads from us and we from it, also when it is one of a crowd.
// Method: webtorrent, which shares no swarm code with us, on loopback against nets of ours, each way round.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import WebTorrent from 'webtorrent'
import { formatAddress } from '../../net/index.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, bytesOf, memoryStore, openTestNet, PATIENCE_MS, torrentOf } from './fixtures.ts'

const CONTENT = bytesOf('interoperation', 2_000_003)
const TORRENT = torrentOf(CONTENT)
const FILE = Buffer.concat([Buffer.from('d4:info'), TORRENT.info, Buffer.from('e')])

async function openStock(t: TestContext): Promise<{ client: WebTorrent; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'gittorrent-stock-'))
  const quiet = { dht: false, tracker: false, lsd: false, utp: false, utPex: false, natUpnp: false, natPmp: false }
  const client = new WebTorrent({ torrentPort: { host: '127.0.0.1', port: 0 }, webSeeds: false, secure: 0, ...quiet })
  await new Promise((resolve) => client.once('listening', resolve))
  t.after(async () => {
    await new Promise<void>((resolve) => client.destroy(resolve))
    await rm(folder, { recursive: true, force: true })
  })
  return { client, folder }
}

async function stockDownloads(t: TestContext, peers: readonly string[]): Promise<Buffer> {
  const { client, folder } = await openStock(t)
  const torrent = client.add(FILE, { path: folder, announce: [] })
  torrent.once('infoHash', () => {
    for (const peer of peers) torrent.addPeer(peer)
  })
  await new Promise((resolve, reject) => {
    torrent.once('done', resolve)
    torrent.once('error', reject)
  })
  return readFile(join(folder, 'content'))
}

test('a stock program downloads from us', { timeout: 30_000 }, async (t) => {
  const net = await openTestNet(t, { listen: LOOPBACK })
  net.seed(TORRENT, memoryStore(CONTENT))
  assert.ok((await stockDownloads(t, [formatAddress(addressOf(net))])).equals(CONTENT))
})

test('two stock programs and one of ours download from us at the same time', { timeout: 30_000 }, async (t) => {
  const net = await openTestNet(t, { listen: LOOPBACK, uploadLimit: 4_000_000 })
  net.seed(TORRENT, memoryStore(CONTENT))
  const ours = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  const seeder = formatAddress(addressOf(net))
  const [one, two] = await Promise.all([
    stockDownloads(t, [seeder]),
    stockDownloads(t, [seeder]),
    ours.download(TORRENT, { peers: [addressOf(net)], store, stallTimeoutMs: PATIENCE_MS }).result,
  ])
  assert.ok(one.equals(CONTENT) && two.equals(CONTENT) && store.bytes.equals(CONTENT))
})

test('we download from a stock program', { timeout: 30_000 }, async (t) => {
  const { client, folder } = await openStock(t)
  await writeFile(join(folder, 'content'), CONTENT)
  const torrent = client.add(FILE, { path: folder, announce: [] })
  await new Promise((resolve) => torrent.once('done', resolve))
  const net = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  const peers = [{ host: '127.0.0.1', port: client.torrentPort }]
  await net.download(TORRENT, { peers, store, stallTimeoutMs: PATIENCE_MS }).result
  assert.ok(store.bytes.equals(CONTENT))
})
