/**
 * A disk that is soon full, for tests: a tmpfs in a mount namespace of its own, which nobody else sees and which goes with
 * its last process. Where the machine allows no namespace, a limit on the length of files stands in for it: writing then
 * fails with EFBIG instead of ENOSPC, at the same places.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'

/** Bytes of one block of `ulimit -f` in sh. */
const BLOCK_LENGTH = 512

/** The longest file is this part of a disk where only files have a limit: what is written here is many files. */
const LONGEST_FILE = 1 / 16

export class SmallDisk {
  /** Where it is mounted, for the programs that are started in front of `command`. */
  readonly folder: string
  readonly #holder: ChildProcess | null
  #length: number

  private constructor(folder: string, holder: ChildProcess | null, length: number) {
    this.folder = folder
    this.#holder = holder
    this.#length = length
  }

  /** Opens one of `length` bytes over the new folder `folder`. */
  static async open(folder: string, length: number): Promise<SmallDisk> {
    await mkdir(folder)
    const mount = `mount -t tmpfs -o size=${length} tmpfs "$1" && echo mounted && exec cat`
    for (const options of [['--mount'], ['--map-root-user', '--mount']]) {
      const holder = spawn('unshare', [...options, 'sh', '-c', mount, 'sh', folder], {
        stdio: ['pipe', 'pipe', 'ignore'],
      })
      const said = await Promise.race([
        once(holder.stdout, 'data').then(([chunk]) => String(chunk)),
        once(holder, 'close').then(() => ''),
        once(holder, 'error').then(() => ''),
      ])
      if (said.startsWith('mounted')) return new SmallDisk(folder, holder, length)
    }
    return new SmallDisk(folder, null, length)
  }

  /** What errors say when there is no room. */
  get fullPattern(): RegExp {
    return this.#holder === null
      ? /File too large|EFBIG|file too large/
      : /No space left|ENOSPC|no space left|Out of diskspace/
  }

  /** The disk as this process sees it. */
  get visible(): string {
    return this.#holder === null ? this.folder : `/proc/${this.#holder.pid}/root${this.folder}`
  }

  /** Program and arguments that run a command where the disk is. */
  command(...command: readonly string[]): [string, string[]] {
    if (this.#holder !== null) {
      const pid = String(this.#holder.pid)
      const user = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials']
      return ['nsenter', ['--target', pid, ...user, '--mount', ...command]]
    }
    const limit = `trap '' XFSZ; ulimit -S -f ${Math.ceil((this.#length * LONGEST_FILE) / BLOCK_LENGTH)}; exec "$@"`
    return ['sh', ['-c', limit, 'sh', ...command]]
  }

  /** Makes it larger or smaller, for programs that start from now on and process `pid`; in a namespace at once for all. */
  resize(length: number, pid: number | null = null): void {
    this.#length = length
    if (this.#holder === null) {
      if (pid !== null) execFileSync('prlimit', ['--pid', String(pid), `--fsize=${length * LONGEST_FILE}:`])
      return
    }
    const [program, args] = this.command('mount', '-o', `remount,size=${length}`, this.folder)
    execFileSync(program, args)
  }

  /** Leaves about `length` bytes free, for the same programs. */
  leave(length: number, pid: number | null = null): void {
    if (this.#holder === null) this.resize(length, pid)
    else {
      const [program, args] = this.command('df', '--block-size=1', '--output=used', this.folder)
      this.resize(Number(execFileSync(program, args).toString().split('\n')[1]) + length)
    }
  }

  /** Leaves no byte free, for a process that runs already. */
  fill(pid: number): void {
    if (this.#holder === null) execFileSync('prlimit', ['--pid', String(pid), '--fsize=0:'])
    else this.#sh(`dd if=/dev/zero of='${this.folder}/filler' bs=65536 2>&1 || true`)
  }

  /** Undoes `fill`. */
  drain(pid: number): void {
    if (this.#holder === null) execFileSync('prlimit', ['--pid', String(pid), '--fsize=unlimited:'])
    else this.#sh(`rm '${this.folder}/filler'`)
  }

  #sh(script: string): void {
    const [program, args] = this.command('sh', '-c', script)
    execFileSync(program, args)
  }

  /** Ends it with all that is on it; what runs there is to be ended before. */
  async close(): Promise<void> {
    if (this.#holder === null || this.#holder.exitCode !== null) return
    const closed = once(this.#holder, 'close')
    this.#holder.stdin?.end()
    await closed
  }
}
