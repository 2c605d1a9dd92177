/**
 * Goal: the helper behaves as git users expect beyond moving objects: quiet, clear when it fails, no recursion, nothing
 * left behind, no way around the user's protocol settings.
 * Method: real git on loopback; what it prints, what it leaves, and what the far end sees are compared with the claim.
 */

import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { git } from '../support/git.ts'
import { writeFakeSsh } from './origin.ts'
import { commitAt, withTransport } from './remote-transport.ts'
import { pinsOf, withRemoteWorld } from './remote-world.ts'

describe('manners', () => {
  it('says nothing under -q', () =>
    withRemoteWorld(async (world) => {
      await world.supply(commitAt(world, -5))
      const outcome = await world.outcome(['clone', '-q', `gittorrent::${world.origin}`, 'ours'])
      assert.deepEqual([outcome.status, outcome.stderr, outcome.stdout.length], [0, '', 0])
    }))

  it('leaves no pin, ref or shallow file behind once git has ended', () =>
    withRemoteWorld(async (world) => {
      await world.supply(commitAt(world, -5))
      await world.git(['clone', '-q', '--bare', `gittorrent::${world.origin}`, 'ours'])
      const directory = join(world.directory, 'ours')
      assert.equal(await git(['for-each-ref', 'refs/gittorrent'], { directory }), '')
      const deadline = performance.now() + 10_000
      while ((await pinsOf(directory)).length > 0) assert.ok(performance.now() < deadline, 'a pin stayed')
    }))

  it('clone -v tells of a git:// connection what plain git tells', () =>
    withRemoteWorld((world) =>
      withTransport(world, 'git', async (url) => {
        const told = async (prefix: string, name: string): Promise<string[]> => {
          const { stderr } = await world.outcome(['clone', '-v', `${prefix}${url}`, name])
          return stderr.split('\n').filter((line) => /^(Looking up|done\.|Connecting to)/.test(line))
        }
        const plain = await told('', 'plain')
        assert.equal(plain.length, 2)
        assert.deepEqual(await told('gittorrent::', 'ours'), plain)
      }),
    ))

  it('url.<base>.insteadOf adopts an http origin without recursion, and keeps the stored URL', () =>
    withRemoteWorld(async (world) => {
      await world.supply(commitAt(world, -5))
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
        // git 2.5x adds a line of its own when a helper ends early.
        const said = outcome.stderr.trimEnd().split('\n')
        const lines = said.filter((line) => line !== "fatal: remote helper 'gittorrent' aborted session")
        assert.match(lines[1] ?? '', /^fatal: /)
        if (what === 'file') {
          const plain = await world.outcome(['clone', url, 'ours'])
          assert.deepEqual([outcome.stderr, outcome.status], [plain.stderr, plain.status])
        } else assert.equal(lines.length, 2, outcome.stderr)
      }))
  }

  for (const value of ['allow', 'warn', 'die', 'sometimes']) {
    it(`transfer.credentialsInUrl=${value} says what plain git says`, () =>
      withRemoteWorld(async (world) => {
        const config = { 'transfer.credentialsInUrl': value }
        await withTransport(world, 'http', async (url) => {
          const told = async (prefix: string, user: string): Promise<unknown[]> => {
            const written = `${prefix}${url.replace('http://', `http://${user}@`)}`
            const { status, stderr } = await world.outcome(['ls-remote', written], { config })
            return [status, [...new Set(stderr.split('\n'))].filter((line) => /credentials/i.test(line))]
          }
          for (const user of ['me:secret', 'me:', 'me']) {
            assert.deepEqual(await told('gittorrent::', user), await told('', user))
          }
        })
      }))
  }

  it('a URL that cannot be used is named without its password', () =>
    withRemoteWorld(async (world) => {
      for (const url of ['ext://me:secret@host/path', 'https://me:secret@host:99999/path']) {
        const { status, stderr } = await world.outcome(['ls-remote', `gittorrent::${url}`])
        assert.equal(status, 128)
        assert.match(stderr, /^fatal: .*me:\*\*\*@host/)
        assert.ok(!stderr.includes('secret'))
      }
    }))

  it('an ssh login that prints something is named as a possible cause', () =>
    withRemoteWorld(async (world) => {
      const ssh = await writeFakeSsh(world.directory)
      await writeFile(ssh, `#!/bin/sh\necho Welcome\n${await readFile(ssh, 'utf8')}`)
      const environment = { GIT_SSH_COMMAND: ssh, GIT_SSH_VARIANT: 'ssh' }
      const { status, stderr } = await world.outcome(['ls-remote', `gittorrent::host.example:${world.origin}`], {
        environment,
      })
      assert.equal(status, 128)
      assert.match(stderr, /^fatal: cannot read a packet: expected .*, got 'Welc', try .* ssh/m)
    }))

  it('respects protocol.allow for the transport behind', () =>
    withRemoteWorld(async (world) => {
      const config = { 'protocol.file.allow': 'never' }
      const outcome = await world.outcome(['clone', `gittorrent::file://${world.origin}`, 'ours'], { config })
      assert.equal(outcome.status, 128)
      assert.match(outcome.stderr, /transport 'file' not allowed/)
    }))
})

describe('what git asks less often', () => {
  it('ssh is called as git calls it', () =>
    withRemoteWorld(async (world) => {
      const ssh = await writeFakeSsh(world.directory)
      const environment = { GIT_SSH_COMMAND: `${ssh} -v`, GIT_SSH_VARIANT: 'ssh' }
      await world.git(['ls-remote', `gittorrent::ssh://me@host.example:2222${world.origin}`], { environment })
      const log = (await readFile(`${ssh}.log`, 'utf8')).replace(world.origin, '<path>')
      assert.equal(log, "-v -o SendEnv=GIT_PROTOCOL -p 2222 me@host.example git-upload-pack '<path>'\n")
    }))

  it('-4 and -6 reach ssh in the words of its variant, and one that has none says so', () =>
    withRemoteWorld(async (world) => {
      const ssh = await writeFakeSsh(world.directory)
      const variants = ['ssh', 'putty', 'simple'].map(async (variant) => {
        const environment = { GIT_SSH_COMMAND: ssh, GIT_SSH_VARIANT: variant }
        return world.outcome(['clone', '-q', '-6', `gittorrent::ssh://host.example${world.origin}`, variant], {
          environment,
        })
      })
      const [plain, putty, simple] = await Promise.all(variants)
      assert.deepEqual([plain?.status, putty?.status, simple?.status], [0, 0, 128])
      assert.match(simple?.stderr ?? '', /IPv6/)
      const log = (await readFile(`${ssh}.log`, 'utf8')).split('\n').sort()
      const call = `host.example git-upload-pack '${world.origin}'`
      assert.deepEqual(log, ['', `-6 ${call}`, `-o SendEnv=GIT_PROTOCOL -6 ${call}`])
    }))

  it('git archive --remote works over a stream, as with plain git', () =>
    withRemoteWorld(async (world) => {
      const listed = async (url: string) =>
        world.git(['archive', `--remote=${url}`, '--format=tar', 'main', 'big.txt'], {})
      assert.equal(await listed(`gittorrent::${world.origin}`), await listed(world.origin))
    }))

  it('--upload-pack names the program of the far end', () =>
    withRemoteWorld(async (world) => {
      const program = join(world.directory, 'my upload pack')
      await writeFile(program, `#!/bin/sh\necho "$1" >'${world.directory}/called'\nexec git upload-pack "$@"\n`)
      await chmod(program, 0o755)
      await world.git(['ls-remote', `--upload-pack='${program}'`, `gittorrent::${world.origin}`])
      assert.equal(await readFile(join(world.directory, 'called'), 'utf8'), `${world.origin}\n`)
    }))

  it('a submodule behind gittorrent:: needs the allowance that the manual names', () =>
    withRemoteWorld(async (world) => {
      await world.git(['clone', '-q', world.origin, 'outer'])
      const directory = join(world.directory, 'outer')
      const config = { 'protocol.gittorrent.allow': 'always' }
      await world.git(['submodule', '--quiet', 'add', `gittorrent::${world.origin}`, 'inner'], { directory, config })
      await world.git(['commit', '-q', '-m', 'with submodule'], { directory })
      const clone = ['clone', '-q', '--recurse-submodules', directory]
      assert.notEqual((await world.outcome([...clone, 'refused'])).status, 0)
      await world.git([...clone, 'allowed'], { config })
    }))

  it('ten fetches at once do not disturb each other', () =>
    withRemoteWorld(async (world) => {
      await world.supply(commitAt(world, -5))
      const names = Array.from({ length: 10 }, (_, index) => `ours-${index}`)
      await Promise.all(names.map((name) => world.git(['clone', '-q', `gittorrent::${world.origin}`, name])))
      await world.git(['init', '-q', 'shared'])
      const directory = join(world.directory, 'shared')
      const fetches = names.map((name) =>
        world.git(['fetch', '-q', `gittorrent::${world.origin}`, `+refs/heads/*:refs/remotes/${name}/*`], {
          directory,
        }),
      )
      await Promise.all(fetches)
      // The marks of a fetch go a moment after it; fsck would look at one that goes while it runs.
      while ((await pinsOf(directory)).length > 0) await new Promise((resolve) => setImmediate(resolve))
      await git(['fsck', '--strict'], { directory })
    }))

  it('GITTORRENT_TRACE writes to a file, and passwords stay out of it', () =>
    withRemoteWorld(async (world) => {
      const file = join(world.directory, 'trace')
      const environment = { GITTORRENT_TRACE: file }
      await world.outcome(['ls-remote', 'gittorrent::http://user:secret@127.0.0.1:1/a'], { environment })
      const text = await readFile(file, 'utf8')
      assert.match(text, /origin http:\/\/user:\*\*\*@127\.0\.0\.1:1\/a/)
      assert.ok(!text.includes('secret'))
    }))
})
