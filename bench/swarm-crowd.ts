/**
 * One crowd of real clones in a network of its own: an origin with `git daemon` behind a slow uplink, N machines with faster
 * lines, each of which runs `git clone` once. What else the origin's machine serves, and what the machines know of it,
 * depends on the strategy; it all goes through that one uplink. Bytes are read from the counters of the interfaces.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { appendFile, mkdir, readFile, rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bytesIn, type DemoWorld } from './demo-world.ts'
import { FLASH_PORT, FlashNetwork, type Machine } from './flash-network.ts'

/** Plain git; git with a bundle list; our helper; our helper, and a daemon on each machine that keeps seeding what was cloned. */
export type Strategy = 'plain' | 'bundles' | 'swarm' | 'daemons'

export interface Scenario {
  readonly name: string
  /** A bare repository and its exported folder in the world, see `prepareOrigin`. */
  readonly repository: string
  readonly cloneCount: number
  /** Between two starts; 0 where all start together. */
  readonly staggerSeconds: number
  /** `--depth`, null for whole history. */
  readonly depth: number | null
  /** The origin's uplink, bits per second. */
  readonly uplinkBits: number
}

export interface Outcome {
  /** From the first start to the last end. */
  readonly makespanSeconds: number
  /** Of the single clones, sorted. */
  readonly cloneSeconds: readonly number[]
  /** On the wire, headers included: what the origin's machine sent, all others together sent, and the first clone got. */
  readonly originLength: number
  readonly peerLength: number
  readonly firstReceivedLength: number
  /** By the helpers' own account, of all clones: 0 without a helper. */
  readonly bytesFromPeers: number
  readonly bytesFromOrigin: number
  /** Cores that were busy on average, with whatever else ran here. */
  readonly busyCores: number
  /** Why clones failed or were not equal to the origin; empty if none. */
  readonly failures: readonly string[]
}

/** The machines' lines, in multiples of the origin's uplink. */
export const LINE_FACTOR = 8
/** The first machine of any network. */
const ORIGIN_HOST = '10.99.0.1'
const WEB_PORT = 8000
const DAEMON_PORT = 7001
const CLONE_TIMEOUT_S = 900
const START_TIMEOUT_MS = 60_000

const open = new Set<FlashNetwork>()
let crowdCount = 0

/** Removes the networks of all crowds, and with them whatever runs there. */
export function closeCrowds(): void {
  for (const network of open) network.close()
  open.clear()
}

function originUrl(repository: string): string {
  return `git://${ORIGIN_HOST}/${repository}.git`
}

/** Makes `<name>.git` of the world ready to be served: packed as a forge would, segments built, folder exported. */
export async function prepareOrigin(world: DemoWorld, name: string): Promise<void> {
  const repository = `${name}.git`
  await world.git('-C', repository, 'repack', '-adbq')
  await world.run('gittorrent', ['seed', repository, '--origin', originUrl(name), '--snapshot', '--once'])
  const baseUrl = `http://${ORIGIN_HOST}:${WEB_PORT}/${name}-export`
  await world.run('gittorrent', ['export', repository, '--out', `${name}-export`, '--base-url', baseUrl])
}

/** Runs a scenario once; the helpers' traces are appended to files in `traces`. */
export async function runCrowd(
  world: DemoWorld,
  scenario: Scenario,
  strategy: Strategy,
  traces: string | null,
): Promise<Outcome> {
  const { uplinkBits } = scenario
  const network = new FlashNetwork()
  open.add(network)
  const folder = join(world.folder, `crowd-${crowdCount++}`)
  await mkdir(folder)
  try {
    const origin = await network.add({ upBits: uplinkBits, downBits: uplinkBits * LINE_FACTOR })
    const crowd = new Crowd(world, scenario, strategy, folder, traces)
    await crowd.startOrigin(origin)
    const machines: Machine[] = []
    for (let index = 0; index < scenario.cloneCount; index++) {
      machines.push(await network.add({ upBits: uplinkBits * LINE_FACTOR, downBits: uplinkBits * LINE_FACTOR }))
    }
    network.introduce()
    if (strategy === 'daemons') await Promise.all(machines.map((machine) => crowd.startDaemon(machine)))
    const sentBefore = network.sentLength(origin)
    const busyCores = startLoadMeter()
    const startMs = performance.now()
    const clones = await Promise.all(machines.map((machine, index) => crowd.clone(machine, index)))
    const makespanSeconds = Math.max(...clones.map(({ endMs }) => endMs - startMs)) / 1000
    const [first] = machines
    return {
      makespanSeconds,
      cloneSeconds: clones.map(({ seconds }) => seconds).sort((a, b) => a - b),
      originLength: network.sentLength(origin) - sentBefore,
      peerLength: machines.reduce((sum, machine) => sum + network.sentLength(machine), 0),
      firstReceivedLength: first === undefined ? 0 : network.receivedLength(first),
      bytesFromPeers: clones.reduce((sum, { fromPeers }) => sum + fromPeers, 0),
      bytesFromOrigin: clones.reduce((sum, { fromOrigin }) => sum + fromOrigin, 0),
      busyCores: busyCores(),
      failures: clones.flatMap(({ failure }) => failure ?? []),
    }
  } finally {
    network.close()
    open.delete(network)
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

class Crowd {
  readonly #world: DemoWorld
  readonly #scenario: Scenario
  readonly #strategy: Strategy
  readonly #folder: string
  readonly #traces: string | null

  constructor(world: DemoWorld, scenario: Scenario, strategy: Strategy, folder: string, traces: string | null) {
    this.#world = world
    this.#scenario = scenario
    this.#strategy = strategy
    this.#folder = folder
    this.#traces = traces
  }

  /** Starts what the origin's machine serves, and waits until it does. */
  async startOrigin(origin: Machine): Promise<void> {
    const { repository } = this.#scenario
    const root = this.#world.folder
    const daemon = ['git', 'daemon', '--reuseaddr', '--export-all', '--max-connections=0', `--base-path=${root}`, root]
    this.#start(origin, daemon)
    const ask = ['netns', 'exec', origin.namespace, 'git', 'ls-remote', '--quiet', originUrl(repository), 'HEAD']
    const untilMs = performance.now() + START_TIMEOUT_MS
    while (
      !(await this.#world.run('ip', ask).then(
        () => true,
        () => false,
      ))
    ) {
      if (performance.now() > untilMs) throw new Error('git daemon does not answer')
    }
    if (this.#strategy === 'bundles') {
      const script = fileURLToPath(new URL('./swarm-web.js', import.meta.url))
      await says(this.#start(origin, [process.execPath, script, root, origin.host, String(WEB_PORT)]), 'http:')
    }
    if (this.#strategy === 'swarm' || this.#strategy === 'daemons') {
      const where = ['--origin', originUrl(repository), '--listen', `${origin.host}:${FLASH_PORT}`]
      const seed = ['gittorrent', 'seed', `${repository}.git`, '--snapshot', ...where, '--no-dht', '--no-lsd']
      await says(this.#start(origin, seed), 'seeding on')
    }
  }

  /** The daemon that keeps seeding what its machine cloned. */
  async startDaemon(machine: Machine): Promise<void> {
    const where = ['--listen', `${machine.host}:${DAEMON_PORT}`, '--peer', `${ORIGIN_HOST}:${FLASH_PORT}`]
    const daemon = this.#start(machine, ['gittorrent', 'daemon', ...where, '--no-dht', '--no-lsd'])
    await says(daemon, 'seeding on')
  }

  async clone(machine: Machine, index: number) {
    const { staggerSeconds, depth, repository } = this.#scenario
    const target = join(this.#folder, `${machine.namespace}.git`)
    const trace = join(this.#folder, `${machine.namespace}.trace`)
    const shallow = depth === null ? [] : [`--depth=${depth}`]
    const { settings, url, options } = this.#manner(machine)
    const command = ['git', ...settings, 'clone', '--quiet', '--bare', ...shallow, ...options, url, target]
    await new Promise((resolve) => setTimeout(resolve, index * staggerSeconds * 1000))
    const startMs = performance.now()
    const environment = { GITTORRENT_TRACE: trace, ...this.#homeOf(machine) }
    const within = ['netns', 'exec', machine.namespace, 'timeout', String(CLONE_TIMEOUT_S), ...command]
    const failure = await this.#world.run('ip', within, { environment }).then(
      () => null,
      (error: unknown) => String(error),
    )
    const endMs = performance.now()
    const text = await readFile(trace, 'utf8').catch(() => '')
    if (this.#traces !== null) await appendFile(join(this.#traces, `${index}.trace`), text)
    const { peers, origin } = bytesIn(text)
    const wrong = failure ?? (await this.#differs(target, repository))
    await rm(target, { recursive: true, force: true })
    return { seconds: (endMs - startMs) / 1000, endMs, fromPeers: peers, fromOrigin: origin, failure: wrong }
  }

  /** What differs between a clone and the origin, null if nothing does. */
  async #differs(target: string, repository: string): Promise<string | null> {
    const refs = (of: string): Promise<string> => this.#world.git('-C', of, 'for-each-ref', 'refs/heads', 'refs/tags')
    const head = (of: string): Promise<string> => this.#world.git('-C', of, 'rev-parse', 'HEAD')
    const read = this.#scenario.depth === null ? refs : head
    return (await read(target)) === (await read(`${repository}.git`)) ? null : 'a clone has other refs than the origin'
  }

  #manner(machine: Machine): { settings: string[]; url: string; options: string[] } {
    const { repository } = this.#scenario
    const url = originUrl(repository)
    if (this.#strategy === 'plain') return { settings: [], url, options: [] }
    if (this.#strategy === 'bundles') {
      const list = `http://${ORIGIN_HOST}:${WEB_PORT}/${repository}-export/bundle-list`
      return { settings: [], url, options: [`--bundle-uri=${list}`] }
    }
    const settings = [
      `peer=${ORIGIN_HOST}:${FLASH_PORT}`,
      `listen=${machine.host}:${FLASH_PORT}`,
      ...['dht=false', 'lsd=false', `seed=${this.#strategy === 'daemons'}`],
    ]
    return { settings: settings.flatMap((one) => ['-c', `gittorrent.${one}`]), url: `gittorrent::${url}`, options: [] }
  }

  #homeOf(machine: Machine): NodeJS.ProcessEnv {
    return { GITTORRENT_HOME: join(this.#folder, `${machine.namespace}-home`) }
  }

  /** Starts a program in a machine; it ends with the network. */
  #start(machine: Machine, command: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', machine.namespace, ...command], {
      cwd: this.#world.folder,
      env: { ...this.#world.environment, ...this.#homeOf(machine) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.on('error', () => {})
    return child
  }
}

/** Waits until a program prints a text, on either stream; then reads on and forgets. */
function says(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(() => reject(new Error(`expected "${text}", got ${said}`)), START_TIMEOUT_MS)
    const hear = (chunk: Uint8Array): void => {
      if (said.includes(text)) return
      said += Buffer.from(chunk).toString('utf8')
      if (!said.includes(text)) return
      clearTimeout(timer)
      resolve()
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.on('exit', () => {
      clearTimeout(timer)
      reject(new Error(`a server ended: ${said}`))
    })
  })
}

/** Starts to count; the function tells how many cores of the machine were busy since, on average. */
function startLoadMeter(): () => number {
  const busySeconds = (): number =>
    cpus().reduce((sum, { times }) => sum + (times.user + times.nice + times.sys + times.irq) / 1000, 0)
  const before = busySeconds()
  const startMs = performance.now()
  return () => (busySeconds() - before) / ((performance.now() - startMs) / 1000)
}
