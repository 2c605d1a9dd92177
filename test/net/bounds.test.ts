// Goal: bounds of the table in PROTOCOL.md that no scene of another file reaches hold at their values: what is one more, or one later, is
// refused, left out, forgotten or ended.
// Method: each bound is pushed against by itself, on a clock of the test's own where it is a time.
import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { AnswerBudget } from '../../net/answers.ts'
import { Channel } from '../../net/channel.ts'
import {
  asDict,
  asList,
  bencodeDict,
  type Dht,
  decodeBencode,
  encodeBencode,
  KnownPeers,
  type NetError,
  openDht,
} from '../../net/index.ts'
import { cleanDatagram } from '../../net/krpc.ts'
import {
  DHT_PEER_AGE_MS_MAX,
  IDLE_TIMEOUT_MS,
  INFO_LENGTH_MAX,
  KNOWN_LENGTH_MAX,
  LOOKUP_ADDRESS_COUNT_MAX,
  RESPONSE_STALL_TIMEOUT_MS,
  RESPONSE_WINDOW_LENGTH,
} from '../../net/limits.ts'
import { encodeMessage } from '../../net/messages.ts'
import { checkTorrent, sha1 } from '../../net/torrent.ts'
import { parseTrackerAnswer, parseUdpTrackerAnswer } from '../../net/tracker.ts'
import { openDialled } from '../support/dialled.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { TOPIC } from './fixtures.ts'

const PEER = { host: '8.8.8.8', port: 7001 }
/** Compact addresses, one more than are taken. */
const COMPACT = Buffer.alloc(6 * (LOOKUP_ADDRESS_COUNT_MAX + 1), Buffer.from([8, 8, 8, 8, 27, 89]))

test('a connection on which nobody says anything for 150 s ends', async (t) => {
  const timeouts: { ms: number; end: () => void }[] = []
  t.mock.method(Socket.prototype, 'setTimeout', function (this: Socket, ms: number, end?: () => void) {
    if (end !== undefined) timeouts.push({ ms, end })
    return this
  })
  const { connection } = await openDialled(t)
  const idle = timeouts.find(({ ms }) => ms === IDLE_TIMEOUT_MS)
  assert.ok(idle !== undefined && !connection.destroyed)
  idle.end()
  assert.equal(connection.destroyed, true)
})

test('of what one look-up finds no more than 200 addresses count, by HTTP, by UDP and in the DHT', () => {
  const answer = encodeBencode(bencodeDict({ peers: COMPACT }))
  assert.equal(parseTrackerAnswer(answer).length, LOOKUP_ADDRESS_COUNT_MAX)
  const transaction = Buffer.from('abcd')
  const head = Buffer.concat([Buffer.from([0, 0, 0, 1]), transaction, Buffer.alloc(12)])
  const udp = parseUdpTrackerAnswer(Buffer.concat([head, COMPACT]), transaction, 4)
  assert.ok(udp !== null && 'peers' in udp)
  assert.equal(udp.peers.length, LOOKUP_ADDRESS_COUNT_MAX)
  const values = Array(LOOKUP_ADDRESS_COUNT_MAX + 1).fill(COMPACT.subarray(0, 6))
  const r = bencodeDict({ id: Buffer.alloc(20, 7), values })
  const kept = cleanDatagram(encodeBencode(bencodeDict({ r, t: transaction, y: Buffer.from('r') })), 'public')
  const reply = asDict(asDict(decodeBencode(kept ?? assert.fail('not kept')))?.get('r'))
  assert.equal(asList(reply?.get('values'))?.length, LOOKUP_ADDRESS_COUNT_MAX)
})

test('who announced in the DHT and was not heard of again is forgotten, an hour later at the latest', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const nodes: Dht[] = []
  t.after(() => Promise.all(nodes.map((node) => node.close())))
  for (let index = 0; index < 3; index++) {
    const bootstrap = nodes.slice(0, 1).map(({ address }) => address)
    nodes.push(await openDht({ listen: LOOPBACK, bootstrap }))
  }
  const [, asker, announcer] = nodes
  assert.ok(asker !== undefined && announcer !== undefined)
  const signal = new AbortController().signal
  const findPort = async (): Promise<number | null> => {
    let port: number | null = null
    await asker.lookup(
      TOPIC,
      (peer) => {
        port = peer.port
      },
      signal,
    )
    return port
  }
  await announcer.lookup(TOPIC, () => {}, signal)
  assert.equal(await announcer.announce(TOPIC, 7001), true)
  assert.equal(await findPort(), 7001)
  t.mock.timers.tick((4 / 3) * DHT_PEER_AGE_MS_MAX)
  assert.equal(await findPort(), null)
})

test('an info dictionary of 4 MiB is read, a longer one is not', () => {
  const torrentOf = (length: number) => {
    const fixed = { length: 20n, name: Buffer.from('x'), 'piece length': 16_384n, pieces: Buffer.alloc(20) }
    const padded = (count: number): Uint8Array => encodeBencode(bencodeDict({ ...fixed, z: Buffer.alloc(count) }))
    const info = padded(length - (padded(length).length - length))
    assert.equal(info.length, length)
    return { info, infohash: sha1(info), lengthBytes: 20, pieceLengthBytes: 16_384 }
  }
  assert.equal(checkTorrent(torrentOf(INFO_LENGTH_MAX)).pieceCount, 1)
  assert.throws(() => checkTorrent(torrentOf(INFO_LENGTH_MAX + 1)), { code: 'torrent-malformed' })
})

test('a file of known peers of 1 MiB is read, a longer one is not', () => {
  const known = new KnownPeers()
  known.noteWorked(TOPIC, PEER, 1_000)
  const dict = decodeBencode(known.encode(1_000))
  assert.ok(dict instanceof Map)
  const padded = (length: number): Uint8Array => encodeBencode(new Map([...dict, ['z', Buffer.alloc(length)]]))
  const overhead = padded(KNOWN_LENGTH_MAX).length - KNOWN_LENGTH_MAX
  const fitting = padded(KNOWN_LENGTH_MAX - overhead)
  assert.ok(fitting.length <= KNOWN_LENGTH_MAX)
  assert.deepEqual(KnownPeers.decode(fitting, 1_000).peersOf(TOPIC), [PEER])
  assert.deepEqual(KnownPeers.decode(padded(KNOWN_LENGTH_MAX), 1_000).peersOf(TOPIC), [])
})

test('who asks, takes a window of an answer and gives no credit for 30 s is dropped', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const dropped: NetError[] = []
  const channel = new Channel({
    send: (_, onTaken = () => {}) => onTaken(),
    drop: (reason) => dropped.push(reason),
    answer: async () => new Uint8Array(2 * RESPONSE_WINDOW_LENGTH),
    budget: new AnswerBudget(2 ** 30),
  })
  const lengthMax = 4 * RESPONSE_WINDOW_LENGTH
  channel.receive(encodeMessage({ type: 'request', id: 1, kind: 'echo', payload: new Uint8Array(0), lengthMax }))
  await new Promise((resolve) => setImmediate(resolve))
  t.mock.timers.tick(RESPONSE_STALL_TIMEOUT_MS - 1)
  assert.deepEqual(dropped, [])
  t.mock.timers.tick(1)
  assert.deepEqual(
    dropped.map(({ code }) => code),
    ['timeout'],
  )
})
