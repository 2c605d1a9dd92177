/**
 * Question: what do chains cost and bring on a real repository, against what a user would run instead?
 * Measures in one run, interleaved where it can: bytes and build against `git repack -adF`, a clone through the swarm
 * against `git clone` from `git daemon`, `git index-pack` alone, and reading from link packs against a fresh repack.
 *   npm run bench:compare -- <path of a repository> [runs]
 * Prints one JSON object; bench/RESULTS.md is made of those. Needs GNU time.
 */

import { readdir, rm } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { type Bytes, DemoWorld } from './demo-world.ts'

interface Timed {
  readonly seconds: number
  readonly peakMiB: number
}

/** Runs a command as a whole process under GNU time; `peakMiB` is that of its largest process. */
async function timed(world: DemoWorld, command: string): Promise<Timed & { stdout: string }> {
  const { stdout, stderr } = await world.run('/usr/bin/time', ['-f', 'TIMED %e %M', 'sh', '-c', command])
  const [, seconds, kibibytes] = /TIMED ([\d.]+) (\d+)/.exec(stderr) ?? []
  return { seconds: Number(seconds), peakMiB: Math.round(Number(kibibytes) / 1024), stdout }
}

function spread(values: readonly number[]): { median: number; min: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b)
  const round = (value: number | undefined): number => Math.round((value ?? 0) * 100) / 100
  return { median: round(sorted[sorted.length >> 1]), min: round(sorted[0]), max: round(sorted.at(-1)) }
}

async function packLength(world: DemoWorld, repository: string): Promise<number> {
  const text = await world.git('-C', repository, 'count-objects', '-v')
  return Number(/size-pack: (\d+)/.exec(text)?.[1] ?? 0) * 1024
}

/** Bytes of the links and of a repack, time and memory of building either, all of the main line alone. */
async function compareBuild(world: DemoWorld, threads: number) {
  await world.git(
    'clone',
    '--quiet',
    '--bare',
    '--single-branch',
    '--no-tags',
    `file://${join(world.folder, 'origin.git')}`,
    'line.git',
  )
  const build = await timed(world, 'gittorrent chain line.git --json')
  const chain: { bytes: number; links: { objects: number; commits: number }[] } = JSON.parse(build.stdout)
  const again = await timed(world, 'gittorrent chain line.git --json >/dev/null')
  // What lies above the newest checkpoint is in the repack and in no link: repack what the links hold.
  const tip = JSON.parse(build.stdout).links[0].tip
  await world.git(
    'clone',
    '--quiet',
    '--bare',
    '--single-branch',
    '--no-tags',
    `file://${join(world.folder, 'line.git')}`,
    'repacked.git',
  )
  await world.git('-C', 'repacked.git', 'update-ref', 'refs/heads/only', tip)
  await world.git('-C', 'repacked.git', 'symbolic-ref', 'HEAD', 'refs/heads/only')
  for (const ref of (await world.git('-C', 'repacked.git', 'for-each-ref', '--format=%(refname)')).split('\n')) {
    if (ref !== 'refs/heads/only') await world.git('-C', 'repacked.git', 'update-ref', '-d', ref)
  }
  await world.git('-C', 'repacked.git', 'repack', '-adq')
  await world.git('-C', 'repacked.git', 'prune-packed')
  const repack = await timed(world, `git -C repacked.git repack -adFq --window=10 --depth=50 --threads=${threads}`)
  const packs = (await readdir(join(world.folder, 'repacked.git', 'objects', 'pack'))).filter((name) =>
    name.endsWith('.pack'),
  )
  const { stdout } = await world.run('sh', ['-c', `stat -c %s repacked.git/objects/pack/*.pack`])
  const repackBytes = stdout
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0)
  return {
    links: chain.links.length,
    commits: chain.links.reduce((sum, { commits }) => sum + commits, 0),
    objects: chain.links.reduce((sum, { objects }) => sum + objects, 0),
    linkBytes: chain.bytes,
    repackBytes,
    repackPacks: packs.length,
    bytesRatio: Math.round((chain.bytes * 1000) / repackBytes) / 1000,
    buildSeconds: build.seconds,
    buildPeakMiB: build.peakMiB,
    repackSeconds: repack.seconds,
    repackPeakMiB: repack.peakMiB,
    buildRatio: Math.round((build.seconds * 100) / repack.seconds) / 100,
    secondRunSeconds: again.seconds,
  }
}

/** Whole clones by turns, from one warm seeder and from the daemon; the pure index-pack of the main line's pack. */
async function compareClone(world: DemoWorld, runs: number) {
  await world.startDaemon()
  await world.startMeetingPoints()
  const seeder = await world.startSeeder('origin.git')
  const settings = [`gittorrent.peer=${seeder.address}`, 'gittorrent.dht=false', 'gittorrent.lsd=false']
  const swarm: number[] = []
  const plain: number[] = []
  const index: number[] = []
  let bytes: Bytes = { peers: 0, origin: 0, web: 0 }
  for (let run = 0; run < runs; run++) {
    const clone = await world.viaSwarm(
      ['clone', '--quiet', '--bare', `gittorrent::${world.originUrl('origin.git')}`, 'swarm.git'],
      settings,
    )
    swarm.push(clone.durationMs / 1000)
    bytes = clone.bytes
    plain.push(
      (await world.run('git', ['clone', '--quiet', '--bare', world.originUrl('origin.git'), 'plain.git'])).durationMs /
        1000,
    )
    const pack = 'ls -S swarm.git/objects/pack/*.pack | head -1'
    index.push((await timed(world, `git index-pack -o index.tmp $(${pack}) >/dev/null; rm -f index.tmp`)).seconds)
    if (run + 1 < runs)
      for (const name of ['swarm.git', 'plain.git']) await rm(join(world.folder, name), { recursive: true })
  }
  const main = await world.viaSwarm(
    [
      'clone',
      '--quiet',
      '--bare',
      '--single-branch',
      '--no-tags',
      `gittorrent::${world.originUrl('origin.git')}`,
      'main.git',
    ],
    settings,
  )
  const result = {
    swarm: spread(swarm),
    plain: spread(plain),
    indexPackOfMainLine: spread(index),
    ratio: Math.round(((spread(swarm).median || 0) * 100) / spread(plain).median) / 100,
    bytesFromPeers: bytes.peers,
    bytesFromOrigin: bytes.origin,
    sharePercent: Math.round((bytes.peers * 1000) / (bytes.peers + bytes.origin)) / 10,
    mainLineSharePercent: Math.round((main.bytes.peers * 1000) / (main.bytes.peers + main.bytes.origin)) / 10,
    plainCloneBytes: await packLength(world, 'plain.git'),
    swarmCloneBytes: await packLength(world, 'swarm.git'),
  }
  await seeder.stop()
  return result
}

/** Reading from link packs against reading from a fresh repack, by turns. */
async function compareReading(world: DemoWorld, runs: number) {
  const commands: Record<string, (repository: string) => string> = {
    logPatch: (repository) => `git -C ${repository} log -p -n 2000 $(git -C repacked.git rev-parse HEAD) >/dev/null`,
    checkout: (repository) =>
      `rm -rf tree; mkdir tree; git --git-dir=${repository} --work-tree=tree checkout -q -f $(git -C repacked.git rev-parse HEAD) -- .`,
    log: (repository) => `git -C ${repository} log $(git -C repacked.git rev-parse HEAD) >/dev/null`,
  }
  const result: Record<string, { links: number; repack: number; ratio: number }> = {}
  for (const [name, command] of Object.entries(commands)) {
    const links: number[] = []
    const repack: number[] = []
    for (let run = 0; run < runs; run++) {
      links.push((await timed(world, command('main.git'))).seconds)
      repack.push((await timed(world, command('repacked.git'))).seconds)
    }
    const [a, b] = [spread(links).median, spread(repack).median]
    result[name] = { links: a, repack: b, ratio: Math.round((a * 100) / b) / 100 }
  }
  return result
}

async function main(): Promise<void> {
  const source = process.argv[2]
  const runs = Number(process.argv[3] ?? 3)
  if (source === undefined) throw new Error('usage: npm run bench:compare -- <path of a repository> [runs]')
  const world = await DemoWorld.open()
  try {
    const threads = availableParallelism()
    await world.git('clone', '--quiet', '--bare', `file://${resolve(source)}`, 'origin.git')
    const build = await compareBuild(world, threads)
    const clone = await compareClone(world, runs)
    const reading = await compareReading(world, runs)
    const machine = {
      cpu: cpus()[0]?.model ?? 'unknown',
      threads,
      node: process.version,
      git: await world.git('--version'),
    }
    process.stdout.write(`${JSON.stringify({ repository: source, machine, build, clone, reading }, null, 2)}\n`)
  } finally {
    await world.close()
  }
}

await main()
