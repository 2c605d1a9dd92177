// Goal: places of a topic or swarm go to those who need them, and nobody can hold all of them.
// Method: tables of holders with the one that has to leave.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PLACE_GRACE_MS } from '../../net/limits.ts'
import { type Holder, type Worth, whoLeaves } from '../../net/places.ts'

const NOW_MS = 100_000

interface Named extends Holder {
  readonly name: string
}

function holder(name: string, owner: string, idleMs: number, more: Partial<Worth> = {}): Named {
  const worth = { activeAtMs: NOW_MS - idleMs, isUseless: false, isUntried: false, isBusy: false, ...more }
  return { name, owner, worth }
}

function leaving(...holders: Named[]): string | null {
  return whoLeaves(holders, 'newcomer', NOW_MS)?.name ?? null
}

test('whoever is idle for longest leaves, of a host with more places first, the useless before all', () => {
  assert.equal(leaving(holder('a', 'x', 5_000), holder('b', 'y', 9_000)), 'b')
  assert.equal(leaving(holder('a', 'x', 9_000), holder('b', 'y', 5_000), holder('c', 'y', 4_000)), 'b')
  assert.equal(leaving(holder('a', 'x', 9_000), holder('b', 'y', 0, { isUseless: true, isBusy: true })), 'b')
})

test('who has just come, or is being answered, stays while there are others', () => {
  const fresh = PLACE_GRACE_MS - 1
  assert.equal(leaving(holder('a', 'x', fresh), holder('b', 'y', PLACE_GRACE_MS)), 'b')
  assert.equal(leaving(holder('a', 'x', 60_000, { isBusy: true }), holder('b', 'y', 3_000)), 'b')
  assert.equal(leaving(holder('a', 'x', fresh), holder('b', 'y', 60_000, { isBusy: true })), null)
})

test('of whom nothing has come yet leaves before those who once asked, and at once if nobody is idle', () => {
  const untried = { isUntried: true }
  assert.equal(leaving(holder('a', 'x', 9_000), holder('b', 'x', 8_000), holder('c', 'y', 3_000, untried)), 'c')
  const busy = holder('a', 'x', 9_000, { isBusy: true })
  assert.equal(leaving(busy, holder('b', 'y', 10, untried), holder('c', 'z', 20, untried)), 'c')
  assert.equal(leaving(busy, holder('b', 'y', 10, { ...untried, isBusy: true }), holder('c', 'z', 0, untried)), 'c')
  assert.equal(
    leaving(busy, holder('b', 'y', 20, untried), ...[1, 2].map((n) => holder(`c${n}`, 'z', n, untried))),
    'c2',
  )
})

test('of whom nothing has come yet stays when one of a host with more places comes', () => {
  const greedy = [1, 2].map((n) => holder(`a${n}`, 'x', 100, { isBusy: true }))
  const honest = holder('b', 'y', 100, { isUntried: true })
  assert.equal(whoLeaves([...greedy, honest], 'x', NOW_MS), null)
  assert.equal(leaving(...greedy, honest), 'b')
})

test('a host that keeps many places busy gives one up, but not for one who would have as many', () => {
  const busy = [1, 2].map((n) => holder(`a${n}`, 'x', 1_000 * n, { isBusy: true }))
  assert.equal(leaving(...busy), 'a2')
  assert.equal(whoLeaves(busy, 'x', NOW_MS), null)
  assert.equal(leaving(...busy.slice(1)), null)
})
