/**
 * Goal: a clock that jumps and connections that nobody closes do not keep the daemon from seeding, watching or ending; its
 * status says what the origin named.
 * Method: real processes on loopback; the clock of the daemon and of a client is moved by a module that is loaded before
 * ours and reads the offset from a file; sockets that the test holds open until the daemon has ended.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { stat, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { AUTHOR, DaemonScene, isServing } from './daemon-scene.ts'

const YEAR_MS = 365 * 24 * 3_600_000

/** Moves Date, not the monotonic clock, as a jump of the system's does. */
const CLOCK = `import { readFileSync } from 'node:fs'
const real = Date.now
const file = process.env.CLOCK_OFFSET_FILE
Date.now = () => real() + Number(readFileSync(file, 'utf8'))
globalThis.Date = class extends Date {
  constructor(...args) {
    if (args.length === 0) super(Date.now())
    else super(...args)
  }
}
`

let scene: DaemonScene

before(async () => {
  scene = untilFileEnds(await DaemonScene.open())
})

/** Adds commits to the origin and fetches them into a clone. */
async function addCommits(clone: string, count: number): Promise<void> {
  const { world } = scene
  const tree = await world.git('-C', 'origin.git', 'rev-parse', 'main^{tree}')
  let tip = await world.git('-C', 'origin.git', 'rev-parse', 'main')
  for (let made = 0; made < count; made++) {
    const args = ['-C', 'origin.git', 'commit-tree', tree, '-p', tip, '-m', `later ${made}`]
    tip = (await world.run('git', args, { environment: AUTHOR })).stdout.trim()
  }
  await world.git('-C', 'origin.git', 'update-ref', 'refs/heads/main', tip)
  await world.git('-C', clone, 'fetch', '--quiet')
}

it('a clock that jumps years ahead and back changes nothing: new commits are built, announced and served', async () => {
  const file = join(scene.world.folder, 'clock-offset')
  const module = join(scene.world.folder, 'clock.mjs')
  const jump = (offsetMs: number): Promise<void> => writeFile(file, String(offsetMs))
  await writeFile(module, CLOCK)
  await jump(0)
  const clock = [`NODE_OPTIONS=--import=${pathToFileURL(module)}`, `CLOCK_OFFSET_FILE=${file}`]
  const daemon = await scene.start([], 'home-clock', (...command) => ['env', [...clock, ...command]])
  await scene.keptClone(daemon, 'timeless')
  for (const offsetMs of [10 * YEAR_MS, -20 * YEAR_MS]) {
    const before = await daemon.until('timeless', isServing)
    const saidLength = daemon.said.length
    await jump(offsetMs)
    await daemon.says(/the clock has jumped/, saidLength)
    await addCommits('timeless', 20)
    const now = await daemon.until('timeless', ({ state, links }) => {
      return state === 'serving' && links[0]?.infohash !== before.links[0]?.infohash
    })
    assert.ok(now.links.length > 0)
    await scene.assertAvailable(daemon)
    const wrong = Object.fromEntries(clock.map((setting) => setting.split(/=(.*)/s).slice(0, 2)))
    await scene.assertAvailable(daemon, wrong)
  }
  await daemon.ask('stop')
  assert.deepEqual(await daemon.exited, { status: 0, signal: null })
})

it('stop does not wait for peers, trackers or askers that hold their connections open', async () => {
  const daemon = await scene.start(['--upload-limit', '4k'], 'home-held')
  await scene.keptClone(daemon, 'held')
  const { address, tracker } = await daemon.status()
  const held: Socket[] = []
  for (const text of [address ?? '', new URL(tracker ?? '').host]) {
    const [host = '', port] = text.split(':')
    for (let count = 0; count < 4; count++) held.push(connect(Number(port), host))
  }
  for (let count = 0; count < 4; count++) held.push(connect(join(scene.world.folder, 'home-held', 'daemon.sock')))
  await Promise.all(held.map((socket) => once(socket, 'connect')))
  for (const socket of held) {
    socket.on('error', () => {})
    socket.write('{"comm')
  }
  // One that is in the middle of a download.
  const taking = scene.world
    .viaSwarm(['clone', '--quiet', '--bare', scene.url, 'interrupted'], daemon.settings())
    .catch((error: Error) => error)
  await daemon.until('held', ({ uploaded }) => uploaded > 0)
  await daemon.ask('stop')
  assert.deepEqual(await daemon.exited, { status: 0, signal: null })
  await assert.rejects(stat(join(scene.world.folder, 'home-held', 'daemon.sock')), { code: 'ENOENT' })
  for (const socket of held) socket.destroy()
  await taking
  await scene.world.git('-C', 'interrupted', 'fsck', '--full', '--no-progress')
})

it('status names the exported folders that the origin named to the last fetch', async () => {
  const { world } = scene
  const folder = 'http://127.0.0.1:1/project/manifest.json'
  const args = ['-C', 'origin.git', 'hash-object', '-w', '--stdin']
  const blob = (await world.run('git', args, { input: `${folder}\nhttp://127.0.0.1:1/other.torrent\n` })).stdout.trim()
  await world.git('-C', 'origin.git', 'update-ref', 'refs/mirrors/bundle/http', blob)
  const daemon = await scene.start([], 'home-mirrors')
  const settings = [...daemon.settings(), 'gittorrent.seed=true']
  await world.viaSwarm(['clone', '--quiet', scene.url, 'mirrored'], settings)
  const { mirrors } = await daemon.until('mirrored', ({ mirrors: seen }) => seen.length > 0)
  assert.deepEqual(mirrors, [folder])
  assert.match(await daemon.ask('status'), new RegExp(`mirror ${folder}`))
  await daemon.end()
})
