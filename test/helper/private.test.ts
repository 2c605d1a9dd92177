/**
 * Goal: a private repository is shared among those who hold a secret, with a tracker of their own, and with nobody else: a stranger
 * who knows the tracker, the peer's address, the origin's URL and an infohash takes nothing.
 * Method: real clones with a secret file, with another one, and with none, from one seeder; a daemon's tracker that lets in one origin.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld, type RunningSeeder } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import type { Finding } from '../../helper/doctor/finding.ts'
import { asDict, decodeBencode, encodeBencode, parseAddress } from '../../net/index.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { untilFileEnds, whenFileEnds } from '../support/until-file-ends.ts'
import { DaemonProcess } from './daemon-process.ts'

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

let world: DemoWorld
let daemon: DaemonProcess
let seeder: RunningSeeder
let url: string
let tracker: string

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await world.git('config', '--global', 'maintenance.auto', 'false')
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 200, seed: 61 })
  await world.startDaemon()
  url = `gittorrent::${world.originUrl('origin.git')}`
  for (const name of ['secret', 'another']) {
    await world.run('sh', ['-c', `umask 077; openssl rand -hex 32 >${name}`])
  }
  const secretFile = join(world.folder, 'secret')
  await world.git('config', '--global', 'gittorrent.secretFile', secretFile)
  daemon = await DaemonProcess.start(world, ['--tracker-origin', world.originUrl('origin.git')])
  whenFileEnds(() => daemon.end())
  tracker = /tracker at (\S+)/.exec(daemon.said)?.[1] ?? assert.fail(daemon.said)
  world.waysIn = { tracker, bootstrap: '127.0.0.1:1' }
  seeder = await world.startSeeder('origin.git')
  await world.git('config', '--global', '--unset', 'gittorrent.secretFile')
})

it('the doctor finds the port and the tracker of the daemon', async () => {
  const found: readonly Finding[] = JSON.parse(await daemon.ask('doctor', '--json'))
  const textOf = (of: string): string => found.flatMap(({ subject, text }) => (subject === of ? text : [])).join()
  assert.match(textOf('port'), /^the daemon takes connections on 127\.0\.0\.1:\d+$/)
  assert.equal(textOf('own tracker'), `answers at ${tracker}`)
})

function clone(name: string, ...settings: string[]) {
  const found = [`gittorrent.tracker=${tracker}`, `gittorrent.peer=${seeder.address}`]
  return world.viaSwarm(['clone', '--quiet', '--bare', url, name], [...QUIET, ...found, ...settings])
}

/** Downloads what a .torrent file describes from one address, as any BitTorrent program would. */
async function takePayload(torrentFile: string, address: string): Promise<void> {
  const info = asDict(asDict(decodeBencode(await readFile(torrentFile)))?.get('info') ?? [])
  assert.ok(info !== null)
  const bytes = encodeBencode(info)
  const lengthBytes = Number(info.get('length'))
  const infohash = createHash('sha1').update(bytes).digest()
  const torrent = { infohash, info: bytes, lengthBytes, pieceLengthBytes: Number(info.get('piece length')) }
  const store = { read: async () => new Uint8Array(0), write: async () => assert.fail('a piece came') }
  const net = await openLoopbackNet({ listen: null })
  try {
    await net.download(torrent, { peers: [parseAddress(address)], store, stallTimeoutMs: 5_000 }).result
  } finally {
    await net.close()
  }
}

async function assertComplete(name: string): Promise<void> {
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs(name), await refs('origin.git'))
  await world.git('-C', name, 'fsck', '--full', '--no-progress')
}

it('two holders clone, by the tracker alone', async () => {
  const settings = [...QUIET, `gittorrent.tracker=${tracker}`, `gittorrent.secretFile=${join(world.folder, 'secret')}`]
  for (const name of ['holder', 'second-holder']) {
    const { bytes } = await world.viaSwarm(['clone', '--quiet', '--bare', url, name], settings)
    assert.ok(bytes.peers > 9 * bytes.origin, JSON.stringify(bytes))
    await assertComplete(name)
  }
})

it('a stranger has everything from the origin, if that lets him, and nothing from a peer', async () => {
  const { bytes } = await clone('stranger')
  assert.equal(bytes.peers, 0)
  await assertComplete('stranger')
  const other = await clone('holder-of-another', `gittorrent.secretFile=${join(world.folder, 'another')}`)
  assert.equal(other.bytes.peers, 0)
  await assertComplete('holder-of-another')
})

it('a stranger who has the infohash of a link gets no byte of it', async () => {
  const { stdout } = await world.run('gittorrent', ['export', 'origin.git', '--out', 'public', '--json'])
  assert.ok(JSON.parse(stdout).links > 0)
  for (const path of (await world.run('sh', ['-c', 'ls public/*.torrent'])).stdout.trim().split('\n')) {
    const torrent = join(world.folder, path)
    await assert.rejects(takePayload(torrent, seeder.address), { code: 'download-no-peers' })
  }
})

it('a secret file that others can read, is missing or too short means no peers, and is told in one line', async () => {
  const open = join(world.folder, 'open')
  await writeFile(open, 'x'.repeat(64))
  await chmod(open, 0o644)
  const short = join(world.folder, 'short')
  await writeFile(short, 'x'.repeat(31))
  await chmod(short, 0o600)
  for (const [path, what] of [
    [open, /expected mode 0600, got 0644/],
    [short, /expected at least 32 characters, got 31/],
    [join(world.folder, 'absent'), /ENOENT/],
  ] as const) {
    const name = `with ${path.split('/').at(-1)}`
    const { bytes, stderr } = await clone(name, `gittorrent.secretFile=${path}`)
    assert.equal(bytes.peers, 0)
    const lines = stderr.split('\n').filter((line) => line.includes('secretFile'))
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', what)
    await assertComplete(name)
    await assert.rejects(
      world.run('gittorrent', ['seed', 'origin.git', '--origin', world.originUrl('origin.git')], {
        environment: { GITTORRENT_SECRET_FILE: path },
      }),
      what,
    )
  }
})
