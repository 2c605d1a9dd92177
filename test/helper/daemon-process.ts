/**
 * A `gittorrent daemon` for tests: a process of its own in a DemoWorld, whose lines and states a test can wait for.
 * Whatever is waited for ends with the process: a daemon that dies fails the test at once, with all it said.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { DemoWorld } from '../../bench/demo-world.ts'
import { readSettings } from '../../helper/config.ts'
import { askDaemon } from '../../helper/daemon/control-client.ts'
import { type DaemonHome, daemonHome } from '../../helper/daemon/home.ts'
import type { DaemonStatus, RepositoryStatus } from '../../helper/daemon/status.ts'

const WAIT_TIMEOUT_MS = 120_000
const LOOK_INTERVAL_MS = 250

/** Program and arguments that run a command somewhere else, or otherwise. */
export type Launch = (...command: string[]) => [string, string[]]

export class DaemonProcess {
  readonly #world: DemoWorld
  readonly #child: ChildProcess
  readonly #home: string
  readonly #places: DaemonHome
  readonly exited: Promise<{ status: number | null; signal: string | null }>
  said = ''

  private constructor(world: DemoWorld, child: ChildProcess, home: string) {
    this.#world = world
    this.#child = child
    this.#home = home
    this.#places = daemonHome({ ...readSettings(new Map(), {}), home }, {})
    child.stderr?.on('data', (chunk: Uint8Array) => {
      this.said += Buffer.from(chunk).toString('utf8')
    })
    this.exited = new Promise((resolve) => child.once('exit', (status, signal) => resolve({ status, signal })))
  }

  /** Starts a daemon that announces to its own tracker and polls every second; `launch` says what its command line becomes. */
  static async start(
    world: DemoWorld,
    args: readonly string[] = [],
    home = 'daemon-home',
    launch: Launch = (program = '', ...rest) => [program, rest],
  ): Promise<DaemonProcess> {
    const options = [
      '--listen',
      '127.0.0.1:0',
      '--no-dht',
      '--no-lsd',
      '--tracker',
      '127.0.0.1:0',
      '--poll-interval',
      '1',
    ]
    const folder = join(world.folder, home)
    const [program, rest] = launch('gittorrent', 'daemon', ...options, ...args)
    const child = spawn(program, rest, {
      cwd: world.folder,
      env: { ...world.environment, GITTORRENT_HOME: folder },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const daemon = new DaemonProcess(world, child, folder)
    try {
      await daemon.says(/seeding on/)
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
    return daemon
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Settings with which git finds what this daemon announces, and nothing else. */
  settings(): string[] {
    const tracker = /tracker at (\S+)/.exec(this.said)?.[1] ?? ''
    return [
      `gittorrent.tracker=${tracker}`,
      'gittorrent.dht=false',
      'gittorrent.lsd=false',
      `gittorrent.home=${this.#home}`,
    ]
  }

  /** Resolves when the daemon has said something, counted from `from` in its output. @throws Error when it ends first */
  async says(pattern: RegExp, from = 0): Promise<void> {
    await this.#until(() => pattern.test(this.said.slice(from)), `to say ${pattern}`)
  }

  /** Resolves with the status of a repository once it is as wanted; looks whenever the daemon says something. */
  async until(path: string, isWanted: (status: RepositoryStatus) => boolean): Promise<RepositoryStatus> {
    for (const deadlineMs = performance.now() + WAIT_TIMEOUT_MS; ; ) {
      const { repositories } = await this.status()
      const found = repositories.find((repository) => repository.path === join(this.#world.folder, path))
      if (found !== undefined && isWanted(found)) return found
      if (performance.now() > deadlineMs)
        throw new Error(`'${path}' is ${found?.state}, ${found?.detail}\n${this.said}`)
      if (this.#child.stderr === null) throw new Error('the daemon says nothing')
      await once(this.#child.stderr, 'data', { signal: AbortSignal.timeout(LOOK_INTERVAL_MS) }).catch(() => {})
    }
  }

  async status(): Promise<DaemonStatus> {
    return (await askDaemon(this.#places, { command: 'status' })) as DaemonStatus
  }

  /** Runs a command of ours against this daemon; resolves with its stdout. */
  async ask(...args: string[]): Promise<string> {
    const environment = { GITTORRENT_HOME: this.#home }
    return (await this.#world.run('gittorrent', args, { environment })).stdout
  }

  /** Ends it with a signal, and waits for that. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child.kill(signal)
    await this.exited
  }

  #until(isTrue: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        this.#child.stderr?.off('data', look)
        act()
      }
      const fail = (): void => settle(() => reject(new Error(`expected the daemon ${what}, got:\n${this.said}`)))
      const look = (): void => {
        if (isTrue()) settle(resolve)
      }
      const timer = setTimeout(fail, WAIT_TIMEOUT_MS)
      this.#child.stderr?.on('data', look)
      void this.exited.then(fail)
      look()
    })
  }
}
