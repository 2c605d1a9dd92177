/**
 * Builds of the daemon: `gittorrent seed --once` as a process of its own, one at a time and at low priority, so that a
 * large history neither slows the user nor the serving, and a crash or a full disk costs only that build.
 * The process is killed without ceremony when the daemon ends: a store survives that at every point.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { HelperError, printable } from '../errors.ts'
import { BUILD_NICENESS } from '../limits.ts'

const SAID_LENGTH_MAX = 4096

export class BackgroundBuilds {
  readonly #program: readonly string[]
  readonly #env: NodeJS.ProcessEnv
  #last: Promise<void> = Promise.resolve()
  #child: ChildProcess | null = null
  #isClosed = false

  /** @param program what starts `gittorrent`: interpreter and script */
  constructor(program: readonly string[], env: NodeJS.ProcessEnv) {
    this.#program = program
    this.#env = env
  }

  /**
   * Runs `gittorrent seed <args> --once` after the builds before it; calls `onStart` when its turn has come.
   * @throws HelperError 'git-failed' with its words
   */
  run(args: readonly string[], onStart: () => void): Promise<void> {
    const build = this.#last.then(() => {
      onStart()
      return this.#run(args)
    })
    this.#last = build.catch(() => {})
    return build
  }

  #run(args: readonly string[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(new HelperError('interrupted', 'build: the daemon ends'))
    const [file = '', ...rest] = this.#program
    return new Promise((resolve, reject) => {
      const child = spawn(file, [...rest, 'seed', ...args, '--once'], {
        env: this.#env,
        cwd: '/',
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      this.#child = child
      lower(child)
      let said = ''
      child.stderr.on('data', (chunk: Uint8Array) => {
        said = (said + Buffer.from(chunk).toString('utf8')).slice(-SAID_LENGTH_MAX)
      })
      child.on('error', reject)
      child.on('close', (status, signal) => {
        this.#child = null
        if (status === 0) resolve()
        else
          reject(new HelperError('git-failed', `build: ${printable(lastLine(said) || `ended by ${signal ?? status}`)}`))
      })
    })
  }

  /** Ends the build under way; later ones are refused. */
  close(): void {
    this.#isClosed = true
    this.#child?.kill('SIGKILL')
  }
}

function lower({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, BUILD_NICENESS)
  } catch {
    // It has ended already.
  }
}

function lastLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^fatal: /, '') ?? ''
  )
}
