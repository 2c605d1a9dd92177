/**
 * Goal: what git can be told about a clone, fetch or push does the same through the helper as without it.
 * Method: each scenario runs twice, in two worlds with equal origins: with the URL and with `gittorrent::` before it. Exit
 * statuses, refs and objects of both repositories, shallow boundaries, and what a push reports have to be equal.
 */

import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { git } from '../support/git.ts'
import { startGitDaemon, startSmartHttp } from './origin.ts'
import { objectsOf, type RemoteWorld, refsOf, withRemoteWorld } from './remote-world.ts'

type Transport = 'file' | 'git' | 'http'

interface Course {
  readonly world: RemoteWorld
  readonly url: string
  /** Runs git in the folder `client`, or another one; notes how it ended and what a push reported. */
  run(args: readonly string[], folder?: string): Promise<void>
}

/** Commands of each scenario, after `git clone <url> client`. */
const SCENARIOS: Readonly<Record<string, (course: Course) => Promise<void>>> = {
  'fetch --refetch': ({ run }) => run(['fetch', '--refetch']),
  'fetch --prune and remote update': async ({ world, run }) => {
    await git(['branch', '-D', 'topic'], { directory: world.origin })
    await git(['branch', 'fresh', 'main~3'], { directory: world.origin })
    await run(['fetch', '--prune'])
    await git(['branch', '-D', 'fresh'], { directory: world.origin })
    await run(['remote', 'update', '--prune'])
  },
  'fetch --dry-run': async ({ world, run }) => {
    await git(['branch', 'fresh', 'main~3'], { directory: world.origin })
    await run(['fetch', '--dry-run'])
  },
  'fetch --atomic with a ref that cannot be updated': ({ run }) =>
    run(['fetch', '--atomic', 'origin', 'refs/heads/topic:refs/heads/a', 'refs/heads/main:refs/heads/main']),
  'fetch of a branch without its tags, then with all': async ({ run }) => {
    await run(['fetch', '--no-tags', 'origin', 'release/1.0'])
    await run(['fetch', '--tags', 'origin', 'release/1.0'])
  },
  'deepen, deepen-since, shallow-exclude, unshallow': async ({ url, run, world }) => {
    await run(['clone', '-q', '--depth=2', url, 'shallow'], world.directory)
    const shallow = join(world.directory, 'shallow')
    await run(['fetch', '--deepen=3'], shallow)
    await run(['fetch', '--shallow-exclude=light'], shallow)
    await run(['fetch', '--shallow-since=2005-04-07'], shallow)
    await run(['fetch', '--unshallow'], shallow)
    await run(['rev-list', '--count', 'HEAD'], shallow)
  },
  'a partial clone, and what it fetches later by itself': async ({ url, run, world }) => {
    await run(['clone', '-q', '--filter=blob:none', '--no-checkout', url, 'partial'], world.directory)
    await run(['checkout', '-q', 'main~5'], join(world.directory, 'partial'))
    await run(['fetch', '--refetch', '--filter=blob:limit=1k'], join(world.directory, 'partial'))
  },
  'clone --reference, --dissociate and --shared worktrees': async ({ url, run, world }) => {
    await run(['clone', '-q', '--reference', 'client', url, 'referring'], world.directory)
    await run(['fsck', '--full'], join(world.directory, 'referring'))
    await run(['clone', '-q', '--reference', 'client', '--dissociate', url, 'dissociated'], world.directory)
    await run(['fsck', '--full'], join(world.directory, 'dissociated'))
    await run(['worktree', 'add', '-q', '../tree', 'topic'])
    await run(['fetch', 'origin', 'release/1.0:from-a-worktree'], join(world.directory, 'tree'))
  },
  'pull --rebase onto what came meanwhile': async ({ world, run }) => {
    await run(['commit', '-q', '--allow-empty', '-m', 'ours'])
    await advance(world)
    await run(['pull', '-q', '--rebase'])
  },
  'push --follow-tags, --tags and a deletion': async ({ run }) => {
    await run(['commit', '-q', '--allow-empty', '-m', 'ours'])
    await run(['tag', '-a', '-m', 'annotated', 'annotated'])
    await run(['push', '--porcelain', '--follow-tags', 'origin', 'main:pushed'])
    await run(['tag', 'plain'])
    await run(['push', '--porcelain', '--tags'])
    await run(['push', '--porcelain', 'origin', ':topic'])
  },
  'push --dry-run': async ({ run }) => {
    await run(['commit', '-q', '--allow-empty', '-m', 'ours'])
    await run(['push', '--porcelain', '--dry-run', 'origin', 'main:pushed'])
  },
  'push --force-with-lease, stale and good, and --force-if-includes': async ({ world, run }) => {
    await run(['reset', '-q', '--hard', 'HEAD~2'])
    await run(['commit', '-q', '--allow-empty', '-m', 'ours'])
    await run(['push', '--porcelain', '--force-with-lease=main:main~5', 'origin', 'main'])
    await run(['push', '--porcelain', '--force-with-lease', '--force-if-includes', 'origin', 'main'])
    await advance(world)
    await run(['push', '--porcelain', '--force-with-lease', 'origin', 'main'])
  },
  'push --atomic with one ref refused': async ({ world, run }) => {
    await advance(world)
    await run(['commit', '-q', '--allow-empty', '-m', 'ours'])
    await run(['push', '--porcelain', '--atomic', 'origin', 'main', 'main:other'])
  },
  'push -o reaches the hook': async ({ world, run }) => {
    await git(['config', 'receive.advertisePushOptions', 'true'], { directory: world.origin })
    const hook = join(world.origin, 'hooks', 'pre-receive')
    await writeFile(hook, `#!/bin/sh\necho "$GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0" >options\n`)
    await chmod(hook, 0o755)
    await run(['push', '--porcelain', '-o', 'a wish', 'origin', 'main:pushed'])
    assert.equal(await readFile(join(world.origin, 'options'), 'utf8'), '1 a wish\n')
  },
  'push --signed carries its certificate': async ({ world, run }) => {
    await git(['config', 'receive.certNonceSeed', 'seed'], { directory: world.origin })
    const signer = join(world.directory, 'signer')
    await writeFile(
      signer,
      '#!/bin/sh\ncat >/dev/null\necho "[GNUPG:] SIG_CREATED D" >&2\necho "-----BEGIN PGP SIGNATURE-----"\n',
    )
    await chmod(signer, 0o755)
    const hook = join(world.origin, 'hooks', 'pre-receive')
    await writeFile(hook, `#!/bin/sh\ngit cat-file blob "$GIT_PUSH_CERT" >certificate\n`)
    await chmod(hook, 0o755)
    await run(['-c', `gpg.program=${signer}`, 'push', '--porcelain', '--signed', 'origin', 'main:pushed'])
    assert.match(await readFile(join(world.origin, 'certificate'), 'utf8'), /refs\/heads\/pushed\n/)
  },
  'push --mirror and --prune': async ({ run }) => {
    await run(['push', '--porcelain', '--prune', 'origin', 'refs/heads/*:refs/heads/*'])
    await run(['push', '--porcelain', '--mirror', 'origin'])
  },
  'the sequence of actions/checkout': async ({ url, run, world }) => {
    const folder = join(world.directory, 'checkout')
    await run(['init', '-q', folder])
    await run(['remote', 'add', 'origin', url], folder)
    await run(['config', '--local', 'gc.auto', '0'], folder)
    const tip = world.mainLine.at(-1)
    const fetch = [
      '-c',
      'protocol.version=2',
      'fetch',
      '--no-tags',
      '--prune',
      '--no-recurse-submodules',
      '--depth=1',
      'origin',
    ]
    await run([...fetch, `+${tip}:refs/remotes/origin/main`], folder)
    await run(['checkout', '--progress', '--force', '-B', 'main', 'refs/remotes/origin/main'], folder)
    await run(['log', '-1', '--format=%H'], folder)
  },
}

/** A new commit on the origin's main branch, made without the client. */
async function advance({ origin, mainLine }: RemoteWorld): Promise<void> {
  const tip = mainLine.at(-1) ?? ''
  const next = await git(['commit-tree', `${tip}^{tree}`, '-p', tip, '-m', 'theirs'], { directory: origin })
  await git(['update-ref', 'refs/heads/main', next], { directory: origin })
}

/** What a scenario leaves and reports, with or without the helper. */
async function outcomeOf(name: string, transport: Transport, prefix: string): Promise<unknown> {
  return withRemoteWorld(async (world) => {
    const root = join(world.directory, 'origins')
    const server = transport === 'file' ? null : await (transport === 'git' ? startGitDaemon : startSmartHttp)(root)
    try {
      const address = server === null ? `file://${root}` : server.url
      const url = `${prefix}${address}/origin.git`
      const notes: string[] = []
      const client = join(world.directory, 'client')
      const run: Course['run'] = async (args, directory = client) => {
        const { status, stdout } = await world.outcome(args, { directory })
        const said = Buffer.from(stdout).toString().replaceAll('gittorrent::', '').replaceAll(address, '')
        notes.push(`${args[0]} ${status} ${said.replaceAll(world.directory, '')}`)
      }
      await run(['clone', '-q', url, 'client'], world.directory)
      await SCENARIOS[name]?.({ world, url, run })
      const left = await Promise.all([client, world.origin].flatMap((folder) => [refsOf(folder), objectsOf(folder)]))
      return { notes, left }
    } finally {
      await server?.close()
    }
  })
}

for (const [index, name] of Object.keys(SCENARIOS).entries()) {
  // Every scenario over HTTP, as most origins are reached, and by turns over a connection of our own.
  for (const transport of ['http', index % 2 === 0 ? 'file' : 'git'] as const) {
    it(`${name}, over ${transport}, is what it is with plain git`, async () => {
      const both = ['', 'gittorrent::'].map((prefix) => outcomeOf(name, transport, prefix))
      const [plain, ours] = await Promise.all(both)
      assert.deepEqual(ours, plain)
    })
  }
}

it('two clones at once, and ten fetches into one of them, all succeed', () =>
  withRemoteWorld(async (world) => {
    const url = `gittorrent::file://${world.origin}`
    await world.supply(world.mainLine[20] ?? null)
    await Promise.all(['one', 'two'].map((name) => world.git(['clone', '-q', url, name])))
    await advance(world)
    const refspecs = Array.from({ length: 10 }, (_, number) => `main:refs/heads/copy-${number}`)
    const directory = join(world.directory, 'one')
    await Promise.all(refspecs.map((refspec) => world.git(['fetch', '-q', url, refspec], { directory })))
    for (const name of ['one', 'two']) await git(['fsck', '--full'], { directory: join(world.directory, name) })
    const tip = await git(['rev-parse', 'main'], { directory: world.origin })
    const copies = await git(['for-each-ref', '--format=%(objectname)', 'refs/heads/copy-*'], { directory })
    assert.deepEqual(copies.split('\n'), Array(10).fill(tip))
  }))

it('adoption by insteadOf carries fetch, push, submodules and remote update, and the stored URL stays', () =>
  withRemoteWorld(async (world) => {
    const server = await startSmartHttp(join(world.directory, 'origins'))
    try {
      const config = {
        [`url.gittorrent::${server.url}/.insteadOf`]: `${server.url}/`,
        'protocol.gittorrent.allow': 'always',
      }
      const trace = join(world.directory, 'trace')
      const environment = { GITTORRENT_TRACE: trace }
      const run = (args: readonly string[], directory = world.directory) =>
        world.git(args, { directory, config, environment })
      const url = `${server.url}/origin.git`
      await run(['init', '-q', 'parent'])
      const parent = join(world.directory, 'parent')
      await run(['submodule', 'add', '-q', url, 'part'], parent)
      await run(['commit', '-q', '-m', 'with a part'], parent)
      await run(['push', '-q', url, 'HEAD:refs/heads/parent'], parent)
      await run(['clone', '-q', '--recurse-submodules', '--branch', 'parent', url, 'again'])
      await advance(world)
      await run(['submodule', 'update', '--remote', '-q'], join(world.directory, 'again'))
      await run(['remote', 'update'], join(world.directory, 'again'))
      const part = join(world.directory, 'again', 'part')
      assert.equal(
        await git(['rev-parse', 'HEAD'], { directory: part }),
        await git(['rev-parse', 'main'], { directory: world.origin }),
      )
      assert.equal(await git(['config', 'remote.origin.url'], { directory: part }), url)
      const started = (await readFile(trace, 'utf8')).match(/origin http/g) ?? []
      assert.ok(started.length >= 6, 'every conversation went through the helper')
    } finally {
      await server.close()
    }
  }))
