/**
 * Goal: the runners of a farm find each other with one tracker or one static peer and nothing public, and the origin sends the history
 * about once, however many they are.
 * Method: a tracker embedded in a daemon that keeps nothing itself; runners that share no home, no store and no repository, each with
 * a configuration of two lines; bytes counted at the origin's socket.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { type ByteMeter, startByteMeter } from '../../bench/byte-meter.ts'
import { DemoWorld, type RunningSeeder } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseRemoteUrl } from '../../helper/url.ts'
import { formatAddress, openDht } from '../../net/index.ts'
import { untilFileEnds, whenFileEnds } from '../support/until-file-ends.ts'
import { DaemonProcess } from './daemon-process.ts'

const RUNNER_COUNT = 6

let world: DemoWorld
let meter: ByteMeter
let daemon: DaemonProcess
let origin: string
let tracker: string
let plainBytes: number

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await world.git('config', '--global', 'maintenance.auto', 'false')
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 250, seed: 71 })
  await world.startDaemon()
  meter = untilFileEnds(await startByteMeter(Number(new URL(world.originUrl('origin.git')).port)))
  origin = `git://127.0.0.1:${meter.port}/origin.git`
  daemon = await DaemonProcess.start(world)
  whenFileEnds(() => daemon.end())
  tracker = /tracker at (\S+)/.exec(daemon.said)?.[1] ?? assert.fail(daemon.said)
  await world.git('clone', '--quiet', '--bare', origin, 'plain.git')
  plainBytes = meter.sentBytes()
})

interface Runner {
  readonly name: string
  readonly environment: NodeJS.ProcessEnv
}

/** A machine of its own: home, configuration, folder. */
async function makeRunner(name: string, setting: string): Promise<Runner> {
  const home = join(world.folder, name)
  await mkdir(home)
  const quiet = 'dht = false\n\tlsd = false\n\tlisten = 127.0.0.1:0'
  await writeFile(join(home, '.gitconfig'), `[gittorrent]\n\t${setting}\n\t${quiet}\n[maintenance]\n\tauto = false\n`)
  return { name, environment: { HOME: home, XDG_STATE_HOME: '', XDG_DATA_HOME: '' } }
}

async function cloneOn({ name, environment }: Runner) {
  const args = ['clone', '--quiet', '--bare', `gittorrent::${origin}`, `${name}/project.git`]
  const { bytes } = await world.viaSwarm(args, [], environment)
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs(`${name}/project.git`), await refs('plain.git'))
  await world.git('-C', `${name}/project.git`, 'fsck', '--full', '--no-progress')
  return bytes
}

function seedOn({ name, environment }: Runner): Promise<RunningSeeder> {
  return world.startSeeder(`${name}/project.git`, null, environment)
}

it('with a tracker: the first runner asks the origin for everything, the others for next to nothing, all at once', async () => {
  const before = meter.sentBytes()
  const names = Array.from({ length: RUNNER_COUNT }, (_, index) => `runner-${index}`)
  const [first, ...others] = await Promise.all(names.map((name) => makeRunner(name, `tracker = ${tracker}`)))
  assert.ok(first !== undefined)
  const alone = await cloneOn(first)
  assert.equal(alone.peers, 0)
  const seeders = [await seedOn(first)]
  const middle = others.slice(0, -1)
  for (const bytes of await Promise.all(middle.map(cloneOn)))
    assert.ok(bytes.peers > 9 * bytes.origin, JSON.stringify(bytes))
  // The others hold all that the first one had: it can go.
  seeders.push(...(await Promise.all(middle.slice(0, 2).map(seedOn))))
  await seeders[0]?.stop()
  const last = others.at(-1) ?? assert.fail('no runner left')
  const bytes = await cloneOn(last)
  assert.ok(bytes.peers > 9 * bytes.origin, JSON.stringify(bytes))
  for (const seeder of seeders.slice(1)) await seeder.stop()
  const sent = meter.sentBytes() - before
  assert.ok(sent < 1.5 * plainBytes, `${sent} bytes for ${RUNNER_COUNT} clones, ${plainBytes} for a plain one`)
})

it('with one static peer and nothing else', async () => {
  const seeder = await seedOn({
    name: 'runner-0',
    environment: (await makeRunner('seeding', 'seed = false')).environment,
  })
  const before = meter.sentBytes()
  const setting = `peer = ${seeder.address}`
  const runners = await Promise.all(['static-0', 'static-1', 'static-2'].map((name) => makeRunner(name, setting)))
  for (const bytes of await Promise.all(runners.map(cloneOn)))
    assert.ok(bytes.peers > 9 * bytes.origin, JSON.stringify(bytes))
  await seeder.stop()
  const sent = meter.sentBytes() - before
  assert.ok(sent < plainBytes / 2, `${sent} bytes for 3 clones, ${plainBytes} for a plain one`)
})

it('seed --once --linger serves for that long, in no table of the DHT where it announces, and ends with status 0', async () => {
  const quiet = ['--no-dht', '--no-lsd', '--listen', '127.0.0.1:0']
  const node = await openDht({ listen: { host: '127.0.0.1', port: 0 }, bootstrap: [] })
  const ways = ['--no-lsd', '--listen', '127.0.0.1:0', '--dht-bootstrap', formatAddress(node.address)]
  const startedMs = performance.now()
  const { stderr } = await world.run('gittorrent', ['seed', 'plain.git', '--once', '--linger', '1s', ...ways])
  assert.deepEqual(node.nodes(), [])
  const asker = await openDht({ listen: { host: '127.0.0.1', port: 0 }, bootstrap: [node.address] })
  const found: string[] = []
  const url = parseRemoteUrl(origin)
  const topic = topicOf(url.kind === 'origin' ? url : assert.fail(origin))
  await asker.lookup(topic, (peer) => found.push(formatAddress(peer)), new AbortController().signal)
  await Promise.all([asker.close(), node.close()])
  assert.ok(
    found.some((address) => stderr.includes(`seeding on ${address}`)),
    `${found} ${stderr}`,
  )
  assert.ok(performance.now() - startedMs >= 1000)
  assert.match(stderr, /seeding on 127\.0\.0\.1:\d+/)
  const once = await world.run('gittorrent', ['seed', 'plain.git', '--once', ...quiet])
  assert.doesNotMatch(once.stderr, /seeding on/)
  for (const [args, what] of [
    [['--once', '--linger', '10'], /expected a time such as/],
    [['--once', '--linger', '0s'], /expected a time such as/],
    [['--once', '--linger', '25h'], /expected a time such as/],
    [['--linger', '10m'], /expected --once with it/],
  ] as const)
    await assert.rejects(world.run('gittorrent', ['seed', 'plain.git', ...args]), what)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  it(`${signal} ends a lingering seeder in an orderly way, before its time`, async () => {
    const args = ['seed', 'plain.git', '--once', '--linger', '24h', '--no-dht', '--no-lsd', '--listen', '127.0.0.1:0']
    const child = spawn('gittorrent', [...args, '--tracker', tracker], {
      cwd: world.folder,
      env: world.environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    for await (const chunk of child.stderr) {
      said += Buffer.from(chunk).toString()
      if (said.includes('seeding on')) child.kill(signal)
    }
    if (child.exitCode === null) await once(child, 'exit')
    assert.deepEqual([child.exitCode, child.signalCode], [0, null], said)
  })
}
