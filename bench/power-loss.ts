/**
 * Question: what is left when the power goes, whenever that is? Fetches, unshallows, adoptions and builds in a repository on an ext4 file
 * system that is told, at a random moment, to forget at once all that it has not written (the kernel's own shut-down for tests
 * of file systems). It is mounted again as after a restart, looked at with git fsck and gittorrent verify, and the same is
 * tried again and compared with plain git. git's own files are as durable as it can make them (core.fsync=all).
 *   npm run test:power -- [how many rounds, 20] [seed, 1]
 * Needs Linux, root, mkfs.ext4, and python3 for the shut-down. Mounts in a namespace of its own, which goes with it.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DemoWorld } from './demo-world.ts'
import { generateRepository } from './generate-repository.ts'
import { randomNumbers } from './random-numbers.ts'

const COURSES = ['fetch', 'unshallow', 'adopt', 'seed'] as const
/** About as long as each course lasts: some cuts come too late, which is a case, too. */
const DELAY_MS_MAX: Readonly<Record<Course, number>> = { fetch: 1_500, unshallow: 1_500, adopt: 1_500, seed: 2_500 }
const DISK_LENGTH = 192 * 1024 * 1024
const INSIDE = 'GITTORRENT_POWER_LOSS_INSIDE'
const REFSPEC = '+refs/heads/*:refs/remotes/origin/*'
/** EXT4_IOC_SHUTDOWN without writing the journal first. */
const SHUT_DOWN =
  'import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))'

type Course = (typeof COURSES)[number]

class PowerLoss {
  readonly #world: DemoWorld
  readonly #disk: string
  #objects = ''
  #chain = ''

  private constructor(world: DemoWorld) {
    this.#world = world
    this.#disk = join(world.folder, 'disk')
  }

  static async open(world: DemoWorld): Promise<PowerLoss> {
    await generateRepository(join(world.folder, 'origin.git'), { commitCount: 600, seed: 12 })
    await world.startDaemon()
    await world.startMeetingPoints()
    await world.git('config', '--global', 'core.fsync', 'all')
    await world.git('clone', '-q', world.originUrl('origin.git'), 'plain')
    await world.startSeeder('origin.git')
    const losses = new PowerLoss(world)
    await mkdir(losses.#disk)
    losses.#objects = await losses.#objectsOf('plain')
    losses.#chain = await losses.#chainOf('plain')
    return losses
  }

  /** One round; resolves with what was wrong, and whether the course was cut at all. */
  async run(course: Course, delayMs: number): Promise<{ isHit: boolean; wrong: readonly string[] }> {
    await this.#world.run('sh', ['-c', `rm -f image && truncate -s ${DISK_LENGTH} image && mkfs.ext4 -q image`])
    await this.#mount()
    try {
      await this.#prepare(course)
      await this.#world.run('sync', ['-f', this.#disk])
      const isHit = await this.#cut(this.#start(course), delayMs)
      await this.#unmount()
      await this.#mount()
      const wrong: string[] = []
      const note = (what: string) => (error: unknown) =>
        wrong.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
      await this.#inspect().catch(note('after the cut'))
      await this.#finish(course).catch(note('next try'))
      await this.#compare().catch(note('in the end'))
      return { isHit, wrong }
    } finally {
      await this.#unmount()
    }
  }

  #mount(): Promise<unknown> {
    return this.#world.run('mount', ['-o', 'loop', 'image', this.#disk])
  }

  #unmount(): Promise<unknown> {
    return this.#world.run('umount', [this.#disk])
  }

  async #prepare(course: Course): Promise<void> {
    const { git, originUrl } = this.#bound()
    const depth = course === 'unshallow' ? ['--depth=1'] : []
    if (course === 'fetch') {
      await git('init', '-q', 'disk/work')
      await git('-C', 'disk/work', 'remote', 'add', 'origin', originUrl)
    } else await git('clone', '-q', ...depth, originUrl, 'disk/work')
  }

  #bound(): { git: DemoWorld['git']; originUrl: string } {
    return {
      git: (...args) => this.#world.git(...args),
      originUrl: this.#world.originUrl('origin.git'),
    }
  }

  /** The words of a course. */
  #wordsOf(course: Course): readonly string[] {
    const url = `gittorrent::${this.#world.originUrl('origin.git')}`
    const settings = this.#world.settings().flatMap((setting) => ['-c', setting])
    const fetch = ['git', ...settings, '-C', 'disk/work', 'fetch', '-q']
    if (course === 'fetch') return [...fetch, url, REFSPEC]
    if (course === 'unshallow') return [...fetch, '--unshallow', url, REFSPEC]
    if (course === 'adopt') return ['gittorrent', 'adopt', 'disk/work']
    return ['gittorrent', 'seed', 'disk/work', '--once']
  }

  #start(course: Course): ChildProcess {
    const [program = '', ...args] = this.#wordsOf(course)
    const { folder: cwd, environment: env } = this.#world
    return spawn(program, args, { cwd, env, stdio: 'ignore', detached: true })
  }

  /** Cuts the power when its time has come, and ends what ran; false if all was done before. */
  async #cut(child: ChildProcess, delayMs: number): Promise<boolean> {
    const ended = once(child, 'exit').then(() => true)
    const timer = new Promise<false>((resolve) => setTimeout(() => resolve(false), delayMs))
    const isOver = await Promise.race([ended, timer])
    await this.#world.run('python3', ['-c', SHUT_DOWN, this.#disk])
    endGroup(child)
    await ended
    // Whoever has a file open keeps the disk from being taken away.
    await this.#world.run('sh', ['-c', `while fuser -sm '${this.#disk}'; do sleep 0.05; done`])
    return !isOver
  }

  /** Nothing that is there may be wrong, however little it is. */
  async #inspect(): Promise<void> {
    const { git } = this.#bound()
    await git('-C', 'disk/work', 'fsck', '--full', '--no-progress', '--no-dangling')
    const isStored = existsSync(join(this.#disk, 'work', '.git', 'gittorrent', 'segments'))
    if (isStored && !this.#isShallow()) await this.#world.run('gittorrent', ['verify', 'disk/work'])
  }

  /** Does again what was cut, as a user would. */
  async #finish(course: Course): Promise<void> {
    // A lock of git's own is for the user to remove, as git says.
    await this.#world.run('find', ['disk/work', '-name', '*.lock', '-delete'])
    const [program = '', ...args] = this.#wordsOf(course === 'unshallow' && !this.#isShallow() ? 'fetch' : course)
    await this.#world.run(program, args)
  }

  #isShallow(): boolean {
    return existsSync(join(this.#disk, 'work', '.git', 'shallow'))
  }

  async #compare(): Promise<void> {
    const { git } = this.#bound()
    if ((await this.#objectsOf('disk/work')) !== this.#objects) throw new Error('other objects than with plain git')
    await git('-C', 'disk/work', 'fsck', '--full', '--strict', '--no-progress', '--no-dangling')
    if ((await this.#chainOf('disk/work')) !== this.#chain) throw new Error('another chain than of a plain clone')
    await this.#world.run('gittorrent', ['verify', 'disk/work'])
  }

  async #objectsOf(name: string): Promise<string> {
    const words = ['rev-list', '--objects', '--no-object-names', 'refs/remotes/origin/main']
    return (await this.#world.git('-C', name, ...words)).split('\n').sort().join('\n')
  }

  async #chainOf(name: string): Promise<string> {
    const words = ['chain', name, '--ref', 'refs/remotes/origin/main', '--json']
    return JSON.stringify(JSON.parse((await this.#world.run('gittorrent', words)).stdout).links)
  }
}

/** Kills a process with all that it started, if anything is left of them. */
function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // They had ended.
  }
}

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 20)
  const seed = Number(process.argv[3] ?? 1)
  const world = await DemoWorld.open()
  let [hitCount, badCount] = [0, 0]
  try {
    const losses = await PowerLoss.open(world)
    const random = randomNumbers(seed)
    for (let round = 0; round < count; round++) {
      const course = COURSES[random(COURSES.length)] ?? 'fetch'
      const delayMs = random(DELAY_MS_MAX[course])
      const { isHit, wrong } = await losses.run(course, delayMs)
      hitCount += Number(isHit)
      badCount += Number(wrong.length > 0)
      process.stderr.write(
        `${course} after ${delayMs} ms${isHit ? '' : ' (too late)'}: ${wrong.join('; ') || 'good'}\n`,
      )
    }
  } finally {
    await world.close()
  }
  process.stdout.write(`${JSON.stringify({ seed, count, hitCount, badCount })}\n`)
  if (badCount > 0) process.exitCode = 1
}

if (process.env[INSIDE] === undefined) {
  const words = ['--mount', '--propagation', 'private', process.execPath, fileURLToPath(import.meta.url)]
  const { status } = spawnSync('unshare', [...words, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  process.exitCode = status ?? 1
} else await main()
