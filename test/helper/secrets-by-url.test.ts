/**
 * Goal: one daemon, one seeder and one user share several repositories under several secrets, and one without; a holder of one secret
 * gets nothing under another; whoever clones by ssh is under the same rule as whoever clones by https.
 * Method: rules on their own; then a daemon with three repositories, whose tracker lets in those three, and real clones.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { parseGitConfig, readSettings } from '../../helper/config.ts'
import { secretFileFor, secretFilesOf } from '../../helper/share/secret-file.ts'
import { parseOrigin } from '../../helper/url.ts'
import { untilFileEnds, whenFileEnds } from '../support/until-file-ends.ts'
import { DaemonProcess } from './daemon-process.ts'

const NAMES = ['one', 'two', 'open'] as const

let world: DemoWorld
let daemon: DaemonProcess

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 200, seed: 61 })
  await world.startDaemon()
  await world.run('gittorrent', ['chain', 'origin.git'])
  for (const name of NAMES) {
    await world.run('cp', ['-R', 'origin.git', `${name}.git`])
    await world.git('-C', `${name}.git`, 'remote', 'add', 'origin', originOf(name))
    await world.run('sh', ['-c', `umask 077; openssl rand -hex 32 >${name}`])
  }
  for (const name of ['one', 'two'] as const)
    await world.git('config', '--global', `gittorrent.${originOf(name)}.secretFile`, join(world.folder, name))
  daemon = await DaemonProcess.start(
    world,
    NAMES.flatMap((name) => ['--tracker-origin', originOf(name)]),
  )
  whenFileEnds(() => daemon.end())
  await daemon.ask('add', ...NAMES.map((name) => join(world.folder, `${name}.git`)))
  for (const name of NAMES) await daemon.until(`${name}.git`, ({ state }) => state === 'serving')
})

function originOf(name: string): string {
  return world.originUrl(`${name}.git`)
}

async function bytesFromPeers(name: string, target: string, ...settings: string[]): Promise<number> {
  const args = ['clone', '--quiet', '--bare', `gittorrent::${originOf(name)}`, target]
  const { bytes } = await world.viaSwarm(args, [...daemon.settings(), ...settings])
  await world.git('-C', target, 'fsck', '--full', '--no-progress')
  return bytes.peers
}

it('the longest URL at or above an origin decides, however its repository is written', () => {
  const text = [
    ['secretfile', '/all'],
    ['https://git.example.org.secretfile', '/host'],
    ['https://git.example.org/team/.secretfile', '/team'],
    ['ssh://git@git.example.org/team/project.git.secretfile', '/project'],
    ['https://git.example.org/team/open.secretfile', ''],
    ['https://git.example.org:8443/.secretfile', '/port'],
  ]
  const config = parseGitConfig(text.map(([key, value]) => `gittorrent.${key}\n${value}\0`).join(''))
  const settings = readSettings(config, {})
  for (const [origin, file] of [
    ['https://elsewhere.example.org/team/project', '/all'],
    ['https://git.example.org.evil.example/team/project', '/all'],
    ['https://git.example.org/other', '/host'],
    ['https://GIT.example.org/teams/project', '/host'],
    ['git@git.example.org:team/other.git', '/team'],
    ['https://git.example.org/team/project', '/project'],
    ['git@git.example.org:team/project.git', '/project'],
    ['https://u@git.example.org/team/open.git', null],
    ['https://git.example.org:8443/team/project', '/port'],
  ] as const)
    assert.equal(secretFileFor(parseOrigin(origin), settings), file, origin)
  assert.deepEqual(secretFilesOf(settings), ['/all', '/host', '/team', '/project', null, '/port'])
  assert.equal(
    secretFileFor(
      parseOrigin('https://git.example.org/other'),
      readSettings(config, { GITTORRENT_SECRET_FILE: '/environment' }),
    ),
    '/environment',
  )
  const odd = readSettings(
    parseGitConfig('gittorrent.not a host/-x.secretfile\n/file\0gittorrent.ftp://h/p.secretfile\n/f\0'),
    {},
  )
  assert.throws(() => secretFilesOf(odd), { code: 'setting-malformed' })
})

it('one daemon serves each repository to those who hold its secret, and the open one to anybody', async () => {
  for (const name of NAMES) assert.ok((await bytesFromPeers(name, `${name} held`)) > 0, name)
})

it('nobody gets anything of a repository with the secret of another one, or with none', async () => {
  const key = `gittorrent.${originOf('one')}.secretFile`
  assert.equal(await bytesFromPeers('one', 'with another', `${key}=${join(world.folder, 'two')}`), 0)
  assert.equal(await bytesFromPeers('one', 'with none', `${key}=`), 0)
  assert.equal(await bytesFromPeers('open', 'closed', `gittorrent.secretFile=${join(world.folder, 'one')}`), 0)
})

it('a seeder of all of them is reached on the port that was given, and keeps its upload limit for all together', async () => {
  const limit = 160 * 1024
  const environment = { GITTORRENT_DHT: 'false', GITTORRENT_LSD: 'false', GITTORRENT_UPLOAD_LIMIT: `${limit}` }
  const repositories = NAMES.map((name) => `${name}.git`)
  const seeder = await world.startSeeder(repositories, null, environment)
  const startedMs = performance.now()
  const settings = [`gittorrent.tracker=`, `gittorrent.peer=${seeder.address}`]
  const taken = await Promise.all(NAMES.map((name) => bytesFromPeers(name, `${name} seeded`, ...settings)))
  const durationS = (performance.now() - startedMs) / 1000
  await seeder.stop()
  const bytes = taken.reduce((sum, one) => sum + one, 0)
  assert.ok(
    taken.every((one) => one > 0),
    `${taken}`,
  )
  // A burst of 16 KiB passes at once.
  assert.ok(bytes < limit * durationS + 16 * 1024, `${bytes} bytes in ${durationS} s`)
})

it('neither seeder nor daemon starts when a secret cannot be kept', async () => {
  await world.run('chmod', ['0644', 'two'])
  const seed = ['seed', 'one.git', 'two.git', 'open.git', '--once', '--linger', '1s', '--no-dht', '--no-lsd']
  await assert.rejects(world.run('gittorrent', seed), /two': expected mode 0600, got 0644/)
  await assert.rejects(DaemonProcess.start(world, [], 'other-home'), /expected mode 0600, got 0644/)
})
