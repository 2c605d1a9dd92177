/**
 * Goal: a net that listens on all addresses is reached by IPv4 and by IPv6, knows an IPv4 peer by its IPv4 address whatever the socket says, and
 * works where there is no IPv6.
 * Method: nets on loopback of both families; a system without IPv6 is one whose listen() says so.
 */

import assert from 'node:assert/strict'
import { connect, Server, type Socket } from 'node:net'
import { test } from 'node:test'
import type { Connection } from '../../net/connection.ts'
import { Gates, openDht, type TopicPeer } from '../../net/index.ts'
import { INCOMING_CONNECTION_COUNT_MAX } from '../../net/limits.ts'
import { Listener } from '../../net/listener.ts'
import { encodeHandshake } from '../../net/swarm/wire-messages.ts'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, NO_ANSWERS, openTestNet, PATIENCE_MS, TOPIC } from './fixtures.ts'

const ANYWHERE = { host: '::', port: 0 }
const WAIT = { timeoutMs: PATIENCE_MS }

test('peers come by both families, and who came by IPv6 is told the IPv4 address of another', async (t) => {
  const hub = await openTestNet(t, { listen: ANYWHERE })
  const { host, port } = addressOf(hub)
  assert.equal(host, '::')
  const met: TopicPeer[] = []
  hub.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).onPeer((peer) => met.push(peer))
  const byV4 = await openTestNet(t, { listen: LOOPBACK, peers: [{ host: '127.0.0.1', port }] })
  assert.ok((await byV4.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT)) !== null)
  const byV6 = await openTestNet(t, { peers: [{ host: '::1', port }] })
  const topic = byV6.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
  const told = new Promise<TopicPeer>((resolve) => {
    topic.onPeer((peer) => peer.remote.port === addressOf(byV4).port && resolve(peer))
  })
  assert.equal((await told).remote.host, '127.0.0.1')
  assert.deepEqual(
    met.map((peer) => peer.remote.host),
    ['127.0.0.1', '::1'],
  )
  assert.deepEqual(met[0]?.address, addressOf(byV4))
})

test('the DHT node beside it is on IPv4', async (t) => {
  const other = await openDht({ listen: LOOPBACK, bootstrap: [] })
  t.after(() => other.close())
  const net = await openTestNet(t, { listen: ANYWHERE, dht: true, dhtBootstrap: [other.address] })
  assert.equal(net.dhtAddress?.host, '0.0.0.0')
})

test('where there is no IPv6, all addresses are those of IPv4; a port that is taken is no such case', async (t) => {
  const taken = addressOf(await openTestNet(t, { listen: ANYWHERE }))
  await assert.rejects(openTestNet(t, { listen: taken }), { code: 'listen-failed' })
  const { listen } = Server.prototype
  for (const code of ['EAFNOSUPPORT', 'EADDRNOTAVAIL']) {
    const { mock } = t.mock.method(
      Server.prototype,
      'listen',
      function (this: Server, options: object, done: () => void) {
        if (!('host' in options) || options.host !== '::') return listen.call(this, options, done)
        process.nextTick(() => this.emit('error', Object.assign(new Error(code), { code })))
        return this
      },
    )
    const net = await openTestNet(t, { listen: ANYWHERE })
    mock.restore()
    assert.equal(addressOf(net).host, '0.0.0.0')
    const peer = await openTestNet(t, { peers: [{ host: '127.0.0.1', port: addressOf(net).port }] })
    net.joinTopic(TOPIC, NO_ANSWERS, { announce: false })
    assert.ok((await peer.joinTopic(TOPIC, NO_ANSWERS, { announce: false }).waitForPeer(WAIT)) !== null)
  }
})

test('a port all of whose places are held by connections that do nothing, each of another host, has room for one who comes', async (t) => {
  const listener = await Listener.open(LOOPBACK, new Gates())
  t.after(() => listener.close())
  const sockets: Socket[] = []
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  let onRouted: () => void = () => {}
  const routed: Connection[] = []
  const route = (connection: Connection): boolean => {
    onRouted()
    return routed.push(connection) > 0
  }
  listener.addDoor({ secret: null, isBanned: () => false, route })
  const come = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(listener.address)
      sockets.push(socket.on('error', () => {}).once('close', () => reject(new Error('turned away'))))
      onRouted = resolve
      socket.write(encodeHandshake(TOPIC, TOPIC))
    })
  for (let count = 0; count < INCOMING_CONNECTION_COUNT_MAX; count++) await come()
  const served = routed[0] ?? assert.fail()
  served.worth = { activeAtMs: 0, isUseless: false, isUntried: false, isBusy: true }
  await come()
  assert.deepEqual(
    routed.flatMap(({ destroyed }, index) => (destroyed ? [index] : [])),
    [1],
    'the longest there of those who are not served',
  )
})
