/**
 * Goal: what a user does with a swarm gives what plain git gives, and the swarm is what it came from.
 * Method: real processes on loopback (git daemon, a seeder found by tracker and DHT only, git with our helper), compared
 * with plain git on the same origin: refs, reachable objects, fsck; bytes as the helper counts them.
 */

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld, type RunningSeeder } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { parseManifest } from '../../helper/export/manifest.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

let world: DemoWorld
let seeder: RunningSeeder
let url: string

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 400, seed: 3 })
  await world.startDaemon()
  await world.startMeetingPoints()
  seeder = await world.startSeeder('origin.git')
  url = `gittorrent::${world.originUrl('origin.git')}`
  await world.git('clone', '--quiet', world.originUrl('origin.git'), 'plain')
})

async function reachable(directory: string): Promise<string[]> {
  const listed = await world.git('-C', directory, 'rev-list', '--objects', '--no-object-names', '--all')
  return listed.split('\n').sort()
}

async function assertEqualRepositories(directory: string, other: string): Promise<void> {
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs(directory), await refs(other))
  assert.deepEqual(await reachable(directory), await reachable(other))
  await world.git('-C', directory, 'fsck', '--full', '--no-progress')
}

async function chainOf(directory: string): Promise<{ tip: string; links: { infohash: string }[] }> {
  const { stdout } = await world.run('gittorrent', ['chain', directory, '--json'])
  return JSON.parse(stdout)
}

it('a clone equals a plain one, comes from peers, and leaves nothing behind', async () => {
  const { bytes, trace } = await world.viaSwarm(['clone', '--quiet', url, 'clone'])
  assert.doesNotMatch(trace, /broke off|refused/)
  await assertEqualRepositories('clone', 'plain')
  assert.ok(bytes.peers > 9 * bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
  const gitDir = join(world.folder, 'clone', '.git')
  const packs = await readdir(join(gitDir, 'objects', 'pack'))
  assert.equal(packs.filter((name) => name.endsWith('.keep')).length >= 1, true)
  assert.deepEqual(await readdir(join(gitDir, 'gittorrent', 'incoming')), [])
  assert.deepEqual(
    (await readdir(join(gitDir, 'objects'))).filter((name) => name.startsWith('tmp_')),
    [],
  )
  assert.equal(await world.git('-C', 'clone', 'for-each-ref', 'refs/gittorrent'), '')
  assert.equal(await world.git('-C', 'clone', 'config', '--get', 'remote.origin.url'), url)
})

for (const kind of ['--bare', '--mirror']) {
  it(`git clone ${kind} through the swarm equals the plain one`, async () => {
    const { bytes } = await world.viaSwarm(['clone', '--quiet', kind, url, `clone${kind}.git`])
    await world.git('clone', '--quiet', kind, world.originUrl('origin.git'), `plain${kind}.git`)
    await assertEqualRepositories(`clone${kind}.git`, `plain${kind}.git`)
    assert.ok(bytes.peers > 9 * bytes.origin)
  })
}

it('a clone of one branch that is not the main one equals the plain one', async () => {
  const refs = await world.git(
    '-C',
    'origin.git',
    'for-each-ref',
    '--sort=-committerdate',
    '--format=%(refname:short)',
    'refs/heads',
  )
  const main = await world.git('-C', 'origin.git', 'symbolic-ref', '--short', 'HEAD')
  const branch = refs.split('\n').find((name) => name !== main)
  assert.ok(branch !== undefined)
  const args = ['clone', '--quiet', '--single-branch', '--branch', branch]
  await world.viaSwarm([...args, url, 'single'])
  await world.git(...args, world.originUrl('origin.git'), 'single-plain')
  await assertEqualRepositories('single', 'single-plain')
})

it('a clone that borrows from a repository on the machine takes what that one lacks, as plain git does', async () => {
  await world.git('clone', '--quiet', '--bare', '--single-branch', world.originUrl('origin.git'), 'lender.git')
  await world.git('-C', 'lender.git', 'reset', '--soft', 'HEAD~40')
  const args = ['clone', '--quiet', '--reference', 'lender.git']
  const { bytes } = await world.viaSwarm([...args, url, 'borrower'])
  await world.git(...args, world.originUrl('origin.git'), 'borrower-plain')
  await assertEqualRepositories('borrower', 'borrower-plain')
  const inPack = async (of: string): Promise<number> =>
    Number(/in-pack: (\d+)/.exec(await world.git('-C', of, 'count-objects', '-v'))?.[1])
  assert.ok((await inPack('borrower')) < 2 * (await inPack('borrower-plain')), `${bytes.peers} from peers`)
})

it('objects that are to go elsewhere (GIT_OBJECT_DIRECTORY) come from the origin', async () => {
  await world.git('init', '--quiet', 'elsewhere')
  const environment = { GIT_OBJECT_DIRECTORY: join(world.folder, 'objects-elsewhere') }
  await mkdir(environment.GIT_OBJECT_DIRECTORY)
  const args = ['-C', 'elsewhere', 'fetch', '--quiet', url, 'main:main']
  const { bytes } = await world.viaSwarm(args, world.settings(), environment)
  assert.equal(bytes.peers, 0)
  await world.run('git', ['-C', 'elsewhere', 'fsck', '--full', 'main'], { environment })
})

it('a chain is the same from a plain clone, a clone of the swarm, a repacked mirror with more refs', async () => {
  const expected = await chainOf('origin.git')
  assert.ok(expected.links.length >= 5)
  await world.git('clone', '--quiet', '--mirror', 'origin.git', 'repacked.git')
  await world.git('-C', 'repacked.git', 'repack', '-adfq', '--depth=3', '--window=2')
  await world.git('-C', 'repacked.git', 'tag', 'an-extra-tag', 'HEAD~7')
  await world.git('-C', 'repacked.git', 'branch', 'an-extra-branch', 'HEAD~11')
  for (const directory of ['plain', 'clone', 'repacked.git']) assert.deepEqual(await chainOf(directory), expected)
})

it('a clone builds again what peers sent before it seeds it, then another clone takes everything from it alone', async () => {
  const built = async (): Promise<number> => {
    const { stdout } = await world.run('gittorrent', ['seed', 'clone-bare.git', '--once', '--json', '--origin', url])
    return JSON.parse(stdout).built
  }
  await world.viaSwarm(['clone', '--quiet', '--bare', url, 'clone-bare.git'])
  assert.ok((await built()) > 0)
  assert.equal(await built(), 0)
  const second = await world.startSeeder('clone')
  try {
    const settings = [`gittorrent.peer=${second.address}`, 'gittorrent.dht=false', 'gittorrent.lsd=false']
    const { bytes } = await world.viaSwarm(['clone', '--quiet', url, 'clone-of-clone'], settings)
    await assertEqualRepositories('clone-of-clone', 'plain')
    assert.ok(bytes.peers > 9 * bytes.origin)
  } finally {
    await second.stop()
  }
})

it('segments of a clone are served from its kept pack, not stored twice', async () => {
  const segments = join(world.folder, 'clone', '.git', 'gittorrent', 'segments')
  const names = await readdir(segments)
  const tables = names.filter((name) => name.endsWith('.json'))
  const inPack = await Promise.all(
    tables.map(async (name) => JSON.parse(await readFile(join(segments, name), 'utf8')).pack !== null),
  )
  assert.ok(inPack.filter(Boolean).length > 0)
  for (const [index, name] of tables.entries()) {
    assert.equal(existsSync(join(segments, name.replace(/json$/, 'body'))), !inPack[index])
  }
})

it('a damaged body is noticed, built again, and never served', async () => {
  const expected = await chainOf('repacked.git')
  const segments = join(world.folder, 'repacked.git', 'gittorrent', 'segments')
  // In so short a history all links are of fine segments; a coarse body is looked at when a link needs it.
  const bodies = (await readdir(segments)).filter((name) => /^fine-.*\.body$/.test(name))
  for (const name of bodies.slice(0, 3)) {
    const path = join(segments, name)
    const bytes = await readFile(path)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff
    await rm(path)
    await writeFile(path, bytes)
  }
  assert.deepEqual(await chainOf('repacked.git'), expected)
  const { stdout } = await world.run('gittorrent', ['verify', 'repacked.git', '--json'])
  assert.equal(JSON.parse(stdout).ok, true)
})

it('exported bundles are read by stock git in order and verified as canonical', async () => {
  await world.run('gittorrent', ['export', 'origin.git', '--out', 'exported'])
  const manifest = parseManifest(await readFile(join(world.folder, 'exported', 'manifest.json')))
  await world.git('init', '--quiet', '--bare', 'from-bundles.git')
  const links = manifest.chains[0]?.links ?? []
  for (const link of [...links].reverse()) {
    const path = join(world.folder, 'exported', link.file)
    await world.git('-C', 'from-bundles.git', 'bundle', 'verify', '--quiet', path)
    await world.git('-C', 'from-bundles.git', 'fetch', '--quiet', path, 'refs/heads/*:refs/heads/*')
  }
  const top = links[0]?.tip ?? ''
  const listed = (directory: string): Promise<string> =>
    world.git('-C', directory, 'rev-list', '--objects', '--no-object-names', top)
  assert.equal(await listed('from-bundles.git'), await listed('origin.git'))
  const { stdout } = await world.run('gittorrent', ['verify', 'exported', '--json'])
  assert.deepEqual(JSON.parse(stdout).ok, true)
})

it('a fetch after new commits moves at most one coarse segment more than half again of a minimal pack', async () => {
  const branch = await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD')
  const before = await world.git('-C', 'origin.git', 'rev-parse', 'HEAD')
  const commits = Array.from({ length: 200 }, (_, index) => {
    const content = `${index}\n`.repeat(200 + index)
    const head = [`commit ${branch}`, `committer T <t@example.org> ${1_900_000_000 + index} +0000`, 'data 1', 'x']
    return [
      ...head,
      ...(index === 0 ? [`from ${branch}^0`] : []),
      `M 100644 inline f${index % 5}`,
      `data ${content.length}`,
      content,
    ]
  })
  await world.run('git', ['-C', 'origin.git', 'fast-import', '--quiet'], { input: `${commits.flat().join('\n')}\n` })
  await seeder.stop()
  seeder = await world.startSeeder('origin.git')
  const { bytes } = await world.viaSwarm(['-C', 'clone', 'fetch', '--quiet'])
  await world.git('-C', 'plain', 'fetch', '--quiet')
  await assertEqualRepositories('clone', 'plain')
  assert.ok(bytes.peers > bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
  const revisions = `${await world.git('-C', 'origin.git', 'rev-parse', 'HEAD')}\n^${before}\n`
  const thin = await world.run('sh', ['-c', 'git -C origin.git pack-objects --revs --thin --stdout -q | wc -c'], {
    input: revisions,
  })
  const moved = bytes.peers + bytes.origin
  // A coarse segment that has become due may begin below what the clone held: it is taken whole.
  const segments = join(world.folder, 'origin.git', 'gittorrent', 'segments')
  const bodies = (await readdir(segments)).filter((name) => /^coarse-.*body$/.test(name))
  const lengths = await Promise.all(bodies.map(async (name) => (await stat(join(segments, name))).size))
  const most = 1.5 * Number(thin.stdout) + Math.max(...lengths)
  assert.ok(moved < most, `${moved} bytes moved, expected less than ${most}`)
})

it('a force-pushed origin is seeded and fetched anew', async () => {
  const branch = await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD')
  const older = await world.git('-C', 'origin.git', 'rev-parse', 'HEAD~150')
  const message = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  const rewritten = await world.git(
    '-C',
    'origin.git',
    ...message,
    'commit-tree',
    '-p',
    older,
    '-m',
    'rewritten',
    `${older}^{tree}`,
  )
  await world.git('-C', 'origin.git', 'update-ref', branch, rewritten)
  await seeder.stop()
  seeder = await world.startSeeder('origin.git')
  await world.viaSwarm(['-C', 'clone', 'fetch', '--quiet'])
  await world.git('-C', 'plain', 'fetch', '--quiet')
  await assertEqualRepositories('clone', 'plain')
})

it('two clones at once do not disturb each other', async () => {
  const both = ['at-once-1', 'at-once-2'].map((name) => world.viaSwarm(['clone', '--quiet', url, name]))
  for (const { bytes } of await Promise.all(both)) assert.ok(bytes.peers > 0)
  await assertEqualRepositories('at-once-1', 'at-once-2')
})

it('ten fetches at once into one repository do not disturb each other', async () => {
  await world.git('init', '--quiet', 'shared')
  const fetches = Array.from({ length: 10 }, (_, index) =>
    world.viaSwarm(['-C', 'shared', 'fetch', '--quiet', url, `+refs/heads/*:refs/remotes/of-${index}/*`]),
  )
  // One that starts late finds what another brought, and needs nothing.
  assert.ok((await Promise.all(fetches)).some(({ bytes }) => bytes.peers > 0))
  const own = await world.git('-C', 'origin.git', 'for-each-ref', '--format=%(objectname)', 'refs/heads')
  for (let index = 0; index < 10; index++) {
    const refs = ['for-each-ref', '--format=%(objectname)', `refs/remotes/of-${index}`]
    assert.equal(await world.git('-C', 'shared', ...refs), own)
  }
  const hasMarks = (): boolean => existsSync(join(world.folder, 'shared', '.git', 'worktrees'))
  // The marks of a fetch go a moment after it; fsck would look at one that goes while it runs.
  while (hasMarks()) await new Promise((resolve) => setImmediate(resolve))
  await world.git('-C', 'shared', 'fsck', '--full', '--no-progress')
  assert.deepEqual(await readdir(join(world.folder, 'shared', '.git', 'gittorrent', 'incoming')), [])
})

it('a SHA-256 repository takes the same path', async () => {
  await generateRepository(join(world.folder, 'sha256.git'), { commitCount: 150, seed: 4, objectFormat: 'sha256' })
  const other = await world.startSeeder('sha256.git', 'sha256.git')
  try {
    const origin = world.originUrl('sha256.git')
    const { bytes } = await world.viaSwarm(['clone', '--quiet', `gittorrent::${origin}`, 'sha256-clone'])
    await world.git('clone', '--quiet', origin, 'sha256-plain')
    await assertEqualRepositories('sha256-clone', 'sha256-plain')
    assert.ok(bytes.peers > bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
  } finally {
    await other.stop()
  }
})

it('adoption by insteadOf keeps the stored URL and uses the swarm', async () => {
  const origin = world.originUrl('origin.git')
  const base = origin.slice(0, -'origin.git'.length)
  const settings = [...world.settings(), `url.gittorrent::${base}.insteadOf=${base}`]
  const { bytes } = await world.viaSwarm(['clone', '--quiet', origin, 'adopted'], settings)
  await world.git('clone', '--quiet', origin, 'adopted-plain')
  await assertEqualRepositories('adopted', 'adopted-plain')
  assert.equal(await world.git('-C', 'adopted', 'config', '--get', 'remote.origin.url'), origin)
  assert.ok(bytes.peers > 0)
})
