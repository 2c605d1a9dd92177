// Goal: no stranger who connects can stop the process, fill its memory or keep honest peers out.
// Method: raw sockets that break the rules of each layer, and an honest exchange with the same net afterwards.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Framer } from '../../net/framer.ts'
import { encodeBencode, type Net } from '../../net/index.ts'
import {
  DOWNLOAD_DIALLED_COUNT_MAX,
  PENDING_CONNECTION_COUNT_MAX,
  SWARM_CONNECTION_COUNT_MAX,
  TOPIC_CONNECTION_COUNT_MAX,
  TOPIC_DIALLED_COUNT_MAX,
  WIRE_MESSAGE_LENGTH_MAX,
} from '../../net/limits.ts'
import { encodeMessage, parseMessage } from '../../net/messages.ts'
import { encodeRangeQuestion } from '../../net/range.ts'
import { parseMessages } from '../../net/swarm/wire-messages.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, bytesOf, memoryStore, NO_ANSWERS, openTestNet, PATIENCE_MS, TOPIC, torrentOf } from './fixtures.ts'

const CONTENT = bytesOf('hostile', 500_000)
const TORRENT = torrentOf(CONTENT, 16_384)

function handshake(infohash: Uint8Array, name = 'evil'): Buffer {
  const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0x04])
  return Buffer.concat([Buffer.from('\x13BitTorrent protocol', 'latin1'), reserved, infohash, bytesOf(name, 20)])
}

function frame(...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(body.length)
  return Buffer.concat([prefix, body])
}

function extended(id: number, payload: Uint8Array | string): Buffer {
  return frame(Buffer.from([20, id]), Buffer.from(payload))
}

function open(net: Net): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(addressOf(net))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.on('error', () => {})
      socket.resume()
      resolve(socket)
    })
  })
}

/** Sends `bytes` and waits until the other side hangs up. */
async function isDroppedFor(net: Net, bytes: Uint8Array): Promise<void> {
  const socket = await open(net)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(bytes)
  await closed
}

async function assertStillServes(t: Parameters<typeof openTestNet>[0], net: Net): Promise<void> {
  const client = await openTestNet(t, { peers: [addressOf(net)] })
  const peer = await client.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer({ timeoutMs: PATIENCE_MS })
  assert.ok(peer !== null)
  const store = memoryStore(CONTENT.length)
  await client.download(TORRENT, { peers: [addressOf(net)], store, stallTimeoutMs: PATIENCE_MS }).result
  assert.ok(store.bytes.equals(CONTENT))
}

async function openVictim(t: Parameters<typeof openTestNet>[0]): Promise<Net> {
  const net = await openTestNet(t, { listen: LOOPBACK })
  net.joinTopic(TOPIC, NO_ANSWERS, { announce: true })
  net.seed(TORRENT, memoryStore(CONTENT))
  return net
}

const METADATA_HELLO = 'd1:md11:ut_metadatai3eee'
const HELLO = 'd3:gt1d1:vi1ee1:md11:gittorrent1i1eee'

test('violations of the wire and of the extension end the connection, and only that', async (t) => {
  const net = await openVictim(t)
  const tooLong = Buffer.alloc(4)
  tooLong.writeUInt32BE(WIRE_MESSAGE_LENGTH_MAX + 1)
  const attacks: Uint8Array[] = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    handshake(bytesOf('unknown swarm', 20)),
    Buffer.concat([handshake(TOPIC), tooLong]),
    Buffer.concat([handshake(TORRENT.infohash), tooLong]),
    Buffer.concat([handshake(TOPIC), extended(0, 'd3:gt1d1:vi0eee')]),
    Buffer.concat([handshake(TOPIC), extended(0, 'd1:pi1ee')]),
    Buffer.concat([handshake(TOPIC), extended(0, HELLO.replace('gittorrent1i1e', 'gittorrent1i256e'))]),
    Buffer.concat([handshake(TOPIC), extended(1, 'd1:ii1e1:t1:xe')]),
    Buffer.concat([handshake(TOPIC), extended(0, HELLO), extended(1, 'l-3:')]),
    Buffer.concat([handshake(TOPIC), extended(0, HELLO), extended(1, 'd1:ii0e1:t1:xe')]),
  ]
  for (const attack of attacks) await isDroppedFor(net, attack)
  await assertStillServes(t, net)
})

test('malformed extension handshakes and messages in a swarm do no harm', async (t) => {
  const net = await openVictim(t)
  const payloads = [
    'd-3:',
    'l-3:',
    'i1e',
    'd1:mi1ee',
    'd1:m5:helloe',
    'd1:mle4:reqq1:xe',
    'd1:md11:ut_metadatai3eee',
    HELLO,
  ]
  const socket = await open(net)
  socket.write(handshake(TORRENT.infohash))
  for (const payload of payloads) for (const id of [0, 1, 2, 3, 255]) socket.write(extended(id, payload))
  const numbers = encodeBencode(1n)
  for (let id = 0; id < 20; id++) socket.write(frame(Buffer.from([id]), numbers))
  await assertStillServes(t, net)
  socket.destroy()
})

test('floods of extension messages end the connection', async (t) => {
  const net = await openVictim(t)
  const metadata = extended(1, 'd8:msg_typei0e5:piecei0ee')
  await isDroppedFor(
    net,
    Buffer.concat([handshake(TORRENT.infohash), extended(0, METADATA_HELLO), ...Array(400).fill(metadata)]),
  )
  const cancel = extended(1, 'd1:ii1e1:t1:xe')
  await isDroppedFor(net, Buffer.concat([handshake(TOPIC), extended(0, HELLO), ...Array(2_000).fill(cancel)]))
  for (const other of [extended(0, HELLO), extended(0, 'd-3:'), extended(7, 'of another extension')]) {
    await isDroppedFor(net, Buffer.concat([handshake(TOPIC), extended(0, HELLO), ...Array(400).fill(other)]))
  }
  await assertStillServes(t, net)
})

test('a question for metadata by one who cannot be answered ends his connection only', async (t) => {
  const net = await openVictim(t)
  const metadata = extended(1, 'd8:msg_typei0e5:piecei0ee')
  await isDroppedFor(net, Buffer.concat([handshake(TORRENT.infohash), extended(0, HELLO), metadata]))
  await assertStillServes(t, net)
})

test('too long block requests, and more than were announced as bearable, end the connection', async (t) => {
  const net = await openVictim(t)
  const tooLong = frame(Buffer.from([6]), Buffer.from('00000000000000007fffffff', 'hex'))
  const request = frame(Buffer.from([6]), Buffer.from('000000000000000000004000', 'hex'))
  for (const flood of [[tooLong], Array(20_000).fill(request)]) {
    const socket = await open(net)
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    const unchoked = new Promise<void>((resolve) => {
      socket.on('data', (bytes: Buffer) => {
        if (bytes.includes(Buffer.from([0, 0, 0, 1, 1]))) resolve()
      })
    })
    const greeted = new Promise<void>((resolve) => socket.once('data', () => resolve()))
    socket.write(handshake(TORRENT.infohash))
    await greeted
    socket.write(frame(Buffer.from([2])))
    await unchoked
    socket.pause()
    socket.write(Buffer.concat(flood), () => socket.resume())
    await closed
  }
  await assertStillServes(t, net)
})

test('piece numbers beyond the torrent end the connection', async (t) => {
  const net = await openVictim(t)
  for (const message of ['0469316500', '11ffffffff', '05ff', `05${'ff'.repeat(100_000)}`]) {
    const attack = frame(Buffer.from(message, 'hex'))
    await isDroppedFor(net, Buffer.concat([handshake(TORRENT.infohash), attack]))
  }
  await assertStillServes(t, net)
})

test('a bitfield after the first message, as aria2 sends it, is no reason to hang up', async (t) => {
  const net = await openVictim(t)
  const socket = await open(net)
  const pieceCount = Math.ceil(TORRENT.lengthBytes / TORRENT.pieceLengthBytes)
  const bitfield = Buffer.alloc(Math.ceil(pieceCount / 8))
  bitfield[0] = 0x80
  const block = new Promise<void>((resolve, reject) => {
    let received = Buffer.alloc(0)
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes])
      if (received.includes(CONTENT.subarray(0, 1024))) resolve()
    })
    socket.once('close', () => reject(new Error('the seeder hung up')))
  })
  const request = frame(Buffer.from([6]), Buffer.from('000000000000000000004000', 'hex'))
  const unchoked = new Promise<void>((resolve) => {
    socket.on('data', (bytes: Buffer) => bytes.includes(Buffer.from([0, 0, 0, 1, 1])) && resolve())
  })
  // Have none, interested, then two bitfields.
  const pieces = frame(Buffer.from([5]), bitfield)
  socket.write(
    Buffer.concat([handshake(TORRENT.infohash), frame(Buffer.from([15])), frame(Buffer.from([2])), pieces, pieces]),
  )
  await unchoked
  socket.write(request)
  await block
  socket.destroy()
})

test('silent connections keep nobody out', async (t) => {
  const net = await openVictim(t)
  const sockets = await Promise.all(Array.from({ length: PENDING_CONNECTION_COUNT_MAX }, () => open(net)))
  await assertStillServes(t, net)
  for (const socket of sockets) socket.destroy()
})

test('a topic full of those who only say hello has room for one who asks', async (t) => {
  const net = await openVictim(t)
  for (let count = 0; count < TOPIC_CONNECTION_COUNT_MAX; count++) {
    const socket = await open(net)
    socket.write(Buffer.concat([handshake(TOPIC), extended(0, HELLO)]))
    await once(socket, 'data')
  }
  await assertStillServes(t, net)
})

/** Milliseconds from hanging up to dialling again: shorter would be a race for the processor. */
const AGAIN_MS = 10

/** Holds `count` connections that greet, say one of `sayings` in turn, come again whenever they are dropped, and do nothing else. */
async function holdPlaces(
  t: TestContext,
  net: Net,
  count: number,
  infohash: Uint8Array,
  sayings: readonly (readonly Uint8Array[])[],
): Promise<void> {
  const sockets = new Set<Socket>()
  let isOver = false
  const hold = async (number: number): Promise<void> => {
    const socket = await open(net)
    sockets.add(socket)
    const again = (): void => void (isOver || hold(number).catch(() => {}))
    socket.once('close', () => sockets.delete(socket) && setTimeout(again, AGAIN_MS))
    const isAnswered = new Promise<void>((resolve) =>
      socket.once('data', () => resolve()).once('close', () => resolve()),
    )
    socket.write(Buffer.concat([handshake(infohash, `evil ${number}`), ...(sayings[number % sayings.length] ?? [])]))
    await isAnswered
  }
  for (let number = 0; number < count; number++) await hold(number)
  t.after(() => {
    isOver = true
    for (const socket of sockets) socket.destroy()
  })
}

test('a topic full of those who never say hello, and come back as soon as they are sent away, has room for one who asks', async (t) => {
  const net = await openVictim(t)
  await holdPlaces(t, net, TOPIC_CONNECTION_COUNT_MAX, TOPIC, [[]])
  await assertStillServes(t, net)
})

const HAVE_ALL = frame(Buffer.from([14]))
const INTERESTED = frame(Buffer.from([2]))

test('a swarm full of those who ask for nothing, whatever they say, serves one who comes, and goes on when they come again', async (t) => {
  const net = await openVictim(t)
  await holdPlaces(t, net, SWARM_CONNECTION_COUNT_MAX, TORRENT.infohash, [[], [HAVE_ALL], [INTERESTED]])
  // Slow enough that others come meanwhile.
  const client = await openTestNet(t, { downloadLimit: 2 * CONTENT.length })
  const store = memoryStore(CONTENT.length)
  const download = client.download(TORRENT, { peers: [addressOf(net)], store, stallTimeoutMs: PATIENCE_MS })
  const { peers } = await download.result
  assert.ok(store.bytes.equals(CONTENT))
  assert.equal(peers.length, 1, 'over one connection, which nobody took from it')
})

test('a download full of those who have nothing finds room for a seed', async (t) => {
  const seeder = await openVictim(t)
  const client = await openTestNet(t, { listen: LOOPBACK })
  const store = memoryStore(CONTENT.length)
  // So that it is not alone before they come.
  const mute = createServer((socket) => socket.on('error', () => {})).listen(LOOPBACK)
  await once(mute, 'listening')
  t.after(() => mute.close())
  const bound = mute.address()
  assert.ok(bound !== null && typeof bound === 'object')
  const peers = [{ host: LOOPBACK.host, port: bound.port }]
  const download = client.download(TORRENT, { peers, store, stallTimeoutMs: PATIENCE_MS })
  await holdPlaces(t, client, SWARM_CONNECTION_COUNT_MAX, TORRENT.infohash, [[INTERESTED]])
  download.addPeer(addressOf(seeder))
  await download.result
  assert.ok(store.bytes.equals(CONTENT))
})

for (const count of [DOWNLOAD_DIALLED_COUNT_MAX - 1, 3 * DOWNLOAD_DIALLED_COUNT_MAX])
  test(`${count} who say that they have everything and never send hold no block, and no place, that a seed named last needs`, async (t) => {
    const mute = await Promise.all(Array.from({ length: count }, () => openTestNet(t, { listen: LOOPBACK })))
    for (const net of mute) net.seed(TORRENT, { read: () => new Promise(() => {}) })
    const seeder = await openVictim(t)
    const client = await openTestNet(t)
    const store = memoryStore(CONTENT.length)
    const peers = [...mute, seeder].map(addressOf)
    const options = { peers, store, startTimeoutMs: 3_000, stallTimeoutMs: 8_000 }
    await client.download(TORRENT, options).result
    assert.ok(store.bytes.equals(CONTENT))
  })

test('one who asks and does not read is held to a bounded backlog', async (t) => {
  const net = await openVictim(t)
  const before = process.memoryUsage().rss
  const sockets = await Promise.all(Array.from({ length: 8 }, () => open(net)))
  const request = frame(Buffer.from([6]), Buffer.from('000000000000000000004000', 'hex'))
  for (const socket of sockets) {
    socket.pause()
    socket.write(Buffer.concat([handshake(TORRENT.infohash), frame(Buffer.from([2])), ...Array(900).fill(request)]))
  }
  await assertStillServes(t, net)
  assert.ok(process.memoryUsage().rss - before < 400_000_000)
  for (const socket of sockets) socket.destroy()
})

test('one who asks a topic and does not read gets so many answers at once, the rest is refused', async (t) => {
  const net = await openVictim(t)
  const socket = await open(net)
  socket.pause()
  const payload = encodeRangeQuestion({ infohash: TORRENT.infohash, offset: 0, length: CONTENT.length })
  const questions = Array.from({ length: 300 }, (_, index) =>
    extended(1, encodeMessage({ type: 'request', id: index + 1, kind: 'range', payload, lengthMax: CONTENT.length })),
  )
  socket.write(Buffer.concat([handshake(TOPIC), extended(0, HELLO)]))
  const client = await openTestNet(t, { peers: [addressOf(net)] })
  const other = await client.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer({ timeoutMs: PATIENCE_MS })
  assert.ok(other !== null)
  for (let at = 0; at < questions.length; at += 10) {
    socket.write(Buffer.concat(questions.slice(at, at + 10)))
    // Answered behind them, on another connection.
    await other.request('range', payload, { timeoutMs: PATIENCE_MS, responseLengthMax: CONTENT.length })
  }
  const replies = { response: 0, error: 0 }
  const framer = new Framer({ onHandshake: () => {}, wants: (id) => id === 20 })
  let handshakeLeft = 68
  await new Promise<void>((resolve) => {
    socket.on('data', (bytes: Buffer) => {
      const said = Buffer.concat(framer.push(bytes))
      const skipped = Math.min(handshakeLeft, said.length)
      handshakeLeft -= skipped
      for (const message of parseMessages(said.subarray(skipped))) {
        const reply = message.type === 'extended' && message.id === 1 ? parseMessage(message.payload) : null
        if (reply?.type === 'response' || reply?.type === 'error') replies[reply.type] += 1
      }
      if (replies.response + replies.error === questions.length) resolve()
    })
    socket.resume()
  })
  // What the system's own buffers take counts as read.
  assert.ok(replies.response < 100, JSON.stringify(replies))
  socket.destroy()
})

test('useless peers, however many were dialled first, leave their places to an address that waits', async (t) => {
  const honest = await openVictim(t)
  const client = await openTestNet(t)
  const topic = client.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  const isThere = new Promise<void>((resolve) => {
    topic.onPeer((peer) => {
      if (peer.address?.port === addressOf(honest).port) resolve()
      else peer.dismiss()
    })
  })
  for (let count = 0; count < TOPIC_DIALLED_COUNT_MAX + 16; count++) {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write(Buffer.concat([handshake(TOPIC), extended(0, HELLO)]))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    t.after(() => server.close())
    const bound = server.address()
    topic.addPeer({ host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 })
  }
  topic.addPeer(addressOf(honest))
  await isThere
})
