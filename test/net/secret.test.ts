// Goal: holders of a secret work with each other as ever; whoever knows address, topic and infohash but not the secret gets
// nothing and learns nothing, whichever side he is on, and whoever listens on the line neither.
// Method: nets on loopback, plain sockets that note every byte, and openssl as an implementation of TLS-PSK that is not ours.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHmac, hkdfSync } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type Net, NetError, openNets, openTracker, secretTopicOf } from '../../net/index.ts'
import { encodeHandshake } from '../../net/swarm/wire-messages.ts'
import { LOOPBACK, QUIET } from '../support/loopback-net.ts'
import { addressOf, bytesOf, memoryStore, NO_ANSWERS, openTestNet, PATIENCE_MS, TOPIC, torrentOf } from './fixtures.ts'

const SECRET = bytesOf('a secret', 32)
const OTHER = bytesOf('another secret', 32)
const CONTENT = bytesOf('private content', 400_000)
const TORRENT = torrentOf(CONTENT)
const WAIT = { timeoutMs: PATIENCE_MS }

function keyOf(purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', SECRET, Buffer.alloc(0), purpose, 32))
}

async function openSeeder(t: TestContext): Promise<{ net: Net; asked: string[] }> {
  const net = await openTestNet(t, { listen: LOOPBACK, secret: SECRET })
  const asked: string[] = []
  net.seed(TORRENT, memoryStore(CONTENT))
  const onRequest = async (kind: string): Promise<Uint8Array> => {
    asked.push(kind)
    return Buffer.from('an answer')
  }
  net.joinTopic(TOPIC, { onRequest }, { announce: true })
  return { net, asked }
}

function takeFrom(net: Net, seeder: Net) {
  const store = memoryStore(CONTENT.length)
  const options = { peers: [addressOf(seeder)], store, stallTimeoutMs: PATIENCE_MS }
  return { store, result: net.download(TORRENT, options).result }
}

/** A server of its own that notes what comes in, and lets `onSocket` answer. */
async function startListener(
  t: TestContext,
  onSocket: (socket: Socket) => void,
): Promise<{ heard: Buffer[]; port: number }> {
  const heard: Buffer[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => heard.push(bytes))
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { heard, port: address.port }
}

/** Everything that an address sends to one who says `greeting`, until it hangs up. */
async function sentBy(net: Net, greeting: Uint8Array): Promise<Buffer> {
  const { host, port } = addressOf(net)
  const parts: Buffer[] = []
  const socket = connect({ host, port })
  socket.on('error', () => {})
  socket.on('data', (bytes) => parts.push(bytes))
  socket.write(greeting)
  await once(socket, 'close')
  return Buffer.concat(parts)
}

test('two holders ask each other and download', async (t) => {
  const { net, asked } = await openSeeder(t)
  const reader = await openTestNet(t, { peers: [addressOf(net)], secret: SECRET })
  const topic = reader.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  const peer = await topic.waitForPeer(WAIT)
  const answer = await peer?.request('anything', new Uint8Array(0), { ...WAIT, responseLengthMax: 100 })
  assert.equal(Buffer.from(answer ?? []).toString(), 'an answer')
  assert.deepEqual(asked, ['anything'])
  const { store, result } = takeFrom(reader, net)
  await result
  assert.ok(store.bytes.equals(CONTENT))
})

for (const [who, secret] of [
  ['without a secret', undefined],
  ['with another secret', OTHER],
] as const) {
  test(`one ${who} who knows address, topic and infohash gets no peer, no answer, no piece`, async (t) => {
    const { net, asked } = await openSeeder(t)
    const stranger = await openTestNet(t, { peers: [addressOf(net)], ...(secret === undefined ? {} : { secret }) })
    for (const name of [TOPIC, secretTopicOf(SECRET, TOPIC)]) {
      const topic = stranger.joinTopic(name, NO_ANSWERS, { announce: false })
      assert.equal(await topic.waitForPeer(WAIT), null)
      await topic.close()
    }
    const { store, result } = takeFrom(stranger, net)
    await assert.rejects(result, (error: unknown) => error instanceof NetError && error.code === 'download-no-peers')
    assert.ok(store.bytes.every((byte) => byte === 0))
    assert.deepEqual(asked, [])
  })
}

test('a plain handshake is answered with a TLS alert at most', async (t) => {
  const { net } = await openSeeder(t)
  for (const name of [TORRENT.infohash, TOPIC, secretTopicOf(SECRET, TOPIC)]) {
    const sent = await sentBy(net, encodeHandshake(name, bytesOf('a peer id', 20)))
    assert.ok(sent.length <= 7 && (sent.length === 0 || sent[0] === 0x15), sent.toString('hex'))
  }
})

test('a holder who dials a stranger tells him nothing', async (t) => {
  const { heard, port } = await startListener(t, (socket) => {
    socket.once('data', () => socket.end(encodeHandshake(TORRENT.infohash, bytesOf('a stranger', 20))))
  })
  const holder = await openTestNet(t, { peers: [{ host: '127.0.0.1', port }], secret: SECRET })
  const topic = holder.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  assert.equal(await topic.waitForPeer(WAIT), null)
  const store = memoryStore(CONTENT.length)
  const peers = [{ host: '127.0.0.1', port }]
  await assert.rejects(holder.download(TORRENT, { peers, store, stallTimeoutMs: 2_000 }).result)
  const said = Buffer.concat(heard)
  assert.ok(heard.length >= 2)
  assert.equal(said[0], 0x16)
  for (const known of [TORRENT.infohash, TOPIC, secretTopicOf(SECRET, TOPIC), Buffer.from('BitTorrent'), SECRET])
    assert.ok(!said.includes(Buffer.from(known)))
})

test('who listens on the line sees neither names nor content', async (t) => {
  const { net } = await openSeeder(t)
  const seen: Buffer[] = []
  const { port } = await startListener(t, (socket) => {
    const { host, port: target } = addressOf(net)
    const onward = connect({ host, port: target })
    onward.on('error', () => {})
    onward.on('data', (bytes) => seen.push(bytes))
    socket.on('data', (bytes) => seen.push(bytes))
    socket.pipe(onward).pipe(socket)
  })
  const reader = await openTestNet(t, { secret: SECRET })
  const store = memoryStore(CONTENT.length)
  await reader.download(TORRENT, { peers: [{ host: '127.0.0.1', port }], store, stallTimeoutMs: PATIENCE_MS }).result
  assert.ok(store.bytes.equals(CONTENT))
  const line = Buffer.concat(seen)
  assert.ok(line.length > CONTENT.length)
  assert.ok(!line.includes(Buffer.from(TORRENT.infohash)) && !line.includes('BitTorrent'))
  for (let at = 0; at < CONTENT.length; at += 10_000) assert.ok(!line.includes(CONTENT.subarray(at, at + 16)))
})

test('holders meet at a tracker that does not know the topic, and that may let in this one alone', async (t) => {
  const allowed = createHmac('sha256', keyOf('gittorrent topic key 1')).update(TOPIC).digest().subarray(0, 20)
  assert.ok(allowed.equals(secretTopicOf(SECRET, TOPIC)))
  const asked = new Set<string>()
  const tracker = await openTracker(LOOPBACK, (infohash) => {
    asked.add(infohash)
    return infohash === allowed.toString('hex')
  })
  t.after(() => tracker.close())
  const trackers = [tracker.httpUrl]
  const seeder = await openTestNet(t, { listen: LOOPBACK, trackers, secret: SECRET })
  const announced = seeder.joinTopic(TOPIC, NO_ANSWERS, { announce: true })
  seeder.joinTopic(bytesOf('another topic', 20), NO_ANSWERS, { announce: true })
  const reader = await openTestNet(t, { trackers, secret: SECRET })
  const topic = reader.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  let peer = await topic.waitForPeer(WAIT)
  for (let tries = 0; peer === null && tries < 20; tries++) peer = await topic.waitForPeer(WAIT)
  assert.deepEqual(peer?.address, addressOf(seeder))
  assert.equal(announced.ways().find(({ name }) => name.startsWith('tracker'))?.failure, null)
  assert.ok(!asked.has(Buffer.from(TOPIC).toString('hex')) && asked.size === 2)
  const stranger = await openTestNet(t, { trackers })
  assert.equal(await stranger.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT), null)
})

test('openssl with the key that PROTOCOL.md describes is answered, and with a wrong one or a certificate suite is not', async (t) => {
  const { net } = await openSeeder(t)
  const { host, port } = addressOf(net)
  const derive = (info: string, length: number): string => {
    const from = ['-kdfopt', 'digest:SHA256', '-kdfopt', `hexkey:${SECRET.toString('hex')}`, '-kdfopt', `info:${info}`]
    const shown = execFileSync('openssl', ['kdf', '-keylen', `${length}`, ...from, 'HKDF']).toString()
    return shown.trim().replaceAll(':', '').toLowerCase()
  }
  const key = derive('gittorrent tls-psk 1', 32)
  const identity = `gittorrent1-${derive('gittorrent identity 1', 8)}`
  const greeting = encodeHandshake(TORRENT.infohash, bytesOf('openssl', 20))
  const ask = async (...how: string[]): Promise<Buffer> => {
    const child = spawn('openssl', ['s_client', '-quiet', '-connect', `${host}:${port}`, ...how], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    child.stdin.on('error', () => {})
    child.stdin.write(greeting)
    const parts: Buffer[] = []
    for await (const bytes of child.stdout) {
      parts.push(Buffer.from(bytes))
      if (Buffer.concat(parts).length >= 68) child.kill()
    }
    return Buffer.concat(parts)
  }
  const suite = ['-tls1_2', '-cipher', 'ECDHE-PSK-CHACHA20-POLY1305', '-psk_identity', identity]
  const answer = await ask(...suite, '-psk', key)
  assert.equal(answer.toString('latin1', 1, 20), 'BitTorrent protocol')
  assert.ok(answer.subarray(28, 48).equals(TORRENT.infohash))
  for (const how of [
    [...suite, '-psk', OTHER.toString('hex')],
    ['-tls1_2'],
    ['-tls1_3', '-psk_identity', identity, '-psk', key],
    ['-tls1_2', '-cipher', 'PSK-AES128-GCM-SHA256', '-psk_identity', identity, '-psk', key],
    [...suite.slice(0, -1), 'somebody', '-psk', key],
  ])
    assert.equal((await ask(...how)).length, 0, how.join(' '))
})

test('nets of several secrets and an open one are behind one port, and each is for its own only', async (t) => {
  const secrets = [undefined, SECRET, OTHER]
  const answers = ['open', 'of the secret', 'of the other']
  const nets = await openNets(secrets.map((secret) => ({ ...QUIET, listen: LOOPBACK, secret })))
  t.after(() => Promise.all(nets.map((net) => net.close())))
  nets.forEach((net, index) => {
    const onRequest = async (): Promise<Uint8Array> => Buffer.from(answers[index] ?? '')
    net.joinTopic(TOPIC, { onRequest }, { announce: true })
  })
  const [open, ...closed] = nets
  assert.ok(open !== undefined)
  for (const net of closed) assert.deepEqual(net.address, open.address)
  const ask = async (secret: Buffer | undefined, waitMs: number): Promise<string | null> => {
    const reader = await openTestNet(t, { peers: [addressOf(open)], secret })
    const topic = reader.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
    const peer = await topic.waitForPeer({ timeoutMs: waitMs })
    const options = { timeoutMs: PATIENCE_MS, responseLengthMax: 100 }
    const answer = await peer?.request('anything', new Uint8Array(0), options)
    return answer === undefined ? null : Buffer.from(answer).toString()
  }
  assert.deepEqual(await Promise.all(secrets.map((secret) => ask(secret, 3_000))), answers)
  assert.equal(await ask(bytesOf('a third secret', 32), 1_000), null)
  // Silence, and words that are neither greeting, open no door.
  assert.equal((await sentBy(open, Buffer.from('GET / HTTP/1.1\r\n\r\n'))).length, 0)
  // One that goes leaves the others where they are.
  await closed[0]?.close()
  assert.equal(await ask(SECRET, 1_000), null)
  assert.equal(await ask(OTHER, 3_000), 'of the other')
  assert.equal(await ask(undefined, 3_000), 'open')
})

test('a secret that is too short is refused', async () => {
  await assert.rejects(
    openTestNet({ after: () => {} } as unknown as TestContext, { secret: SECRET.subarray(1) }),
    RangeError,
  )
})
