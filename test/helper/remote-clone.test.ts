/**
 * Goal: whatever git does through gittorrent:: with any transport gives what plain git gives.
 * Method: real git, real sockets on loopback, a stand-in for the swarm that brings a prepared pack; every result is
 * compared with a plain clone of the same origin (refs, all reachable objects), and git fsck has the last word.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { git } from '../support/git.ts'
import { startDumbHttp, startGitDaemon, startSmartHttp, type TestOrigin, writeFakeSsh } from './origin.ts'
import { objectsOf, pinsOf, type RemoteWorld, refsOf, withRemoteWorld } from './remote-world.ts'

type Transport = 'file' | 'path' | 'ssh' | 'git' | 'http' | 'dumb'

/** Gives the URL of the world's origin over `transport` and the environment that it needs. */
async function withTransport(
  world: RemoteWorld,
  transport: Transport,
  use: (url: string, environment: Record<string, string>, served: TestOrigin | null) => Promise<void>,
): Promise<void> {
  const root = join(world.directory, 'origins')
  if (transport === 'file') return use(`file://${world.origin}`, {}, null)
  if (transport === 'path') return use(world.origin, {}, null)
  if (transport === 'ssh') {
    const ssh = await writeFakeSsh(world.directory)
    return use(`tester@host.example:${world.origin}`, { GIT_SSH_COMMAND: ssh, GIT_SSH_VARIANT: 'ssh' }, null)
  }
  if (transport === 'dumb') await git(['update-server-info'], { directory: world.origin })
  const start = { git: startGitDaemon, http: startSmartHttp, dumb: startDumbHttp }[transport]
  const served = await start(root)
  try {
    await use(`${served.url}/origin.git`, {}, served)
  } finally {
    await served.close()
  }
}

async function compareClones(world: RemoteWorld, ours: string, plain: string): Promise<void> {
  const [our, their] = [join(world.directory, ours), join(world.directory, plain)]
  assert.equal(await refsOf(our), await refsOf(their))
  assert.equal(await objectsOf(our), await objectsOf(their))
  await git(['fsck', '--strict'], { directory: our })
}

const oid = (world: RemoteWorld, index: number) => world.mainLine.at(index) ?? assert.fail('no such commit')

for (const transport of ['file', 'path', 'ssh', 'git', 'http', 'dumb'] as const) {
  describe(`over ${transport}`, () => {
    it('a clone with the swarm equals a plain one, and says what came from peers', () =>
      withRemoteWorld(async (world) => {
        await world.supply(oid(world, -5))
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
          assert.ok(asked?.wants?.includes(oid(world, -1)))
        })
      }))

    it('a fetch with the swarm brings new commits, tags and deletions', () =>
      withRemoteWorld(async (world) => {
        await withTransport(world, transport, async (url, environment) => {
          for (const [name, prefix] of [
            ['ours', 'gittorrent::'],
            ['plain', ''],
          ] as const) {
            await git(['update-ref', 'refs/heads/main', oid(world, 8)], { directory: world.origin })
            await git(['update-server-info'], { directory: world.origin })
            await world.git(['clone', '-q', `${prefix}${url}`, name], { environment })
            await git(['update-ref', 'refs/heads/main', oid(world, -1)], { directory: world.origin })
            await git(['update-server-info'], { directory: world.origin })
            await world.supply(oid(world, -3))
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
  const { writeFile, chmod, readFile } = await import('node:fs/promises')
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
  await git(['update-ref', 'refs/heads/new', oid(world, 3)], { directory: world.origin })
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
          await world.supply(oid(world, 8))
          await withTransport(world, transport, async (url) => {
            await world.git(['clone', '-q', ...options, `gittorrent::${url}`, 'ours'])
            await world.git(['clone', '-q', ...options, url, 'plain'])
            const [ours, plain] = ['ours', 'plain'].map((name) => join(world.directory, name))
            assert.equal(await refsOf(ours ?? ''), await refsOf(plain ?? ''))
            const list = ['rev-list', '--all']
            assert.equal(await git(list, { directory: ours ?? '' }), await git(list, { directory: plain ?? '' }))
            await world.git(['fsck'], { directory: ours ?? '' })
            const isPlain = !/depth|filter|shallow/.test(options.join(' '))
            assert.equal((await world.asked()).length > 0, isPlain)
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

    for (const algorithm of ['consecutive', 'skipping', 'noop']) {
      it(`negotiation ${algorithm} survives the haves of the swarm, with local commits`, () =>
        withRemoteWorld(async (world) => {
          await withTransport(world, transport, async (url) => {
            await git(['update-ref', 'refs/heads/main', oid(world, 8)], { directory: world.origin })
            await world.git(['clone', '-q', `gittorrent::${url}`, 'ours'])
            const directory = join(world.directory, 'ours')
            for (let index = 0; index < 40; index++) {
              await git(['commit', '-q', '--allow-empty', '-m', `local ${index}`], { directory })
            }
            await git(['update-ref', 'refs/heads/main', oid(world, -1)], { directory: world.origin })
            await world.supply(oid(world, -3))
            const config = { 'fetch.negotiationAlgorithm': algorithm }
            await world.git(['fetch', '-q', 'origin'], { directory, config })
            assert.equal(await git(['rev-parse', 'origin/main'], { directory }), oid(world, -1))
            await git(['fsck'], { directory })
          })
        }))
    }

    it('the swarm may bring the very tip', () =>
      withRemoteWorld(async (world) => {
        await world.supply(oid(world, -1))
        await withTransport(world, transport, async (url) => {
          await world.git(['clone', '-q', '--single-branch', '--no-tags', `gittorrent::${url}`, 'ours'])
          await world.git(['clone', '-q', '--single-branch', '--no-tags', url, 'plain'])
          await compareClones(world, 'ours', 'plain')
        })
      }))

    it('a commit can be fetched by its oid, and ls-remote lists what the origin lists', () =>
      withRemoteWorld(async (world) => {
        await withTransport(world, transport, async (url) => {
          await world.git(['init', '-q', 'ours'])
          const directory = join(world.directory, 'ours')
          await world.git(['fetch', '-q', `gittorrent::${url}`, oid(world, 7)], { directory })
          assert.equal(await git(['rev-parse', 'FETCH_HEAD'], { directory }), oid(world, 7))
          const listed = await world.git(['ls-remote', '--symref', `gittorrent::${url}`])
          assert.equal(listed, await world.git(['ls-remote', '--symref', url]))
        })
      }))

    for (const version of ['0', '1']) {
      it(`protocol version ${version} gives the same clone`, () =>
        withRemoteWorld(async (world) => {
          await world.supply(oid(world, -5))
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

describe('manners', () => {
  it('says nothing under -q', () =>
    withRemoteWorld(async (world) => {
      await world.supply(oid(world, -5))
      const outcome = await world.outcome(['clone', '-q', `gittorrent::${world.origin}`, 'ours'])
      assert.deepEqual([outcome.status, outcome.stderr, outcome.stdout.length], [0, '', 0])
    }))

  it('leaves no pin, ref or shallow file behind once git has ended', () =>
    withRemoteWorld(async (world) => {
      await world.supply(oid(world, -5))
      await world.git(['clone', '-q', '--bare', `gittorrent::${world.origin}`, 'ours'])
      const directory = join(world.directory, 'ours')
      assert.equal(await git(['for-each-ref', 'refs/gittorrent'], { directory }), '')
      const deadline = performance.now() + 10_000
      while ((await pinsOf(directory)).length > 0) assert.ok(performance.now() < deadline, 'a pin stayed')
    }))

  it('url.<base>.insteadOf adopts an http origin without recursion, and keeps the stored URL', () =>
    withRemoteWorld(async (world) => {
      await world.supply(oid(world, -5))
      await withTransport(world, 'http', async (url, _, served) => {
        const base = served?.url ?? assert.fail('no server')
        const config = { [`url.gittorrent::${base}/.insteadOf`]: `${base}/` }
        await world.git(['clone', '-q', url, 'ours'], { config })
        const directory = join(world.directory, 'ours')
        assert.equal(await git(['config', 'remote.origin.url'], { directory }), url)
        assert.equal((await world.asked()).length, 1)
        await world.git(['commit', '-q', '--allow-empty', '-m', 'mine'], { directory })
        await world.git(['push', '-q', 'origin', 'HEAD'], { directory, config })
        await world.git(['fetch', '-q', 'origin'], { directory, config })
        await world.git(['remote', 'update'], { directory, config })
        await world.git(['clone', '-q', url, 'old'], { config: { ...config, 'protocol.version': '0' } })
      })
    }))

  it('makes no more HTTP requests than plain git', () =>
    withRemoteWorld(async (world) => {
      await withTransport(world, 'http', async (url, _, served) => {
        const count = () => served?.requests().length ?? 0
        await world.git(['clone', '-q', `gittorrent::${url}`, 'ours'])
        const ours = count()
        await world.git(['clone', '-q', url, 'plain'])
        assert.equal(ours, count() - ours)
      })
    }))

  for (const [what, url] of [
    ['git', 'git://127.0.0.1:1/x.git'],
    ['http', 'http://127.0.0.1:1/x.git'],
    ['file', 'file:///nowhere/at/all.git'],
    ['forbidden transport', 'ext::sh -c true'],
    ['key', `${'0'.repeat(40)}`],
  ] as const) {
    it(`an origin that cannot be had (${what}) costs one clear line and status 128`, () =>
      withRemoteWorld(async (world) => {
        const full = what === 'key' ? `gittorrent://${url}/x` : `gittorrent::${url}`
        const outcome = await world.outcome(['clone', full, 'ours'])
        assert.equal(outcome.status, 128)
        const lines = outcome.stderr.trimEnd().split('\n')
        assert.match(lines[1] ?? '', /^fatal: /)
        assert.equal(lines.length, 2, outcome.stderr)
      }))
  }

  it('respects protocol.allow for the transport behind', () =>
    withRemoteWorld(async (world) => {
      const config = { 'protocol.file.allow': 'never' }
      const outcome = await world.outcome(['clone', `gittorrent::file://${world.origin}`, 'ours'], { config })
      assert.equal(outcome.status, 128)
      assert.match(outcome.stderr, /transport 'file' not allowed/)
    }))
})

describe('ssh', () => {
  let log = ''
  before(async () => {
    await withRemoteWorld(async (world) => {
      const ssh = await writeFakeSsh(world.directory)
      const environment = { GIT_SSH_COMMAND: `${ssh} -v`, GIT_SSH_VARIANT: 'ssh' }
      await world.git(['ls-remote', `gittorrent::ssh://me@host.example:2222${world.origin}`], { environment })
      const { readFile } = await import('node:fs/promises')
      log = await readFile(`${ssh}.log`, 'utf8')
      log = log.replace(world.origin, '<path>')
    })
  })
  after(() => {
    log = ''
  })

  it('is called as git calls it', () => {
    assert.equal(log, "-v -o SendEnv=GIT_PROTOCOL -p 2222 me@host.example git-upload-pack '<path>'\n")
  })
})
