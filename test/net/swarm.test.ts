// Goal: a download ends with the right bytes in the store, or soon with a typed error, whatever the peers do.
// Method: nets on loopback that seed from memory, some of them honest, and raw sockets that are not.
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Address, DownloadOptions } from '../../net/index.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, bytesOf, memoryStore, openTestNet, PATIENCE_MS, torrentOf } from './fixtures.ts'

const CONTENT = bytesOf('content', 3_000_001)
const TORRENT = torrentOf(CONTENT)

async function openSeeder(
  t: TestContext,
  content: Buffer = CONTENT,
  limits: { uploadLimit?: number } = {},
): Promise<Address> {
  const net = await openTestNet(t, { listen: LOOPBACK, ...limits })
  net.seed(TORRENT, memoryStore(content))
  return addressOf(net)
}

/** One that does with connections what `onSocket` does. */
async function openServer(t: TestContext, onSocket: (socket: Socket) => void): Promise<Address> {
  const server = createServer((socket) => onSocket(socket.on('error', () => {})))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const bound = server.address()
  return { host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 }
}

/** Takes connections and says nothing. */
const openMute = (t: TestContext): Promise<Address> => openServer(t, () => {})

/** Greets, without extensions, and then does what `goOn` does. */
function openGreeting(t: TestContext, goOn: (socket: Socket) => void): Promise<Address> {
  return openServer(t, (socket) => {
    socket.once('data', (greeting: Buffer) => {
      socket.write(greeting.subarray(0, 20))
      socket.write(Buffer.alloc(8))
      socket.write(greeting.subarray(28, 48))
      socket.write('-XX0000-abcdefghijkl')
      goOn(socket)
    })
  })
}

function into(
  store: DownloadOptions['store'],
  peers: readonly Address[],
  more: Partial<DownloadOptions> = {},
): DownloadOptions {
  return { peers, store, stallTimeoutMs: PATIENCE_MS, ...more }
}

/** The content with one byte of every piece changed. */
function poisoned(): Buffer {
  const bytes = Buffer.from(CONTENT)
  for (let at = 100; at < bytes.length; at += TORRENT.pieceLengthBytes) bytes[at] = (bytes[at] ?? 0) ^ 1
  return bytes
}

test('bytes arrive verified, piece by piece, and are counted by peer', async (t) => {
  const seeder = await openSeeder(t)
  const net = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  let pieceLength = 0
  const options = into(store, [seeder], { onPiece: (range) => (pieceLength += range.length) })
  const result = await net.download(TORRENT, options).result
  assert.ok(store.bytes.equals(CONTENT))
  assert.equal(pieceLength, CONTENT.length)
  assert.equal(result.verifiedLength, CONTENT.length)
  assert.deepEqual(
    result.peers.map((peer) => peer.address),
    [seeder],
  )
  assert.ok((result.peers[0]?.receivedLength ?? 0) >= CONTENT.length)
  assert.equal(result.seed, null)
})

test('pieces that are present are not fetched again, wrong ones are', async (t) => {
  const seeder = await openSeeder(t)
  const net = await openTestNet(t)
  const store = memoryStore(CONTENT)
  store.bytes.fill(0, 2_000_000)
  store.bytes[70_000] = (store.bytes[70_000] ?? 0) ^ 1
  const result = await net.download(TORRENT, into(store, [seeder], { present: [{ offset: 0, length: 2_000_000 }] }))
    .result
  assert.ok(store.bytes.equals(CONTENT))
  const piecesPresent = Math.floor(2_000_000 / TORRENT.pieceLengthBytes) - 1
  assert.equal(result.presentLength, piecesPresent * TORRENT.pieceLengthBytes)
  assert.ok((result.peers[0]?.receivedLength ?? 0) < CONTENT.length - result.presentLength + 50_000)
})

test('a download that has everything needs no peer', async (t) => {
  const net = await openTestNet(t)
  const present = [{ offset: 0, length: CONTENT.length }]
  const result = await net.download(TORRENT, into(memoryStore(CONTENT), [], { present })).result
  assert.equal(result.presentLength, CONTENT.length)
})

test('who has downloaded goes on as a seed for others', async (t) => {
  const first = await openSeeder(t)
  const middle = await openTestNet(t, { listen: LOOPBACK })
  const { seed } = await middle.download(TORRENT, into(memoryStore(CONTENT.length), [first], { keepSeeding: true }))
    .result
  assert.ok(seed !== null)
  const last = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  await last.download(TORRENT, into(store, [addressOf(middle)])).result
  assert.ok(store.bytes.equals(CONTENT))
  await seed.close()
  const again = last.download(TORRENT, into(memoryStore(CONTENT.length), [addressOf(middle)])).result
  await assert.rejects(again, { code: 'download-no-peers' })
})

test('a silent peer ends the download after the stall time-out', async (t) => {
  const net = await openTestNet(t)
  const options = into(memoryStore(CONTENT.length), [await openMute(t)], { stallTimeoutMs: 200 })
  await assert.rejects(net.download(TORRENT, options).result, { code: 'download-stalled' })
})

test('peers that bring nothing at all end the download sooner, those in whose line it stands do not', async (t) => {
  const patient = { stallTimeoutMs: 60_000, startTimeoutMs: 200 }
  const silentSource = { read: () => new Promise<never>(() => {}) }
  const silent = await openTestNet(t, { listen: LOOPBACK })
  silent.seed(TORRENT, silentSource)
  const net = await openTestNet(t)
  for (const peer of [await openMute(t), addressOf(silent)]) {
    const download = net.download(TORRENT, into(memoryStore(CONTENT.length), [peer], patient))
    await assert.rejects(download.result, { code: 'download-stalled' })
  }
  const slow = await openSeeder(t, undefined, { uploadLimit: 2_000_000 })
  await net.download(TORRENT, into(memoryStore(CONTENT.length), [slow, await openMute(t)], patient)).result
  const choking = await openGreeting(t, () => {})
  const inLine = net.download(
    TORRENT,
    into(memoryStore(CONTENT.length), [choking], { ...patient, stallTimeoutMs: 600 }),
  )
  const startedAtMs = performance.now()
  await assert.rejects(inLine.result, { code: 'download-stalled' })
  assert.ok(performance.now() - startedAtMs >= 600)
})

test('a piece now and then is a stall, too', async (t) => {
  // A piece every 270 ms, and seconds for all of them.
  const slow = await openSeeder(t, undefined, { uploadLimit: 60_000 })
  const net = await openTestNet(t)
  const options = into(memoryStore(CONTENT.length), [slow], { stallTimeoutMs: 400 })
  const download = net.download(TORRENT, options)
  await assert.rejects(download.result, { code: 'download-stalled' })
  assert.ok(download.progress().verifiedLength < CONTENT.length)
})

test('who talks without end and brings nothing does not keep a download alive', async (t) => {
  const talker = await openGreeting(t, (socket) => {
    // 16 kB of keep-alives at a time.
    const talk = setInterval(() => socket.write(Buffer.alloc(16_384)), 10)
    socket.once('close', () => clearInterval(talk))
  })
  const net = await openTestNet(t)
  const options = into(memoryStore(CONTENT.length), [talker], { stallTimeoutMs: 300 })
  const download = net.download(TORRENT, options)
  await assert.rejects(download.result, { code: 'download-stalled' })
  // Not because of how much that is (DOWNLOAD_WASTE_FACTOR_MAX).
  assert.ok(download.progress().peers.every(({ receivedLength }) => receivedLength < CONTENT.length * 3))
})

test('a peer that sends bad pieces is dropped and the download ends', async (t) => {
  const evil = await openSeeder(t, poisoned())
  const net = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  const download = net.download(TORRENT, into(store, [evil]))
  await assert.rejects(download.result, { code: 'download-no-peers' })
  assert.equal(download.progress().verifiedLength, 0)
  assert.ok(store.bytes.every((byte) => byte === 0))
  assert.ok(download.progress().peers.every((peer) => peer.receivedLength < CONTENT.length))
})

test('with bad and honest peers together the right bytes arrive', async (t) => {
  const peers = await Promise.all([openSeeder(t, poisoned()), openSeeder(t), openSeeder(t, poisoned())])
  const net = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  await net.download(TORRENT, into(store, peers)).result
  assert.ok(store.bytes.equals(CONTENT))
})

test('a store that fails ends the download with its error', async (t) => {
  const seeder = await openSeeder(t)
  const net = await openTestNet(t)
  const store = { ...memoryStore(CONTENT.length), write: () => Promise.reject(new Error('disk is full')) }
  await assert.rejects(net.download(TORRENT, into(store, [seeder])).result, { code: 'store-failed' })
})

test('abort and cancel end a download', async (t) => {
  const net = await openTestNet(t)
  const abort = new AbortController()
  const peers = [await openMute(t)]
  const download = net.download(TORRENT, into(memoryStore(CONTENT.length), peers, { signal: abort.signal }))
  assert.throws(() => net.download(TORRENT, into(memoryStore(1), [])), { code: 'torrent-busy' })
  abort.abort()
  await assert.rejects(download.result, { code: 'aborted' })
  await new Promise((resolve) => setImmediate(resolve))
  const other = net.download(TORRENT, into(memoryStore(CONTENT.length), peers))
  other.cancel()
  await assert.rejects(other.result, { code: 'aborted' })
})

test('a peer that is added later serves a download', async (t) => {
  const seeder = await openSeeder(t)
  const net = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  const download = net.download(TORRENT, into(store, []))
  download.addPeer(seeder)
  await download.result
  assert.ok(store.bytes.equals(CONTENT))
})

test('torrents whose parts do not belong together are refused', async (t) => {
  const net = await openTestNet(t)
  const store = memoryStore(1)
  for (const wrong of [
    { ...TORRENT, infohash: Buffer.alloc(20) },
    { ...TORRENT, lengthBytes: TORRENT.lengthBytes + 1 },
    { ...TORRENT, pieceLengthBytes: 16_384 },
  ]) {
    assert.throws(() => net.seed(wrong, store), { code: 'torrent-malformed' })
  }
})

test('upload limits hold', async (t) => {
  const limit = 4_000_000
  const seeder = await openTestNet(t, { listen: LOOPBACK, uploadLimit: limit })
  seeder.seed(TORRENT, memoryStore(CONTENT))
  const net = await openTestNet(t)
  const startedAt = performance.now()
  await net.download(TORRENT, into(memoryStore(CONTENT.length), [addressOf(seeder)])).result
  assert.ok((performance.now() - startedAt) / 1000 > (0.8 * (CONTENT.length - limit / 10)) / limit)
})

/** A source outside the swarm that reads `content`; counts what it was asked for. */
function outsideOf(content: Buffer, failsFrom = Number.POSITIVE_INFINITY, ready: Promise<void> = Promise.resolve()) {
  const asked: { offset: number; length: number }[] = []
  async function* read(offset: number, length: number): AsyncGenerator<Uint8Array> {
    asked.push({ offset, length })
    await ready
    if (offset >= failsFrom) throw new Error('gone')
    for (let at = offset; at < offset + length; at += 10_000) {
      await new Promise((resolve) => setImmediate(resolve))
      yield content.subarray(at, Math.min(at + 10_000, offset + length))
    }
  }
  return { source: { name: 'outside', read }, asked }
}

test('a source outside the swarm and a peer bring a torrent together, each piece once', async (t) => {
  let served = 0
  let start: () => void = () => {}
  const peerServes = new Promise<void>((resolve) => {
    start = resolve
  })
  const seeder = await openTestNet(t, { listen: LOOPBACK, uploadLimit: 6_000_000 })
  const memory = memoryStore(CONTENT)
  seeder.seed(TORRENT, {
    read: async (offset, length) => {
      served += length
      start()
      return memory.read(offset, length)
    },
  })
  const net = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  const { source, asked } = outsideOf(CONTENT, CONTENT.length, peerServes)
  const download = net.download(TORRENT, into(store, [addressOf(seeder)], { keepSeeding: true }))
  download.addSource(source)
  const { seed } = await download.result
  await seed?.close()
  assert.ok(store.bytes.equals(CONTENT))
  const outside = asked.reduce((sum, { length }) => sum + length, 0)
  assert.ok(outside > 0 && served > 0)
  assert.ok(outside + served < 1.2 * CONTENT.length, `${outside} from outside, ${served} from the peer`)
})

test('a source outside the swarm alone brings all, in order and in few requests', async (t) => {
  const net = await openTestNet(t)
  const store = memoryStore(CONTENT.length)
  const { source, asked } = outsideOf(CONTENT)
  const download = net.download(TORRENT, into(store, []))
  download.addSource(source)
  await download.result
  assert.ok(store.bytes.equals(CONTENT))
  const starts = asked.map(({ offset }) => offset)
  assert.deepEqual(
    starts,
    [...starts].sort((a, b) => a - b),
  )
  assert.ok(asked.length < CONTENT.length / 16_384 / 4, `${asked.length} requests`)
})

test('what a source outside the swarm fails to bring, or brings wrong, comes from the peer', async (t) => {
  const seeder = await openSeeder(t)
  for (const { source } of [outsideOf(CONTENT, 1_000_000), outsideOf(poisoned())]) {
    const net = await openTestNet(t)
    const store = memoryStore(CONTENT.length)
    const download = net.download(TORRENT, into(store, [seeder]))
    download.addSource(source)
    await download.result
    assert.ok(store.bytes.equals(CONTENT))
  }
})

test('a download whose last source outside the swarm has failed ends at once', async (t) => {
  const net = await openTestNet(t)
  const { source, asked } = outsideOf(CONTENT, 0)
  const peer = { host: '127.0.0.1', port: 1 }
  const download = net.download(TORRENT, into(memoryStore(CONTENT.length), [peer]))
  download.addSource(source)
  await assert.rejects(download.result, { code: 'download-no-peers' })
  assert.equal(asked.length, 1)
})

test('only wanted parts are fetched; with what is present the torrent is seeded, without it not', async (t) => {
  const seeder = await openSeeder(t)
  const wanted = [{ offset: 2_000_000, length: CONTENT.length - 2_000_000 }]
  for (const presentLength of [2_000_000, 1_900_000]) {
    const net = await openTestNet(t, { listen: LOOPBACK })
    const store = memoryStore(CONTENT)
    store.bytes.fill(0, presentLength)
    const present = [{ offset: 0, length: presentLength }]
    const result = await net.download(TORRENT, into(store, [seeder], { wanted, present, keepSeeding: true })).result
    assert.ok(store.bytes.subarray(2_000_000).equals(CONTENT.subarray(2_000_000)))
    const received = result.peers.reduce((sum, peer) => sum + peer.receivedLength, 0)
    assert.ok(received < CONTENT.length - 2_000_000 + 2 * TORRENT.pieceLengthBytes, `${received} received`)
    assert.equal(result.seed !== null, presentLength === 2_000_000)
    if (result.seed === null) continue
    const other = await openTestNet(t)
    const copy = memoryStore(CONTENT.length)
    await other.download(TORRENT, into(copy, [addressOf(net)])).result
    assert.ok(copy.bytes.equals(CONTENT))
    await result.seed.close()
  }
})

test('download limits hold', async (t) => {
  const limit = 4_000_000
  const seeder = await openSeeder(t)
  const net = await openTestNet(t, { downloadLimit: limit })
  const startedAt = performance.now()
  await net.download(TORRENT, into(memoryStore(CONTENT.length), [seeder])).result
  assert.ok((performance.now() - startedAt) / 1000 > (0.8 * (CONTENT.length - limit / 10)) / limit)
})

test('a downloader serves what it has to all who ask, long before it is complete', async (t) => {
  const pieceCount = Math.ceil(CONTENT.length / TORRENT.pieceLengthBytes)
  const lastStart = (pieceCount - 1) * TORRENT.pieceLengthBytes
  let release: () => void = () => {}
  const othersHaveTheRest = new Promise<void>((resolve) => {
    release = resolve
  })
  const seeder = await openTestNet(t, { listen: LOOPBACK })
  const memory = memoryStore(CONTENT)
  seeder.seed(TORRENT, {
    read: async (offset, length) => {
      if (offset + length > lastStart) await othersHaveTheRest
      return memory.read(offset, length)
    },
  })
  const patiently = { stallTimeoutMs: 60_000, keepSeeding: true }
  const middle = await openTestNet(t, { listen: LOOPBACK })
  const first = middle.download(TORRENT, into(memoryStore(CONTENT.length), [addressOf(seeder)], patiently))
  const stores = [memoryStore(CONTENT.length), memoryStore(CONTENT.length)]
  let lacking = stores.length
  const others = stores.map(async (store) => {
    const net = await openTestNet(t)
    let count = 0
    const onPiece = (): void => {
      count += 1
      if (count === pieceCount - 1) lacking -= 1
      if (lacking === 0) release()
    }
    await net.download(TORRENT, into(store, [addressOf(middle)], { ...patiently, onPiece })).result
  })
  await Promise.all([first.result, ...others])
  for (const store of stores) assert.ok(store.bytes.equals(CONTENT))
})
