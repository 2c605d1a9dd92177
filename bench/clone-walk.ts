/**
 * Walks helper/ci/WALK.md: one shell runs all its blocks in order, with free ports in place of the printed ones, as many clones as are
 * asked for, this project in place of an installed package, and a web server of this process; a relay counts what leaves the origin.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ByteMeter, startByteMeter } from './byte-meter.ts'
import { DemoWorld } from './demo-world.ts'
import { type StaticServer, startStaticServer } from './static-server.ts'

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..')
const ORIGIN_TRIES_MAX = 100

export interface WalkSize {
  readonly cloneCount: number
  readonly atOnce: number
}

/** What the origin sent for each part, in bytes. */
export interface WalkFigures {
  readonly plain: number
  readonly stock: number
  /** A whole clone and one of depth 1. */
  readonly helper: number
  /** A new day: the job again and a fetch through the helper. */
  readonly day: number
  /** Requests at the folder on that day. */
  readonly dayRequestCount: number
  /** The first runner of the farm. */
  readonly first: number
  /** All others together. */
  readonly farm: number
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}

export class CloneWalk {
  readonly web: StaticServer
  readonly #world: DemoWorld
  readonly #meter: ByteMeter
  readonly #shell: ChildProcess
  readonly #blocks: string[]
  #said = ''
  #wake = (): void => {}

  private constructor(world: DemoWorld, meter: ByteMeter, web: StaticServer, blocks: string[]) {
    this.#world = world
    this.#meter = meter
    this.web = web
    this.#blocks = blocks
    this.#shell = spawn('bash', ['-e'], {
      cwd: world.folder,
      env: { ...world.environment, GIT_AUTHOR_DATE: '1700000000 +0000', GIT_COMMITTER_DATE: '1700000000 +0000' },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    for (const stream of [this.#shell.stdout, this.#shell.stderr])
      stream?.on('data', (chunk: Uint8Array) => {
        this.#said += Buffer.from(chunk).toString()
        this.#wake()
      })
    this.#shell.once('exit', () => this.#wake())
  }

  static async open({ cloneCount, atOnce }: WalkSize): Promise<CloneWalk> {
    const world = await DemoWorld.open()
    const daemonPort = await freePort()
    const trackerPort = await freePort()
    const meter = await startByteMeter(daemonPort)
    await mkdir(join(world.folder, 'walk', 'ci', 'public'), { recursive: true })
    const web = await startStaticServer(join(world.folder, 'walk', 'ci', 'public'))
    const text = await readFile(join(PROJECT, 'helper', 'ci', 'WALK.md'), 'utf8')
    const replaced = text
      .replaceAll('--port=9418', `--port=${daemonPort}`)
      .replaceAll('127.0.0.1:9418', `127.0.0.1:${meter.port}`)
      .replaceAll('http://127.0.0.1:8080', web.url)
      .replaceAll('127.0.0.1:6969', `127.0.0.1:${trackerPort}`)
      .replaceAll('$(npm root --global)/gittorrent-swarm', PROJECT)
      .replaceAll('CLONES=200 AT_ONCE=20', `CLONES=${cloneCount} AT_ONCE=${atOnce}`)
      .replace(/^python3 -m http\.server .*\n/m, '')
      .replace('mkdir walk', 'mkdir -p walk')
    const blocks = [...replaced.matchAll(/^```\n([\s\S]*?)^```/gm)].map(([, block = '']) => block)
    return new CloneWalk(world, meter, web, blocks)
  }

  /** Blocks that are left. */
  get leftCount(): number {
    return this.#blocks.length
  }

  /** Runs the next block, and waits until something has been said; returns the bytes that the origin sent meanwhile. */
  async next(until?: RegExp): Promise<number> {
    const before = this.#meter.sentBytes()
    const from = this.#said.length
    const block = this.#blocks.shift()
    if (block === undefined) throw new Error('no block is left')
    this.#shell.stdin?.write(`${block}\necho "block done"\n`)
    await this.#says(/^block done$/m, from)
    if (until !== undefined) await this.#says(until, from)
    return this.#meter.sentBytes() - before
  }

  /** The origin is up when it answers. */
  async untilOriginAnswers(): Promise<void> {
    for (let tries = 0; tries < ORIGIN_TRIES_MAX; tries++)
      if ((await this.git('ls-remote', `git://127.0.0.1:${this.#meter.port}/origin.git`).catch(() => '')) !== '') return
    throw new Error(`the origin does not answer: ${this.#said}`)
  }

  /** git in the folder of the walk. */
  git(...args: string[]): Promise<string> {
    return this.#world.git('-C', 'walk', ...args)
  }

  async close(): Promise<void> {
    if (this.#shell.pid !== undefined) process.kill(-this.#shell.pid, 'SIGTERM')
    await this.web.close()
    await this.#meter.close()
    await this.#world.close()
  }

  /** Resolves when the shell, or what it has started, has said this since `from`. */
  async #says(pattern: RegExp, from: number): Promise<void> {
    while (!pattern.test(this.#said.slice(from))) {
      if (this.#shell.exitCode !== null) throw new Error(`the shell ended:\n${this.#said.slice(from)}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** Takes all steps; `check` is called with the names of clones that should be equal, as soon as they are there. */
export async function walkClones(
  walk: CloneWalk,
  { cloneCount }: WalkSize,
  check: (clone: string, other: string) => Promise<void>,
): Promise<WalkFigures> {
  await walk.next()
  await walk.untilOriginAnswers()
  const plain = await walk.next()
  await walk.next()
  const stock = await walk.next()
  await check('stock', 'plain')
  const helper = await walk.next()
  await check('helper', 'plain')
  const requestsBefore = walk.web.requests.length
  const day = await walk.next()
  const dayRequestCount = walk.web.requests.length - requestsBefore
  const first = await walk.next(/tracker at/)
  await walk.next(/^gittorrent: seeding on/m)
  const farm = await walk.next()
  for (let index = 1; index <= cloneCount; index++) await check(`runner-${index}`, 'runner-0')
  return { plain, stock, helper, day, dayRequestCount, first, farm }
}
