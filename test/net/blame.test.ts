// Goal: whoever sends bad blocks is found, and nobody else is blamed while there is doubt.
// Method: hand-made sequences of blocks, failures and successes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bans } from '../../net/bans.ts'
import { BAD_PIECE_COUNT_MAX, BAN_DURATION_MS } from '../../net/limits.ts'
import { Blame } from '../../net/swarm/blame.ts'

const GOOD = Buffer.from('good')
const BAD = Buffer.from('bad!')

test('the only sender of a bad piece is guilty at once', () => {
  const blame = new Blame<string>()
  blame.record(0, 0, BAD, 'evil')
  blame.record(0, 4, GOOD, 'evil')
  assert.deepEqual(blame.failed(0), ['evil'])
})

test('of several senders the guilty one is found when the good piece is known', () => {
  const blame = new Blame<string>()
  blame.record(0, 0, GOOD, 'honest')
  blame.record(0, 4, BAD, 'evil')
  assert.deepEqual(blame.failed(0), [])
  blame.record(0, 0, GOOD, 'other')
  blame.record(0, 4, GOOD, 'honest')
  assert.deepEqual(blame.verified(0), ['evil'])
})

test('a good piece convicts nobody', () => {
  const blame = new Blame<string>()
  blame.record(3, 0, GOOD, 'a')
  assert.deepEqual(blame.verified(3), [])
})

test('a piece that never comes right costs all its senders', () => {
  const blame = new Blame<string>()
  for (let i = 1; i < BAD_PIECE_COUNT_MAX; i++) {
    blame.record(0, 0, GOOD, 'a')
    blame.record(0, 4, BAD, 'b')
    assert.deepEqual(blame.failed(0), [])
  }
  blame.record(0, 0, GOOD, 'a')
  blame.record(0, 4, BAD, 'b')
  assert.deepEqual(blame.failed(0), ['a', 'b'])
})

test('a ban covers every port of a host but one port of loopback, and ends', () => {
  let nowMs = 0
  const bans = new Bans({ nowMs: () => nowMs })
  bans.add({ host: '192.0.2.1', port: 1 })
  bans.add({ host: '127.0.0.1', port: 1 })
  assert.equal(bans.has({ host: '192.0.2.1', port: 2 }), true)
  assert.equal(bans.has({ host: '127.0.0.1', port: 1 }), true)
  assert.equal(bans.has({ host: '127.0.0.1', port: 2 }), false)
  nowMs = BAN_DURATION_MS + 1
  assert.equal(bans.has({ host: '192.0.2.1', port: 2 }), false)
})
