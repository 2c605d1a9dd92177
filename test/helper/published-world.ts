/**
 * Machines for tests of publishing, on loopback: a small DHT, users with data folders of their own, `gittorrent publish`
 * as a process, git with our helper on its PATH. Whatever was started is ended by `close`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Dht, formatAddress, openDht } from '../../net/index.ts'
import { importCommits } from '../support/fast-import.ts'
import { hermeticEnvironment } from '../support/git.ts'

const BUNDLES = fileURLToPath(new URL('../../bin/', import.meta.url))
const LOOPBACK = { host: '127.0.0.1', port: 0 }
const PROCESS_TIMEOUT_MS = 120_000

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningPublisher {
  readonly url: string
  /** host:port */
  readonly address: string
  stop(): Promise<void>
}

/** What the commit of this message adds. */
function fileOf(message: string): Record<string, string> {
  return { [`${message.replaceAll(' ', '-')}.txt`]: `${message}\n`.repeat(50) }
}

export class PublishedWorld {
  readonly folder: string
  /** Environment of everything that is started from now on, beside what belongs to its user. */
  environmentOfAll: Readonly<Record<string, string>> = {}
  readonly #nodes: Dht[] = []
  readonly #children = new Set<ChildProcess>()

  constructor(folder: string) {
    this.folder = folder
  }

  static async open(folder: string): Promise<PublishedWorld> {
    await mkdir(join(folder, 'bin'))
    for (const name of ['gittorrent', 'git-remote-gittorrent'])
      await symlink(join(BUNDLES, `${name}.js`), join(folder, 'bin', name))
    return new PublishedWorld(folder)
  }

  /** Starts DHT nodes that know each other; the first is everybody's way in. */
  async startDht(count: number, itemAgeMsMax?: number): Promise<readonly Dht[]> {
    for (let n = 0; n < count; n++) {
      const [first] = this.#nodes
      const node = await openDht({
        listen: LOOPBACK,
        bootstrap: first === undefined ? [] : [first.address],
        itemAgeMsMax,
      })
      this.#nodes.push(node)
      await node.lookup(Buffer.alloc(20, n + 1), () => {}, new AbortController().signal)
    }
    return this.#nodes
  }

  /** Settings that make the helper use the DHT of this world only, and `peers`. */
  settings(peers: readonly string[] = []): string[] {
    const [first] = this.#nodes
    const dht = first === undefined ? 'gittorrent.dht=false' : `gittorrent.dhtBootstrap=${formatAddress(first.address)}`
    return [dht, 'gittorrent.lsd=false', ...peers.map((peer) => `gittorrent.peer=${peer}`)]
  }

  environment(user: string): Record<string, string> {
    return hermeticEnvironment({
      PATH: `${join(this.folder, 'bin')}:${process.env.PATH}`,
      GITTORRENT_DATA: join(this.folder, 'data', user),
      GITTORRENT_HOME: join(this.folder, 'home', user),
      ...this.environmentOfAll,
    })
  }

  /** Runs a program as `user`, whatever its status. */
  outcome(user: string, program: string, args: readonly string[], input = ''): Promise<Outcome> {
    return new Promise((resolve) => {
      const options = {
        cwd: this.folder,
        env: this.environment(user),
        encoding: 'utf8' as const,
        timeout: PROCESS_TIMEOUT_MS,
        maxBuffer: 1 << 28,
      }
      const child = execFile(program, [...args], options, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : (child.exitCode ?? null), stdout, stderr })
      })
      child.stdin?.on('error', () => {})
      child.stdin?.end(input)
    })
  }

  /** Runs a program as `user`; returns its stdout without the last newline. @throws Error with its stderr */
  async run(user: string, program: string, ...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.outcome(user, program, args)
    if (status !== 0) throw new Error(`${program} ${args.join(' ')}: status ${status}\n${stderr}`)
    return stdout.trimEnd()
  }

  git(user: string, ...args: string[]): Promise<string> {
    return this.run(user, 'git', ...args)
  }

  /** git with our settings, whatever its status. */
  gitOutcome(user: string, args: readonly string[], peers: readonly string[] = []): Promise<Outcome> {
    return this.outcome(user, 'git', [...this.settings(peers).flatMap((setting) => ['-c', setting]), ...args])
  }

  /** git with our settings; returns its stderr. @throws Error with it */
  async viaKey(user: string, args: readonly string[], peers: readonly string[] = []): Promise<string> {
    const { status, stderr } = await this.gitOutcome(user, args, peers)
    if (status !== 0) throw new Error(`git ${args.join(' ')}: status ${status}\n${stderr}`)
    return stderr
  }

  /** The options that make a command of ours use the DHT of this world only. */
  waysIn(): string[] {
    const [first] = this.#nodes
    return ['--no-lsd', ...(first === undefined ? ['--no-dht'] : ['--dht-bootstrap', formatAddress(first.address)])]
  }

  /** A repository of `user` with some commits on main and a tag. */
  async makeRepository(user: string, name: string, commitCount: number): Promise<void> {
    const commits = Array.from({ length: commitCount }, (_, n) => ({ files: fileOf(`commit ${n}`) }))
    await importCommits(join(this.folder, name, '.git'), commits)
    await this.git(user, '-C', name, 'config', 'core.bare', 'false')
    await this.git(user, '-C', name, 'reset', '--quiet', '--hard')
    await this.git(user, '-C', name, 'tag', '-a', '-m', 'first', 'v1')
  }

  async commit(user: string, name: string, message: string): Promise<string> {
    for (const [path, content] of Object.entries(fileOf(message)))
      await writeFile(join(this.folder, name, path), content)
    await this.git(user, '-C', name, 'add', '.')
    await this.git(user, '-C', name, 'commit', '--quiet', '-m', message)
    return this.git(user, '-C', name, 'rev-parse', 'HEAD')
  }

  async keygen(user: string): Promise<{ id: string; publicKey: string; commitment: string }> {
    const [key] = JSON.parse(await this.run(user, 'gittorrent', 'keygen', '--json'))
    return key
  }

  /** `gittorrent publish` until `stop`. */
  startPublisher(user: string, repository: string, ...options: string[]): Promise<RunningPublisher> {
    return this.startCommand(user, ['publish', repository, ...options])
  }

  /** A command that serves, until `stop`. */
  startCommand(user: string, command: readonly string[]): Promise<RunningPublisher> {
    const args = [...command, '--listen', '127.0.0.1:0', ...this.waysIn()]
    const child = spawn('gittorrent', args, {
      cwd: this.folder,
      env: this.environment(user),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#children.add(child)
    return new Promise((resolve, reject) => {
      let [said, url] = ['', '']
      child.stdout.on('data', (bytes: Uint8Array) => {
        url += Buffer.from(bytes).toString()
      })
      child.stderr.on('data', (bytes: Uint8Array) => {
        said += Buffer.from(bytes).toString()
        const address = /seeding on (\S+)\n/.exec(said)?.[1]
        if (address !== undefined) resolve({ url: url.trim(), address, stop: () => this.#end(child) })
      })
      child.on('error', reject)
      child.on('exit', (status) => reject(new Error(`${command[0]}: status ${status}\n${said}`)))
    })
  }

  #end(child: ChildProcess): Promise<void> {
    this.#children.delete(child)
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
    return new Promise((resolve) => {
      child.once('exit', () => resolve())
      child.kill('SIGTERM')
    })
  }

  async close(): Promise<void> {
    for (const child of [...this.#children]) await this.#end(child)
    await Promise.all(this.#nodes.map((node) => node.close()))
  }
}
