/**
 * The machines of the demo, all on loopback and on free ports: an origin behind `git daemon`, a DHT node and a tracker to
 * start from, a seeder process, and the environment in which git finds our helper. Whatever was started is ended by
 * `close`, also after a failure.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatAddress, openDht, openTracker } from '../net/index.ts'

const BUNDLES = resolve(dirname(fileURLToPath(import.meta.url)), '..', 'bin')
const OUTPUT_LENGTH_MAX = 1 << 30
const START_TIMEOUT_MS = 3_600_000

export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}

/** Bytes that one command moved, by where they came from. */
export interface Bytes {
  readonly peers: number
  readonly origin: number
  readonly web: number
}

export interface RunningSeeder {
  /** What it printed until it served. */
  readonly said: string
  /** host:port */
  readonly address: string
  readonly pid: number
  readonly durationMs: number
  stop(): Promise<void>
}

export class DemoWorld {
  readonly folder: string
  readonly environment: NodeJS.ProcessEnv
  /** Options that make our programs use the demo's DHT and tracker and nothing else. */
  waysIn: { tracker: string; bootstrap: string } = { tracker: '', bootstrap: '' }
  #daemonPort = 0
  #traceCount = 0
  readonly #closers: (() => Promise<unknown>)[] = []

  private constructor(folder: string) {
    this.folder = folder
    const inherited = Object.entries(process.env).filter(([name]) => !/^(GIT|GITTORRENT)_/.test(name))
    this.environment = {
      ...Object.fromEntries(inherited),
      HOME: join(folder, 'home'),
      PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}`,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      // One scene must not find the peers of the scene before.
      GITTORRENT_REMEMBER: 'false',
      LC_ALL: 'C',
    }
  }

  static async open(): Promise<DemoWorld> {
    const world = new DemoWorld(await mkdtemp(join(tmpdir(), 'gittorrent-demo-')))
    // What we start has process groups of its own, which an interrupted terminal does not reach.
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => void world.close().finally(() => process.exit(1)))
    world.#closers.push(() => rm(world.folder, { recursive: true, force: true, maxRetries: 5 }))
    await mkdir(join(world.folder, 'home'))
    await mkdir(join(world.folder, 'bin'))
    for (const name of ['gittorrent', 'git-remote-gittorrent']) {
      const target = join(BUNDLES, `${name}.js`)
      await chmod(target, 0o755)
      await symlink(target, join(world.folder, 'bin', name))
    }
    await writeFile(
      join(world.folder, 'home', '.gitconfig'),
      // git's housekeeping ends with the command that started it, so that nobody reads packs which it takes away.
      '[protocol "file"]\n\tallow = always\n[safe]\n\tdirectory = *\n[gc]\n\tautoDetach = false\n[maintenance]\n\tautoDetach = false\n',
    )
    return world
  }

  /** Opens a world and makes of it what is wanted; closes it again where that fails. */
  static async furnished<Made>(make: (world: DemoWorld) => Promise<Made>): Promise<Made> {
    const world = await DemoWorld.open()
    try {
      return await make(world)
    } catch (error) {
      await world.close()
      throw error
    }
  }

  /** Runs a program to its end. @throws Error with its stderr */
  run(
    program: string,
    args: readonly string[],
    options: { input?: string; environment?: NodeJS.ProcessEnv } = {},
  ): Promise<Outcome> {
    const startedMs = performance.now()
    return new Promise((resolveOutcome, reject) => {
      const child = execFile(
        program,
        [...args],
        {
          cwd: this.folder,
          env: { ...this.environment, ...options.environment },
          maxBuffer: OUTPUT_LENGTH_MAX,
          encoding: 'utf8',
        },
        (error, stdout, stderr) => {
          if (error === null) resolveOutcome({ stdout, stderr, durationMs: performance.now() - startedMs })
          else reject(new Error(`${program} ${args.join(' ')}: ${stderr.trim() || error.message}`))
        },
      )
      child.stdin?.on('error', () => {})
      child.stdin?.end(options.input ?? '')
    })
  }

  /** Runs git through the helper, with the demo's ways in and `settings`; tells what came from where. */
  async viaSwarm(
    args: readonly string[],
    settings = this.settings(),
    environment: NodeJS.ProcessEnv = {},
  ): Promise<Outcome & { bytes: Bytes; trace: string }> {
    const trace = join(this.folder, `trace-${this.#traceCount++}`)
    const configuration = settings.flatMap((setting) => ['-c', setting])
    const outcome = await this.run('git', [...configuration, ...args], {
      environment: { ...environment, GITTORRENT_TRACE: trace },
    })
    const text = await readFile(trace, 'utf8')
    return { ...outcome, trace: text, bytes: bytesIn(text) }
  }

  /** Configuration that makes the helper use the demo's tracker and DHT. */
  settings(): string[] {
    const { tracker, bootstrap } = this.waysIn
    return [`gittorrent.tracker=${tracker}`, `gittorrent.dhtBootstrap=${bootstrap}`, 'gittorrent.lsd=false']
  }

  async git(...args: string[]): Promise<string> {
    return (await this.run('git', args)).stdout.trim()
  }

  /** Serves the bare repositories of the folder. */
  async startDaemon(probe = 'origin.git'): Promise<void> {
    this.#daemonPort = await freePort()
    const args = [
      'daemon',
      '--reuseaddr',
      '--listen=127.0.0.1',
      `--port=${this.#daemonPort}`,
      '--export-all',
      `--base-path=${this.folder}`,
    ]
    this.#start('git', [...args, this.folder])
    for (let tries = 0; ; tries++) {
      const isUp = await this.git('ls-remote', this.originUrl(probe)).then(
        () => true,
        () => false,
      )
      if (isUp) return
      if (tries === 100) throw new Error('git daemon does not answer')
    }
  }

  originUrl(name: string): string {
    return `git://127.0.0.1:${this.#daemonPort}/${name}`
  }

  /** A DHT node and a tracker that know nobody yet. */
  async startMeetingPoints(): Promise<void> {
    const dht = await openDht({ listen: { host: '127.0.0.1', port: 0 }, bootstrap: [] })
    this.#closers.push(() => dht.close())
    const tracker = await openTracker({ host: '127.0.0.1', port: 0 })
    this.#closers.push(() => tracker.close())
    this.waysIn = { tracker: tracker.httpUrl, bootstrap: formatAddress(dht.address) }
  }

  /** Starts a seeder, of the repositories' own remotes if `origin` is null; resolves, with how long it built, when it serves. `environment` says its ways in instead of us. */
  async startSeeder(
    repository: string | readonly string[],
    origin: string | null = 'origin.git',
    environment: NodeJS.ProcessEnv | null = null,
  ): Promise<RunningSeeder> {
    const startedMs = performance.now()
    const { tracker, bootstrap } = this.waysIn
    const ways = tracker === '' ? ['--no-dht'] : ['--tracker', tracker, '--dht-bootstrap', bootstrap]
    const quiet = environment === null ? ['--no-lsd', ...ways] : []
    const named = origin === null ? [] : ['--origin', this.originUrl(origin)]
    const listen = environment?.GITTORRENT_LISTEN === undefined ? ['--listen', '127.0.0.1:0'] : []
    const args = ['seed', ...[repository].flat(), ...named, ...listen, ...quiet]
    const child = this.#start('gittorrent', args, environment ?? {})
    const said = await new Promise<string>((resolveSaid, reject) => {
      let text = ''
      const timer = setTimeout(() => reject(new Error(`the seeder does not start: ${text}`)), START_TIMEOUT_MS)
      child.stderr?.on('data', (chunk: Uint8Array) => {
        text += Buffer.from(chunk).toString('utf8')
        if (!text.includes('seeding on')) return
        clearTimeout(timer)
        resolveSaid(text)
      })
      const fail = (failure: unknown): void => {
        clearTimeout(timer)
        reject(new Error(`the seeder ended: ${text}`, { cause: failure }))
      }
      child.on('exit', fail)
      // Of a program that cannot be run there is no end.
      child.on('error', fail)
    })
    const address = /seeding on (\S+)/.exec(said)?.[1] ?? ''
    return {
      said,
      address,
      pid: child.pid ?? 0,
      durationMs: performance.now() - startedMs,
      stop: () => endProcess(child),
    }
  }

  async close(): Promise<void> {
    for (const closer of this.#closers.reverse().splice(0)) await closer()
  }

  #start(program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(program, [...args], {
      cwd: this.folder,
      env: { ...this.environment, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    })
    child.on('error', () => {})
    this.#closers.push(() => endProcess(child))
    return child
  }
}

/** The account at the end of a helper's trace; zeros where there is none. */
export function bytesIn(trace: string): Bytes {
  const account = /received (\d+) bytes from peers, (\d+) from the origin, (\d+) from web seeds/.exec(trace)
  const [peers = 0, origin = 0, web = 0] = account?.slice(1).map(Number) ?? []
  return { peers, origin, web }
}

/** Ends a process and what it started. */
function endProcess(child: ChildProcess): Promise<void> {
  return new Promise((resolveEnd) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resolveEnd()
    child.once('exit', () => resolveEnd())
    try {
      process.kill(-child.pid, 'SIGTERM')
    } catch {
      resolveEnd()
    }
  })
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolvePort(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
