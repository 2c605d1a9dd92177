/**
 * Goal: a BitTorrent client that shares no code with ours, aria2, takes a link from our seeder and from a web seed, and seeds it to us.
 * Method: the client of Debian's archive as a process of its own; continuous integration installs it, elsewhere it is said where it is
 * missing. `npm run bench:clients` does the same with more clients.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openExchangeWorld } from '../../bench/client-exchange.ts'
import { TORRENT_CLIENTS } from '../../bench/torrent-clients.ts'
import { isAtHand } from '../support/debian-program.ts'

const COMMIT_COUNT = 300
const PORT_FIRST = 42_000

test('another client downloads a link from our seeder, seeds it to our client, and takes it from a web seed', async (t) => {
  const client = TORRENT_CLIENTS.find(({ name }) => name === 'aria2') ?? assert.fail()
  if (!(await isAtHand(client, t))) return
  const world = await openExchangeWorld(COMMIT_COUNT)
  try {
    const tried: string[] = []
    for await (const { what, isRight } of world.exchange(client, PORT_FIRST + (process.pid % 10_000))) {
      assert.ok(isRight, what)
      tried.push(what)
    }
    assert.deepEqual(tried, ['downloads from our seeder', 'seeds to our client', 'downloads from a web seed'])
  } finally {
    await world.close()
  }
})
