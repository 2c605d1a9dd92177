/**
 * Goal: what was given to the daemon stays available, whatever happens to the repository, the disk or the daemon.
 * Method: real processes on loopback; after every blow a fresh clone, which may only find the daemon, is compared with plain
 * git, and the bytes that it had from peers are counted.
 */

import assert from 'node:assert/strict'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { untilFileEnds } from '../support/until-file-ends.ts'
import type { DaemonProcess } from './daemon-process.ts'
import { AUTHOR, DaemonScene, isServing } from './daemon-scene.ts'

let scene: DaemonScene

before(async () => {
  scene = untilFileEnds(await DaemonScene.open())
})

it('new commits are built and served once they are fetched', async () => {
  const daemon = await scene.start([], 'home-watch')
  await scene.keptClone(daemon, 'watched')
  const before = await daemon.until('watched', isServing)
  const base = await scene.world.git('-C', 'origin.git', 'rev-parse', 'main')
  const tree = await scene.world.git('-C', 'origin.git', 'rev-parse', 'main^{tree}')
  let tip = base
  for (let count = 0; count < 60; count++) {
    const args = ['-C', 'origin.git', 'commit-tree', tree, '-p', tip, '-m', `later ${count}`]
    tip = (await scene.world.run('git', args, { environment: AUTHOR })).stdout.trim()
  }
  await scene.world.git('-C', 'origin.git', 'update-ref', 'refs/heads/main', tip)
  await scene.world.git('-C', 'watched', 'fetch', '--quiet')
  const now = await daemon.until('watched', ({ state, links }) => {
    return state === 'serving' && links[0]?.infohash !== before.links[0]?.infohash
  })
  assert.ok(
    now.links.some(({ bytes }) => before.links.some((link) => link.bytes === bytes)),
    'old links stay',
  )
  await scene.assertAvailable(daemon)
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
    strike: (directory) => scene.world.git('-C', directory, 'gc', '--quiet', '--prune=now'),
  },
  'git repack -adF without the kept pack': {
    costsSegments: true,
    strike: async (directory) => {
      const packs = join(scene.world.folder, directory, '.git', 'objects', 'pack')
      for (const name of await readdir(packs)) if (name.endsWith('.keep')) await rm(join(packs, name))
      await scene.world.git('-C', directory, 'repack', '-adFq')
    },
  },
  'git maintenance with a geometric repack, bitmap and multi-pack-index': {
    costsSegments: false,
    strike: async (directory) => {
      await scene.world.git('-C', directory, 'repack', '-dq', '--geometric=2', '--write-midx', '--write-bitmap-index')
      await scene.world.git('-C', directory, 'maintenance', 'run', '--quiet', '--task=gc', '--task=commit-graph')
      await scene.world.git('-C', directory, 'prune', '--expire=now')
    },
  },
  'loss of all stored bodies': {
    costsSegments: true,
    strike: (directory) =>
      rm(join(scene.world.folder, directory, '.git', 'gittorrent', 'segments'), { recursive: true }),
  },
  'damage to every stored body': {
    costsSegments: true,
    strike: async (directory) => {
      const folder = join(scene.world.folder, directory, '.git', 'gittorrent', 'segments')
      for (const name of (await readdir(folder)).filter((file) => file.endsWith('.body'))) {
        const bytes = await readFile(join(folder, name))
        await rm(join(folder, name))
        await writeFile(join(folder, name), bytes.fill(0, 0, 9))
      }
    },
  },
}

describe('a kept clone of the swarm is available again after', () => {
  let daemon: DaemonProcess

  before(async () => {
    daemon = await scene.start([], 'home-blows')
    await scene.keptClone(daemon, 'source')
    await scene.world.viaSwarm(['clone', '--quiet', scene.url, 'cloned'], daemon.settings())
    await scene.build('cloned')
    await daemon.ask('remove', 'source')
  })

  after(() => daemon.end())

  for (const [name, { costsSegments, strike }] of Object.entries(BLOWS)) {
    it(name, async () => {
      const directory = `struck-${name.replace(/\W+/g, '-')}`
      await scene.copy('cloned', directory)
      await daemon.ask('add', directory)
      await daemon.until(directory, isServing)
      const saidLength = daemon.said.length
      await strike(directory)
      if (costsSegments) await daemon.says(/building/, saidLength)
      await daemon.until(directory, isServing)
      await scene.assertAvailable(daemon)
      await daemon.ask('remove', directory)
    })
  }
})

it('a repository that vanishes is not served, and is again when it is back', async () => {
  const daemon = await scene.start([], 'home-move')
  await scene.keptClone(daemon, 'moved')
  await rename(join(scene.world.folder, 'moved'), join(scene.world.folder, 'elsewhere'))
  await daemon.until('moved', ({ state, links }) => state === 'missing' && links.length === 0)
  await rename(join(scene.world.folder, 'elsewhere'), join(scene.world.folder, 'moved'))
  await daemon.until('moved', isServing)
  await scene.assertAvailable(daemon)
  await rm(join(scene.world.folder, 'moved'), { recursive: true })
  await daemon.until('moved', ({ state }) => state === 'missing')
  await daemon.ask('remove', 'moved')
  assert.deepEqual((await daemon.status()).repositories, [])
  await daemon.end()
})

it('the list and its counts outlive a kill; a second daemon for the same home is refused', async () => {
  const daemon = await scene.start([], 'home-restart')
  await scene.keptClone(daemon, 'lasting')
  await assert.rejects(scene.start([], 'home-restart'), /runs already/)
  await daemon.end('SIGKILL')
  assert.match(await daemon.ask('list'), /lasting\tdaemon not running/)
  const next = await scene.start([], 'home-restart')
  await next.until('lasting', isServing)
  await scene.assertAvailable(next)
  const { uploaded } = await next.until('lasting', () => true)
  await next.end()
  const last = await scene.start([], 'home-restart')
  assert.equal((await last.until('lasting', isServing)).uploaded, uploaded)
  await last.end()
})
