/**
 * The machines of the walk: network namespaces on one bridge without an uplink, each with an address, a home and git
 * configuration of its own, and the processes that run on them. Whatever was started is ended by `close`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FlashNetwork, type Machine } from './flash-network.ts'

const BUNDLES = resolve(dirname(fileURLToPath(import.meta.url)), '..', 'bin')
const START_TIMEOUT_MS = 120_000
const RUN_TIMEOUT_MS = 300_000
const LINE = { upBits: 1e9, downBits: 1e9 }

export interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** One machine: a namespace, and a user with a home on it. */
export class WalkMachine {
  readonly host: string
  readonly home: string
  readonly namespace: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #children = new Set<ChildProcess>()

  constructor(
    name: string,
    folder: string,
    { namespace, host }: Machine,
    environment: Readonly<Record<string, string>>,
  ) {
    this.namespace = namespace
    this.host = host
    this.home = join(folder, name)
    mkdirSync(this.home, { recursive: true })
    this.#environment = {
      PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}`,
      HOME: this.home,
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GITTORRENT_REMEMBER: 'false',
      ...environment,
    }
  }

  /** Writes ~/.gitconfig; `settings` are `section.key=value`. */
  configure(settings: readonly string[]): void {
    const lines = ['user.name=A U Thor', 'user.email=author@example.com', 'init.defaultBranch=main', ...settings]
    const text = lines.map((line) => {
      const [, section, key, value] = /^([a-z]+)\.([^=]+)=(.*)$/i.exec(line) ?? []
      return `[${section}]\n\t${key} = ${value}\n`
    })
    writeFileSync(join(this.home, '.gitconfig'), text.join(''))
  }

  /** Runs a program in the home, whatever its status. */
  outcome(...command: string[]): Promise<Outcome> {
    const options = { cwd: this.home, env: this.#environment, encoding: 'utf8' as const, timeout: RUN_TIMEOUT_MS }
    return new Promise((resolveOutcome) => {
      const child = execFile('ip', this.#inside(command), options, (error, stdout, stderr) => {
        resolveOutcome({ status: error === null ? 0 : (child.exitCode ?? -1), stdout, stderr })
      })
    })
  }

  /** The same; returns stdout without the last newline. @throws Error with its stderr */
  async run(...command: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.outcome(...command)
    if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}\n${stderr}`)
    return stdout.trimEnd()
  }

  /** Starts a process that serves; resolves, with what it said, once that matches. */
  start(pattern: RegExp, ...command: string[]): Promise<{ child: ChildProcess; said: string }> {
    const child = spawn('ip', this.#inside(command), { cwd: this.home, env: this.#environment, stdio: 'pipe' })
    this.#children.add(child)
    return new Promise((resolveStarted, reject) => {
      let said = ''
      const timer = setTimeout(
        () => reject(new Error(`${command.join(' ')} does not start:\n${said}`)),
        START_TIMEOUT_MS,
      )
      const take = (bytes: Uint8Array): void => {
        said += Buffer.from(bytes).toString()
        if (!pattern.test(said)) return
        clearTimeout(timer)
        resolveStarted({ child, said })
      }
      child.stdout.on('data', take)
      child.stderr.on('data', take)
      child.once('exit', (status) => reject(new Error(`${command.join(' ')}: status ${status}\n${said}`)))
    })
  }

  #inside(command: readonly string[]): string[] {
    return ['netns', 'exec', this.namespace, ...command]
  }

  /** Ends all its processes; `ip netns exec` becomes the program, so signals reach it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const children = [...this.#children]
    this.#children.clear()
    await Promise.all(
      children.map((child) => {
        if (child.exitCode !== null || child.signalCode !== null) return null
        return new Promise<void>((ended) => {
          child.once('exit', () => ended())
          child.kill(signal)
        })
      }),
    )
  }
}

export class WalkMachines {
  readonly folder = mkdtempSync(join(tmpdir(), 'gt-walk-'))
  readonly #network = new FlashNetwork()
  readonly #machines: WalkMachine[] = []
  readonly #environment: Readonly<Record<string, string>>

  /** @param environment of every machine, beside what is its own */
  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = environment
    mkdirSync(join(this.folder, 'bin'))
    for (const name of ['gittorrent', 'git-remote-gittorrent']) {
      const target = join(BUNDLES, `${name}.js`)
      chmodSync(target, 0o755)
      symlinkSync(target, join(this.folder, 'bin', name))
    }
  }

  async add(name: string): Promise<WalkMachine> {
    const machine = new WalkMachine(name, this.folder, await this.#network.add(LINE), this.#environment)
    this.#machines.push(machine)
    return machine
  }

  /** Has the machine ask `server` for names, as a resolv.conf does. */
  setResolver({ namespace }: WalkMachine, server: string): void {
    mkdirSync(resolverFolder(namespace), { recursive: true })
    writeFileSync(join(resolverFolder(namespace), 'resolv.conf'), `nameserver ${server}\n`)
  }

  async close(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.stop('SIGKILL')))
    this.#network.close()
    for (const { namespace } of this.#machines) rmSync(resolverFolder(namespace), { recursive: true, force: true })
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Where `ip netns exec` looks for files that replace those of /etc. */
function resolverFolder(namespace: string): string {
  return join('/etc/netns', namespace)
}
