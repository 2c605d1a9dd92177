// Goal: addresses survive their compact form, and nobody in public can point us at private hosts.
// Method: laws over generated addresses and a table of classes.
import assert from 'node:assert/strict'
import { BlockList, isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { compactAddress, expandAddress, isDialable, mayHearOf } from '../../net/address.ts'
import { AddressBook } from '../../net/address-book.ts'
import { classOfHost, formatAddress, NetError, parseAddress } from '../../net/index.ts'
import { REDIAL_DELAY_MS } from '../../net/limits.ts'

const port = fc.integer({ min: 1, max: 65535 })

test('compact addresses of 6 and 18 bytes expand to an address of the same bytes, or to none', () => {
  const ips = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  fc.assert(
    fc.property(ips, port, (ip, number) => {
      const bytes = Uint8Array.from([...ip, number >> 8, number & 255])
      const address = expandAddress(bytes)
      if (address !== null) assert.deepEqual(compactAddress(address), bytes)
    }),
  )
})

test('text of an address reads back', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.constant('2001:db8::1'), fc.constant('localhost')), port, (host, number) => {
      assert.deepEqual(parseAddress(formatAddress({ host, port: number })), { host, port: number })
    }),
  )
})

test('malformed addresses are refused', () => {
  for (const text of ['', 'host', 'host:', ':1', 'host:0', 'host:65536', 'a b:1', '[::1:1', '[1.2.3.4]:1', 'h:1:2']) {
    assert.throws(() => parseAddress(text), NetError, text)
  }
})

test('classes are told apart, also behind IPv6 mapping', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', '::ffff:127.0.0.1', '::ffff:7f00:1', '0:0::0:1']) {
    assert.equal(classOfHost(host), 'loopback', host)
  }
  for (const host of [
    '10.1.2.3',
    '::ffff:c0a8:101',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.0.1',
    '100.64.0.1',
    'fd00::1',
    'fe80::1',
    '::ffff:10.0.0.1',
    '2002:a00:1::1',
    '64:ff9b::a00:1',
    // Another machine's loopback is not ours.
    '64:ff9b::7f00:1',
    '2002:7f00:1::1',
  ]) {
    assert.equal(classOfHost(host), 'private', host)
  }
  for (const host of ['8.8.8.8', '172.32.0.1', '2606:4700::1', 'example.com', '2002:808:808::1', '64:ff9b::808:808']) {
    assert.equal(classOfHost(host), 'public', host)
  }
  const mapped = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1, 0, 80])
  assert.equal(expandAddress(mapped)?.host, '127.0.0.1')
})

/** Rows of IANA's registries: block, and whether it is globally reachable; those without an answer there count as not. */
const REGISTRIES: readonly (readonly [string, boolean])[] = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'].map(isLocal),
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'].map(isLocal),
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4', '255.255.255.255/32'].map(isLocal),
  ...['192.31.196.0/24', '192.52.193.0/24', '192.175.48.0/24', '2620:4f:8000::/48'].map(isEverywhere),
  ...['::/128', '::1/128', '64:ff9b:1::/48', '100::/64', '100:0:0:1::/64', '2001::/23', '2001::/32'].map(isLocal),
  ...['2001:2::/48', '2001:10::/28', '2001:db8::/32', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10'].map(isLocal),
  ...['fec0::/10', 'ff00::/8'].map(isLocal),
]

function isLocal(block: string): readonly [string, boolean] {
  return [block, false]
}

function isEverywhere(block: string): readonly [string, boolean] {
  return [block, true]
}

/** What Node says about which blocks an address is in. */
function listOf(isReachable: boolean): BlockList {
  const list = new BlockList()
  for (const [block, isGlobal] of REGISTRIES) {
    const [network = '', bits] = block.split('/')
    if (isGlobal === isReachable) list.addSubnet(network, Number(bits), isIP(network) === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

test('an address is public if no block of the special-purpose registries makes it local, as another implementation matches them', () => {
  const local = listOf(false)
  const isPublicV4 = (text: string): boolean => !local.check(text, 'ipv4')
  const near = fc.constantFrom(...REGISTRIES).chain(([block]) => {
    const [network = ''] = block.split('/')
    const start = compactAddress({ host: network, port: 1 }) ?? assert.fail(network)
    return fc.array(fc.tuple(fc.nat(start.length - 3), fc.nat(255)), { maxLength: 3 }).map((changes) => {
      for (const [at, byte] of changes) start[at] = byte
      return start.subarray(0, -2)
    })
  })
  const anywhere = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  )
  fc.assert(
    fc.property(fc.oneof(near, anywhere), (ip) => {
      if (ip.length === 4) {
        const text = ip.join('.')
        assert.equal(classOfHost(text) === 'public', isPublicV4(text), text)
        // However it is wrapped.
        const [high, low] = [0, 2].map((at) => (((ip[at] ?? 0) << 8) | (ip[at + 1] ?? 0)).toString(16))
        for (const wrapped of [`::ffff:${text}`, `64:ff9b::${high}:${low}`, `2002:${high}:${low}:1::1`])
          assert.equal(classOfHost(wrapped) === 'public', isPublicV4(text), wrapped)
        return
      }
      const text = Array.from({ length: 8 }, (_, at) =>
        (((ip[2 * at] ?? 0) << 8) | (ip[2 * at + 1] ?? 0)).toString(16),
      ).join(':')
      const hasIPv4 = /^(2002|64:ff9b:0:0:0:0|0:0:0:0:0:ffff):/.test(text)
      const isAllocated = (ip[0] ?? 0) >> 5 === 1
      if (!hasIPv4) assert.equal(classOfHost(text) === 'public', isAllocated && !local.check(text, 'ipv6'), text)
    }),
    { numRuns: 2_000 },
  )
  for (const [block] of REGISTRIES.filter(([, isReachable]) => isReachable))
    assert.equal(classOfHost(block.replace(/\/.*/, '')), 'public', block)
})

test('names are public if everybody can mean the same by them', () => {
  const classesOf = (names: readonly string[]): string[] => [...new Set(names.map(classOfHost))]
  assert.deepEqual(classesOf(['localhost', 'LOCALHOST', 'a.localhost', 'localhost.']), ['loopback'])
  assert.deepEqual(
    classesOf([
      'tracker',
      'tracker.internal',
      'dht.internal.',
      'nas.local',
      'router.home.arpa',
      'git.corp',
      'a..org',
      '127.1',
      '0x7f.0x1',
      '2130706433',
      '',
    ]),
    ['private'],
  )
  assert.deepEqual(classesOf(['example.org', 'localhost.example.org', 'internal.dev', 'Tracker.Example.Com.']), [
    'public',
  ])
})

test('private addresses are told to private listeners only', () => {
  assert.equal(mayHearOf('public', 'private'), false)
  assert.equal(mayHearOf('public', 'loopback'), false)
  assert.equal(mayHearOf('private', 'loopback'), false)
  assert.equal(mayHearOf('loopback', 'loopback'), true)
  assert.equal(mayHearOf('private', 'public'), true)
})

test('wildcards, multicast and names found by strangers are not dialled', () => {
  for (const host of ['0.0.0.0', '::', '224.0.0.1', '255.255.255.255', 'ff02::1', 'example.com']) {
    assert.equal(isDialable({ host, port: 80 }), false, host)
  }
})

test('of many addresses those of few networks and hosts are dialled after others, however early they came', () => {
  const book = new AddressBook()
  const crowd = Array.from({ length: 100 }, (_, index) => ({ host: '192.0.2.1', port: 1 + index }))
  const network = Array.from({ length: 100 }, (_, index) => ({ host: `203.0.113.${index}`, port: 1 }))
  const v6 = Array.from({ length: 50 }, (_, index) => ({ host: `2001:db8:1:${index}::1`, port: 1 }))
  const others = ['192.0.2.2', '198.51.100.1', '2001:db8:2::1', 'named.example'].map((host) => ({ host, port: 7 }))
  for (const address of [...crowd, ...network, ...v6, ...others]) book.offer(address, 0)
  const first = Array.from({ length: 9 }, () => book.next()?.host)
  for (const { host } of others) assert.ok(first.includes(host), `${host} is not among ${first.join(', ')}`)
})

test('an address that is preferred while it waits is dialled next, once; one that does not wait is not', () => {
  const book = new AddressBook()
  const addresses = Array.from({ length: 4 }, (_, index) => ({ host: '192.0.2.1', port: 1 + index }))
  const [first, , third] = addresses
  assert.ok(first !== undefined && third !== undefined)
  for (const address of addresses) book.offer(address, 0)
  assert.equal(book.next()?.port, 1)
  assert.deepEqual([book.prefer(first), book.prefer(third), book.prefer({ ...third, port: 9 })], [false, true, false])
  assert.deepEqual([book.next()?.port, book.next()?.port], [3, 2])
  book.dialled(third, false, 0)
  book.offer(third, REDIAL_DELAY_MS)
  assert.deepEqual([book.next()?.port, book.next()?.port], [4, 3])
})
