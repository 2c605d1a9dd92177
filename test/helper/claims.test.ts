/**
 * Goal: whose chains are followed first: what more independent sources or a key of the user's stand behind goes before what
 * contradicts it, and nothing that is usable is thrown away.
 * Method: claims made by hand, of one link each unless said otherwise.
 */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Oid, parseOid } from '../../engine/index.ts'
import type { ChainClaim, LinkClaim } from '../../helper/share/chain-claim.ts'
import { type Claim, rankClaims } from '../../helper/share/supply/claims.ts'

const oid = (digit: string): Oid => parseOid(digit.repeat(40), 'sha1')
const HEAD = oid('a')
const REQUEST = { refs: new Map([['refs/heads/main', HEAD as string]]), wants: [HEAD as string] }

/** A link from a root to `tip` with this SHA-256. */
function linkOf(tip: Oid, sha256: string): LinkClaim {
  const layout = {
    header: new Uint8Array(0),
    bodyOffsets: [0],
    length: 0,
    objectCount: 0,
  } as unknown as LinkClaim['layout']
  const infohash = Buffer.from(sha256.padEnd(20).slice(0, 20))
  return { tip, base: null, segments: [], layout, sha256, info: infohash, infohash, pieceLengthBytes: 2 ** 14 }
}

function chain(links: readonly LinkClaim[], tip = HEAD, ref = 'refs/heads/main'): ChainClaim {
  return { ref, tip, links, pack: 0 }
}

function claim(source: string, chains: readonly ChainClaim[], isSigned = false): Claim {
  return { chains, peer: null, source, isSigned }
}

const order = (claims: readonly Claim[]): string[] => rankClaims(claims, REQUEST).map(({ source }) => source)

it('of two that differ, the one with more sources behind it goes first, whoever answered first', () => {
  const liar = claim('liar', [chain([linkOf(oid('b'), 'lie')])])
  const honest = ['one', 'two'].map((name) => claim(name, [chain([linkOf(oid('b'), 'true')])]))
  assert.deepEqual(order([liar, ...honest]), ['one', 'two', 'liar'])
})

it('one source that says a thing ten times has one voice', () => {
  const loud = Array.from({ length: 10 }, () => claim('loud', [chain([linkOf(oid('b'), 'lie')])]))
  const honest = ['one', 'two'].map((name) => claim(name, [chain([linkOf(oid('b'), 'true')])]))
  assert.deepEqual(order([...loud, ...honest]).slice(0, 2), ['one', 'two'])
})

it('what a key of the user has signed goes before any number of others that contradict it', () => {
  const many = ['one', 'two', 'three'].map((name) => claim(name, [chain([linkOf(oid('b'), 'lie')])]))
  const signed = claim('signed', [chain([linkOf(oid('b'), 'true')])], true)
  assert.deepEqual(order([...many, signed])[0], 'signed')
})

it('where nothing differs, who reaches further goes first, although fewer say so', () => {
  const older = ['one', 'two'].map((name) => claim(name, [chain([linkOf(oid('b'), 'true')], oid('c'))]))
  const newer = claim('newer', [chain([linkOf(oid('d'), 'more'), linkOf(oid('b'), 'true')])])
  assert.deepEqual(order([...older, newer]), ['newer', 'one', 'two'])
})

it('a lie that reaches further is outweighed by those whose links it contradicts', () => {
  const older = ['one', 'two'].map((name) => claim(name, [chain([linkOf(oid('b'), 'true')], oid('c'))]))
  const liar = claim('liar', [chain([linkOf(oid('d'), 'more'), linkOf(oid('b'), 'lie')])])
  assert.deepEqual(order([liar, ...older]), ['one', 'two', 'liar'])
})

it('what is of none of the wanted refs is no use', () => {
  assert.deepEqual(order([claim('other', [chain([linkOf(oid('b'), 'true')], HEAD, 'refs/heads/other')])]), [])
})

it('who names a ref twice reaches no further', () => {
  const twice = claim('twice', [
    chain([linkOf(oid('b'), 'true')], oid('c')),
    chain([linkOf(oid('e'), 'more')], oid('c')),
  ])
  const once = claim('once', [chain([linkOf(oid('d'), 'other')])])
  const thrice = claim('thrice', [...twice.chains, ...twice.chains])
  assert.deepEqual(order([thrice, once])[0], 'once')
})

it('what many say alike is looked at once, however often they are ranked', () => {
  let readCount = 0
  const link = linkOf(oid('b'), 'true')
  const watched = {
    ...link,
    get segments() {
      readCount += 1
      return link.segments
    },
  }
  const [alike, other] = [[chain([watched])], [chain([watched])]]
  const claims = Array.from({ length: 50 }, (_, at) => claim(`peer ${at}`, at === 0 ? other : alike))
  for (let round = 0; round < 3; round++) assert.equal(order(claims).length, 50)
  assert.equal(readCount, 2)
})
