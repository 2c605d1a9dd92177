/**
 * Goal: the daemon seeds what was given to it and nothing else, obeys nobody but its user, and ends when told.
 * Method: real processes on loopback; clones that may only find the daemon, its status, and its socket as others see it.
 */

import assert from 'node:assert/strict'
import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { AUTHOR, DaemonScene, isServing } from './daemon-scene.ts'

let scene: DaemonScene

before(async () => {
  scene = untilFileEnds(await DaemonScene.open())
})

it('nothing is seeded unless asked: a clone is left alone', async () => {
  const daemon = await scene.start([], 'home-default')
  await scene.world.viaSwarm(['clone', '--quiet', scene.url, 'unasked'], daemon.settings())
  assert.deepEqual((await daemon.status()).repositories, [])
  await daemon.end()
})

it('with gittorrent.seed a clone is kept, served, and counted when others take it', async () => {
  const daemon = await scene.start([], 'home-seed')
  const settings = [...daemon.settings(), 'gittorrent.seed=true']
  await scene.world.viaSwarm(['clone', '--quiet', scene.url, 'first'], settings)
  const { claim, links } = await daemon.until('first', isServing)
  assert.equal(claim, 'helper')
  assert.ok(links.length >= 5)
  await scene.assertAvailable(daemon)
  const { bytes } = await scene.world.viaSwarm(['clone', '--quiet', scene.url, 'second'], settings)
  const [first, second] = [await daemon.until('first', isServing), await daemon.until('second', () => true)]
  assert.equal(second.downloaded, bytes.peers)
  assert.ok(first.uploaded >= 2 * bytes.peers, `${first.uploaded} up, ${bytes.peers} taken twice`)
  assert.ok((await daemon.status()).ratio !== null)
  await daemon.end()
})

it('an origin that strangers cannot read is refused, unless the repository itself or a command says otherwise', async () => {
  const daemon = await scene.start([], 'home-private')
  const settings = [...daemon.settings(), 'gittorrent.seed=true']
  const local = `gittorrent::file://${join(scene.world.folder, 'origin.git')}`
  await scene.world.viaSwarm(['clone', '--quiet', local, 'refused'], settings)
  await daemon.until('refused', ({ state, links }) => state === 'refused' && links.length === 0)
  await daemon.ask('add', 'refused')
  const added = await daemon.until('refused', isServing)
  assert.equal(added.public, false)
  await scene.world.viaSwarm(['clone', '--quiet', '-c', 'gittorrent.seed=true', local, 'opted-in'], daemon.settings())
  await daemon.until('opted-in', isServing)
  await daemon.end()
})

it('only what came from the origin is served: no local branch, no stash, no note', async () => {
  const daemon = await scene.start([], 'home-local')
  await scene.world.git('clone', '--quiet', scene.world.originUrl('origin.git'), 'mine')
  const commits = Array.from({ length: 40 }, (_, index) => `private ${index}`)
  for (const message of commits) {
    await scene.world.run('git', ['-C', 'mine', 'commit', '--quiet', '--allow-empty', '-m', message], {
      environment: AUTHOR,
    })
  }
  await daemon.ask('add', 'mine')
  const { links } = await daemon.until('mine', isServing)
  assert.ok(links.every(({ ref }) => ref.startsWith('refs/remotes/origin/')))
  const published = (await scene.world.git('-C', 'origin.git', 'rev-list', '--all')).split('\n')
  assert.deepEqual(
    links.map(({ tip }) => tip).filter((tip) => !published.includes(tip)),
    [],
  )
  await daemon.end()
})

it('while there is nothing to share it waits, says for what, and serves as soon as there is', async () => {
  const daemon = await scene.start([], 'home-waiting')
  const { world } = scene
  await world.git('init', '--quiet', '--bare', 'young.git')
  await daemon.ask('add', 'young.git', '--origin', world.originUrl('young.git'))
  const isWaitingFor = (reason: RegExp) => (status: { state: string; detail: string }) =>
    status.state === 'waiting' && reason.test(status.detail)
  await daemon.until('young.git', isWaitingFor(/^no branch of the origin yet$/))
  // The name of this commit is no checkpoint, or it would be served.
  const environment = { ...AUTHOR, GIT_AUTHOR_DATE: '1112911993 +0000', GIT_COMMITTER_DATE: '1112911993 +0000' }
  const tree = await world.git('-C', 'young.git', 'write-tree')
  const args = ['-C', 'young.git', 'commit-tree', '-m', 'first', tree]
  const first = (await world.run('git', args, { environment })).stdout.trim()
  await world.git('-C', 'young.git', 'update-ref', 'refs/heads/main', first)
  await daemon.until('young.git', isWaitingFor(/^no checkpoint yet/))
  assert.match(await daemon.ask('status'), /^ {2}waiting: no checkpoint yet: everything travels live$/m)
  await world.git('-C', 'young.git', 'fetch', '--quiet', '../origin.git', '+main:main')
  await daemon.until('young.git', isServing)
  await daemon.end()
})

it('stop ends it, also in the middle of a build, with status 0 and without its socket', async () => {
  const daemon = await scene.start([], 'home-stop')
  await scene.world.git('clone', '--quiet', scene.world.originUrl('origin.git'), 'unbuilt')
  await daemon.ask('add', 'unbuilt')
  await daemon.until('unbuilt', ({ state }) => state === 'building' || state === 'serving')
  await daemon.ask('stop')
  assert.deepEqual(await daemon.exited, { status: 0, signal: null })
  await assert.rejects(stat(join(scene.world.folder, 'home-stop', 'daemon.sock')), { code: 'ENOENT' })
  await assert.rejects(daemon.ask('status'), /gittorrent daemon/)
})

it('its folder and socket are closed to others, even where they were open', async () => {
  await mkdir(join(scene.world.folder, 'home-open'))
  await chmod(join(scene.world.folder, 'home-open'), 0o777)
  const daemon = await scene.start([], 'home-open')
  const modeOf = async (path: string): Promise<number> => (await stat(join(scene.world.folder, path))).mode & 0o777
  assert.equal(await modeOf('home-open'), 0o700)
  assert.equal(await modeOf('home-open/daemon.sock'), 0o600)
  await chmod(join(scene.world.folder, 'home-open'), 0o755)
  await assert.rejects(daemon.ask('status'), /expected a daemon/)
  await chmod(join(scene.world.folder, 'home-open'), 0o700)
  await daemon.ask('status')
  await daemon.end()
})

it('whatever is written to its socket, it answers the next one', async () => {
  const daemon = await scene.start([], 'home-socket')
  const path = join(scene.world.folder, 'home-socket', 'daemon.sock')
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
  const daemon = await scene.start(['--repository-limit', '1', '--disk-limit', '1k'], 'home-limits')
  await scene.world.git('clone', '--quiet', scene.world.originUrl('origin.git'), 'large')
  await daemon.ask('add', 'large')
  const { detail } = await daemon.until('large', ({ state }) => state === 'failed')
  assert.match(detail, /gittorrent\.diskLimit/)
  await assert.rejects(daemon.ask('add', 'origin.git', '--origin', scene.url), /gittorrent\.repositoryLimit/)
  await daemon.end()
})

it('repositories with git-daemon-export-ok under a root are kept, within the upload limit, others and those that lose it are not', async () => {
  const root = join(scene.world.folder, 'exports')
  await mkdir(join(root, 'deep', 'er'), { recursive: true })
  await scene.world.git(
    'clone',
    '--quiet',
    '--bare',
    scene.world.originUrl('origin.git'),
    'exports/deep/er/project.git',
  )
  await scene.world.git('clone', '--quiet', scene.world.originUrl('origin.git'), 'exports/quiet')
  const mark = join(root, 'deep', 'er', 'project.git', 'git-daemon-export-ok')
  await writeFile(mark, '')
  const prefix = scene.world.originUrl('exports')
  const limit = 100 * 1024
  const daemon = await scene.start(['--root', root, '--root-url', prefix, '--upload-limit', `${limit}`], 'home-exports')
  const { origin, claim } = await daemon.until('exports/deep/er/project.git', isServing)
  assert.deepEqual({ origin, claim }, { origin: `${prefix}/deep/er/project.git`, claim: 'export-ok' })
  assert.equal((await daemon.status()).repositories.length, 1)
  const served = `gittorrent::${prefix}/deep/er/project.git`
  const startedMs = performance.now()
  const { bytes } = await scene.world.viaSwarm(['clone', '--quiet', '--bare', served, 'exported'], daemon.settings())
  const durationS = (performance.now() - startedMs) / 1000
  assert.ok(bytes.peers > 2 * bytes.origin)
  // A burst of 16 KiB passes at once.
  assert.ok(bytes.peers < limit * durationS + 16 * 1024, `${bytes.peers} bytes in ${durationS} s`)
  await rm(mark)
  await daemon.says(/not exported any more/)
  assert.deepEqual((await daemon.status()).repositories, [])
  await daemon.end()
})
