// Goal: whoever is banned is banned under every address that he can take, and nobody else is.
// Method: addresses of both families, and a clock of the test's own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bans } from '../../net/bans.ts'
import { BAN_DURATION_MS } from '../../net/limits.ts'

test('a ban covers an IPv4 address, the /64 of an IPv6 one, and on loopback a port, for its time and in later runs', () => {
  let nowMs = 0
  const clock = { nowMs: () => nowMs }
  const bans = new Bans(clock)
  for (const host of ['192.0.2.1', '2001:db8:0:1::5', '127.0.0.1', '::1']) bans.add({ host, port: 7001 })
  const isBanned = (host: string, port = 9): boolean[] =>
    [bans, new Bans(clock, bans.left())].map((each) => each.has({ host, port }))
  for (const host of ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8:0:1::6', '2001:0db8:0000:0001:ffff::']) {
    assert.deepEqual(isBanned(host), [true, true], host)
  }
  for (const host of ['192.0.2.2', '2001:db8:0:2::5', '127.0.0.1', '::1'])
    assert.deepEqual(isBanned(host), [false, false], host)
  assert.deepEqual(isBanned('127.0.0.1', 7001), [true, true])
  nowMs = BAN_DURATION_MS
  assert.deepEqual(isBanned('2001:db8:0:1::6'), [false, false])
})
