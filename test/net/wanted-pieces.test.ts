/**
 * Goal: a download of some pieces tells what of them was there, apart from all else that was: what is left to come depends on it.
 * Method: a seeder on loopback, and a store that has the pieces before those that are wanted and the first of these.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LOOPBACK } from '../support/loopback-net.ts'
import { addressOf, bytesOf, memoryStore, openTestNet, PATIENCE_MS, torrentOf } from './fixtures.ts'

test('what is there counts as wanted only where it is', async (t) => {
  const content = bytesOf('content', 1_500_000)
  const torrent = torrentOf(content)
  const { pieceLengthBytes } = torrent
  const seeder = await openTestNet(t, { listen: LOOPBACK })
  seeder.seed(torrent, memoryStore(content))
  const net = await openTestNet(t)
  const result = await net.download(torrent, {
    peers: [addressOf(seeder)],
    store: memoryStore(content),
    stallTimeoutMs: PATIENCE_MS,
    wanted: [{ offset: 10 * pieceLengthBytes, length: 2 * pieceLengthBytes }],
    present: [{ offset: 0, length: 11 * pieceLengthBytes }],
  }).result
  assert.equal(result.presentLength, 11 * pieceLengthBytes)
  assert.equal(result.presentWantedLength, pieceLengthBytes)
})
