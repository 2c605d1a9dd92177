/**
 * Goal: whoever follows WALK.md line by line gets what it says, and its clones cost the origin what it says.
 * Method: one shell runs all its blocks in order, with free ports in place of the printed ones, 8 clones in place of 200, this project in
 * place of an installed package, and a web server of this process; a relay counts what leaves the origin.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { type ByteMeter, startByteMeter } from '../../bench/byte-meter.ts'
import { DemoWorld } from '../../bench/demo-world.ts'
import { type StaticServer, startStaticServer } from '../../bench/static-server.ts'
import { projectRoot } from '../tidy/project.ts'

const CLONE_COUNT = 8

let world: DemoWorld
let meter: ByteMeter
let web: StaticServer
let shell: ChildProcess
let said = ''
let wake = (): void => {}
let blocks: string[]

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : assert.fail('no port')
}

before(async () => {
  world = await DemoWorld.open()
  const daemonPort = await freePort()
  const trackerPort = await freePort()
  meter = await startByteMeter(daemonPort)
  await mkdir(join(world.folder, 'walk', 'ci', 'public'), { recursive: true })
  web = await startStaticServer(join(world.folder, 'walk', 'ci', 'public'))
  const text = await readFile(join(projectRoot, 'helper', 'ci', 'WALK.md'), 'utf8')
  const replaced = text
    .replaceAll('--port=9418', `--port=${daemonPort}`)
    .replaceAll('127.0.0.1:9418', `127.0.0.1:${meter.port}`)
    .replaceAll('http://127.0.0.1:8080', web.url)
    .replaceAll('127.0.0.1:6969', `127.0.0.1:${trackerPort}`)
    .replaceAll('$(npm root --global)/gittorrent-swarm', projectRoot)
    .replaceAll('CLONES=200', `CLONES=${CLONE_COUNT}`)
    .replace(/^python3 -m http\.server .*\n/m, '')
    .replace('mkdir walk', 'mkdir -p walk')
  blocks = [...replaced.matchAll(/^```\n([\s\S]*?)^```/gm)].map(([, block = '']) => block)
  shell = spawn('bash', ['-e'], {
    cwd: world.folder,
    env: { ...world.environment, GIT_AUTHOR_DATE: '1700000000 +0000', GIT_COMMITTER_DATE: '1700000000 +0000' },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  for (const stream of [shell.stdout, shell.stderr])
    stream?.on('data', (chunk: Uint8Array) => {
      said += Buffer.from(chunk).toString()
      wake()
    })
  shell.once('exit', () => wake())
})

after(async () => {
  if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGTERM')
  await web.close()
  await meter.close()
  await world.close()
})

/** Resolves when the shell, or what it has started, has said this since `from`. */
async function says(pattern: RegExp, from: number): Promise<void> {
  while (!pattern.test(said.slice(from))) {
    if (shell.exitCode !== null) assert.fail(`the shell ended:\n${said.slice(from)}`)
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
}

/** Runs the next block; returns the bytes that the origin sent meanwhile. */
async function next(until?: RegExp): Promise<number> {
  const before = meter.sentBytes()
  const from = said.length
  const block = blocks.shift() ?? assert.fail('no block left')
  shell.stdin?.write(`${block}\necho "block done"\n`)
  await says(/^block done$/m, from)
  if (until !== undefined) await says(until, from)
  return meter.sentBytes() - before
}

const git = (...args: string[]): Promise<string> => world.git('-C', 'walk', ...args)

async function assertEqual(clone: string, other: string): Promise<void> {
  const refs = (of: string): Promise<string> => git('-C', of, 'for-each-ref', 'refs/heads', 'refs/remotes')
  assert.equal(await refs(clone), await refs(other))
  await git('-C', clone, 'fsck', '--no-progress')
}

it('every block of the walk runs, and the origin sends what the walk says', async () => {
  await next()
  // The daemon is up when it answers.
  for (let tries = 0; ; tries++) {
    const isUp = await git('ls-remote', `git://127.0.0.1:${meter.port}/origin.git`).catch(() => '')
    if (isUp !== '') break
    assert.ok(tries < 100, said)
  }
  const plain = await next()
  assert.ok(plain > 400_000, `${plain} bytes`)
  await next()
  const stock = await next()
  assert.ok(stock < plain / 4, `stock git: ${stock} of ${plain} bytes`)
  await assertEqual('stock', 'plain')
  const helper = await next()
  assert.ok(helper < plain / 4, `helper, also with depth 1: ${helper} of ${plain} bytes`)
  await assertEqual('helper', 'plain')
  assert.equal(await git('-C', 'shallow', 'rev-list', '--count', 'HEAD'), '1')
  const writtenBefore = web.requests.length
  await next()
  assert.ok(web.requests.length > writtenBefore)
  assert.equal(await git('-C', 'helper', 'rev-list', '--count', 'HEAD'), '430')
  const first = await next(/tracker at/)
  assert.ok(first > plain)
  await next(/^gittorrent: seeding on/m)
  const farm = await next()
  assert.equal(blocks.length, 0)
  assert.ok(farm < first / 2, `${CLONE_COUNT} clones: ${farm} bytes, the first one ${first}`)
  for (let index = 1; index <= CLONE_COUNT; index++) await assertEqual(`runner-${index}`, 'runner-0')
})
