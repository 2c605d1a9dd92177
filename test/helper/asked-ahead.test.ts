/**
 * Goal: a clone asks its origin for the rest while what peers brought is still checked, and what comes of that is used only if the
 * check went well; whatever else happens to that answer, the clone is plain git's, without an end or a wait that plain git has not.
 * Method: real git and real servers on loopback, with a stand-in for the swarm that says beforehand what it then brings, or not;
 * the spool alone on streams made by hand.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { ANSWER_KEPT_LENGTH_MAX, ORIGIN_UNREAD_MS_MAX } from '../../helper/limits.ts'
import { AnswerSpool } from '../../helper/remote/answer-spool.ts'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { AnswerScanner, encodePacket } from '../../helper/remote/pkt-line.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { type Front, startSmartHttp } from './origin.ts'
import { commitAt, compareClones, withTransport } from './remote-transport.ts'
import { type RemoteWorld, withRemoteWorld } from './remote-world.ts'

/** Clones with a trace, holds the result against plain git's, and returns the trace. */
async function cloneAndCompare(world: RemoteWorld, url: string, environment: Record<string, string>): Promise<string> {
  const options = { environment: { ...environment, GITTORRENT_TRACE: '1' } }
  const outcome = await world.outcome(['clone', '-q', `gittorrent::${url}`, 'ours'], options)
  assert.equal(outcome.status, 0, outcome.stderr)
  await world.git(['clone', '-q', url, 'plain'], { environment })
  await compareClones(world, 'ours', 'plain')
  assert.deepEqual(await readdir(join(world.directory, 'ours', '.git', 'gittorrent', 'incoming')), [])
  return outcome.stderr
}

for (const transport of ['file', 'ssh', 'git', 'http'] as const) {
  describe(`over ${transport}`, () => {
    it('the origin is asked once, before the pack of the swarm is indexed', () =>
      withRemoteWorld(async (world) => {
        await world.supply(commitAt(world, -5))
        await withTransport(world, transport, async (url, environment, served) => {
          const trace = await cloneAndCompare(world, url, environment)
          assert.match(trace, /the origin is asked ahead, with 1 haves[\s\S]*supply: 1 haves[\s\S]*the answer holds/)
          const requests = served?.requests() ?? []
          const half = requests.length / 2
          assert.deepEqual(requests.slice(0, half), requests.slice(half))
        })
      }))

    it('an answer that rests on what did not come is thrown away, and the origin asked again', () =>
      withRemoteWorld(async (world) => {
        // All of the main line is promised, so that the first answer lacks what is above the commit that comes.
        await world.supply(commitAt(world, -5), false, commitAt(world, -1))
        await withTransport(world, transport, async (url, environment) => {
          const trace = await cloneAndCompare(world, url, environment)
          assert.match(trace, /asked ahead: in vain/)
        })
      }))

    it('what the origin sent while the swarm was slow is passed on, and it is asked once', () =>
      withRemoteWorld(async (world) => {
        await world.supply(commitAt(world, -5))
        await withTransport(world, transport, async (url, environment, served) => {
          const trace = await cloneAndCompare(world, url, { ...environment, GITTORRENT_TEST_BESIDE: 'use' })
          assert.match(
            trace,
            /the origin is asked beside others, with 0 haves[\s\S]*supply: 0 haves[\s\S]*the answer holds/,
          )
          const requests = served?.requests() ?? []
          const half = requests.length / 2
          assert.deepEqual(requests.slice(0, half), requests.slice(half))
        })
      }))

    it('when the swarm was quicker that answer is dropped, and the origin asked for the rest', () =>
      withRemoteWorld(async (world) => {
        await world.supply(commitAt(world, -5))
        await withTransport(world, transport, async (url, environment) => {
          const trace = await cloneAndCompare(world, url, { ...environment, GITTORRENT_TEST_BESIDE: 'drop' })
          assert.match(trace, /asked beside others[\s\S]*in vain[\s\S]*the answer holds/)
          assert.match(trace, /asked ahead, with 1 haves/)
        })
      }))

    it('where the swarm has brought all, an answer that was given up half way needs no other connection', () =>
      withRemoteWorld(async (world) => {
        await world.supply(commitAt(world, -1))
        await withTransport(world, transport, async (url, given) => {
          const environment = { ...given, GITTORRENT_TEST_BESIDE: 'at-once', GITTORRENT_TRACE: '1' }
          const clone = ['clone', '-q', '--single-branch', '--no-tags', '--bare']
          const { status, stderr } = await world.outcome([...clone, `gittorrent::${url}`, 'ours'], { environment })
          assert.equal(status, 0, stderr)
          const [before, after] = stderr.split('in vain')
          assert.match(before ?? '', /: (run|connect) [\s\S]*asked beside others/)
          assert.match(after ?? '', /the origin is not asked/)
          assert.doesNotMatch(after ?? '', /: (run|connect) /)
          await world.git([...clone, url, 'plain'], { environment: given })
          await compareClones(world, 'ours', 'plain')
        })
      }))
  })
}

it('a promise of what nobody has gets the clone what plain git gets', () =>
  withRemoteWorld(async (world) => {
    await world.supply(null, false, 'ab'.repeat(20))
    await withTransport(world, 'http', async (url, environment) => {
      assert.match(await cloneAndCompare(world, url, environment), /asked ahead: in vain/)
    })
  }))

it('an answer that is thrown away is not waited for: its connection is ended, and a new one asked', () =>
  withRemoteWorld(async (world) => {
    await world.supply(commitAt(world, -5), false, commitAt(world, -1))
    let posts = 0
    let hasLeft: Promise<unknown> = Promise.reject(new Error('nobody has asked'))
    hasLeft.catch(() => {})
    // The first question is for the refs, the second is the one that goes ahead.
    const front: Front = (request, response) => {
      if (request.method !== 'POST' || ++posts !== 2) return false
      hasLeft = once(response, 'close')
      request.resume()
      return true
    }
    const served = await startSmartHttp(join(world.directory, 'origins'), front)
    try {
      assert.match(await cloneAndCompare(world, `${served.url}/origin.git`, {}), /asked ahead: in vain/)
      await hasLeft
    } finally {
      await served.close()
    }
  }))

it('a clone of one branch with tags to follow is asked for when it is known which', () =>
  withRemoteWorld(async (world) => {
    await world.supply(commitAt(world, -5))
    const environment = { GITTORRENT_TRACE: '1' }
    const clone = ['clone', '-q', '--single-branch', '--bare']
    const outcome = await world.outcome([...clone, `gittorrent::file://${world.origin}`, 'ours'], { environment })
    assert.equal(outcome.status, 0, outcome.stderr)
    assert.doesNotMatch(outcome.stderr, /asked ahead/)
    await world.git([...clone, `file://${world.origin}`, 'plain'])
    await compareClones(world, 'ours', 'plain')
  }))

describe('the spool', () => {
  const PACKET = encodePacket(Buffer.alloc(60_000, 'x'))
  const PACKET_COUNT = Math.ceil(ANSWER_KEPT_LENGTH_MAX / PACKET.length) + 100
  const END = Buffer.from('0000')

  /** An answer longer than the bound, which counts how many of its packets have been taken, and what follows it. */
  function longAnswer() {
    const taken = { count: 0 }
    const chunks = function* () {
      for (; taken.count < PACKET_COUNT; taken.count++) yield PACKET
      yield Buffer.concat([END, Buffer.from('next')])
    }
    return { taken, reader: new ByteReader(Readable.from(chunks(), { objectMode: false, highWaterMark: 1 })) }
  }

  it('stops to read at its bound, and gives the whole answer and nothing behind it when it is taken', () =>
    withTemporaryDirectory(async (folder) => {
      const { taken, reader } = longAnswer()
      const spool = await AnswerSpool.open(reader, new AnswerScanner('flush'), folder)
      assert.deepEqual(await readdir(folder), [])
      await spool.settled
      assert.ok(Math.abs(taken.count * PACKET.length - ANSWER_KEPT_LENGTH_MAX) < 10 * PACKET.length)
      const answer = spool.take() ?? assert.fail('not usable')
      let length = 0
      for (let bytes = await answer.next(); bytes !== null; bytes = await answer.next()) {
        length += bytes.length
        assert.equal(bytes.at(-1), length === PACKET_COUNT * PACKET.length + END.length ? 0x30 : bytes.at(-1))
      }
      assert.equal(length, PACKET_COUNT * PACKET.length + END.length)
      assert.equal((await reader.next())?.toString(), 'next')
      spool.close()
    }))

  it('an answer that broke off is not given', () =>
    withTemporaryDirectory(async (folder) => {
      const spool = await AnswerSpool.open(new ByteReader(Readable.from([PACKET])), new AnswerScanner('flush'), folder)
      await spool.settled
      assert.equal(spool.take(), null)
      spool.close()
    }))

  it('an answer that stood unread for long is not given', () =>
    withTemporaryDirectory(async (folder) => {
      const spool = await AnswerSpool.open(longAnswer().reader, new AnswerScanner('flush'), folder)
      await spool.settled
      assert.equal(spool.take(performance.now() + ORIGIN_UNREAD_MS_MAX + 1), null)
      spool.close()
    }))
})
