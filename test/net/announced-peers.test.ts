/**
 * Goal: nobody pushes another out of our tracker, and everybody hears of whom he may and can use.
 * Method: the table alone, with a clock and with chance that the test sets; laws over announcements of few and of many hosts.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ownerOf } from '../../net/address.ts'
import { formatAddress } from '../../net/index.ts'
import {
  TRACKER_PEER_AGE_MS_MAX,
  TRACKER_PEER_COUNT_MAX,
  TRACKER_PER_HOST_COUNT_MAX,
  TRACKER_PER_INFOHASH_COUNT_MAX,
  TRACKER_PER_NETWORK_COUNT_MAX,
} from '../../net/limits.ts'
import { Shares } from '../../net/shares.ts'
import { AnnouncedPeers, type Announcement } from '../../net/tracker/announced-peers.ts'

function announcement(host: string, port: number, more: Partial<Announcement> = {}): Announcement {
  const address = { host, port }
  return {
    infohashHex: 'aa',
    peerIdHex: formatAddress(address),
    address,
    owner: host,
    seeding: false,
    stopped: false,
    wantedCount: 200,
    onlyFamily: null,
    reachedAt: null,
    ...more,
  }
}

function hostsFor(peers: AnnouncedPeers, asker: Announcement): string[] {
  return peers
    .announce(asker)
    .peers.map(({ host }) => host)
    .sort()
}

const ASKER = announcement('1.1.1.1', 0, { wantedCount: 1_000_000 })

test('a host fills its own places only, and loses its oldest for a new one', () => {
  const peers = new AnnouncedPeers()
  peers.announce(announcement('8.8.8.8', 7000))
  for (let port = 2; port < 3000; port++) peers.announce(announcement('9.9.9.9', port))
  const { peers: told, leecherCount } = peers.announce(ASKER)
  assert.equal(leecherCount, TRACKER_PER_HOST_COUNT_MAX + 1)
  assert.ok(told.some(({ host }) => host === '8.8.8.8'))
  const ports = told.filter(({ host }) => host === '9.9.9.9').map(({ port }) => port)
  assert.deepEqual(ports.sort(), [2992, 2993, 2994, 2995, 2996, 2997, 2998, 2999])
})

test('the machines of an IPv6 network share more places, and fill no more', () => {
  const peers = new AnnouncedPeers()
  peers.announce(announcement('2606:4700::1', 7000, { owner: ownerOf({ host: '2606:4700::1', port: 1 }) }))
  for (let n = 1; n < 3000; n++) {
    const host = `2001:470:1:2::${n.toString(16)}`
    peers.announce(announcement(host, 7000, { owner: ownerOf({ host, port: 1 }), wantedCount: 0 }))
  }
  const told = hostsFor(peers, ASKER)
  assert.equal(told.length, TRACKER_PER_NETWORK_COUNT_MAX + 1)
  assert.ok(told.includes('2606:4700::1'))
})

test('where an infohash is full, one of many hosts with eight places each gives way, not the one with one', () => {
  const peers = new AnnouncedPeers()
  peers.announce(announcement('8.8.8.8', 7000))
  for (let n = 0; n < 200; n++)
    for (let port = 2; port < 12; port++) peers.announce(announcement(`9.9.0.${n}`, port, { wantedCount: 0 }))
  assert.equal(peers.counts('aa').leecherCount, TRACKER_PER_INFOHASH_COUNT_MAX)
  assert.ok(hostsFor(peers, ASKER).includes('8.8.8.8'))
})

test('where all is full, who has announced most infohashes gives way', () => {
  const peers = new AnnouncedPeers()
  peers.announce(announcement('8.8.8.8', 7000))
  const infohashesOf = function* (count: number): Generator<string> {
    for (let n = 0; n < count; n++) yield `infohash ${n}`
  }
  for (const infohashHex of infohashesOf(TRACKER_PEER_COUNT_MAX + 10))
    peers.announce(announcement('9.9.9.9', 7000, { infohashHex, wantedCount: 0 }))
  assert.deepEqual(hostsFor(peers, ASKER), ['8.8.8.8'])
  const countOf = (infohashHex: string): number => peers.counts(infohashHex).leecherCount
  assert.deepEqual([countOf('infohash 10'), countOf('infohash 11')], [0, 1])
})

test('who is not heard of is forgotten, who comes back is not', () => {
  let nowMs = 0
  const peers = new AnnouncedPeers({ nowMs: () => nowMs })
  peers.announce(announcement('8.8.8.8', 7000))
  peers.announce(announcement('9.9.9.9', 7000))
  nowMs = TRACKER_PEER_AGE_MS_MAX - 1
  peers.announce(announcement('9.9.9.9', 7000))
  assert.deepEqual(hostsFor(peers, ASKER), ['8.8.8.8', '9.9.9.9'])
  nowMs += 1
  assert.deepEqual(hostsFor(peers, ASKER), ['9.9.9.9'])
})

test('who leaves is gone, whichever port he says, but nobody else is', () => {
  const peers = new AnnouncedPeers()
  for (const host of ['8.8.8.8', '9.9.9.9']) peers.announce(announcement(host, 7000, { peerIdHex: 'bb' }))
  peers.announce(announcement('8.8.8.8', 1, { peerIdHex: 'cc', stopped: true }))
  assert.deepEqual(hostsFor(peers, ASKER), ['8.8.8.8', '9.9.9.9'])
  peers.announce(announcement('8.8.8.8', 1, { peerIdHex: 'bb', stopped: true }))
  assert.deepEqual(hostsFor(peers, ASKER), ['9.9.9.9'])
  peers.announce(announcement('9.9.9.9', 7000, { peerIdHex: 'dd', stopped: true }))
  assert.deepEqual(hostsFor(peers, ASKER), [])
})

test('who lacks something hears of seeders first, a seeder of those who lack something, nobody of himself or of who cannot be dialled', () => {
  const peers = new AnnouncedPeers()
  for (let n = 1; n <= 50; n++) peers.announce(announcement(`9.9.9.${n}`, 7000, { seeding: n % 2 === 0 }))
  peers.announce(announcement('8.8.8.8', 1))
  const parityFor = (asker: Announcement): (number | undefined)[] =>
    peers.announce(asker).peers.map(({ host }) => Number(host.split('.')[3]) % 2)
  assert.deepEqual(parityFor(announcement('9.9.9.1', 7000, { wantedCount: 20 })), Array(20).fill(0))
  assert.deepEqual(parityFor(announcement('9.9.9.2', 7000, { seeding: true, wantedCount: 20 })), Array(20).fill(1))
  const all = hostsFor(peers, announcement('9.9.9.1', 7000))
  assert.equal(all.length, 49)
  assert.ok(!all.includes('9.9.9.1') && !all.includes('8.8.8.8'))
})

test('peers are chosen by chance, each as likely as any', () => {
  const peers = new AnnouncedPeers()
  for (let n = 0; n < 10; n++) peers.announce(announcement(`9.9.9.${n}`, 7000))
  const seen = new Map<string, number>()
  for (let round = 0; round < 2_000; round++) {
    const told = hostsFor(peers, { ...ASKER, wantedCount: 2 })
    assert.equal(new Set(told).size, 2)
    for (const host of told) seen.set(host, (seen.get(host) ?? 0) + 1)
  }
  assert.equal(seen.size, 10)
  // 400 each on average; the standard deviation is 18.
  assert.ok([...seen.values()].every((count) => count > 250 && count < 550))
})

test('nobody hears of addresses below his own class, and who is on the machine of the tracker is where that is', () => {
  const peers = new AnnouncedPeers()
  for (const host of ['127.0.0.1', '10.0.0.1', '8.8.8.8']) peers.announce(announcement(host, 7000))
  const hostsAt = (host: string, reachedAt: string | null): string[] =>
    hostsFor(peers, announcement(host, 0, { reachedAt }))
  assert.deepEqual(hostsAt('127.0.0.1', null), ['10.0.0.1', '127.0.0.1', '8.8.8.8'])
  assert.deepEqual(hostsAt('10.0.0.9', null), ['10.0.0.1', '8.8.8.8'])
  assert.deepEqual(hostsAt('9.9.9.9', null), ['8.8.8.8'])
  assert.deepEqual(hostsAt('10.0.0.9', '10.0.0.2'), ['10.0.0.1', '10.0.0.2', '8.8.8.8'])
  assert.deepEqual(hostsAt('9.9.9.9', '10.0.0.2'), ['8.8.8.8'])
})

test('a host is an IPv4 address, a /64 of IPv6, and on loopback a port', () => {
  const ownersOf = (hosts: readonly string[]): number => new Set(hosts.map((host) => ownerOf({ host, port: 5 }))).size
  assert.equal(ownersOf(['8.8.8.8', '8.8.8.9']), 2)
  assert.equal(ownersOf(['2001:470:1:2::1', '2001:470:1:2:ffff::1', '2001:470:1:2:3:4:5:6']), 1)
  assert.equal(ownersOf(['2001:470:1:2::1', '2001:470:1:3::1']), 2)
  assert.equal(ownerOf({ host: '8.8.8.8', port: 5 }), ownerOf({ host: '8.8.8.8', port: 6 }))
  assert.notEqual(ownerOf({ host: '127.0.0.1', port: 5 }), ownerOf({ host: '127.0.0.1', port: 6 }))
})

test('the one who gives way is the oldest of an owner of whom nobody has more, whatever came and went', () => {
  const step = fc.record({ owner: fc.constantFrom('a', 'b', 'c', 'd'), thing: fc.nat(5), isAdded: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const shares = new Shares<string>()
      const model = new Map<string, string[]>()
      for (const { owner, thing, isAdded } of steps) {
        const name = `${owner}${thing}`
        const own = (model.get(owner) ?? []).filter((other) => other !== name)
        if (!isAdded) shares.delete(owner, name)
        else shares.add(owner, name)
        if (!isAdded) model.set(owner, own)
        else if (!model.get(owner)?.includes(name)) model.set(owner, [...own, name])
        const most = Math.max(...[...model.values()].map(({ length }) => length))
        const oldest = [...model.values()].filter(({ length }) => length === most && most > 0).map(([first]) => first)
        const chosen = shares.oldestOfLargest()
        assert.ok(chosen === null ? oldest.length === 0 : oldest.includes(chosen))
        assert.equal(shares.count, [...model.values()].flat().length)
      }
    }),
  )
})
