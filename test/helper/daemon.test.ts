/**
 * Goal: what was given to the daemon stays available, whatever happens to the repository, and nothing else ever is.
 * Method: real processes on loopback; after every blow a fresh clone, which may only find the daemon, is compared with plain
 * git, and the bytes that it had from peers are counted.
 */

import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { DaemonProcess } from './daemon-process.ts'

let world: DemoWorld
let url: string
let cloneCount = 0
const daemons: DaemonProcess[] = []

before(async () => {
  world = await DemoWorld.open()
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 700, seed: 5 })
  await world.startDaemon()
  url = `gittorrent::${world.originUrl('origin.git')}`
})

after(async () => {
  for (const daemon of daemons) await daemon.end('SIGKILL')
  await world.close()
})

async function start(...args: Parameters<typeof DaemonProcess.start> extends [unknown, ...infer Rest] ? Rest : never) {
  const daemon = await DaemonProcess.start(world, ...args)
  daemons.push(daemon)
  return daemon
}

const isServing = ({ state }: { state: string }): boolean => state === 'serving'

/** A fresh clone that finds only the daemon equals the origin and had most from it. */
async function assertAvailable(daemon: DaemonProcess): Promise<void> {
  const name = `available-${cloneCount++}`
  const { bytes } = await world.viaSwarm(['clone', '--quiet', '--bare', url, name], daemon.settings())
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs(name), await refs('origin.git'))
  await world.git('-C', name, 'fsck', '--full', '--no-progress')
  assert.ok(
    bytes.peers > 9 * bytes.origin,
    `${bytes.peers} from peers, ${bytes.origin} from the origin\n${daemon.said}`,
  )
}

/** A clone that the daemon has been told to keep. */
async function keptClone(daemon: DaemonProcess, name: string): Promise<void> {
  await world.git('clone', '--quiet', world.originUrl('origin.git'), name)
  await daemon.ask('add', name)
  await daemon.until(name, isServing)
}

it('nothing is seeded unless asked: a clone is left alone', async () => {
  const daemon = await start([], 'home-default')
  await world.viaSwarm(['clone', '--quiet', url, 'unasked'], daemon.settings())
  assert.deepEqual((await daemon.status()).repositories, [])
  await daemon.end()
})

it('with gittorrent.seed a clone is kept, served, and counted when others take it', async () => {
  const daemon = await start([], 'home-seed')
  const settings = [...daemon.settings(), 'gittorrent.seed=true']
  await world.viaSwarm(['clone', '--quiet', url, 'first'], settings)
  const { claim, links } = await daemon.until('first', isServing)
  assert.equal(claim, 'helper')
  assert.ok(links.length >= 5)
  await assertAvailable(daemon)
  const { bytes } = await world.viaSwarm(['clone', '--quiet', url, 'second'], settings)
  const [first, second] = [await daemon.until('first', isServing), await daemon.until('second', () => true)]
  assert.equal(second.downloaded, bytes.peers)
  assert.ok(first.uploaded >= 2 * bytes.peers, `${first.uploaded} up, ${bytes.peers} taken twice`)
  assert.ok((await daemon.status()).ratio !== null)
  await daemon.end()
})

it('an origin that strangers cannot read is refused, unless the repository itself or a command says otherwise', async () => {
  const daemon = await start([], 'home-private')
  const settings = [...daemon.settings(), 'gittorrent.seed=true']
  const local = `gittorrent::file://${join(world.folder, 'origin.git')}`
  await world.viaSwarm(['clone', '--quiet', local, 'refused'], settings)
  await daemon.until('refused', ({ state, links }) => state === 'refused' && links.length === 0)
  await daemon.ask('add', 'refused')
  const added = await daemon.until('refused', isServing)
  assert.equal(added.public, false)
  await world.viaSwarm(['clone', '--quiet', '-c', 'gittorrent.seed=true', local, 'opted-in'], daemon.settings())
  await daemon.until('opted-in', isServing)
  await daemon.end()
})

it('only what came from the origin is served: no local branch, no stash, no note', async () => {
  const daemon = await start([], 'home-local')
  await world.git('clone', '--quiet', world.originUrl('origin.git'), 'mine')
  const own = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a' }
  const commits = Array.from({ length: 40 }, (_, index) => `private ${index}`)
  for (const message of commits) {
    await world.run('git', ['-C', 'mine', 'commit', '--quiet', '--allow-empty', '-m', message], { environment: own })
  }
  await daemon.ask('add', 'mine')
  const { links } = await daemon.until('mine', isServing)
  assert.ok(links.every(({ ref }) => ref.startsWith('refs/remotes/origin/')))
  const published = (await world.git('-C', 'origin.git', 'rev-list', '--all')).split('\n')
  assert.deepEqual(
    links.map(({ tip }) => tip).filter((tip) => !published.includes(tip)),
    [],
  )
  await daemon.end()
})

it('new commits are built and served once they are fetched', async () => {
  const daemon = await start([], 'home-watch')
  await keptClone(daemon, 'watched')
  const before = await daemon.until('watched', isServing)
  const base = await world.git('-C', 'origin.git', 'rev-parse', 'main')
  const tree = await world.git('-C', 'origin.git', 'rev-parse', 'main^{tree}')
  let tip = base
  const own = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a' }
  for (let count = 0; count < 60; count++) {
    const args = ['-C', 'origin.git', 'commit-tree', tree, '-p', tip, '-m', `later ${count}`]
    tip = (await world.run('git', args, { environment: own })).stdout.trim()
  }
  await world.git('-C', 'origin.git', 'update-ref', 'refs/heads/main', tip)
  await world.git('-C', 'watched', 'fetch', '--quiet')
  const now = await daemon.until('watched', ({ state, links }) => {
    return state === 'serving' && links[0]?.infohash !== before.links[0]?.infohash
  })
  assert.ok(
    now.links.some(({ bytes }) => before.links.some((link) => link.bytes === bytes)),
    'old links stay',
  )
  await assertAvailable(daemon)
  await daemon.end()
})

interface Blow {
  /** Whether segments have to be built again after it. */
  readonly costsSegments: boolean
  strike(directory: string): Promise<unknown>
}

const BLOWS: Readonly<Record<string, Blow>> = {
  'git gc --prune=now': {
    costsSegments: false,
    strike: (directory) => world.git('-C', directory, 'gc', '--quiet', '--prune=now'),
  },
  'git repack -adF without the kept pack': {
    costsSegments: true,
    strike: async (directory) => {
      const packs = join(world.folder, directory, '.git', 'objects', 'pack')
      for (const name of await readdir(packs)) if (name.endsWith('.keep')) await rm(join(packs, name))
      await world.git('-C', directory, 'repack', '-adFq')
    },
  },
  'git maintenance with a geometric repack, bitmap and multi-pack-index': {
    costsSegments: false,
    strike: async (directory) => {
      await world.git('-C', directory, 'repack', '-dq', '--geometric=2', '--write-midx', '--write-bitmap-index')
      await world.git('-C', directory, 'maintenance', 'run', '--quiet', '--task=gc', '--task=commit-graph')
      await world.git('-C', directory, 'prune', '--expire=now')
    },
  },
  'loss of all stored bodies': {
    costsSegments: true,
    strike: (directory) => rm(join(world.folder, directory, '.git', 'gittorrent', 'segments'), { recursive: true }),
  },
  'damage to every stored body': {
    costsSegments: true,
    strike: async (directory) => {
      const folder = join(world.folder, directory, '.git', 'gittorrent', 'segments')
      for (const name of (await readdir(folder)).filter((file) => file.endsWith('.body'))) {
        const bytes = await readFile(join(folder, name))
        await rm(join(folder, name))
        await writeFile(join(folder, name), bytes.fill(0, 0, 9))
      }
    },
  },
}

for (const [name, { costsSegments, strike }] of Object.entries(BLOWS)) {
  it(`a kept clone of the swarm is available again after ${name}`, async () => {
    const daemon = await start([], 'home-blows')
    const directory = `struck-${name.replace(/\W+/g, '-')}`
    await keptClone(daemon, `source-of-${directory}`)
    await world.viaSwarm(['clone', '--quiet', url, directory], daemon.settings())
    await daemon.ask('add', directory)
    await daemon.until(directory, isServing)
    await daemon.ask('remove', `source-of-${directory}`)
    const saidLength = daemon.said.length
    await strike(directory)
    if (costsSegments) await daemon.says(/building/, saidLength)
    await daemon.until(directory, isServing)
    await assertAvailable(daemon)
    await daemon.ask('remove', directory)
    await daemon.end()
  })
}

it('a repository that vanishes is not served, and is again when it is back', async () => {
  const daemon = await start([], 'home-move')
  await keptClone(daemon, 'moved')
  await rename(join(world.folder, 'moved'), join(world.folder, 'elsewhere'))
  await daemon.until('moved', ({ state, links }) => state === 'missing' && links.length === 0)
  await rename(join(world.folder, 'elsewhere'), join(world.folder, 'moved'))
  await daemon.until('moved', isServing)
  await assertAvailable(daemon)
  await rm(join(world.folder, 'moved'), { recursive: true })
  await daemon.until('moved', ({ state }) => state === 'missing')
  await daemon.ask('remove', 'moved')
  assert.deepEqual((await daemon.status()).repositories, [])
  await daemon.end()
})

it('the list and its counts outlive a kill; a second daemon for the same home is refused', async () => {
  const daemon = await start([], 'home-restart')
  await keptClone(daemon, 'lasting')
  await assert.rejects(start([], 'home-restart'), /runs already/)
  await daemon.end('SIGKILL')
  assert.match(await daemon.ask('list'), /lasting\tdaemon not running/)
  const next = await start([], 'home-restart')
  await next.until('lasting', isServing)
  await assertAvailable(next)
  const { uploaded } = await next.until('lasting', () => true)
  await next.end()
  const last = await start([], 'home-restart')
  assert.equal((await last.until('lasting', isServing)).uploaded, uploaded)
  await last.end()
})

it('stop ends it, also in the middle of a build, with status 0 and without its socket', async () => {
  const daemon = await start([], 'home-stop')
  await world.git('clone', '--quiet', world.originUrl('origin.git'), 'unbuilt')
  await daemon.ask('add', 'unbuilt')
  await daemon.until('unbuilt', ({ state }) => state === 'building' || state === 'serving')
  await daemon.ask('stop')
  assert.deepEqual(await daemon.exited, { status: 0, signal: null })
  await assert.rejects(stat(join(world.folder, 'home-stop', 'daemon.sock')), { code: 'ENOENT' })
  await assert.rejects(daemon.ask('status'), /gittorrent daemon/)
})

it('its folder and socket are closed to others, even where they were open', async () => {
  await mkdir(join(world.folder, 'home-open'))
  await chmod(join(world.folder, 'home-open'), 0o777)
  const daemon = await start([], 'home-open')
  const modeOf = async (path: string): Promise<number> => (await stat(join(world.folder, path))).mode & 0o777
  assert.equal(await modeOf('home-open'), 0o700)
  assert.equal(await modeOf('home-open/daemon.sock'), 0o600)
  await chmod(join(world.folder, 'home-open'), 0o755)
  await assert.rejects(daemon.ask('status'), /expected a daemon/)
  await chmod(join(world.folder, 'home-open'), 0o700)
  await daemon.ask('status')
  await daemon.end()
})

it('whatever is written to its socket, it answers the next one', async () => {
  const daemon = await start([], 'home-socket')
  const path = join(world.folder, 'home-socket', 'daemon.sock')
  const attempts = [
    '',
    '\n',
    '{}\n',
    'null\n',
    '{"command":"add","path":["/"]}\n',
    '{'.repeat(200_000),
    '{"command":"remove","path":"/"}\n',
  ]
  for (const text of attempts) {
    await new Promise<void>((resolve) => {
      const socket = connect(path).on('close', () => resolve())
      socket.on('error', () => {}).resume()
      socket.end(text)
    })
  }
  assert.deepEqual((await daemon.status()).repositories, [])
  await daemon.end()
})

it('limits hold: number of repositories, and disk before a build', async () => {
  const daemon = await start(['--repository-limit', '1', '--disk-limit', '1k'], 'home-limits')
  await world.git('clone', '--quiet', world.originUrl('origin.git'), 'large')
  await daemon.ask('add', 'large')
  const { detail } = await daemon.until('large', ({ state }) => state === 'failed')
  assert.match(detail, /gittorrent\.diskLimit/)
  await assert.rejects(daemon.ask('add', 'origin.git', '--origin', url), /gittorrent\.repositoryLimit/)
  await daemon.end()
})

it('a full disk costs the build, not the daemon; with room it is made up for', async (context) => {
  if (process.getuid?.() !== 0) {
    context.diagnostic('a full disk needs root, for a small tmpfs')
    return
  }
  const disk = join(world.folder, 'disk')
  await mkdir(disk)
  await world.run('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', disk])
  const daemon = await start([], 'home-full')
  try {
    await world.git('clone', '--quiet', '--bare', world.originUrl('origin.git'), 'disk/full.git')
    const { blocks, bsize } = await import('node:fs').then(({ statfsSync }) => statfsSync(disk))
    const used = Number((await world.run('du', ['-sb', disk])).stdout.split('\t')[0])
    await writeFile(join(disk, 'filler'), Buffer.alloc(blocks * bsize - used - 8 * 1024 * 1024))
    await daemon.ask('add', 'disk/full.git', '--origin', url)
    const { detail } = await daemon.until('disk/full.git', ({ state }) => state === 'failed')
    assert.match(detail, /disk|space/)
    await rm(join(disk, 'filler'))
    await daemon.ask('add', 'disk/full.git', '--origin', url)
    await daemon.until('disk/full.git', isServing)
    await assertAvailable(daemon)
  } finally {
    await daemon.end()
    await world.run('umount', ['-l', disk])
  }
})

it('repositories with git-daemon-export-ok under a root are kept, others and those that lose it are not', async () => {
  const root = join(world.folder, 'exports')
  await mkdir(join(root, 'deep', 'er'), { recursive: true })
  await world.git('clone', '--quiet', '--bare', world.originUrl('origin.git'), 'exports/deep/er/project.git')
  await world.git('clone', '--quiet', world.originUrl('origin.git'), 'exports/quiet')
  const mark = join(root, 'deep', 'er', 'project.git', 'git-daemon-export-ok')
  await writeFile(mark, '')
  const prefix = world.originUrl('exports')
  const daemon = await start(['--root', root, '--root-url', prefix], 'home-exports')
  const { origin, claim } = await daemon.until('exports/deep/er/project.git', isServing)
  assert.deepEqual({ origin, claim }, { origin: `${prefix}/deep/er/project.git`, claim: 'export-ok' })
  assert.equal((await daemon.status()).repositories.length, 1)
  const served = `gittorrent::${prefix}/deep/er/project.git`
  const { bytes } = await world.viaSwarm(['clone', '--quiet', '--bare', served, 'exported'], daemon.settings())
  assert.ok(bytes.peers > 9 * bytes.origin)
  await rm(mark)
  await daemon.says(/not exported any more/)
  assert.deepEqual((await daemon.status()).repositories, [])
  await daemon.end()
})
