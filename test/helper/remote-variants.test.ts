/**
 * Goal: the options of clone and fetch, all negotiation algorithms and all protocol versions work through the relay.
 * Method: each variant over a stream and over HTTP, with a stand-in for the swarm, compared with plain git's result.
 */

import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { importLine } from '../support/fast-import.ts'
import { git } from '../support/git.ts'
import { commitAt, compareClones, withTransport } from './remote-transport.ts'
import { refsOf, withRemoteWorld } from './remote-world.ts'

/** Forty commits that change nothing, on the branch that is checked out. */
const LOCAL_COMMITS = Array.from({ length: 40 }, (_, index) => {
  const head = `commit refs/heads/main\ncommitter A U Thor <author@example.com> ${1_200_000_000 + index} +0000\ndata 5\nlocal\n`
  return index === 0 ? `${head}from refs/heads/main^0\n` : head
}).join('')

for (const transport of ['file', 'http'] as const) {
  describe(`variants over ${transport}`, () => {
    const variants: readonly (readonly string[])[] = [
      ['--bare'],
      ['--mirror'],
      ['--branch', 'release/1.0'],
      ['--branch', 'v1'],
      ['--no-tags'],
      ['--single-branch', '--branch', 'topic'],
      ['--depth', '1'],
      ['--depth', '3', '--no-single-branch'],
      ['--filter=blob:none'],
      ['--filter=blob:none', '--no-checkout'],
      ['--shallow-since=2005-04-07T22:30:00Z'],
    ]
    for (const options of variants) {
      it(`clone ${options.join(' ')} equals plain git's`, () =>
        withRemoteWorld(async (world) => {
          await world.supply(commitAt(world, 8))
          await withTransport(world, transport, async (url) => {
            await world.git(['clone', '-q', ...options, `gittorrent::${url}`, 'ours'])
            await world.git(['clone', '-q', ...options, url, 'plain'])
            const [ours, plain] = ['ours', 'plain'].map((name) => join(world.directory, name))
            assert.equal(await refsOf(ours ?? ''), await refsOf(plain ?? ''))
            const list = ['rev-list', '--all']
            assert.equal(await git(list, { directory: ours ?? '' }), await git(list, { directory: plain ?? '' }))
            await world.git(['fsck'], { directory: ours ?? '' })
            const isForOriginAlone = /filter/.test(options.join(' '))
            assert.equal((await world.asked()).length === 0, isForOriginAlone)
          })
        }))
    }

    it('a shallow clone can be made whole', () =>
      withRemoteWorld(async (world) => {
        await withTransport(world, transport, async (url) => {
          await world.git(['clone', '-q', '--depth', '2', `gittorrent::${url}`, 'ours'])
          const directory = join(world.directory, 'ours')
          await world.git(['fetch', '-q', '--deepen', '3'], { directory })
          assert.equal(await git(['rev-list', '--count', 'HEAD'], { directory }), '5')
          await world.git(['fetch', '-q', '--unshallow'], { directory })
          assert.equal(await git(['rev-list', '--count', 'HEAD'], { directory }), '30')
        })
      }))

    const negotiations = ['consecutive', 'skipping', 'noop'].flatMap((algorithm) =>
      [false, true].map((banded) => ({ algorithm, banded })),
    )
    for (const { algorithm, banded } of negotiations) {
      it(`negotiation ${algorithm}${banded ? ' with sideband-all' : ''} survives the haves of the swarm, with local commits`, () =>
        withRemoteWorld(async (world) => {
          await git(['config', 'uploadpack.allowSidebandAll', String(banded)], { directory: world.origin })
          await withTransport(world, transport, async (url) => {
            await git(['update-ref', 'refs/heads/main', commitAt(world, 8)], { directory: world.origin })
            await world.git(['clone', '-q', `gittorrent::${url}`, 'ours'])
            const directory = join(world.directory, 'ours')
            await git(['fast-import', '--quiet'], { directory, input: LOCAL_COMMITS })
            await git(['update-ref', 'refs/heads/main', commitAt(world, -1)], { directory: world.origin })
            await world.supply(commitAt(world, -3))
            const config = { 'fetch.negotiationAlgorithm': algorithm }
            await world.git(['fetch', '-q', 'origin'], { directory, config })
            assert.equal(await git(['rev-parse', 'origin/main'], { directory }), commitAt(world, -1))
            await git(['fsck'], { directory })
          })
        }))
    }

    for (const banded of [false, true]) {
      it(`the swarm may bring the very tip${banded ? ', with sideband-all' : ''}`, () =>
        withRemoteWorld(async (world) => {
          await git(['config', 'uploadpack.allowSidebandAll', String(banded)], { directory: world.origin })
          await world.supply(commitAt(world, -1))
          await withTransport(world, transport, async (url) => {
            await world.git(['clone', '-q', '--single-branch', '--no-tags', `gittorrent::${url}`, 'ours'])
            await world.git(['clone', '-q', '--single-branch', '--no-tags', url, 'plain'])
            await compareClones(world, 'ours', 'plain')
          })
        }))
    }

    it('a commit can be fetched by its oid, and ls-remote lists what the origin lists', () =>
      withRemoteWorld(async (world) => {
        await withTransport(world, transport, async (url) => {
          await world.git(['init', '-q', 'ours'])
          const directory = join(world.directory, 'ours')
          await world.git(['fetch', '-q', `gittorrent::${url}`, commitAt(world, 7)], { directory })
          assert.equal(await git(['rev-parse', 'FETCH_HEAD'], { directory }), commitAt(world, 7))
          const listed = await world.git(['ls-remote', '--symref', `gittorrent::${url}`])
          assert.equal(listed, await world.git(['ls-remote', '--symref', url]))
        })
      }))

    for (const version of ['0', '1']) {
      it(`protocol version ${version} gives the same clone`, () =>
        withRemoteWorld(async (world) => {
          await world.supply(commitAt(world, -5))
          await withTransport(world, transport, async (url) => {
            const config = { 'protocol.version': version }
            await world.git(['clone', '-q', `gittorrent::${url}`, 'ours'], { config })
            await world.git(['clone', '-q', url, 'plain'], { config })
            await compareClones(world, 'ours', 'plain')
            assert.deepEqual(
              await git(['for-each-ref', 'refs/gittorrent'], { directory: join(world.directory, 'ours') }),
              '',
            )
          })
        }))
    }

    it('an empty repository clones, and takes its first push', () =>
      withRemoteWorld(async (world) => {
        await git(['init', '-q', '--bare', join(world.directory, 'origins', 'empty.git')])
        await withTransport(world, transport, async (url, environment) => {
          const empty = url.replace('origin.git', 'empty.git')
          const outcome = await world.outcome(['clone', `gittorrent::${empty}`, 'ours'], { environment })
          assert.equal(outcome.status, 0)
          assert.match(outcome.stderr, /You appear to have cloned an empty repository/)
          const directory = join(world.directory, 'ours')
          await world.git(['commit', '-q', '--allow-empty', '-m', 'first'], { directory })
          await world.git(['push', '-q', 'origin', 'HEAD'], { directory, environment })
          assert.equal((await world.git(['ls-remote', `gittorrent::${empty}`, 'refs/heads/*'])).split('\n').length, 1)
        })
      }))
  })
}

describe('what git asks less often', () => {
  it('SHA-256 repositories clone and fetch, the added haves included', () =>
    withRemoteWorld(async (world) => {
      const origin = join(world.directory, 'origins', 'wide.git')
      await mkdir(origin)
      await importLine(origin, 12, 'sha256')
      await withTransport(world, 'http', async (url) => {
        await world.git(['clone', '-q', `gittorrent::${url.replace('origin.git', 'wide.git')}`, 'ours'])
        assert.equal((await world.asked())[0]?.objectFormat, 'sha256')
        assert.equal(await git(['rev-list', '--count', 'HEAD'], { directory: join(world.directory, 'ours') }), '12')
      })
    }))
})
