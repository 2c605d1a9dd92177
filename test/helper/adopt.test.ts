/**
 * Goal: an adopted repository holds its history once, serves the same chain, and stays a repository that git is happy with,
 * whatever maintenance does and whenever adoption is killed.
 * Method: the executable on copies of one clone; git's own fsck, rev-list and maintenance are the judges; kills come at the
 * lines of the trace, to the whole process group.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const STEPS = ['built', 'indexing', 'indexed', 'released', 'noted', 'repacking', 'repacked']

let world: DemoWorld
let chain: string
let objects: string[]

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 250, seed: 8 })
  await world.git('clone', '--quiet', '--no-local', 'origin.git', 'base')
  await world.run('gittorrent', ['seed', 'base', '--once', '--origin', 'git://127.0.0.1/x'])
  chain = await chainOf('base')
  objects = await objectsOf('base')
})

async function chainOf(directory: string): Promise<string> {
  return (await world.run('gittorrent', ['chain', directory, '--json'])).stdout
}

async function objectsOf(directory: string): Promise<string[]> {
  return (await world.git('-C', directory, 'rev-list', '--objects', '--no-object-names', '--all')).split('\n').sort()
}

async function copy(name: string): Promise<string> {
  await cp(join(world.folder, 'base'), join(world.folder, name), { recursive: true })
  return name
}

async function namesIn(directory: string, ...path: string[]): Promise<string[]> {
  return readdir(join(world.folder, directory, '.git', ...path))
}

/** Git finds nothing wrong, every object is there, and the chain is that of an untouched clone. */
async function assertWhole(directory: string): Promise<void> {
  await world.git('-C', directory, 'fsck', '--full', '--no-progress')
  assert.deepEqual(await objectsOf(directory), objects)
  assert.equal(await chainOf(directory), chain)
}

/** Every segment of the main line lies in the kept pack, and in no file beside it. */
async function assertStoredOnce(directory: string): Promise<void> {
  const kept = (await namesIn(directory, 'objects', 'pack')).filter((name) => name.endsWith('.keep'))
  assert.equal(kept.length, 1)
  const pack = kept[0]?.replace(/keep$/, 'pack')
  const folder = ['gittorrent', 'segments']
  const names = await namesIn(directory, ...folder)
  const tips: string[] = JSON.parse(chain).links.map(({ tip }: { tip: string }) => tip)
  let count = 0
  for (const name of names.filter((file) => file.endsWith('.json'))) {
    const path = join(world.folder, directory, '.git', ...folder, name)
    const stored = JSON.parse(await readFile(path, 'utf8'))
    assert.equal(names.includes(name.replace(/json$/, 'body')), stored.pack === null, name)
    if (tips.some((tip) => name.includes(tip))) count += stored.pack === pack ? 1 : 0
  }
  assert.ok(count >= tips.length)
  const counted = await world.git('-C', directory, 'count-objects', '-v')
  const inPacks = Number(/in-pack: (\d+)/.exec(counted)?.[1])
  assert.equal(
    inPacks,
    Number(
      await world
        .git('-C', directory, 'cat-file', '--batch-all-objects', '--batch-check', '--unordered')
        .then((text) => text.split('\n').length),
    ),
  )
}

it('adoption keeps the history once and changes neither objects nor chain; a second one changes nothing', async () => {
  const directory = await copy('adopted')
  const first = JSON.parse((await world.run('gittorrent', ['adopt', directory, '--json'])).stdout)
  assert.ok(first.bytesAfter < first.bytesBefore, JSON.stringify(first))
  await assertWhole(directory)
  await assertStoredOnce(directory)
  const second = JSON.parse((await world.run('gittorrent', ['adopt', directory, '--json'])).stdout)
  assert.equal(second.pack, first.pack)
  await assertWhole(directory)
  await assertStoredOnce(directory)
})

it('gc, maintenance, geometric repack, multi-pack-index, bitmaps and prune leave an adopted repository whole', async () => {
  const directory = await copy('maintained')
  await world.run('gittorrent', ['adopt', directory])
  const jobs = [
    ['gc', '--quiet', '--prune=now'],
    ['repack', '-dq', '--geometric=2', '--write-midx'],
    ['multi-pack-index', 'write', '--no-progress', '--bitmap'],
    ['multi-pack-index', 'repack', '--no-progress'],
    ['multi-pack-index', 'expire', '--no-progress'],
    [
      'maintenance',
      'run',
      '--quiet',
      '--task=incremental-repack',
      '--task=loose-objects',
      '--task=commit-graph',
      '--task=gc',
    ],
    ['-c', 'repack.writeBitmaps=true', 'repack', '-Adq'],
    ['prune', '--expire=now'],
  ]
  for (const job of jobs) {
    await world.git('-C', directory, ...job)
    await world.git('-C', directory, 'fsck', '--full', '--no-progress')
  }
  await assertWhole(directory)
  assert.equal((await namesIn(directory, 'objects', 'pack')).filter((name) => name.endsWith('.keep')).length, 1)
})

it('--undo keeps no pack, loses nothing, and the chain can be had again', async () => {
  const directory = await copy('undone')
  await world.run('gittorrent', ['adopt', directory])
  await world.run('gittorrent', ['adopt', directory, '--undo'])
  const names = await namesIn(directory, 'objects', 'pack')
  assert.deepEqual(
    [names.filter((name) => name.endsWith('.keep')), names.filter((name) => name.endsWith('.pack')).length],
    [[], 1],
  )
  await assertWhole(directory)
})

it("other people's kept packs stay kept", async () => {
  const directory = await copy('others')
  const [pack] = (await namesIn(directory, 'objects', 'pack')).filter((name) => name.endsWith('.pack'))
  const keep = join(world.folder, directory, '.git', 'objects', 'pack', `${pack?.replace(/pack$/, 'keep')}`)
  await cp(join(world.folder, directory, '.git', 'HEAD'), keep)
  await world.run('gittorrent', ['adopt', directory])
  await world.run('gittorrent', ['adopt', directory, '--undo'])
  assert.match(await readFile(keep, 'utf8'), /^ref: /)
  await assertWhole(directory)
})

for (const step of STEPS) {
  it(`killed when it is ${step}, adoption leaves a whole repository and can be repeated`, async () => {
    const directory = await copy(`killed-${step}`)
    await killAt(step, directory)
    await world.git('-C', directory, 'fsck', '--full', '--no-progress')
    assert.deepEqual(await objectsOf(directory), objects)
    await world.run('gittorrent', ['adopt', directory])
    await assertWhole(directory)
    await assertStoredOnce(directory)
  })
}

async function killAt(step: string, directory: string): Promise<void> {
  const child = spawn('gittorrent', ['adopt', directory], {
    cwd: world.folder,
    env: { ...world.environment, GITTORRENT_TRACE: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  let said = ''
  child.stderr.on('data', (chunk: Uint8Array) => {
    said += Buffer.from(chunk).toString()
    if (said.includes(`adopt: ${step}`) && child.exitCode === null) process.kill(-(child.pid ?? 0), 'SIGKILL')
  })
  await once(child, 'close')
  assert.match(said, new RegExp(`adopt: ${step}`))
}

it('a shallow clone, and one that borrows objects, are refused with a remedy', async () => {
  const url = `file://${join(world.folder, 'origin.git')}`
  await world.git('clone', '--quiet', '--depth=3', url, 'shallow')
  await assert.rejects(world.run('gittorrent', ['adopt', 'shallow']), /unshallow/)
  await world.git('clone', '--quiet', '--shared', 'origin.git', 'borrowing')
  await assert.rejects(world.run('gittorrent', ['adopt', 'borrowing']), /alternates/)
})
