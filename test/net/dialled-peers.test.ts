// Goal: a download dials no more addresses than it has use for: a few at first, many soon where nothing comes, hardly more where something does.
// Method: a download whose swarm is a stub and whom nobody answers, on a clock that the test sets.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { formatAddress } from '../../net/address.ts'
import { DownloadTask } from '../../net/download.ts'
import { NetError } from '../../net/errors.ts'
import {
  DOWNLOAD_DIALLED_COUNT_MAX,
  DOWNLOAD_DIALLED_COUNT_START,
  DOWNLOAD_DIALLED_GROWTH,
  DOWNLOAD_WAY_COUNT,
  DOWNLOAD_WAY_LENGTH,
} from '../../net/limits.ts'
import { BLOCK_LENGTH } from '../../net/swarm/wire-messages.ts'
import type { SwarmClient } from '../../net/swarm-client.ts'
import { checkTorrent } from '../../net/torrent.ts'
import { Tries } from '../../net/tries.ts'
import { memoryStore, torrentOf } from './fixtures.ts'

const LOOK_MS = 100
const LOOK_COUNT = 5

interface Scene {
  readonly goodCount?: number
  /** Called when one of those who bring nothing, as many as are dialled at most, is told to leave. */
  readonly onLeave?: () => void
}

/** How many are dialled at first and after each look, of as many as there may be, when so much comes before each look, or before one after the other. */
async function dialledCounts(
  t: TestContext,
  comes: number | readonly number[],
  { goodCount = 0, onLeave = () => {} }: Scene = {},
): Promise<number[]> {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let takenLength = 0
  let dialledCount = 0
  const swarm = { isDone: false, connectionCount: 1, outsiderCount: 0, isInLine: false }
  const mute = Array.from({ length: DOWNLOAD_DIALLED_COUNT_MAX }, () => ({ destroy: onLeave }))
  const others = { muteConnections: () => mute, leave: () => {} }
  const client = {
    join: () => ({
      ...swarm,
      ...others,
      get takenLength() {
        return takenLength
      },
    }),
  }
  const peers = Array.from({ length: 100 }, (_, at) => ({ host: `192.0.2.${at}`, port: 7_001 }))
  const tries = new Tries()
  for (const peer of peers.slice(0, goodCount)) tries.worked(formatAddress(peer))
  const options = { peers, store: memoryStore(1), stallTimeoutMs: 60_000 }
  const task = new DownloadTask(checkTorrent(torrentOf(Buffer.alloc(1))), options, {
    client: client as unknown as SwarmClient,
    dial: () => {
      dialledCount += 1
      return new Promise(() => {})
    },
    isBanned: () => false,
    tries,
  })
  await new Promise((resolve) => setImmediate(resolve))
  const counts = [dialledCount]
  for (const comesLength of typeof comes === 'number' ? Array<number>(LOOK_COUNT).fill(comes) : comes) {
    takenLength += comesLength
    t.mock.timers.tick(LOOK_MS)
    await new Promise((resolve) => setImmediate(resolve))
    counts.push(dialledCount)
  }
  task.fail(new NetError('aborted', 'the test is over'))
  return counts
}

test('four times as many are dialled after each look in which nothing came, up to the bound', async (t) => {
  const [start, growth, max] = [DOWNLOAD_DIALLED_COUNT_START, DOWNLOAD_DIALLED_GROWTH, DOWNLOAD_DIALLED_COUNT_MAX]
  assert.ok(start * growth < max && start * growth ** 2 > max)
  assert.deepEqual(await dialledCounts(t, 0), [start, growth * start, max, max, max, max])
})

test('while something comes a few more are', async (t) => {
  const [start, more] = [DOWNLOAD_DIALLED_COUNT_START, DOWNLOAD_WAY_COUNT]
  assert.deepEqual(
    await dialledCounts(t, BLOCK_LENGTH),
    Array.from({ length: 1 + LOOK_COUNT }, (_, look) => start + look * more),
  )
})

test('of those that have brought something to other downloads no more than there are are dialled at first', async (t) => {
  assert.equal((await dialledCounts(t, BLOCK_LENGTH, { goodCount: 2 }))[0], 2)
})

test('of many of those no more than of others', async (t) => {
  assert.equal((await dialledCounts(t, BLOCK_LENGTH, { goodCount: 50 }))[0], DOWNLOAD_DIALLED_COUNT_START)
})

for (const [comesLength, leaverCount] of [
  [0, DOWNLOAD_DIALLED_COUNT_MAX],
  [BLOCK_LENGTH, DOWNLOAD_WAY_COUNT],
  [DOWNLOAD_WAY_LENGTH - 1, DOWNLOAD_WAY_COUNT],
  [DOWNLOAD_WAY_LENGTH, 0],
] as const) {
  test(`${leaverCount} of those that bring nothing leave for others in a look in which ${comesLength} bytes come`, async (t) => {
    let leftCount = 0
    const onLeave = (): void => {
      leftCount += 1
    }
    const counts = await dialledCounts(t, [0, 0, comesLength], { onLeave })
    assert.equal(counts[2], DOWNLOAD_DIALLED_COUNT_MAX)
    assert.equal(leftCount, leaverCount)
  })
}
