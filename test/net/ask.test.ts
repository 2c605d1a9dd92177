// Goal: who asks as the first GitTorrent did gets the infohash of what holds the name, and nobody can make more of it.
// Method: bittorrent-protocol with the extension as it was published in 2015 is the client; then raw bytes of our own.
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { AskService, decodeAsk, decodeAskHello, encodeAskAnswer, encodeAskHello } from '../../net/ask.ts'
import type { Connection } from '../../net/connection.ts'
import { encodeBencode, type Net } from '../../net/index.ts'
import {
  ASK_BURST_COUNT,
  ASK_CONNECTION_COUNT_MAX,
  ASK_MESSAGE_COUNT_MAX,
  ASK_OWNER_BURST_COUNT,
} from '../../net/limits.ts'
import { worthOfNewcomer } from '../../net/places.ts'
import { encodeExtended, encodeHandshake } from '../../net/swarm/wire-messages.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { readProjectFile } from '../tidy/project.ts'
import { askLikeIn2015 } from './client-of-2015.ts'
import { addressOf, bytesOf, NO_ANSWERS, openTestNet, PATIENCE_MS, TOPIC } from './fixtures.ts'

const NAME = Buffer.alloc(20, 0x0f)
const INFOHASH = Buffer.alloc(20, 0xa1)
const OTHER_NAME = bytesOf('other name', 20)
const OTHER_INFOHASH = bytesOf('other infohash', 20)
const PEER_ID = bytesOf('asker', 20)

async function openAnswering(t: TestContext): Promise<Net> {
  const net = await openTestNet(t, { listen: LOOPBACK })
  net.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  net.answerAsks(async (name) => (NAME.equals(name) ? INFOHASH : null))
  net.answerAsks(async (name) => (OTHER_NAME.equals(name) ? OTHER_INFOHASH : null))
  return net
}

function open(t: TestContext, net: Net): Socket {
  const socket = connect(addressOf(net))
  socket.on('error', () => {})
  t.after(() => socket.destroy())
  return socket
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

test('the client of 2015 is told where a name is, that of the handshake and another', async (t) => {
  const net = await openAnswering(t)
  const answers = await askLikeIn2015(addressOf(net), [NAME, bytesOf('unknown', 20), OTHER_NAME], 2)
  assert.deepEqual(answers.sort(), [INFOHASH, OTHER_INFOHASH].map((hash) => hash.toString('hex')).sort())
})

test('the vectors of PROTOCOL.md are what is said and what is understood', () => {
  const vectors = /```\n(d1:md13:ut_gittorrent\S+)\n(\S+)\n(\S+)\n```/.exec(readProjectFile('net/PROTOCOL.md'))
  const [hello = '', question = '', answer = ''] = vectors?.slice(1) ?? []
  assert.equal(Buffer.from(encodeAskHello()).toString('latin1'), hello)
  assert.equal(decodeAskHello(Buffer.from(hello)), 1)
  assert.deepEqual(Buffer.from(decodeAsk(Buffer.from(question)) ?? []), NAME)
  assert.equal(Buffer.from(encodeAskAnswer(INFOHASH)).toString('latin1'), answer)
})

test('a name that is not known here gets no handshake, so that nobody counts us among its holders', async (t) => {
  const net = await openAnswering(t)
  const socket = open(t, net)
  let received = 0
  socket.on('data', (bytes: Uint8Array) => {
    received += bytes.length
  })
  socket.write(encodeHandshake(bytesOf('unknown', 20), PEER_ID))
  await closed(socket)
  assert.equal(received, 0)
})

test('questions before the hello, too many of them, and garbage end the connection; nonsense gets no answer', async (t) => {
  const net = await openAnswering(t)
  const handshake = encodeHandshake(NAME, PEER_ID)
  const hello = encodeExtended(0, encodeAskHello())
  const ask = encodeExtended(1, Buffer.from(`d10:gittorrentd3:sha40:${NAME.toString('hex')}ee`))
  const nonsense = encodeExtended(1, encodeBencode([1n]))
  const attacks = [
    [ask],
    [hello, ...Array(ASK_MESSAGE_COUNT_MAX).fill(nonsense)],
    [encodeExtended(0, Buffer.from('d-3:'))],
  ]
  for (const attack of attacks) {
    const socket = open(t, net)
    let text = ''
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
    })
    socket.write(Buffer.concat([handshake, ...attack]))
    await closed(socket)
    assert.ok(!text.includes('infoHash'))
  }
})

test('those who dial names and stay keep nobody from asking, nor from the topic', async (t) => {
  const net = await openAnswering(t)
  const sockets = Array.from({ length: ASK_CONNECTION_COUNT_MAX + 8 }, () => open(t, net))
  const hungUp = new Promise<void>((resolve) => {
    let count = 0
    for (const socket of sockets) {
      socket.resume()
      socket.once('close', () => {
        if (++count === 8) resolve()
      })
      socket.write(encodeHandshake(NAME, PEER_ID))
    }
  })
  await hungUp
  assert.deepEqual(await askLikeIn2015(addressOf(net), [NAME], 1), [INFOHASH.toString('hex')])
  const client = await openTestNet(t, { peers: [addressOf(net)] })
  const peer = await client.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer({ timeoutMs: PATIENCE_MS })
  assert.ok(peer !== null)
})

/** A connection of somebody, which asks for nothing. */
function connectionOf(owner: string): Connection {
  const handshake = { extended: true, infohash: NAME }
  const worth = worthOfNewcomer(0)
  return { owner, handshake, worth, destroyed: true, destroy: () => {}, once: () => {} } as unknown as Connection
}

/** How many connections of these owners are taken that come all at once. */
function countTaken(service: AskService, owners: readonly string[]): number {
  return owners.filter((owner) => service.accept(connectionOf(owner))).length
}

test('one host that dials as fast as it can takes nothing of what is for all, and many no more than a bounded number', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const service = new AskService(PEER_ID, () => {})
  service.add(async () => null)
  assert.equal(countTaken(service, Array(2 * ASK_BURST_COUNT).fill('192.0.2.1')), ASK_OWNER_BURST_COUNT)
  assert.equal(countTaken(service, ['198.51.100.7']), 1)
  const many = Array.from({ length: 2 * ASK_BURST_COUNT }, (_, index) => `host ${index}`)
  const count = countTaken(service, many)
  assert.ok(count >= ASK_BURST_COUNT / 2 && count < 1.5 * ASK_BURST_COUNT, `${count} were taken`)
})
