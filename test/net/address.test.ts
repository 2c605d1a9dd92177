// Goal: addresses survive their compact form, and nobody in public can point us at private hosts.
// Method: laws over generated addresses and a table of classes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compactAddress, expandAddress, isDialable, mayHearOf } from '../../net/address.ts'
import { classOfHost, formatAddress, NetError, parseAddress } from '../../net/index.ts'

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
  ]) {
    assert.equal(classOfHost(host), 'private', host)
  }
  for (const host of ['8.8.8.8', '172.32.0.1', '2001:db8::1', 'example.com']) {
    assert.equal(classOfHost(host), 'public', host)
  }
  const mapped = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1, 0, 80])
  assert.equal(expandAddress(mapped)?.host, '127.0.0.1')
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
