/**
 * The ways to a clone that bench:clone compares, on one loopback: `git daemon`, a warm seeder of ours, an exported folder
 * behind a plain web server. Every measured clone starts from an empty folder and is removed, but for the newest ones of
 * the main line, which are read from afterwards.
 */

import { readFile, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { bytesIn, type DemoWorld, type RunningSeeder } from '../demo-world.ts'
import { packBytes } from '../line-repositories.ts'
import { type Measured, measure } from '../measure.ts'
import { type StaticServer, startStaticServer } from '../static-server.ts'

export interface CloneCase {
  readonly way: 'swarm' | 'plain' | 'bundle-uri' | 'web seed' | 'index-pack alone'
  readonly scope: 'all' | 'line'
  readonly percent: number
  readonly cores: number
  readonly runs: number
  /** Name in the world's folder of what is cloned, and of the clone. */
  readonly origin: string
  readonly target: string
  /** Configuration that names the way in. */
  readonly settings: readonly string[]
  readonly measured: Measured[]
  bytes: { peers: number; origin: number; web: number } | null
  storedBytes: number | null
}

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']
const LINE_OPTIONS = '--single-branch --no-tags'

export class CloneWays {
  /** Newest clones of the main line: from links, and from the daemon. */
  readonly keptLine = 'swarm-line.git'
  readonly keptPlain = 'plain-line.git'
  readonly #world: DemoWorld
  readonly #seeders: RunningSeeder[] = []
  #web: StaticServer | null = null

  constructor(world: DemoWorld) {
    this.#world = world
  }

  /** Serves `origin.git` in every way; resolves when all is built. */
  async start(): Promise<void> {
    const world = this.#world
    await world.startDaemon()
    this.#web = await startStaticServer(world.folder)
    const branch = await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD')
    await this.#seed('origin.git')
    const url = `${this.#web.url}/web`
    const from = ['export', 'origin.git', '--ref', branch, '--origin', world.originUrl('origin.git')]
    await world.run('gittorrent', [...from, '--out', 'web', '--base-url', url])
  }

  /** All ways at full length on all cores. */
  ofWhole(runs: number): CloneCase[] {
    const peer = [...QUIET, `gittorrent.peer=${this.#seeders[0]?.address}`]
    const web = [...QUIET, `gittorrent.webseed=${this.#web?.url}/web/manifest.json`]
    const of = (way: CloneCase['way'], scope: CloneCase['scope'], settings: readonly string[] = []): CloneCase => {
      const target = `${way.replace(/ .*/, '')}-${scope}.git`
      return caseOf({ way, scope, runs, settings, target })
    }
    return [
      of('swarm', 'all', peer),
      of('plain', 'all'),
      of('swarm', 'line', peer),
      of('plain', 'line'),
      of('bundle-uri', 'line'),
      of('web seed', 'line', web),
      of('index-pack alone', 'line'),
    ]
  }

  /** Seeds `line-<percent>.git` and clones it with peers and without. */
  async ofPortion(percent: number, runs: number): Promise<CloneCase[]> {
    const origin = `line-${percent}.git`
    const { address } = await this.#seed(origin)
    const settings = [...QUIET, `gittorrent.peer=${address}`]
    const both = { scope: 'line' as const, percent, runs, origin, target: 'portion.git' }
    return [caseOf({ ...both, way: 'swarm', settings }), caseOf({ ...both, way: 'plain' })]
  }

  /** The main line with the client on fewer cores; whoever serves has all. */
  onCores(cores: number, runs: number): CloneCase[] {
    if (cores >= availableParallelism()) return []
    const settings = [...QUIET, `gittorrent.peer=${this.#seeders[0]?.address}`]
    const both = { scope: 'line' as const, cores, runs, target: 'pinned.git' }
    return [caseOf({ ...both, way: 'swarm', settings }), caseOf({ ...both, way: 'plain' })]
  }

  async measureOnce(one: CloneCase): Promise<void> {
    const world = this.#world
    const { target } = one
    const isPinned = one.cores < availableParallelism()
    const pinned = isPinned ? { cores: one.cores } : {}
    if (one.way === 'index-pack alone') {
      const pack = (await world.run('sh', ['-c', `ls -S ${this.keptLine}/objects/pack/*.pack | head -1`])).stdout.trim()
      one.measured.push(await measure(world, `git index-pack -o index.tmp ${pack} >/dev/null`, pinned))
      await rm(join(world.folder, 'index.tmp'), { force: true })
      one.storedBytes = await packBytes(world, this.keptLine)
      return
    }
    await rm(join(world.folder, target), { recursive: true, force: true })
    const trace = join(world.folder, `trace-${one.measured.length}`)
    const sentBefore = this.#web?.sentBytes() ?? 0
    const environment = { GITTORRENT_TRACE: trace }
    one.measured.push(await measure(world, this.#command(one), { ...pinned, environment }))
    one.storedBytes = await packBytes(world, target)
    if (one.settings.length > 0) one.bytes = bytesIn(await readFile(trace, 'utf8'))
    else if (one.way === 'plain') one.bytes = { peers: 0, origin: one.storedBytes, web: 0 }
    else one.bytes = { peers: 0, origin: 0, web: (this.#web?.sentBytes() ?? 0) - sentBefore }
    await rm(trace, { force: true })
    if (target !== this.keptLine && target !== this.keptPlain)
      await rm(join(world.folder, target), { recursive: true, force: true })
  }

  async close(): Promise<void> {
    for (const seeder of this.#seeders.splice(0)) await seeder.stop()
    await this.#web?.close()
    this.#web = null
  }

  #command({ way, scope, percent, cores, origin, target, settings }: CloneCase): string {
    const url = this.#world.originUrl(origin)
    const threads = cores < availableParallelism() ? [`pack.threads=${cores}`] : []
    const configuration = [...settings, ...threads].map((setting) => `-c ${setting}`).join(' ')
    const bundles = way === 'bundle-uri' ? `--bundle-uri=${this.#web?.url}/web/bundle-list` : ''
    const options = scope === 'line' && percent === 100 ? LINE_OPTIONS : ''
    const prefix = settings.length > 0 ? 'gittorrent::' : ''
    return `git ${configuration} clone --quiet --bare ${options} ${bundles} ${prefix}${url} ${target}`
  }

  async #seed(name: string): Promise<RunningSeeder> {
    const seeder = await this.#world.startSeeder(name, name)
    this.#seeders.push(seeder)
    return seeder
  }
}

type Given = Pick<CloneCase, 'way' | 'scope' | 'runs' | 'target'> & Partial<CloneCase>

function caseOf(given: Given): CloneCase {
  const rest = { percent: 100, cores: availableParallelism(), origin: 'origin.git', settings: [] }
  return { ...rest, ...given, measured: [], bytes: null, storedBytes: null }
}
