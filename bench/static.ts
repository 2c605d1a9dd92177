/**
 * Question: what do many clones cost the origin, with plain git, with git and an exported folder, with our helper and that folder, and
 * with our helper and peers? What does a fetch of the last commits cost? And how long does exporting take: from nothing, again, and
 * after one new checkpoint?
 * The origin is `git daemon` behind a relay that counts what leaves its socket, refs and all; the folder is behind a web server that counts
 * bodies. With peers the first clone finds nobody: it pays the origin in full, then seeds to the others. Bound: one clone.
 *   npm run bench:static -- <repository> [--clones 20] [--jobs 4] [--later 300] [--json <file>] [--name <name>]
 */

import { readdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ByteMeter, startByteMeter } from './byte-meter.ts'
import { DemoWorld } from './demo-world.ts'
import { givenRepository } from './given-repository.ts'
import { type About, about, writeResult } from './result-file.ts'
import { type StaticServer, startStaticServer } from './static-server.ts'

const { values, positionals } = parseArgs({
  options: {
    clones: { type: 'string', default: '20' },
    jobs: { type: 'string', default: '4' },
    later: { type: 'string', default: '300' },
    json: { type: 'string' },
    name: { type: 'string' },
  },
  allowPositionals: true,
})
const CLONE_COUNT = Number(values.clones)
const JOB_COUNT = Number(values.jobs)
/** First-parent commits of the main line that a later fetch brings. */
const LATER_COUNT = Number(values.later)
const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false', 'gittorrent.summary=never']

interface Way {
  readonly name: string
  /** Bytes that left the origin's socket for all clones. */
  readonly originBytes: number
  /** Bodies that the web server sent. */
  readonly webBytes: number
  readonly peerBytes: number
  readonly durationMs: number
}

interface ExportRun {
  readonly name: string
  readonly durationMs: number
  readonly writtenBytes: number
  readonly writtenCount: number
}

export interface StaticReport extends About {
  readonly bench: 'static'
  readonly commits: number
  readonly cloneCount: number
  /** First-parent commits that a later fetch brings. */
  readonly laterCount: number
  readonly ways: readonly Way[]
  readonly fetches: readonly Way[]
  readonly exports: readonly ExportRun[]
}

interface Scene {
  readonly world: DemoWorld
  readonly meter: ByteMeter
  readonly web: StaticServer
  readonly url: string
}

/** Exports, and tells what it took. */
async function exportOnce({ world, web }: Pick<Scene, 'world' | 'web'>, name: string): Promise<ExportRun> {
  const args = ['export', 'origin.git', '--out', 'public', '--base-url', `${web.url}/public`, '--json']
  const { stdout, durationMs } = await world.run('gittorrent', args)
  const { written }: { written: string[] } = JSON.parse(stdout)
  const sizes = written.map((file) => statSync(join(world.folder, 'public', file)).size)
  return { name, durationMs, writtenBytes: sizes.reduce((sum, size) => sum + size, 0), writtenCount: written.length }
}

/** From nothing with the branch just below its newest checkpoint, then again, then with that checkpoint, then at the tip. */
async function measureExports(scene: Pick<Scene, 'world' | 'web'>): Promise<ExportRun[]> {
  const { world } = scene
  const branch = await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD')
  const tip = await world.git('-C', 'origin.git', 'rev-parse', 'HEAD')
  const line = (await world.git('-C', 'origin.git', 'rev-list', '--first-parent', 'HEAD')).split('\n')
  const checkpoint = await newestCheckpoint(scene)
  const before = line[line.indexOf(checkpoint) + 1]
  const moveTo = (oid: string): Promise<string> => world.git('-C', 'origin.git', 'update-ref', branch, oid)
  if (before === undefined) throw new Error('the repository is too short: it has one checkpoint')
  await moveTo(before)
  await rm(join(world.folder, 'origin.git', 'gittorrent'), { recursive: true, force: true })
  const runs = [await exportOnce(scene, 'from nothing'), await exportOnce(scene, 'again')]
  await moveTo(checkpoint)
  runs.push(await exportOnce(scene, 'one new checkpoint'))
  await moveTo(tip)
  await exportOnce(scene, 'at the tip')
  return runs
}

async function newestCheckpoint({ world }: Pick<Scene, 'world'>): Promise<string> {
  const { stdout } = await world.run('gittorrent', ['chain', 'origin.git', '--json'])
  const [newest] = JSON.parse(stdout).links
  if (newest === undefined) throw new Error('the repository is too short: it has no checkpoint')
  return newest.tip
}

/** Clones `count` times, some at once, and removes each clone. Returns the bytes from peers. */
async function cloneOften(
  { world }: Scene,
  name: string,
  count: number,
  clone: (target: string) => Promise<number>,
): Promise<number> {
  let next = 0
  let peerBytes = 0
  const work = async (): Promise<void> => {
    while (next < count) {
      const target = `${name}-${next++}`
      const bytes = await clone(target)
      peerBytes += bytes
      await rm(join(world.folder, target), { recursive: true, force: true })
    }
  }
  await Promise.all(Array.from({ length: JOB_COUNT }, work))
  return peerBytes
}

async function measure(scene: Scene, name: string, act: () => Promise<number>): Promise<Way> {
  const { meter, web } = scene
  const before = { origin: meter.sentBytes(), web: web.sentBytes(), ms: performance.now() }
  const peerBytes = await act()
  const way = {
    name,
    originBytes: meter.sentBytes() - before.origin,
    webBytes: web.sentBytes() - before.web,
    peerBytes,
    durationMs: performance.now() - before.ms,
  }
  process.stderr.write(`# ${name}: ${(way.durationMs / 1000).toFixed(1)} s\n`)
  return way
}

function byGit({ world, url }: Scene, ...options: string[]): (target: string) => Promise<number> {
  return async (target) => {
    await world.git('clone', '--quiet', '--no-checkout', ...options, url, target)
    return 0
  }
}

function byHelper({ world, url }: Scene, ...settings: string[]): (target: string) => Promise<number> {
  return async (target) => {
    const args = ['clone', '--quiet', '--no-checkout', `gittorrent::${url}`, target]
    return (await world.viaSwarm(args, [...QUIET, ...settings])).bytes.peers
  }
}

/** The first clone comes from the origin alone and seeds. */
async function throughSwarm(scene: Scene): Promise<number> {
  const { world } = scene
  await world.startMeetingPoints()
  const tracker = `gittorrent.tracker=${world.waysIn.tracker}`
  await byHelper(scene, tracker)('first')
  const seeder = await world.startSeeder('first', null)
  const peerBytes = await cloneOften(scene, 'swarm', CLONE_COUNT - 1, byHelper(scene, tracker))
  await seeder.stop()
  return peerBytes
}

/** One clone by each way of the history as it was, then the last commits come, and each fetches them. */
async function measureFetches(scene: Scene): Promise<Way[]> {
  const { world, web } = scene
  const branch = await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD')
  const tip = await world.git('-C', 'origin.git', 'rev-parse', 'HEAD')
  const older = await world.git('-C', 'origin.git', 'rev-parse', `HEAD~${LATER_COUNT}`)
  await world.git('-C', 'origin.git', 'update-ref', branch, older)
  await exportOnce(scene, 'as it was')
  const list = `--bundle-uri=${web.url}/public/bundle-list`
  const seed = [...QUIET, `gittorrent.webseed=${web.url}/public/manifest.json`]
  await byGit(scene)('later-plain')
  await byGit(scene, list)('later-list')
  await byHelper(scene, ...seed)('later-web')
  await byHelper(scene, ...seed)('later-peers')
  await world.git('-C', 'origin.git', 'update-ref', branch, tip)
  await exportOnce(scene, 'with the last commits')
  const fetchBy = async (target: string): Promise<number> => {
    await world.git('-C', target, 'fetch', '--quiet')
    return 0
  }
  // Peers meet under the URL that the clones know, which is that of the relay.
  await world.git('-C', 'origin.git', 'config', 'remote.origin.url', scene.url)
  const seeder = await world.startSeeder('origin.git', null)
  const peer = [...QUIET, `gittorrent.peer=${seeder.address}`]
  const helperFetch = async (target: string, settings: readonly string[]): Promise<number> =>
    (await world.viaSwarm(['-C', target, 'fetch', '--quiet'], [...settings])).bytes.peers
  const ways = [
    await measure(scene, 'plain git', () => fetchBy('later-plain')),
    await measure(scene, 'git and bundle list', () => fetchBy('later-list')),
    await measure(scene, 'helper and web seed', () => helperFetch('later-web', seed)),
    await measure(scene, 'helper and peers', () => helperFetch('later-peers', peer)),
  ]
  await seeder.stop()
  return ways
}

const mb = (bytes: number): string => (bytes / 1e6).toFixed(2)
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

function print(ways: readonly Way[], fetches: readonly Way[], exports: readonly ExportRun[]): void {
  const one = (ways[0]?.originBytes ?? 0) / CLONE_COUNT
  console.log(
    `| ${CLONE_COUNT} clones by | origin, MB | in clones by plain git | web server, MB | peers, MB | all together |`,
  )
  console.log('|---|---|---|---|---|---|')
  for (const { name, originBytes, webBytes, peerBytes, durationMs } of ways) {
    const clones = (originBytes / one).toFixed(2)
    console.log(
      `| ${name} | ${mb(originBytes)} | ${clones} | ${mb(webBytes)} | ${mb(peerBytes)} | ${seconds(durationMs)} |`,
    )
  }
  console.log(
    `\n| a fetch of ${LATER_COUNT} first-parent commits by | origin, MB | web server, MB | peers, MB | takes |\n|---|---|---|---|---|`,
  )
  for (const { name, originBytes, webBytes, peerBytes, durationMs } of fetches)
    console.log(`| ${name} | ${mb(originBytes)} | ${mb(webBytes)} | ${mb(peerBytes)} | ${seconds(durationMs)} |`)
  console.log('\n| export | takes | writes, MB | files |\n|---|---|---|---|')
  for (const { name, durationMs, writtenBytes, writtenCount } of exports)
    console.log(`| ${name} | ${seconds(durationMs)} | ${mb(writtenBytes)} | ${writtenCount} |`)
}

async function main(): Promise<void> {
  const usage =
    'npm run bench:static -- <repository> [--clones <number>] [--jobs <number>] [--later <number>] [--json <file>]'
  const isSound = CLONE_COUNT > 1 && JOB_COUNT > 0 && LATER_COUNT > 0
  const given = givenRepository(isSound ? positionals[0] : undefined, usage)
  const run = about('static', values.name ?? given.name, [
    `--clones ${CLONE_COUNT}`,
    `--jobs ${JOB_COUNT}`,
    `--later ${LATER_COUNT}`,
  ])
  const world = await DemoWorld.open()
  process.once('SIGINT', () => void world.close().then(() => process.exit(130)))
  try {
    await world.git('config', '--global', 'maintenance.auto', 'false')
    await world.git('clone', '--quiet', '--bare', given.gitDir, 'origin.git')
    await world.startDaemon()
    const meter = await startByteMeter(Number(new URL(world.originUrl('origin.git')).port))
    const web = await startStaticServer(world.folder)
    const scene = { world, meter, web, url: `git://127.0.0.1:${meter.port}/origin.git` }
    try {
      const exports = await measureExports(scene)
      const list = `--bundle-uri=${web.url}/public/bundle-list`
      const seed = `gittorrent.webseed=${web.url}/public/manifest.json`
      const often = (name: string, clone: (target: string) => Promise<number>): Promise<Way> =>
        measure(scene, name, () => cloneOften(scene, 'clone', CLONE_COUNT, clone))
      const ways = [
        await often('plain git', byGit(scene)),
        await often('git and bundle list', byGit(scene, list)),
        await often('helper and web seed', byHelper(scene, seed)),
        await measure(scene, 'helper and peers', () => throughSwarm(scene)),
      ]
      const fetches = await measureFetches(scene)
      const commits = Number(await world.git('-C', 'origin.git', 'rev-list', '--count', '--all'))
      const payloads = readdirSync(join(world.folder, 'public')).filter((file) => /\.(bundle|pack)$/.test(file)).length
      console.log(`# ${run.repository}: ${commits} commits, ${payloads} payloads; ${run.machine}`)
      print(ways, fetches, exports)
      const counts = { commits, cloneCount: CLONE_COUNT, laterCount: LATER_COUNT }
      const report: StaticReport = { ...run, bench: 'static', ...counts, ways, fetches, exports }
      writeResult(values.json, report)
    } finally {
      await web.close()
      await meter.close()
    }
  } finally {
    await world.close()
  }
}

await main()
