/**
 * Goal: a shallow clone of any depth builds on a snapshot from the swarm, making it whole takes the history from the swarm,
 * and the result is, in everything that git shows of it, the one that plain git makes.
 * Method: real processes on loopback with a seeder that offers a snapshot; tips past the snapshot, and at it, by branch and
 * by tag; plain git on the same origin as the oracle, and the bytes that each side sent.
 */

import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

let world: DemoWorld
let url: string
let snapshot: string
let branch: string
let number = 0

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 600, seed: 8 })
  branch = await world.git('-C', 'origin.git', 'symbolic-ref', '--short', 'HEAD')
  const { stdout } = await world.run('gittorrent', ['chain', 'origin.git', '--snapshot', '--json'])
  snapshot = JSON.parse(stdout).snapshots[0].commit
  await world.git('-C', 'origin.git', 'branch', 'at-the-snapshot', snapshot)
  await world.git('-C', 'origin.git', 'config', 'uploadpack.allowAnySHA1InWant', 'true')
  await world.startDaemon()
  await world.startMeetingPoints()
  await world.startSeeder('origin.git')
  url = `gittorrent::${world.originUrl('origin.git')}`
})

/** What git shows of a repository. */
async function shown(directory: string): Promise<string> {
  const refs = await world.git('-C', directory, 'for-each-ref', '--format=%(objectname) %(refname)')
  const history = await world.git('-C', directory, 'log', '--all', '--format=%H %P %T')
  const objects = await world.git('-C', directory, 'rev-list', '--objects', '--no-object-names', '--all')
  const shallow = await world.git('-C', directory, 'rev-parse', '--is-shallow-repository')
  const sorted = (lines: string): string => lines.split('\n').sort().join('\n')
  return [refs, sorted(history), sorted(objects), shallow].join('\n')
}

const NO_WAY_IN = ['gittorrent.dht=false', 'gittorrent.lsd=false']

async function isMissing(directory: string, oid: string): Promise<boolean> {
  return world.git('-C', directory, 'cat-file', '-e', oid).then(
    () => false,
    () => true,
  )
}

/** A commit on top of the origin's branch. */
function newCommit(): Promise<string> {
  const person = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  return world.git('-C', 'origin.git', ...person, 'commit-tree', '-p', branch, '-m', 'new', `${branch}^{tree}`)
}

interface Clones {
  readonly ours: string
  readonly plain: string
  readonly bytes: { readonly peers: number; readonly origin: number }
}

async function cloneBoth(...options: string[]): Promise<Clones> {
  const names = { ours: `ours-${number}`, plain: `plain-${number++}` }
  const { bytes, trace } = await world.viaSwarm(['clone', '--quiet', ...options, url, names.ours])
  assert.match(trace, new RegExp(`snapshot ${snapshot} of`))
  await world.git('clone', '--quiet', '--no-local', ...options, world.originUrl('origin.git'), names.plain)
  assert.equal(await shown(names.ours), await shown(names.plain))
  await world.git('-C', names.ours, 'fsck', '--full', '--no-progress')
  return { ...names, bytes }
}

it('--depth 1 brings the tree from peers and only what is newer from the origin', async () => {
  const { ours, bytes } = await cloneBoth('--depth', '1')
  assert.ok(bytes.peers > 2 * bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
  assert.equal(await world.git('-C', ours, 'status', '--porcelain'), '')
  const objects = await readdir(join(world.folder, ours, '.git', 'objects'))
  assert.deepEqual(
    objects.filter((name) => name.startsWith('tmp_')),
    [],
  )
})

it('--depth 1 of the very commit that the snapshot is of needs next to nothing from the origin', async () => {
  const { bytes } = await cloneBoth('--depth', '1', '--branch', 'at-the-snapshot')
  assert.ok(bytes.peers > 20 * bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
})

it('the commit of the snapshot is gone after the clone, so that no tag at it is followed', async () => {
  const { ours, plain } = await cloneBoth('--depth', '1')
  assert.ok(await isMissing(ours, snapshot))
  await world.git('-C', 'origin.git', 'tag', 'at-it', snapshot)
  await world.git('-C', 'origin.git', 'branch', 'news', await newCommit())
  for (const clone of [ours, plain]) await world.git('-C', clone, 'fetch', '--quiet', 'origin', 'news')
  assert.equal(await shown(ours), await shown(plain))
  await world.git('-C', 'origin.git', 'tag', '-d', 'at-it')
  await world.git('-C', 'origin.git', 'branch', '-D', 'news')
})

it('a clone of any depth builds on the snapshot, whether that is above, at or below its end', async () => {
  const above = Number(
    await world.git('-C', 'origin.git', 'rev-list', '--first-parent', '--count', `${snapshot}..HEAD`),
  )
  const older = await world.git('-C', 'origin.git', 'rev-parse', `${snapshot}~4`)
  await world.git('-C', 'origin.git', 'tag', 'older', older)
  const time = await world.git('-C', 'origin.git', 'log', '-1', '--format=%ct', older)
  const depths = [2, above, above + 1, above + 20].map((depth) => [`--depth=${depth}`])
  for (const options of [...depths, ['--shallow-exclude=older'], [`--shallow-since=${time}`]]) {
    const { ours, bytes } = await cloneBoth(...options)
    const alone = await world.viaSwarm(['clone', '--quiet', ...options, url, `alone-${number++}`], NO_WAY_IN)
    assert.equal(alone.bytes.peers, 0)
    const saved = alone.bytes.origin - bytes.origin
    assert.ok(saved > bytes.peers / 2, `${options}: ${bytes.peers} from peers spare the origin ${saved}`)
    await world.git('-C', ours, 'fetch', '--quiet', '--depth=1')
    await world.git('-C', ours, 'fsck', '--no-progress')
  }
  await world.git('-C', 'origin.git', 'tag', '-d', 'older')
})

for (const depth of [1, 12]) {
  it(`--unshallow of a clone of depth ${depth} takes the history from peers`, async () => {
    await world.git('-C', 'origin.git', 'config', 'uploadpack.allowSidebandAll', String(depth === 12))
    const { ours, plain } = await cloneBoth(`--depth=${depth}`)
    const { bytes } = await world.viaSwarm(['-C', ours, 'fetch', '--quiet', '--unshallow'])
    await world.git('-C', plain, 'fetch', '--quiet', '--unshallow')
    assert.equal(await shown(ours), await shown(plain))
    await world.git('-C', ours, 'fsck', '--full', '--no-progress')
    assert.ok(bytes.peers > 10 * bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
    // What an --unshallow leaves that is interrupted between the swarm and the origin.
    await writeFile(
      join(world.folder, ours, '.git', 'shallow'),
      `${await world.git('-C', ours, 'rev-parse', 'HEAD')}\n`,
    )
    const again = await world.viaSwarm(['-C', ours, 'fetch', '--quiet', '--unshallow'])
    assert.equal(again.bytes.peers, 0, 'links that are there are not taken again')
    assert.ok(again.bytes.origin < bytes.peers / 10)
    assert.equal(await shown(ours), await shown(plain))
  })
}

it('a shallow clone can be deepened, fetched into, collected and made whole', async () => {
  const { ours, plain } = await cloneBoth('--depth', '1')
  for (const args of [
    ['fetch', '--quiet', '--deepen', '5'],
    ['gc', '--quiet', '--prune=now'],
    ['fetch', '--quiet', '--unshallow'],
  ]) {
    await world.git('-C', ours, ...args)
    await world.git('-C', plain, ...args)
    assert.equal(await shown(ours), await shown(plain))
    await world.git('-C', ours, 'fsck', '--full', '--no-progress')
  }
})

it('what a CI checkout does with one commit works: init, fetch it with depth 1, check it out', async () => {
  const tip = await world.git('-C', 'origin.git', 'rev-parse', branch)
  await world.git('init', '--quiet', 'checkout')
  await world.git('-C', 'checkout', 'remote', 'add', 'origin', url)
  const refspec = `+${tip}:refs/remotes/origin/${branch}`
  const { bytes } = await world.viaSwarm([
    '-C',
    'checkout',
    'fetch',
    '--quiet',
    '--no-tags',
    '--prune',
    '--depth=1',
    'origin',
    refspec,
  ])
  assert.ok(bytes.peers > 2 * bytes.origin)
  await world.git('-C', 'checkout', 'checkout', '--quiet', '--force', '-B', branch, `refs/remotes/origin/${branch}`)
  assert.equal(await world.git('-C', 'checkout', 'rev-parse', 'HEAD'), tip)
  await world.git('-C', 'checkout', 'fsck', '--no-progress')
})

it('the same by an annotated tag', async () => {
  await world.git(
    '-C',
    'origin.git',
    '-c',
    'user.name=T',
    '-c',
    'user.email=t@example.org',
    'tag',
    '-m',
    'x',
    'tagged',
    snapshot,
  )
  await cloneBoth('--depth', '1', '--branch', 'tagged')
})
