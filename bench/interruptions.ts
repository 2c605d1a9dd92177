/**
 * Question: does an interruption, whenever it comes, leave anything that git could take for data, or keep the next try from
 * succeeding? Clones, fetches and unshallows through a swarm, each killed at a random moment (git or the helper; SIGINT,
 * SIGTERM or SIGKILL), looked at with git fsck, tried again, and compared with plain git.
 *   npm run test:interruptions -- [how many rounds, 24] [seed, 1]
 * The seed decides what is done and to whom the signal goes; the moment also depends on how fast the machine is.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { DemoWorld } from './demo-world.ts'
import { generateRepository } from './generate-repository.ts'
import { type NumberSource, randomNumbers } from './random-numbers.ts'

const COURSES = ['clone', 'clone --depth 1', 'fetch', 'fetch --unshallow'] as const
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGKILL'] as const
const VICTIMS = ['git', 'helper'] as const
/** About as long as a course lasts: some signals come too late, which is a case, too. */
const DELAY_MS_MAX = 1_200
const END_TIMEOUT_MS = 20_000
const LEFTOVER = /^(tmp_objdir-gittorrent-|staging-)|^[0-9a-f]{40}(-\d+)?$/

interface Round {
  readonly course: (typeof COURSES)[number]
  readonly signal: (typeof SIGNALS)[number]
  readonly victim: (typeof VICTIMS)[number]
  readonly delayMs: number
}

/** What was wrong with a round; empty if nothing. */
interface Verdict extends Round {
  readonly round: number
  readonly isHit: boolean
  readonly wrong: readonly string[]
}

function chooseRound(random: NumberSource): Round {
  const one = <Value>(values: readonly [Value, ...Value[]]): Value => values[random(values.length)] ?? values[0]
  return { course: one(COURSES), signal: one(SIGNALS), victim: one(VICTIMS), delayMs: random(DELAY_MS_MAX) }
}

class Interruptions {
  readonly #world: DemoWorld
  readonly #url: string
  /** What git shows of a finished clone, by kind. */
  readonly #expected = new Map<string, string>()

  constructor(world: DemoWorld) {
    this.#world = world
    this.#url = world.originUrl('origin.git')
  }

  async run(number: number, round: Round): Promise<Verdict> {
    const name = `round-${number}`
    const args = await this.#prepare(name, round)
    const child = this.#start(args)
    const isHit = await interrupt(child, round)
    const wrong: string[] = []
    const note = (what: string) => (error: unknown) =>
      wrong.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
    await allEnded(child).catch(note('a process stayed'))
    if (existsSync(join(this.#world.folder, name))) await this.#inspect(name).catch(note('after the signal'))
    await this.#finish(name, round).catch(note('next try'))
    await this.#compare(name, round).catch(note('in the end'))
    return { round: number, ...round, isHit, wrong }
  }

  /** Lays the ground for a course; returns git's arguments. */
  async #prepare(name: string, { course }: Round): Promise<readonly string[]> {
    const plain = this.#world.originUrl('origin.git')
    if (course === 'clone') return ['clone', '-q', `gittorrent::${this.#url}`, name]
    if (course === 'clone --depth 1') return ['clone', '-q', '--depth=1', `gittorrent::${this.#url}`, name]
    if (course === 'fetch') {
      await this.#world.git('init', '-q', name)
      await this.#world.git('-C', name, 'remote', 'add', 'origin', `gittorrent::${this.#url}`)
      return ['-C', name, 'fetch', '-q', 'origin']
    }
    await this.#world.git('clone', '-q', '--depth=1', plain, name)
    await this.#world.git('-C', name, 'remote', 'set-url', 'origin', `gittorrent::${this.#url}`)
    return ['-C', name, 'fetch', '-q', '--unshallow']
  }

  #start(args: readonly string[]): ChildProcess {
    const settings = this.#world.settings().flatMap((setting) => ['-c', setting])
    return spawn('git', [...settings, ...args], {
      cwd: this.#world.folder,
      env: this.#world.environment,
      stdio: 'ignore',
      detached: true,
    })
  }

  /** Nothing that is there may be wrong, however little it is. */
  async #inspect(name: string): Promise<void> {
    if (!existsSync(join(this.#world.folder, name, '.git', 'HEAD'))) return
    await this.#world.git('-C', name, 'fsck', '--full', '--no-progress', '--no-dangling')
    const refs = await this.#world.git('-C', name, 'for-each-ref', '--format=%(refname)')
    const odd = refs.split('\n').filter((ref) => ref !== '' && !/^refs\/(heads|tags|remotes)\//.test(ref))
    if (odd.length > 0) throw new Error(`refs ${odd.join(' ')}`)
  }

  /** Does again what was interrupted, as a user would. */
  async #finish(name: string, { course }: Round): Promise<void> {
    const shallow = join(this.#world.folder, name, '.git', 'shallow')
    const isThere = existsSync(join(this.#world.folder, name, '.git', 'HEAD'))
    const depth = course === 'clone --depth 1' ? ['--depth=1'] : []
    // A lock of git's own, left by SIGKILL, is for the user to remove, as git says.
    await this.#world.run('sh', ['-c', `find ${name} -name '*.lock' -delete 2>/dev/null || true`])
    if (course === 'fetch --unshallow' && !existsSync(shallow)) return
    if (!isThere) {
      await this.#world.run('rm', ['-rf', name])
      await this.#world.viaSwarm(['clone', '-q', ...depth, `gittorrent::${this.#url}`, name])
      return
    }
    const how = course === 'fetch --unshallow' ? ['--unshallow'] : depth
    await this.#world.viaSwarm(['-C', name, 'fetch', '-q', ...how, `gittorrent::${this.#url}`, ...REFSPECS])
  }

  async #compare(name: string, { course }: Round): Promise<void> {
    const kind = course === 'clone --depth 1' ? 'shallow' : 'whole'
    const found = await this.#shown(name)
    const expected = this.#expected.get(kind) ?? (await this.#plain(kind))
    this.#expected.set(kind, expected)
    if (found !== expected) throw new Error('the repository differs from that of plain git')
    await this.#world.git('-C', name, 'fsck', '--full', '--strict', '--no-progress')
    const left = (await this.#growOld(name)) ? await this.#leftovers(name) : []
    if (left.length > 0) throw new Error(`left after a later fetch: ${left.join(' ')}`)
  }

  async #plain(kind: 'shallow' | 'whole'): Promise<string> {
    const name = `plain-${kind}`
    const depth = kind === 'shallow' ? ['--depth=1'] : []
    await this.#world.git('clone', '-q', ...depth, this.#url, name)
    return this.#shown(name)
  }

  /** The commits and objects behind the branches of the origin that the course asked for. */
  async #shown(name: string): Promise<string> {
    const head = (await this.#world.git('ls-remote', this.#url, 'HEAD')).split('\t')[0] ?? ''
    const objects = await this.#world.git('-C', name, 'rev-list', '--objects', '--no-object-names', head)
    return [head, objects.split('\n').sort().join('\n')].join('\n')
  }

  /** Lets what was left seem old, and fetches all anew; true if peers gave it, because only then the helper looks around. */
  async #growOld(name: string): Promise<boolean> {
    const old = new Date(Date.now() - 8 * 24 * 3600 * 1000)
    for (const path of await this.#leftovers(name)) await utimes(path, old, old)
    await this.#world.run('rm', ['-f', join(name, '.git', 'shallow')])
    await this.#world.git('-C', name, 'update-ref', '-d', 'refs/remotes/origin/HEAD')
    const refs = await this.#world.git('-C', name, 'for-each-ref', '--format=delete %(refname)')
    await this.#world.run('git', ['-C', name, 'update-ref', '--stdin'], { input: `${refs}\n` })
    const { bytes } = await this.#world.viaSwarm(['-C', name, 'fetch', '-q', `gittorrent::${this.#url}`, ...REFSPECS])
    return bytes.peers > 0
  }

  async #leftovers(name: string): Promise<string[]> {
    const gitDir = join(this.#world.folder, name, '.git')
    const found: string[] = []
    for (const part of ['objects', 'gittorrent', join('gittorrent', 'incoming')]) {
      const names = await readdir(join(gitDir, part)).catch(() => [])
      found.push(...names.filter((one) => LEFTOVER.test(one)).map((one) => join(gitDir, part, one)))
    }
    return found
  }
}

const REFSPECS = ['+refs/heads/*:refs/remotes/origin/*']

/** Sends the signal when its time has come; false if git was done before. */
async function interrupt(child: ChildProcess, { signal, victim, delayMs }: Round): Promise<boolean> {
  const ended = once(child, 'exit').then(() => true)
  const isOver = await Promise.race([ended, new Promise<false>((resolve) => setTimeout(() => resolve(false), delayMs))])
  if (isOver || child.pid === undefined) return false
  const helper = (await groupOf(child.pid)).find(({ command }) => /node.*git-remote-gittorrent/.test(command))
  const target = victim === 'helper' ? helper?.pid : child.pid
  if (target === undefined) return false
  try {
    process.kill(target, signal)
  } catch {
    return false
  }
  return true
}

/** Waits until no process of the group is left; what is, is killed and told. */
async function allEnded(child: ChildProcess): Promise<void> {
  const group = child.pid ?? 0
  const deadline = performance.now() + END_TIMEOUT_MS
  for (;;) {
    const left = await groupOf(group)
    if (left.length === 0) return
    if (performance.now() > deadline) {
      process.kill(-group, 'SIGKILL')
      throw new Error(left.map(({ command }) => command).join('; '))
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The processes of a group that run. */
async function groupOf(group: number): Promise<{ readonly pid: number; readonly command: string }[]> {
  const found: { pid: number; command: string }[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '')
    const [state, , itsGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (Number(itsGroup) !== group || state === 'Z') continue
    const command = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')
    found.push({ pid: Number(name), command: command.replaceAll('\0', ' ').trim() })
  }
  return found
}

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 24)
  const seed = Number(process.argv[3] ?? 1)
  const world = await DemoWorld.open()
  const verdicts: Verdict[] = []
  try {
    await generateRepository(join(world.folder, 'origin.git'), { commitCount: 600, seed: 11 })
    await world.run('gittorrent', ['chain', 'origin.git', '--snapshot', '--json'])
    await world.startDaemon()
    await world.startMeetingPoints()
    await world.startSeeder('origin.git')
    const interruptions = new Interruptions(world)
    const random = randomNumbers(seed)
    for (let number = 0; number < count; number++) {
      const verdict = await interruptions.run(number, chooseRound(random))
      verdicts.push(verdict)
      const how = `${verdict.course}: ${verdict.signal} to ${verdict.victim} after ${verdict.delayMs} ms`
      process.stderr.write(`${how}${verdict.isHit ? '' : ' (too late)'}: ${verdict.wrong.join('; ') || 'good'}\n`)
    }
  } finally {
    await world.close()
  }
  const bad = verdicts.filter(({ wrong }) => wrong.length > 0)
  const hitCount = verdicts.filter(({ isHit }) => isHit).length
  process.stdout.write(`${JSON.stringify({ seed, count, hitCount, bad }, null, 2)}\n`)
  if (bad.length > 0) process.exitCode = 1
}

await main()
