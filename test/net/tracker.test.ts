/**
 * Goal: our tracker serves any program that speaks HTTP or UDP to it, on IPv4 and IPv6, and no flood, forgery or silence keeps the others from it.
 * Method: real sockets on loopback, with the client of another implementation and datagrams and requests of our own making.
 */

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import dns from 'node:dns'
import { EventEmitter, on, once } from 'node:events'
import { get } from 'node:http'
import { connect, isIP } from 'node:net'
import { type TestContext, test } from 'node:test'
import Client from 'bittorrent-tracker/client'
import { asDict, decodeBencode, NetError, openTracker, type Tracker } from '../../net/index.ts'
import { TRACKER_CONNECTION_COUNT_MAX, TRACKER_PER_HOST_COUNT_MAX } from '../../net/limits.ts'
import { ConnectionIds } from '../../net/tracker/connection-ids.ts'
import { announceToTracker, parseTrackerAnswer } from '../../net/tracker.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { bytesOf, TOPIC } from './fixtures.ts'

async function openTestTracker(t: TestContext, host = '127.0.0.1'): Promise<Tracker> {
  const tracker = await openTracker({ host, port: 0 })
  t.after(() => tracker.close())
  return tracker
}

function announce(url: string, port: number, more: { event?: 'stopped'; seeding?: boolean } = {}): Promise<string[]> {
  const { signal } = new AbortController()
  const options = { infohash: TOPIC, peerId: bytesOf(`peer ${port}`, 20), port, event: null, seeding: false, signal }
  return announceToTracker(url, { ...options, ...more }).then((peers) =>
    peers.map(({ host, port }) => `${host} ${port}`).sort(),
  )
}

/** Where every name leads for the rest of a test; nowhere without an address. */
function namesLead(t: TestContext, addresses: readonly string[]): void {
  const { lookup } = dns
  t.mock.method(
    dns,
    'lookup',
    (name: string, options: never, done: (error: Error | null, found?: object[]) => void) => {
      if (isIP(name) !== 0) return lookup(name, options, done as never)
      const found = addresses.map((address) => ({ address, family: isIP(address) }))
      const failure = new Error(`getaddrinfo ENOTFOUND ${name}`)
      setImmediate(() => (found.length === 0 ? done(failure) : done(null, found)))
    },
  )
}

/** A socket to the UDP side of a tracker, whose next answer can be waited for. */
async function openUdp(t: TestContext, url: string, from = '127.0.0.1') {
  const { hostname, port } = new URL(url.replace('udp:', 'http:'))
  const host = hostname.replace(/[[\]]/g, '')
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, host.includes(':') ? '::1' : from)
  await once(socket, 'listening')
  t.after(() => socket.close())
  const send = (packet: Uint8Array): void => socket.send(packet, Number(port), host)
  const answers = async (count: number): Promise<Buffer> => {
    let last: Buffer | undefined
    for await (const [bytes] of on(socket, 'message')) {
      last = bytes
      count--
      if (count === 0) break
    }
    return last ?? assert.fail()
  }
  const answer = (): Promise<Buffer> => answers(1)
  const connectionId = async (): Promise<Buffer> => {
    send(Buffer.from('0000041727101980000000000badcafe', 'hex'))
    const bytes = await answer()
    assert.equal(bytes.subarray(0, 8).toString('hex'), '000000000badcafe')
    return bytes.subarray(8, 16)
  }
  return { send, answer, answers, connectionId }
}

/** BEP 15: an announcement of a leecher, transaction "abcd". */
function announcementOf(connectionId: Uint8Array, port: number): Buffer {
  const packet = Buffer.alloc(98)
  packet.set(connectionId, 0)
  packet.writeUInt32BE(1, 8)
  packet.write('abcd', 12)
  packet.set(TOPIC, 16)
  packet.set(bytesOf(`peer ${port}`, 20), 36)
  packet.writeBigUInt64BE(1n, 64)
  packet.writeInt32BE(-1, 92)
  packet.writeUInt16BE(port, 96)
  return packet
}

async function bodyOf(url: string): Promise<{ status: number; body: Buffer }> {
  const [response] = await once(get(url, { agent: false }), 'response')
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part)
  return { status: response.statusCode, body: Buffer.concat(parts) }
}

for (const [kind, host] of [
  ['HTTP', '127.0.0.1'],
  ['UDP', '127.0.0.1'],
  ['HTTP', '::1'],
] as const)
  test(`clients of another implementation meet by ${kind} on ${host}, are counted, and are gone when they leave`, async (t) => {
    const tracker = await openTestTracker(t, host)
    const url = kind === 'HTTP' ? tracker.httpUrl : tracker.udpUrl
    const [seeder, leecher] = [7001, 7002].map((port) => {
      const client = new Client({ infoHash: TOPIC, peerId: bytesOf(`peer ${port}`, 20), announce: [url], port })
      client.on('error', (error: Error) => assert.fail(error))
      client.on('warning', (error: Error) => assert.fail(error))
      t.after(() => client.destroy())
      return client
    })
    if (seeder === undefined || leecher === undefined) return assert.fail()
    const countsAfter = async (act: () => void): Promise<string> => {
      const updated = once(leecher, 'update')
      act()
      const [{ complete, incomplete }] = await updated
      return `${complete} ${incomplete}`
    }
    const started = once(seeder, 'update')
    seeder.start({ left: 0 })
    await started
    const met = once(leecher, 'peer')
    assert.equal(await countsAfter(() => leecher.start({ left: 5 })), '1 1')
    const shown = host === '::1' ? '[::1]:7001' : '127.0.0.1:7001'
    assert.deepEqual(await met, [shown])
    const scraped = once(leecher, 'scrape')
    leecher.scrape()
    const [{ complete, incomplete }] = await scraped
    assert.deepEqual([complete, incomplete], [1, 1])
    const stopped = once(seeder, 'update')
    seeder.stop()
    await stopped
    assert.equal(await countsAfter(() => leecher.update({ left: 5 })), '0 1')
  })

test('over UDP on IPv6 peers have 18 bytes each, and only such are told', async (t) => {
  const tracker = await openTestTracker(t, '::1')
  assert.deepEqual(await announce(tracker.httpUrl, 7001), [])
  const { send, answer, connectionId } = await openUdp(t, tracker.udpUrl)
  send(announcementOf(await connectionId(), 7002))
  const bytes = await answer()
  assert.equal(bytes.subarray(20).toString('hex'), '00000000000000000000000000000001'.concat('1b59'))
  assert.deepEqual(await announce(tracker.httpUrl, 7003), ['::1 7001', '::1 7002'])
})

test('a UDP tracker is asked on IPv6, and under both addresses of a name the one that answers counts', async (t) => {
  const tracker = await openTestTracker(t, '::1')
  assert.deepEqual(await announce(tracker.udpUrl, 7001), [])
  assert.deepEqual(await announce(tracker.udpUrl, 7002), ['::1 7001'])
  namesLead(t, ['127.0.0.1', '::1'])
  const named = tracker.udpUrl.replace('[::1]', 'tracker.example.org')
  assert.deepEqual(await announce(named, 7003), ['::1 7001', '::1 7002'])
})

test('a UDP tracker that is not there, or a name that leads nowhere, is known at once and not after the time for answers', async (t) => {
  const taken = createSocket('udp4')
  taken.bind(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address()
  await new Promise<void>((resolve) => taken.close(resolve))
  const isRefused = (error: unknown): boolean => error instanceof NetError && error.code === 'peer-gone'
  await assert.rejects(announce(`udp://127.0.0.1:${port}`, 7001), isRefused)
  namesLead(t, [])
  await assert.rejects(announce('udp://tracker.example.org:6969', 7001), isRefused)
})

test('1,500 announcements of one sender take a few places, and the honest peer is told to everybody', async (t) => {
  const tracker = await openTestTracker(t)
  assert.deepEqual(await announce(tracker.httpUrl, 7001), [])
  const flood = await openUdp(t, tracker.udpUrl)
  const id = await flood.connectionId()
  for (let from = 10_000; from < 11_500; from += 50) {
    const answered = flood.answers(50)
    for (let port = from; port < from + 50; port++) flood.send(announcementOf(id, port))
    await answered
  }
  for (let asker = 7002; asker < 7005; asker++) {
    const told = await announce(tracker.httpUrl, asker)
    assert.ok(told.includes('127.0.0.1 7001'))
    assert.equal(told.length, TRACKER_PER_HOST_COUNT_MAX + asker - 7001)
  }
})

test('who announces under an address that is not his, or with the id of another, is not heard', async (t) => {
  const tracker = await openTestTracker(t)
  const [own, other] = [await openUdp(t, tracker.udpUrl), await openUdp(t, tracker.udpUrl, '127.0.0.2')]
  const foreign = await other.connectionId()
  for (const id of [Buffer.from('0000041727101980', 'hex'), foreign, Buffer.alloc(8)]) {
    own.send(announcementOf(id, 7001))
    // The next answer is that to the next question.
    await own.connectionId()
  }
  assert.deepEqual(await announce(tracker.httpUrl, 7002), [])
  own.send(announcementOf(await own.connectionId(), 7001))
  assert.equal((await own.answer()).toString('latin1', 4, 8), 'abcd')
  assert.deepEqual(await announce(tracker.httpUrl, 7003), ['127.0.0.1 7001', '127.0.0.1 7002'])
})

test('a connection id is good for two minutes at least, for four at most, and for one address', () => {
  let nowMs = 1
  const ids = new ConnectionIds({ nowMs: () => nowMs })
  const id = ids.of('8.8.8.8')
  assert.deepEqual(
    [ids.has('8.8.8.8', id), ids.has('8.8.8.9', id), ids.has('8.8.8.8', id.subarray(1))],
    [true, false, false],
  )
  nowMs = 239_999
  assert.equal(ids.has('8.8.8.8', id), true)
  nowMs = 240_000
  assert.equal(ids.has('8.8.8.8', id), false)
  assert.notDeepEqual(new ConnectionIds({ nowMs: () => 1 }).of('8.8.8.8'), id)
})

test('connections that say nothing, as many as there may be, keep nobody out', async (t) => {
  const tracker = await openTestTracker(t)
  const { hostname, port } = new URL(tracker.httpUrl)
  const closed = new EventEmitter()
  const silent = Array.from({ length: TRACKER_CONNECTION_COUNT_MAX }, () => {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.once('close', () => closed.emit('one'))
    t.after(() => socket.destroy())
    return socket
  })
  await Promise.all(silent.map((socket) => once(socket, 'connect')))
  silent[0]?.write('GET /announce?')
  const first = once(closed, 'one')
  assert.deepEqual(await announce(tracker.httpUrl, 7001), [])
  await first
  assert.equal(silent.filter(({ destroyed }) => destroyed).length, 1)
})

test('a connection that says little ends after five seconds', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const tracker = await openTestTracker(t)
  const { hostname, port } = new URL(tracker.httpUrl)
  const slow = connect(Number(port), hostname)
  t.after(() => slow.destroy())
  await once(slow, 'connect')
  slow.write('GET /announce?')
  // Who came first was let in first.
  assert.deepEqual(await announce(tracker.httpUrl, 7001), [])
  t.mock.timers.tick(4_999)
  assert.deepEqual(await announce(tracker.httpUrl, 7002), ['127.0.0.1 7001'])
  assert.equal(slow.readyState, 'open')
  const closed = once(slow, 'close')
  t.mock.timers.tick(1)
  await closed
})

test('what is no request is refused in the words of BEP 3, or with a status', async (t) => {
  const tracker = await openTracker(LOOPBACK, (infohash) => infohash !== 'bb'.repeat(20))
  t.after(() => tracker.close())
  const hash = '%aa'.repeat(20)
  const well = `info_hash=${hash}&peer_id=${hash}&port=7001&left=18446744073709551615&numwant=-1&event=&ip=8.8.8.8&x`
  const failureOf = async (query: string): Promise<string | null> => {
    const { status, body } = await bodyOf(tracker.httpUrl.replace('announce', query))
    assert.equal(status, 200)
    const reason = asDict(decodeBencode(body))?.get('failure reason')
    return reason instanceof Uint8Array ? Buffer.from(reason).toString() : null
  }
  assert.equal(await failureOf(`announce?${well}`), null)
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /\/announce or \/scrape/],
    ['stats', /\/announce or \/scrape/],
    ['announce', /info_hash/],
    [`announce?${well.replace('%aa', '')}`, /20 bytes of info_hash/],
    [`announce?${well}&info_hash=${hash}`, /one info_hash/],
    [`announce?${well.replace('%aa', '%ag')}`, /percent/],
    [`announce?${well.replace('7001', '70010')}`, /port/],
    [`announce?${well.replace('7001', '-1')}`, /port/],
    [`announce?${well.replace('event=', 'event=bought')}`, /event/],
    [`announce?${well.replace('numwant=-1', 'numwant=1e3')}`, /numwant/],
    [`announce?${well.replace(hash, '%bb'.repeat(20))}`, /^not here$/],
    ['scrape', /info_hash/],
    [`scrape?${`info_hash=${hash}&`.repeat(65)}`, /at most 64/],
  ]
  for (const [query, reason] of wrong) assert.match((await failureOf(query)) ?? '', reason, query)
  const hidden = await bodyOf(tracker.httpUrl.replace('announce', `scrape?info_hash=${'%bb'.repeat(20)}`))
  assert.match(hidden.body.toString('latin1'), /8:completei0e.*10:incompletei0e/)
  assert.equal((await bodyOf(`${tracker.httpUrl}?${'x'.repeat(9_000)}`)).status, 431)
  assert.deepEqual(parseTrackerAnswer((await bodyOf(`${tracker.httpUrl}?${well.replace('7001', '7002')}`)).body), [
    { host: '127.0.0.1', port: 7001 },
  ])
})

test('a port that is taken, by TCP or UDP, is told, and leaves the other free', async (t) => {
  const tracker = await openTestTracker(t)
  const taken = createSocket('udp4')
  taken.bind(0, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => taken.close())
  for (const port of [Number(new URL(tracker.httpUrl).port), taken.address().port])
    await assert.rejects(
      openTracker({ host: '127.0.0.1', port }),
      (error) => error instanceof NetError && error.code === 'listen-failed',
    )
})
