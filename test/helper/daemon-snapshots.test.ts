/**
 * Goal: a daemon that was told to keep snapshots serves clones of depth 1 with them, one that was not keeps none, and a
 * snapshot never costs the links nor more than its share of the disk.
 * Method: real processes on loopback; depth-1 clones that may only find the daemon, against plain git's; a store of its own
 * whose files are counted.
 */

import assert from 'node:assert/strict'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { buildChains } from '../../helper/build/chains.ts'
import { resolveTip } from '../../helper/build/history.ts'
import { SnapshotStore } from '../../helper/build/snapshots.ts'
import type { RepositoryStatus } from '../../helper/daemon/status.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { importLine } from '../support/fast-import.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import type { DaemonProcess } from './daemon-process.ts'
import { DaemonScene, isServing } from './daemon-scene.ts'

let scene: DaemonScene
let shallowCount = 0

before(async () => {
  scene = untilFileEnds(await DaemonScene.open())
})

const hasSnapshot = ({ state, snapshots }: RepositoryStatus): boolean => state === 'serving' && snapshots.length > 0

/** A clone of depth 1 is what plain git makes, and had its tree from the daemon. */
async function assertShallowAvailable(daemon: DaemonProcess, snapshot: string): Promise<void> {
  const { world, url } = scene
  const [ours, plain] = [`shallow-${shallowCount}`, `plain-${shallowCount++}`]
  const { bytes, trace } = await world.viaSwarm(['clone', '--quiet', '--depth', '1', url, ours], daemon.settings())
  assert.match(trace, new RegExp(`snapshot ${snapshot}`))
  await world.git('clone', '--quiet', '--depth', '1', world.originUrl('origin.git'), plain)
  const shown = async (name: string): Promise<string> =>
    `${await world.git('-C', name, 'for-each-ref')}\n${await world.git('-C', name, 'ls-files', '--stage')}`
  assert.equal(await shown(ours), await shown(plain))
  assert.equal(await world.git('-C', ours, 'rev-list', '--count', 'HEAD'), '1')
  await world.git('-C', ours, 'fsck', '--full', '--no-progress')
  assert.ok(bytes.peers > bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
}

it('with --snapshot depth 1 comes from the daemon, whole clones too, and status counts both', async () => {
  const daemon = await scene.start(['--snapshot'], 'home-snapshots')
  await scene.keptClone(daemon, 'kept')
  const [snapshot] = (await daemon.until('kept', hasSnapshot)).snapshots
  assert.ok(snapshot !== undefined)
  await assertShallowAvailable(daemon, snapshot.commit)
  await scene.assertAvailable(daemon)
  const { snapshots, uploaded, links } = await daemon.until('kept', () => true)
  const { uploaded: fromSnapshot = 0, bytes } = snapshots[0] ?? { bytes: 0 }
  assert.ok(fromSnapshot >= bytes && bytes > 0, `${fromSnapshot} up of a snapshot of ${bytes}`)
  assert.equal(uploaded, fromSnapshot + links.reduce((sum, link) => sum + link.uploaded, 0))
  assert.match(await daemon.ask('status'), new RegExp(`${snapshot.infohash} snapshot `))
  await daemon.end()
})

it('a snapshot that is damaged on the disk is built again and offered again', async () => {
  const daemon = await scene.start(['--snapshot'], 'home-damaged')
  await scene.keptClone(daemon, 'damaged')
  const [snapshot] = (await daemon.until('damaged', hasSnapshot)).snapshots
  assert.ok(snapshot !== undefined)
  const path = join(scene.world.folder, 'damaged', '.git', 'gittorrent', 'snapshots', `${snapshot.commit}.pack`)
  const bytes = await readFile(path)
  const saidLength = daemon.said.length
  await writeFile(`${path}.new`, Buffer.from(bytes).fill(7, 40, 80))
  await rename(`${path}.new`, path)
  await daemon.says(/building a snapshot/, saidLength)
  await daemon.until('damaged', hasSnapshot)
  assert.deepEqual(await readFile(path), bytes)
  await assertShallowAvailable(daemon, snapshot.commit)
  await daemon.end()
})

it('without it none is built, until the repository says so itself; what is stored is offered in any case', async () => {
  const daemon = await scene.start([], 'home-own-word')
  await scene.keptClone(daemon, 'own-word')
  assert.deepEqual((await daemon.until('own-word', isServing)).snapshots, [])
  await assert.rejects(readdir(join(scene.world.folder, 'own-word', '.git', 'gittorrent', 'snapshots')))
  await scene.world.git('-C', 'own-word', 'config', 'gittorrent.snapshot', 'true')
  const [snapshot] = (await daemon.until('own-word', hasSnapshot)).snapshots
  await scene.world.git('-C', 'own-word', 'config', 'gittorrent.snapshot', 'false')
  await daemon.end()
  const next = await scene.start(['--snapshot'], 'home-own-word')
  await next.until('own-word', hasSnapshot)
  await assertShallowAvailable(next, snapshot?.commit ?? '')
  await next.end()
})

it('where the disk limit leaves no room for a snapshot the links are served, and status says why', async () => {
  const daemon = await scene.start(['--snapshot', '--disk-limit', '1k'], 'home-no-room')
  await scene.keptClone(daemon, 'no-room')
  const { links, snapshots, detail } = await daemon.until('no-room', (status) => status.detail !== '')
  assert.match(detail, /no snapshot, .*gittorrent\.diskLimit/)
  assert.ok(links.length >= 5)
  assert.deepEqual(snapshots, [])
  await scene.assertAvailable(daemon)
  await daemon.end()
})

it('snapshots of lines that were left do not pile up, nor do half ones', () =>
  withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'r.git')
    await importLine(directory, 20)
    const repository = await openRepository(directory)
    const chains = await buildChains(repository, [await resolveTip(repository, 'HEAD')], { threadCount: 1 })
    try {
      const commits = (await scene.world.run('git', ['-C', directory, 'rev-list', '-8', 'HEAD'])).stdout
        .trim()
        .split('\n')
      const folder = join(chains.store.folder, 'snapshots')
      const snapshots = new SnapshotStore(repository, chains.store.folder)
      for (const [index, commit] of commits.entries()) {
        await snapshots.ensure(commit as (typeof chains.chains)[0]['tip'])
        if (index === 6) await writeFile(join(folder, `${'ab'.repeat(20)}.pack`), 'half')
      }
      const stored = await readdir(folder)
      assert.equal(stored.filter((name) => name.endsWith('.json')).length, 4)
      assert.equal(stored.length, 12)
      assert.ok(stored.includes(`${commits.at(-1)}.json`) && !stored.includes(`${commits[0]}.json`))
    } finally {
      await chains.close()
    }
  }))
