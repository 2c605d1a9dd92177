/**
 * Goal: a full disk costs the command that met it, with a clear word, and nothing else: no half-written file is left where git
 * or a later run would take it for whole, and the same command works once there is room.
 * Method: clones, fetches, builds and a daemon on a disk of a few hundred kilobytes (small-disk.ts), which then gets larger.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld, type RunningSeeder } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { DaemonProcess } from './daemon-process.ts'
import { SmallDisk } from './small-disk.ts'

const ENOUGH = 64 * 1024 * 1024

let world: DemoWorld
let seeder: RunningSeeder
let url: string
const disks: SmallDisk[] = []

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 400, seed: 5 })
  await world.startDaemon()
  seeder = await world.startSeeder('origin.git')
  url = `gittorrent::${world.originUrl('origin.git')}`
})

async function openDisk(length: number): Promise<SmallDisk> {
  const disk = await SmallDisk.open(join(world.folder, `disk-${disks.length}`), length)
  disks.push(untilFileEnds(disk))
  return disk
}

/** What a command on a disk says to stderr, and whether it failed. */
async function onDisk(disk: SmallDisk, ...command: string[]): Promise<{ said: string; isGood: boolean }> {
  const [program, args] = disk.command(...command)
  return world.run(program, args).then(
    ({ stderr }) => ({ said: stderr, isGood: true }),
    (error: Error) => ({ said: error.message.slice(error.message.indexOf(': ') + 2), isGood: false }),
  )
}

function viaSeeder(...args: string[]): string[] {
  const settings = [`gittorrent.peer=${seeder.address}`, 'gittorrent.dht=false', 'gittorrent.lsd=false']
  return ['git', ...settings.flatMap((setting) => ['-c', setting]), ...args]
}

async function succeeds(disk: SmallDisk, ...command: string[]): Promise<void> {
  const { said, isGood } = await onDisk(disk, ...command)
  assert.ok(isGood, said)
}

/** All files below a folder, by their paths in it. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

const isTemporary = (path: string): boolean => /(^|\/)(\.?tmp[-_]|quarantine|incoming)/.test(path)

for (const length of [100_000, 300_000, 500_000]) {
  it(`a clone that finds ${length} bytes of room fails with git's own word, leaves nothing, and works with more`, async () => {
    const disk = await openDisk(length)
    const clone = viaSeeder('clone', '--bare', url, join(disk.folder, 'clone'))
    const { said, isGood } = await onDisk(disk, ...clone)
    assert.ok(!isGood)
    assert.match(said, disk.fullPattern)
    assert.doesNotMatch(said, /EPIPE| at .*\.js:/)
    assert.deepEqual(await readdir(disk.visible), [])
    disk.resize(ENOUGH)
    await succeeds(disk, ...clone)
    await succeeds(disk, 'git', '-C', join(disk.folder, 'clone'), 'fsck', '--full', '--no-progress')
    assert.deepEqual((await filesIn(join(disk.visible, 'clone'))).filter(isTemporary), [])
  })
}

it('a fetch into a full disk moves no ref and leaves a whole repository, and works with room', async () => {
  const disk = await openDisk(ENOUGH)
  const clone = join(disk.folder, 'clone.git')
  await world.git('clone', '--quiet', '--bare', 'origin.git', 'older.git')
  const newest = await world.git('-C', 'older.git', 'rev-parse', 'main')
  const older = await world.git('-C', 'older.git', 'rev-list', '--max-parents=0', 'main')
  await succeeds(disk, 'git', 'init', '--quiet', '--bare', clone)
  await succeeds(
    disk,
    'git',
    '-C',
    clone,
    'fetch',
    '--quiet',
    join(world.folder, 'older.git'),
    `${older}:refs/heads/main`,
  )
  await succeeds(disk, 'git', '-C', clone, 'config', 'core.filesRefLockTimeout', '1')
  const before = await filesIn(join(disk.visible, 'clone.git', 'objects'))
  disk.leave(300_000)
  const fetch = viaSeeder('-C', clone, 'fetch', url, 'refs/heads/main:refs/heads/main')
  const { said, isGood } = await onDisk(disk, ...fetch)
  assert.ok(!isGood)
  assert.match(said, disk.fullPattern)
  const refOf = async (): Promise<string> =>
    (await world.run(...disk.command('git', '-C', clone, 'rev-parse', 'refs/heads/main'))).stdout.trim()
  assert.equal(await refOf(), older)
  await succeeds(disk, 'git', '-C', clone, 'fsck', '--full', '--no-progress')
  // One half pack is git's own, which leaves it when it indexes what an origin sends; `git gc` takes it away.
  const further = (await filesIn(join(disk.visible, 'clone.git', 'objects'))).filter((path) => !before.includes(path))
  assert.ok(further.length <= 1 && further.every((path) => path.startsWith('pack/tmp_pack_')), further.join('\n'))
  disk.resize(ENOUGH)
  await succeeds(disk, ...fetch)
  assert.equal(await refOf(), newest)
  await succeeds(disk, 'git', '-C', clone, 'fsck', '--full', '--no-progress')
  const temporary = (await filesIn(join(disk.visible, 'clone.git'))).filter(isTemporary)
  assert.deepEqual(
    temporary,
    further.map((path) => join('objects', path)),
  )
})

/** Names of stored segments, after each body was compared with what its table says. */
async function wholeSegments(store: string): Promise<string[]> {
  const folder = join(store, 'segments')
  const tables = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json')).sort()
  for (const table of tables) {
    const { sha256, length } = JSON.parse(await readFile(join(folder, table), 'utf8'))
    const body = await readFile(join(folder, table.replace(/json$/, 'body')))
    assert.equal(body.length, length)
    assert.equal(createHash('sha256').update(body).digest('hex'), sha256)
  }
  return tables
}

it('a build on a full disk ends with one line, keeps only whole segments, and goes on with room', async () => {
  const disk = await openDisk(ENOUGH)
  const repository = join(disk.folder, 'r.git')
  await succeeds(
    disk,
    'git',
    'clone',
    '--quiet',
    '--bare',
    '--no-hardlinks',
    join(world.folder, 'origin.git'),
    repository,
  )
  const store = join(disk.visible, 'r.git', 'gittorrent')
  const seed = ['gittorrent', 'seed', repository, '--origin', url, '--once']
  const counts: number[] = []
  for (const length of [1_000_000, 1_400_000, 1_900_000]) {
    disk.resize(length)
    const { said, isGood } = await onDisk(disk, ...seed)
    assert.ok(!isGood, `${length} bytes were enough`)
    assert.match(said, new RegExp(`^(gittorrent: |fatal: ).*(${disk.fullPattern.source}).*$`, 'm'))
    assert.equal(said.trim().split('\n').length, 1, said)
    counts.push((await wholeSegments(store)).length)
    assert.deepEqual((await filesIn(store)).filter(isTemporary), [])
  }
  disk.resize(ENOUGH)
  await succeeds(disk, ...seed)
  const stored = await wholeSegments(store)
  assert.ok(counts.every((count) => count < stored.length) && (counts.at(-1) ?? 0) > 0, `${counts} of ${stored.length}`)
  assert.deepEqual(stored, await wholeSegments(join(world.folder, 'origin.git', 'gittorrent')))
})

/** A daemon on a disk, and what `gittorrent` there says of its repositories. */
async function withDaemon(disk: SmallDisk, use: (daemon: DaemonOnDisk) => Promise<void>): Promise<void> {
  const home = join(disk.folder, 'home')
  const launch = (...command: string[]): [string, string[]] => disk.command(...command)
  const daemon = await DaemonProcess.start(world, [], home.slice(world.folder.length + 1), launch)
  const ask = async (...command: string[]): Promise<string> => {
    const [program, args] = disk.command('env', `GITTORRENT_HOME=${home}`, 'gittorrent', ...command)
    return (await world.run(program, args)).stdout
  }
  const states = async (): Promise<string[]> =>
    JSON.parse(await ask('status', '--json')).repositories.map(({ state }: { state: string }) => state)
  try {
    await use({ daemon, ask, states })
  } finally {
    await daemon.end()
  }
}

interface DaemonOnDisk {
  readonly daemon: DaemonProcess
  ask(...command: string[]): Promise<string>
  states(): Promise<string[]>
}

it('a daemon whose own disk is full says so and goes on; its list is written when there is room', async () => {
  const disk = await openDisk(ENOUGH)
  await world.git('clone', '--quiet', world.originUrl('origin.git'), 'kept')
  await world.run('gittorrent', ['seed', 'kept', '--once'])
  await withDaemon(disk, async ({ daemon, ask, states }) => {
    disk.fill(daemon.pid)
    await ask('add', join(world.folder, 'kept'))
    await daemon.says(new RegExp(`repositories\\.json.*(${disk.fullPattern.source})`))
    await daemon.says(/serving/)
    assert.deepEqual(await states(), ['serving'])
    disk.drain(daemon.pid)
  })
  await withDaemon(disk, async ({ daemon, states }) => {
    await daemon.says(/serving/)
    assert.deepEqual(await states(), ['serving'])
  })
})

it('a disk too full to build on costs the build, not the daemon; with room it is made up for', async () => {
  const disk = await openDisk(ENOUGH)
  const repository = join(disk.folder, 'unbuilt.git')
  await succeeds(disk, 'git', 'clone', '--quiet', '--bare', world.originUrl('origin.git'), repository)
  await withDaemon(disk, async ({ daemon, ask, states }) => {
    disk.leave(400_000, daemon.pid)
    await ask('add', repository, '--origin', url)
    await daemon.says(new RegExp(`unbuilt\\.git.*(disk: expected .* free|${disk.fullPattern.source})`))
    await daemon.says(/./)
    assert.deepEqual(await states(), ['failed'])
    disk.resize(ENOUGH, daemon.pid)
    await ask('add', repository, '--origin', url)
    await daemon.says(/serving/)
    assert.deepEqual(await states(), ['serving'])
  })
})
