/**
 * Goal: origins that are not simply a repository behind a URL are reached as plain git reaches them: moved ones, ones that
 * ask who you are, ones that borrow objects, bundles, and what HTTP cannot do.
 * Method: each in one world with and without the helper; refs, objects, exit statuses, questions asked and requests made are
 * compared.
 */

import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { git } from '../support/git.ts'
import { type Front, startSmartHttp } from './origin.ts'
import { commitAt, compareClones } from './remote-transport.ts'
import { type RemoteWorld, withRemoteWorld } from './remote-world.ts'

/** Serves the world's origins behind `front`; `use` gets the base URL and a count of requests since it asked last. */
async function served(
  world: RemoteWorld,
  front: Front,
  use: (url: string, countRequests: () => number) => Promise<void>,
): Promise<void> {
  const server = await startSmartHttp(join(world.directory, 'origins'), front)
  let seen = 0
  const countRequests = (): number => {
    const before = seen
    seen = server.requests().length
    return seen - before
  }
  try {
    await use(server.url, countRequests)
  } finally {
    await server.close()
  }
}

it('an origin that has moved is followed, with the warning and the requests of plain git', () =>
  withRemoteWorld(async (world) => {
    await world.supply(commitAt(world, -5))
    const front: Front = (request, response) => {
      if (!request.url?.startsWith('/old/')) return false
      response.writeHead(301, { Location: request.url.slice('/old'.length) }).end()
      return true
    }
    await served(world, front, async (url, countRequests) => {
      const ours = await world.outcome(['clone', `gittorrent::${url}/old/origin.git`, 'ours'])
      const requests = countRequests()
      const plain = await world.outcome(['clone', `${url}/old/origin.git`, 'plain'])
      assert.equal(requests, countRequests())
      assert.deepEqual([ours.status, plain.status], [0, 0])
      const warnings = [ours, plain].map(({ stderr }) => stderr.match(/^warning: redirecting to .*$/gm))
      assert.equal(warnings[0]?.length, 1)
      assert.deepEqual(warnings[0], warnings[1])
      await compareClones(world, 'ours', 'plain')
    })
  }))

it('credentials are asked for as often as by plain git, and told to keep or forget what they gave', () =>
  withRemoteWorld(async (world) => {
    await world.supply(commitAt(world, -5))
    const expected = `Basic ${Buffer.from('me:secret').toString('base64')}`
    const front: Front = (request, response) => {
      if (request.headers.authorization === expected) return false
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="here"' }).end()
      return true
    }
    const helper = join(world.directory, 'credentials')
    await writeFile(helper, `#!/bin/sh\necho "$1" >>"$0.log"\ncat >/dev/null\n[ "$1" != get ] || cat "$0.answer"\n`)
    await chmod(helper, 0o755)
    const config = { 'credential.helper': helper }
    const askedBy = async (args: readonly string[], directory = world.directory): Promise<string> => {
      await rm(`${helper}.log`, { force: true })
      const { status } = await world.outcome(args, { config, directory })
      return `${status} ${(await readFile(`${helper}.log`, 'utf8')).split('\n').join(' ')}`
    }
    await served(world, front, async (url) => {
      await writeFile(`${helper}.answer`, 'username=me\npassword=secret\n')
      const origin = `${url}/origin.git`
      assert.equal(await askedBy(['clone', '-q', `gittorrent::${origin}`, 'ours']), '0 get store ')
      assert.equal(await askedBy(['clone', '-q', origin, 'plain']), '0 get store ')
      await compareClones(world, 'ours', 'plain')
      for (const clone of ['ours', 'plain']) {
        const push = ['push', '-q', 'origin', `HEAD~1:refs/heads/${clone}`]
        assert.equal(await askedBy(push, join(world.directory, clone)), '0 get store ')
      }
      await writeFile(`${helper}.answer`, 'username=me\npassword=wrong\n')
      const refused = await askedBy(['ls-remote', `gittorrent::${origin}`])
      assert.equal(refused, await askedBy(['ls-remote', origin]))
      assert.match(refused, /^128 get erase /)
    })
  }))

it('an origin that borrows its objects from another repository gives all of them', () =>
  withRemoteWorld(async (world) => {
    const fork = join(world.directory, 'origins', 'fork.git')
    await git(['clone', '-q', '--bare', '--shared', world.origin, fork])
    const own = await git(['commit-tree', '-p', 'main', '-m', 'own', 'main^{tree}'], { directory: fork })
    await git(['update-ref', 'refs/heads/main', own], { directory: fork })
    await world.supply(commitAt(world, -5))
    await served(
      world,
      () => false,
      async (url) => {
        await world.git(['clone', '-q', `gittorrent::${url}/fork.git`, 'ours'])
        await world.git(['clone', '-q', `${url}/fork.git`, 'plain'])
        await compareClones(world, 'ours', 'plain')
      },
    )
  }))

it('a bundle is cloned, listed and fetched from, and takes no push', () =>
  withRemoteWorld(async (world) => {
    const bundle = join(world.directory, 'origins', 'some.bundle')
    const write = (...revisions: readonly string[]): Promise<string> =>
      git(['bundle', 'create', '-q', bundle, ...revisions], { directory: world.origin })
    await write('--all')
    const listed = await world.git(['ls-remote', `gittorrent::${bundle}`])
    assert.equal(listed, await world.git(['ls-remote', bundle]))
    for (const [name, url] of Object.entries({ ours: `gittorrent::${bundle}`, plain: bundle })) {
      await write('HEAD', '--all')
      await world.git(['clone', '-q', url, name])
      const directory = join(world.directory, name)
      const next = await git(['commit-tree', '-p', 'main', '-m', 'next', 'main^{tree}'], { directory: world.origin })
      await git(['update-ref', 'refs/heads/next', next], { directory: world.origin })
      await write('next', '^main')
      await world.git(['fetch', '-q', url, 'next:next'], { directory })
      assert.equal((await world.outcome(['push', 'origin', 'main:other'], { directory })).status, 1)
      await git(['update-ref', '-d', 'refs/heads/next'], { directory: world.origin })
    }
    await compareClones(world, 'ours', 'plain')
    await world.git(['init', '-q', '--bare', 'empty'])
    await write('HEAD', '^main~3')
    const lacking = await world.outcome(['fetch', `gittorrent::${bundle}`, 'HEAD'], {
      directory: join(world.directory, 'empty'),
    })
    assert.equal(lacking.status, 128)
    assert.match(lacking.stderr, /lacks these prerequisite commits/)
  }))

it('a SHA-256 bundle is cloned', () =>
  withRemoteWorld(async (world) => {
    const wide = join(world.directory, 'wide')
    await mkdir(wide)
    await git(['init', '-q', '--object-format=sha256'], { directory: wide })
    await git(['commit', '-q', '--allow-empty', '-m', 'one'], { directory: wide })
    await git(['bundle', 'create', '-q', '../wide.bundle', 'HEAD', '--all'], { directory: wide })
    await world.git(['clone', '-q', `gittorrent::${join(world.directory, 'wide.bundle')}`, 'ours'])
    const ours = join(world.directory, 'ours')
    assert.equal(
      await git(['rev-parse', 'HEAD'], { directory: ours }),
      await git(['rev-parse', 'HEAD'], { directory: wide }),
    )
  }))

it('a pack that the origin names by URL (packfile-uris) comes from there', () =>
  withRemoteWorld(async (world) => {
    const { origin } = world
    await world.supply(commitAt(world, -5))
    const content = 'offered by itself\n'
    await git(['config', 'uploadpack.allowSidebandAll', 'true'], { directory: origin })
    const blob = await git(['hash-object', '-w', '--stdin'], { directory: origin, input: content })
    const pack = join(world.directory, 'offered')
    const hash = await git(['pack-objects', '-q', pack], { directory: origin, input: `${blob}\n` })
    const tree = await git(['mktree'], { directory: origin, input: `100644 blob ${blob}\toffered\n` })
    const commit = await git(['commit-tree', '-p', 'main', '-m', 'offered', tree], { directory: origin })
    await git(['update-ref', 'refs/heads/main', commit], { directory: origin })
    const bytes = await readFile(`${pack}-${hash}.pack`)
    const front: Front = (request, response) => {
      if (request.url !== '/offered.pack') return false
      response.end(bytes)
      return true
    }
    await served(world, front, async (url, countRequests) => {
      await git(['config', 'uploadpack.blobPackfileUri', `${blob} ${hash} ${url}/offered.pack`], { directory: origin })
      const config = { 'fetch.uriProtocols': 'http' }
      await world.git(['clone', '-q', `gittorrent::${url}/origin.git`, 'ours'], { config })
      const requests = countRequests()
      await world.git(['clone', '-q', `${url}/origin.git`, 'plain'], { config })
      assert.equal(requests, countRequests())
      assert.equal(requests, 4, 'one of them for the pack')
      await compareClones(world, 'ours', 'plain')
    })
  }))

it('git archive over HTTP is what it is with plain git: refused in its words, or an archive where git knows how (2.44)', () =>
  withRemoteWorld((world) =>
    served(
      world,
      () => false,
      async (url) => {
        await git(['config', 'http.uploadArchive', 'true'], { directory: world.origin })
        const ask = (prefix: string) => world.outcome(['archive', `--remote=${prefix}${url}/origin.git`, 'main'])
        const [ours, plain] = [await ask('gittorrent::'), await ask('')]
        assert.deepEqual(ours, plain)
      },
    ),
  ))
