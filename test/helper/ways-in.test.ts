/**
 * Goal: clones come from peers by each way in alone, a later run needs none of them, and nothing private is told to the
 * public.
 * Method: options of the net for origins of each kind; then real processes on loopback, with local service discovery
 * only, and with the static peer taken away after the first clone.
 */

import assert from 'node:assert/strict'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { parseGitConfig, readSettings } from '../../helper/config.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { daemonNetOptions, hasNoWayIn, netOptionsFor } from '../../helper/share/ways-in.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress, type NetOptions, openTracker, type TopicPeer } from '../../net/index.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const QUIET = Object.assign(() => {}, { enabled: false })
const PUBLIC = 'https://example.org/project.git'
const PRIVATE = [
  'ssh://git@example.org/project.git',
  'https://user@example.org/project.git',
  'https://10.0.0.1/project.git',
  'https://git.internal/project.git',
  'https://localhost/project.git',
  '/srv/project.git',
]

function optionsFor(url: string, env: Record<string, string> = {}): NetOptions {
  return netOptionsFor(parseOrigin(url), readSettings(parseGitConfig(''), env), null, QUIET)
}

let world: DemoWorld
let url: string

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 200, seed: 5 })
  await world.startDaemon()
  url = `gittorrent::${world.originUrl('origin.git')}`
})

it('a public origin may use every way in, a private one none that strangers hear of', () => {
  const env = {
    GITTORRENT_TRACKER: 'https://tracker.example.org/announce http://192.168.0.1/announce',
    GITTORRENT_DHT_BOOTSTRAP: 'router.example.org:6881 10.0.0.1:6881',
  }
  const open = optionsFor(PUBLIC, env)
  assert.equal(open.trackers.length, 2)
  assert.equal(open.dhtBootstrap.length, 2)
  assert.equal(open.lsd, true)
  for (const origin of PRIVATE) {
    const { trackers, dhtBootstrap, lsd } = optionsFor(origin, env)
    assert.deepEqual(trackers, ['http://192.168.0.1/announce'], origin)
    assert.deepEqual(dhtBootstrap, [{ host: '10.0.0.1', port: 6881 }], origin)
    assert.equal(lsd, false, origin)
    assert.equal(hasNoWayIn(optionsFor(origin)), true, origin)
    assert.equal(optionsFor(origin, { GITTORRENT_LSD: 'true' }).lsd, true, origin)
  }
})

it('a name in the own network is as good as an address there, for trackers and DHT nodes', () => {
  const trackers = [
    'http://tracker.internal:6969/announce',
    'http://tracker:6969/announce',
    'udp://nas.local:6969',
    'udp://[fd00::1]:6969',
  ]
  const publicTrackers = ['https://tracker.example.org/announce', 'udp://[2606:4700::1]:6969', 'http://[2606:4700::1]/']
  const env = {
    GITTORRENT_TRACKER: [...trackers, ...publicTrackers, 'udp://localhost:6969'].join(' '),
    GITTORRENT_DHT_BOOTSTRAP: 'dht.internal:6881 dht:6881 router.example.org:6881',
  }
  for (const origin of PRIVATE) {
    const options = optionsFor(origin, env)
    assert.deepEqual(options.trackers, [...trackers, 'udp://localhost:6969'], origin)
    assert.deepEqual(
      options.dhtBootstrap.map(({ host }) => host),
      ['dht.internal', 'dht'],
      origin,
    )
  }
})

it('with a secret no origin is looked up in public: only own trackers, static peers and a private DHT are asked', async () => {
  const secretFile = join(world.folder, 'secret')
  await writeFile(secretFile, 'x'.repeat(32), { mode: 0o600 })
  const env = {
    GITTORRENT_SECRET_FILE: secretFile,
    GITTORRENT_TRACKER: 'https://tracker.example.org/announce',
    GITTORRENT_DHT_BOOTSTRAP: 'router.example.org:6881 10.0.0.1:6881',
  }
  for (const origin of [PUBLIC, ...PRIVATE]) {
    const { trackers, dhtBootstrap, lsd, secret } = optionsFor(origin, env)
    assert.deepEqual(trackers, ['https://tracker.example.org/announce'])
    assert.deepEqual(dhtBootstrap, [{ host: '10.0.0.1', port: 6881 }])
    assert.equal(lsd, false)
    assert.equal(Buffer.from(secret ?? []).toString(), 'x'.repeat(32))
    assert.equal(hasNoWayIn(optionsFor(origin, { GITTORRENT_SECRET_FILE: secretFile })), true)
  }
  const daemon = daemonNetOptions(readSettings(parseGitConfig(''), env), secretFile, QUIET)
  assert.deepEqual([daemon.dhtBootstrap, daemon.lsd], [[{ host: '10.0.0.1', port: 6881 }], false])
  assert.ok(daemon.secret !== undefined)
  const alone = daemonNetOptions(readSettings(parseGitConfig(''), {}), secretFile, QUIET)
  assert.deepEqual([alone.dht, alone.lsd], [false, false])
})

it('every way in can be switched off', () => {
  assert.equal(hasNoWayIn(optionsFor(PUBLIC)), false)
  assert.equal(hasNoWayIn(optionsFor(PUBLIC, { GITTORRENT_LSD: 'false', GITTORRENT_DHT: 'false' })), true)
  assert.deepEqual(
    [optionsFor(PUBLIC).gossip, optionsFor(PUBLIC, { GITTORRENT_GOSSIP: 'false' }).gossip],
    [true, false],
  )
})

it('a seeder is found by local service discovery alone', async () => {
  const environment = { GITTORRENT_LSD: 'true', GITTORRENT_DHT: 'false' }
  const seeder = await world.startSeeder('origin.git', 'origin.git', environment)
  const { bytes, trace } = await world.viaSwarm(
    ['clone', '--quiet', url, 'by-lsd'],
    ['gittorrent.lsd=true', 'gittorrent.dht=false', 'gittorrent.listen=127.0.0.1:0'],
  )
  await seeder.stop()
  assert.match(trace, /topic: peer/)
  assert.ok(bytes.peers > bytes.origin)
})

it('a seeder is found by a UDP tracker alone', async () => {
  const tracker = await openTracker({ host: '127.0.0.1', port: 0 })
  const seeder = await world.startSeeder('origin.git', 'origin.git', { GITTORRENT_TRACKER: tracker.udpUrl })
  const only = ['gittorrent.dht=false', 'gittorrent.lsd=false', `gittorrent.tracker=${tracker.udpUrl}`]
  const { bytes } = await world.viaSwarm(['clone', '--quiet', '--bare', url, 'by-udp.git'], only)
  await seeder.stop()
  await tracker.close()
  assert.ok(bytes.peers > bytes.origin)
})

it('a seeder that was not told where to listen is reached by IPv6 and by IPv4', async () => {
  const quiet = { GITTORRENT_LISTEN: '', GITTORRENT_DHT: 'false', GITTORRENT_LSD: 'false' }
  const seeder = await world.startSeeder('origin.git', 'origin.git', quiet)
  const port = /^\[::\]:(\d+)$/.exec(seeder.address)?.[1] ?? assert.fail(seeder.address)
  for (const [name, host] of Object.entries({ v6: '[::1]', v4: '127.0.0.1' })) {
    const only = ['gittorrent.dht=false', 'gittorrent.lsd=false', `gittorrent.peer=${host}:${port}`]
    const { bytes } = await world.viaSwarm(['clone', '--quiet', '--bare', url, `by-${name}.git`], only)
    assert.ok(bytes.peers > bytes.origin, host)
  }
  await seeder.stop()
})

it('a second clone finds the peers of the first without any way in; only its user can read of whom', async () => {
  const state = join(world.folder, 'state')
  const environment = { GITTORRENT_REMEMBER: 'true', XDG_STATE_HOME: state }
  const seeder = await world.startSeeder('origin.git')
  const off = ['gittorrent.dht=false', 'gittorrent.lsd=false']
  const first = await world.viaSwarm(
    ['clone', '--quiet', url, 'first'],
    [`gittorrent.peer=${seeder.address}`, ...off],
    environment,
  )
  assert.ok(first.bytes.peers > first.bytes.origin)
  assert.equal((await stat(join(state, 'gittorrent', 'peers'))).mode & 0o777, 0o600)
  const second = await world.viaSwarm(['clone', '--quiet', url, 'second'], off, environment)
  assert.ok(second.bytes.peers > second.bytes.origin)
  const refusing = await world.viaSwarm(['clone', '--quiet', url, 'refusing'], off, {
    ...environment,
    GITTORRENT_REMEMBER: 'false',
  })
  assert.equal(refusing.bytes.peers, 0)
  await seeder.stop()
  for (const name of ['gone', 'gone-again', 'gone-for-good']) {
    const gone = await world.viaSwarm(['clone', '--quiet', url, name], off, environment)
    assert.equal(gone.bytes.peers, 0)
    assert.match(gone.trace, /topic: dialling/)
  }
  const forgotten = await world.viaSwarm(['clone', '--quiet', url, 'forgotten'], off, environment)
  assert.match(forgotten.trace, /no way in/)
})

it('who clones can be asked for what has come meanwhile, unless he wants no connections', async () => {
  const net = await openLoopbackNet()
  try {
    const refuse = (): Promise<Uint8Array> => Promise.reject(new Error('nobody answers here'))
    const topic = net.joinTopic(
      topicOf(parseOrigin(url.slice('gittorrent::'.length))),
      { onRequest: refuse },
      { announce: false },
    )
    const met: TopicPeer[] = []
    topic.onPeer((peer) => met.push(peer))
    const way = net.address === null ? assert.fail() : `gittorrent.peer=${formatAddress(net.address)}`
    const quiet = ['gittorrent.dht=false', 'gittorrent.lsd=false', 'gittorrent.remember=false', way]
    for (const settings of [[], ['gittorrent.listen=none']]) {
      await world.viaSwarm(['clone', '--quiet', '--bare', url, `met-${met.length}.git`], [...quiet, ...settings])
    }
    assert.deepEqual(
      met.map(({ address }) => address !== null),
      [true, false],
    )
  } finally {
    await net.close()
  }
})
