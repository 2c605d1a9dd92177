// Goal: an address that strangers cannot or must not reach is told to no way in that strangers hear of, and to no peer of theirs.
// Method: what goes over the wire is read at a tracker, a DHT node and a peer of our own, which names and addresses make public;
// the same exchange with private ones shows that there was something to tell.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { before, type TestContext, test } from 'node:test'
import { AnswerBudget } from '../../net/answers.ts'
import { Connection } from '../../net/connection.ts'
import { Gates } from '../../net/gates.ts'
import { decodePeers } from '../../net/gossip.ts'
import { type Address, asBytes, asDict, bencodeDict, decodeBencode, encodeBencode, type Net } from '../../net/index.ts'
import { TopicSwarm } from '../../net/topic.ts'
import type { TopicPeer } from '../../net/topic-peer.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { whenFileEnds } from '../support/until-file-ends.ts'
import { addressOf, bytesOf, NO_ANSWERS, openTestNet, PATIENCE_MS, TOPIC } from './fixtures.ts'

/** Every name under this one is this machine, and public as names are. */
const PUBLIC_NAME = 'public.example.org'
const WAIT = { timeoutMs: PATIENCE_MS }
const NO_PORT = 1
const lookup = dns.lookup

before(() => {
  const here = (name: string, options: unknown, done?: unknown): void => {
    const answer = typeof options === 'function' ? options : done
    const isAll = typeof options === 'object' && options !== null && 'all' in options && options.all === true
    if (typeof answer !== 'function') throw new Error('lookup: expected a callback')
    if (name !== PUBLIC_NAME) Reflect.apply(lookup, dns, [name, options, done])
    else if (isAll) setImmediate(() => answer(null, [{ address: '127.0.0.1', family: 4 }]))
    else setImmediate(() => answer(null, '127.0.0.1', 4))
  }
  whenFileEnds(() => Object.assign(dns, { lookup }))
  Object.assign(dns, { lookup: here })
})

/** Looks for a topic, and announces it, by ways in that the caller names; ends when all have answered. */
async function announceBy(t: TestContext, ways: Parameters<typeof openTestNet>[1]): Promise<Net> {
  const net = await openTestNet(t, { listen: LOOPBACK, ...ways })
  const topic = net.joinTopic(TOPIC, NO_ANSWERS, { announce: true })
  await topic.waitForPeer(WAIT)
  assert.deepEqual(
    topic.ways().map(({ failure }) => failure),
    [null],
  )
  await topic.close()
  return net
}

test('an HTTP tracker that is public learns no port of an address that is not', async (t) => {
  const ports: number[] = []
  const server = createHttpServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams
    assert.equal(query.has('ip'), false)
    ports.push(Number(query.get('port')))
    response.end('d8:intervali60e5:peers0:e')
  })
  server.listen(LOOPBACK)
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  await announceBy(t, { trackers: [`http://${PUBLIC_NAME}:${port}/announce`] })
  assert.deepEqual([...new Set(ports)], [NO_PORT])
  const told = await announceBy(t, { trackers: [`http://127.0.0.1:${port}/announce`] })
  // Coming and going.
  assert.deepEqual(
    ports.filter((each) => each !== NO_PORT),
    [addressOf(told).port, addressOf(told).port],
  )
})

test('a UDP tracker that is public learns no port of an address that is not', async (t) => {
  const ports: number[] = []
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => {
    const isConnect = bytes.readUInt32BE(8) === 0
    if (!isConnect) ports.push(bytes.readUInt16BE(96))
    const answer = Buffer.alloc(isConnect ? 16 : 20)
    answer.writeUInt32BE(isConnect ? 0 : 1, 0)
    bytes.copy(answer, 4, 12, 16)
    socket.send(answer, from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  const { port } = socket.address()
  await announceBy(t, { trackers: [`udp://${PUBLIC_NAME}:${port}`] })
  assert.deepEqual([...new Set(ports)], [NO_PORT])
  const told = await announceBy(t, { trackers: [`udp://127.0.0.1:${port}`] })
  // Coming and going.
  assert.deepEqual(
    ports.filter((each) => each !== NO_PORT),
    [addressOf(told).port, addressOf(told).port],
  )
})

/** A DHT node that answers everything, knows nobody, and keeps what it was asked. */
async function openFakeNode(t: TestContext): Promise<{ port: number; queries: string[] }> {
  const queries: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => {
    const query = asDict(decodeBencode(bytes, { canonical: false }))
    queries.push(Buffer.from(asBytes(query?.get('q'), 0, 20) ?? []).toString('latin1'))
    const reply = bencodeDict({ id: bytesOf('fake node', 20), nodes: new Uint8Array(0), token: Buffer.from('token') })
    const answer = bencodeDict({ r: reply, t: query?.get('t'), y: Buffer.from('r') })
    socket.send(encodeBencode(answer), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return { port: socket.address().port, queries }
}

test('the public DHT is asked, but told of no address that is not public', async (t) => {
  const { port, queries } = await openFakeNode(t)
  await announceBy(t, { dht: true, dhtBootstrap: [{ host: PUBLIC_NAME, port }] })
  assert.ok(queries.includes('get_peers'))
  assert.ok(!queries.includes('announce_peer'))
  await announceBy(t, { dht: true, dhtBootstrap: [{ host: '127.0.0.1', port }] })
  assert.ok(queries.includes('announce_peer'))
})

interface Hub {
  readonly topic: TopicSwarm
  /** Addresses that it wanted to dial. */
  readonly dialled: Address[]
  readonly address: Address
  /** The next connection comes from this host, as far as the hub can see. */
  expect(host: string): void
}

/** A topic whose connections come from wherever the test says. */
async function openHub(t: TestContext): Promise<Hub> {
  const hosts: string[] = []
  const dialled: Address[] = []
  const gates = new Gates()
  const topic = new TopicSwarm({
    infohash: TOPIC,
    peerId: bytesOf('hub', 20),
    ways: [],
    announce: false,
    ownAddress: null,
    gossips: true,
    budget: new AnswerBudget(2 ** 20),
    dial: async (address) => {
      dialled.push(address)
      throw new Error('nobody is dialled here')
    },
    isBanned: () => false,
    ban: () => {},
    onDialled: () => {},
    answer: () => Promise.reject(new Error('nobody asks here')),
    trace: () => {},
    onClose: () => {},
  })
  const server = createServer((socket: Socket) => {
    Object.defineProperty(socket, 'remoteAddress', { value: hosts.shift() })
    topic.accept(new Connection(socket, gates, false))
  })
  server.listen(LOOPBACK)
  await once(server, 'listening')
  t.after(async () => {
    await topic.close()
    server.close()
  })
  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  return { topic, dialled, address, expect: (host) => hosts.push(host) }
}

/** Connects a net that listens, as if from `host`; resolves to how to ask the hub for peers. */
async function joinFrom(t: TestContext, hub: Hub, host: string): Promise<{ net: Net; ask: () => Promise<Address[]> }> {
  hub.expect(host)
  const met = new Promise<void>((resolve) => {
    const stop = hub.topic.onPeer((peer) => {
      if (peer.remote.host === host) setImmediate(() => stop())
      if (peer.remote.host === host) resolve()
    })
  })
  const net = await openTestNet(t, { listen: LOOPBACK, peers: [hub.address] })
  const peer = await net.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT)
  await met
  assert.ok(peer !== null)
  const options = { timeoutMs: PATIENCE_MS, responseLengthMax: 10_000 }
  return { net, ask: async () => decodePeers(await peer.request('peers', new Uint8Array(0), options)) }
}

test('who comes from a public address hears of public addresses only, by gossip as well', async (t) => {
  const hub = await openHub(t)
  await joinFrom(t, hub, '127.0.0.1')
  await joinFrom(t, hub, '10.1.2.3')
  await joinFrom(t, hub, '9.9.9.9')
  const fromPublic = await joinFrom(t, hub, '8.8.8.8')
  const fromPrivate = await joinFrom(t, hub, '192.168.1.9')
  const hostsOf = (addresses: Address[]): string[] => addresses.map(({ host }) => host).sort()
  assert.deepEqual(hostsOf(await fromPublic.ask()), ['9.9.9.9'])
  assert.deepEqual(hostsOf(await fromPrivate.ask()), ['10.1.2.3', '8.8.8.8', '9.9.9.9'])
})

test('a public peer that names an address of this machine makes nobody dial it', async (t) => {
  const hub = await openHub(t)
  const hidden = await openTestNet(t, { listen: LOOPBACK })
  hidden.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  const isDialledFor = async (host: string): Promise<boolean> => {
    // To the one who names, everybody here is on this machine, so it tells the hub of the hidden one.
    const naming = await openTestNet(t, { peers: [addressOf(hidden)] })
    const topic = naming.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
    assert.ok((await topic.waitForPeer(WAIT)) !== null)
    hub.expect(host)
    const asked = new Promise<TopicPeer>((resolve) => {
      hub.topic.onPeer((peer) => peer.remote.host === host && resolve(peer))
    })
    topic.addPeer(hub.address)
    const answer = (await asked).request('peers', new Uint8Array(0), {
      timeoutMs: PATIENCE_MS,
      responseLengthMax: 10_000,
    })
    // The hub has asked before, and answers come in the order of their questions.
    assert.deepEqual(decodePeers(await answer), [addressOf(hidden)])
    return hub.dialled.some(({ port }) => port === addressOf(hidden).port)
  }
  assert.equal(await isDialledFor('9.9.9.9'), false)
  assert.equal(await isDialledFor('127.0.0.1'), true)
})
