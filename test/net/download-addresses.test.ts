// Goal: addresses that strangers name, however many, end no download and push no other's address out; each is dialled once.
// Method: a download whose swarm and dialling are stubs, and its list of addresses alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Address, formatAddress } from '../../net/address.ts'
import { DownloadTask } from '../../net/download.ts'
import { DownloadAddresses } from '../../net/download-addresses.ts'
import { NetError } from '../../net/errors.ts'
import {
  DOWNLOAD_DIALLED_COUNT_START,
  DOWNLOAD_MET_COUNT_MAX,
  DOWNLOAD_REDIAL_COUNT_MAX,
  DOWNLOAD_WAITING_COUNT_MAX,
  TRIES_COUNT_MAX,
} from '../../net/limits.ts'
import type { SwarmClient } from '../../net/swarm-client.ts'
import { checkTorrent } from '../../net/torrent.ts'
import { Tries } from '../../net/tries.ts'
import { memoryStore, torrentOf } from './fixtures.ts'

const HONEST = { host: '9.9.9.9', port: 7001 }
/** Addresses of one host. */
const FLOOD = Array.from({ length: 5_000 }, (_, at): Address => ({ host: '203.0.113.1', port: 1 + at }))

/** All that wait, in the order in which they are dialled. */
function takeAll(addresses: DownloadAddresses): string[] {
  const taken: string[] = []
  for (let next = addresses.next(() => 0); next !== null; next = addresses.next(() => 0)) {
    taken.push(formatAddress(next.address))
  }
  return taken
}

test('a download dials a bounded part of what one host names, and the address of another one for certain', async () => {
  const dialled: string[] = []
  const refusals: ((error: NetError) => void)[] = []
  const swarm = { isDone: false, connectionCount: 1, outsiderCount: 0, takenLength: 0, isInLine: false }
  const client = { join: () => ({ ...swarm, muteConnections: () => [], leave: () => {} }) } as unknown as SwarmClient
  const options = { peers: [], store: memoryStore(1), stallTimeoutMs: 60_000 }
  const task = new DownloadTask(checkTorrent(torrentOf(Buffer.alloc(1))), options, {
    client,
    dial: (address) => {
      dialled.push(formatAddress(address))
      return new Promise((_, reject) => refusals.push(reject))
    },
    isBanned: () => false,
    tries: new Tries(),
  })
  for (const address of [...FLOOD.slice(0, 1_000), HONEST, ...FLOOD.slice(1_000)]) task.addPeer(address)
  while (refusals.length > 0) {
    for (const refuse of refusals.splice(0)) refuse(new NetError('peer-refused', 'refused'))
    await new Promise((resolve) => setImmediate(resolve))
  }
  task.fail(new NetError('aborted', 'the test is over'))
  assert.equal(dialled.length, DOWNLOAD_DIALLED_COUNT_START + DOWNLOAD_WAITING_COUNT_MAX)
  assert.ok(dialled.includes(formatAddress(HONEST)))
})

test('who gave way may be named again, who waits or was met may not', () => {
  const addresses = new DownloadAddresses(new Tries())
  const offered = FLOOD.slice(0, DOWNLOAD_WAITING_COUNT_MAX + 1)
  for (const address of [...offered, ...offered.slice(1)]) addresses.offer(address)
  assert.deepEqual(takeAll(addresses), offered.slice(1).map(formatAddress))
  for (const address of offered) addresses.offer(address)
  assert.deepEqual(takeAll(addresses), offered.slice(0, 1).map(formatAddress))
})

test('who was dialled before waits behind all others, and there may be no more of those, too', () => {
  const addresses = new DownloadAddresses(new Tries())
  const redialCount = DOWNLOAD_REDIAL_COUNT_MAX - 1
  for (const address of FLOOD) addresses.wait(address, redialCount)
  assert.deepEqual([addresses.waitingCount, addresses.hasUnmet], [DOWNLOAD_WAITING_COUNT_MAX, false])
  addresses.offer(HONEST)
  assert.equal(addresses.hasUnmet, true)
  assert.equal(takeAll(addresses)[0], formatAddress(HONEST))
})

test('the address met longest ago is forgotten when there are too many', () => {
  const addresses = new DownloadAddresses(new Tries())
  addresses.offer(HONEST)
  const isMetAfter = (others: readonly Address[]): boolean => {
    takeAll(addresses)
    for (const address of others) {
      addresses.offer(address)
      addresses.next(() => 0)
    }
    addresses.offer(HONEST)
    return addresses.waitingCount === 0
  }
  assert.equal(isMetAfter(FLOOD.slice(0, DOWNLOAD_MET_COUNT_MAX - 1)), true)
  assert.equal(isMetAfter(FLOOD.slice(DOWNLOAD_MET_COUNT_MAX - 1, DOWNLOAD_MET_COUNT_MAX)), false)
})

test('of a crowd on one network no more are dialled than of any other, for as long as others wait; who leaves makes room for his network', () => {
  const addresses = new DownloadAddresses(new Tries())
  for (const address of FLOOD.slice(0, 200)) addresses.offer(address)
  addresses.offer(HONEST)
  addresses.offer({ ...HONEST, host: '8.8.8.8' })
  const hosts = (count: number): string[] =>
    Array.from({ length: count }, () => addresses.next(() => 0)?.address.host ?? '')
  assert.deepEqual(hosts(3).sort(), ['203.0.113.1', '8.8.8.8', HONEST.host])
  assert.deepEqual(new Set(hosts(3)), new Set(['203.0.113.1']))
  addresses.offer({ ...HONEST, port: 7002 })
  addresses.offer({ ...HONEST, host: '8.8.8.8', port: 7002 })
  addresses.left(HONEST)
  assert.deepEqual(hosts(2), [HONEST.host, '8.8.8.8'])
})

test('downloads side by side first try who has brought something, then whom no other tries or has tried in vain', () => {
  const tries = new Tries()
  const [first, second, third] = [0, 1, 2].map(() => new DownloadAddresses(tries))
  assert.ok(first !== undefined && second !== undefined && third !== undefined)
  for (const addresses of [first, second, third]) for (const address of FLOOD.slice(0, 6)) addresses.offer(address)
  const portsOf = (addresses: DownloadAddresses, count: number): number[] =>
    Array.from({ length: count }, () => addresses.next(() => 0)?.address.port ?? 0)
  assert.deepEqual(portsOf(first, 4), [1, 2, 3, 4])
  assert.deepEqual(portsOf(second, 4), [5, 6, 1, 2])
  tries.worked('203.0.113.1:2')
  assert.deepEqual(portsOf(third, 6), [2, 3, 4, 5, 6, 1])
  assert.deepEqual(
    [2, 3].map((port) => tries.isGood(`203.0.113.1:${port}`)),
    [true, false],
  )
})

test('of too many addresses the one tried longest ago is forgotten', () => {
  const tries = new Tries()
  const honest = formatAddress(HONEST)
  const others = Array.from({ length: 2 * TRIES_COUNT_MAX }, (_, at) => `203.0.113.1:${at}`)
  for (const key of [honest, ...others.slice(1, TRIES_COUNT_MAX)]) tries.begin(key)
  assert.equal(tries.countOf(honest), 1)
  tries.begin(honest)
  for (const key of others.slice(TRIES_COUNT_MAX, -1)) tries.begin(key)
  assert.equal(tries.countOf(honest), 2)
  for (const key of others.slice(-1)) tries.begin(key)
  assert.equal(tries.countOf(honest), 0)
})
