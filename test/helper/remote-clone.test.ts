/**
 * Goal: whatever git does through gittorrent:: with any transport gives what plain git gives.
 * Method: real git, real sockets on loopback, a stand-in for the swarm that brings a prepared pack; every result is
 * compared with a plain clone of the same origin (refs, all reachable objects), and git fsck has the last word.
 */

import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { git } from '../support/git.ts'
import { commitAt, compareClones, withTransport } from './remote-transport.ts'
import { type RemoteWorld, withRemoteWorld } from './remote-world.ts'

for (const transport of ['file', 'path', 'ssh', 'git', 'http', 'dumb'] as const) {
  describe(`over ${transport}`, () => {
    it('a clone with the swarm equals a plain one, and says what came from peers', () =>
      withRemoteWorld(async (world) => {
        await world.supply(commitAt(world, -5))
        await withTransport(world, transport, async (url, environment) => {
          const outcome = await world.outcome(['clone', `gittorrent::${url}`, 'ours'], { environment })
          assert.equal(outcome.status, 0, outcome.stderr)
          assert.equal(Buffer.from(outcome.stdout).toString(), '')
          assert.match(outcome.stderr, /^Cloning into 'ours'\.\.\.\ngittorrent: .* from 2 peers.*\n$/)
          await world.git(['clone', '-q', url, 'plain'], { environment })
          await compareClones(world, 'ours', 'plain')
          const [asked] = await world.asked()
          assert.equal(asked?.origin, url)
          assert.equal(asked?.head, 'refs/heads/main')
          assert.ok(asked?.wants?.includes(commitAt(world, -1)))
        })
      }))

    it('a fetch with the swarm brings new commits, tags and deletions', () =>
      withRemoteWorld(async (world) => {
        await withTransport(world, transport, async (url, environment) => {
          for (const [name, prefix] of [
            ['ours', 'gittorrent::'],
            ['plain', ''],
          ] as const) {
            await git(['update-ref', 'refs/heads/main', commitAt(world, 8)], { directory: world.origin })
            await git(['update-server-info'], { directory: world.origin })
            await world.git(['clone', '-q', `${prefix}${url}`, name], { environment })
            await git(['update-ref', 'refs/heads/main', commitAt(world, -1)], { directory: world.origin })
            await git(['update-server-info'], { directory: world.origin })
            await world.supply(commitAt(world, -3))
            const directory = join(world.directory, name)
            await world.git(['fetch', '-q', '--prune', 'origin'], { directory, environment })
            await world.git(['pull', '-q', '--ff-only'], { directory, environment })
          }
          await compareClones(world, 'ours', 'plain')
        })
      }))

    if (transport !== 'dumb') {
      it('a push arrives with its status, force-with-lease and atomic included, and hooks run once', () =>
        withRemoteWorld(async (world) => {
          await withTransport(world, transport, async (url, environment) => {
            await checkPush(world, `gittorrent::${url}`, environment)
          })
        }))
    }
  })
}

async function checkPush(world: RemoteWorld, url: string, environment: Record<string, string>): Promise<void> {
  const directory = join(world.directory, 'ours')
  await world.git(['clone', '-q', url, 'ours'], { environment })
  await world.git(['config', 'core.hooksPath', join(world.directory, 'hooks')], { directory })
  await world.git(['init', '-q', '--template=', 'hooks'])
  const hook = join(world.directory, 'hooks', 'pre-push')
  await writeFile(hook, '#!/bin/sh\necho ran >>"$0.log"\n')
  await chmod(hook, 0o755)
  await world.git(['commit', '-q', '--allow-empty', '-m', 'mine'], { directory })
  const porcelain = await world.git(['push', '--porcelain', 'origin', 'main', 'main:new'], { directory, environment })
  assert.match(porcelain, /refs\/heads\/main:refs\/heads\/main\t/)
  assert.match(porcelain, /\[new branch\]/)
  assert.equal(await readFile(`${hook}.log`, 'utf8'), 'ran\n')
  const tip = await world.git(['rev-parse', 'main'], { directory })
  assert.equal(await git(['rev-parse', 'new'], { directory: world.origin }), tip)
  await git(['update-ref', 'refs/heads/new', commitAt(world, 3)], { directory: world.origin })
  await world.git(['commit', '-q', '--amend', '--allow-empty', '-m', 'other'], { directory })
  const leased = await world.outcome(['push', '--force-with-lease', 'origin', 'main:new'], { directory, environment })
  assert.equal(leased.status, 1)
  assert.match(leased.stderr, /stale info/)
  const atomic = await world.outcome(['push', '--atomic', 'origin', 'main', 'main:third'], { directory, environment })
  assert.equal(atomic.status, 1)
  assert.equal((await git(['for-each-ref', 'refs/heads/third'], { directory: world.origin })).trim(), '')
  await world.git(['push', '-q', '--force', 'origin', 'main'], { directory, environment })
  await world.git(['push', '-q', 'origin', ':new'], { directory, environment })
  assert.equal(await git(['for-each-ref', 'refs/heads/new'], { directory: world.origin }), '')
}
