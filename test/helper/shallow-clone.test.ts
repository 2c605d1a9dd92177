/**
 * Goal: a shallow clone builds on a snapshot from the swarm and is, in everything that git shows of it, the one that
 * plain git makes; deepening and unshallowing it afterwards work.
 * Method: real processes on loopback with a seeder that offers a snapshot; tips past the snapshot, and at it, by branch and
 * by tag; plain git on the same origin as the oracle.
 */

import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'

let world: DemoWorld
let url: string
let snapshot: string
let branch: string
let number = 0

before(async () => {
  world = await DemoWorld.open()
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

after(async () => {
  await world.close()
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

interface Clones {
  readonly ours: string
  readonly plain: string
  readonly bytes: { readonly peers: number; readonly origin: number }
}

async function cloneBoth(...options: string[]): Promise<Clones> {
  const names = { ours: `ours-${number}`, plain: `plain-${number++}` }
  const { bytes, trace } = await world.viaSwarm(['clone', '--quiet', ...options, url, names.ours])
  assert.match(trace, new RegExp(`snapshot ${snapshot}`))
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
