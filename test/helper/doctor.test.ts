/**
 * Goal: the doctor finds what is wrong and nothing else, and scripts can rely on its status.
 * Method: git versions as text; the executable in homes whose configuration has one mistake each; ports on loopback.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { startStaticServer } from '../../bench/static-server.ts'
import { parseGitConfig, readSettings, type Settings } from '../../helper/config.ts'
import { unknownNames } from '../../helper/doctor/configuration.ts'
import type { Finding } from '../../helper/doctor/finding.ts'
import { gitVerdict } from '../../helper/doctor/git-version.ts'
import { useOfLsd, useOfNodes, useOfTracker } from '../../helper/doctor/use.ts'
import { encodeManifest } from '../../helper/export/manifest.ts'
import { openNetMemory } from '../../helper/share/net-memory.ts'
import { formatAddress, openDht, openTracker } from '../../net/index.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { readProjectFile } from '../tidy/project.ts'

let world: DemoWorld

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
})

/** What the doctor finds with a configuration, and how it ends. */
async function examine(
  config: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<{ found: Finding[]; failed: boolean }> {
  await writeFile(join(world.folder, 'home', '.gitconfig'), config)
  const file = join(world.folder, 'found.json')
  const failed = await world.run('sh', ['-c', `gittorrent doctor --json >'${file}'`], { environment }).then(
    () => false,
    () => true,
  )
  return { found: JSON.parse((await world.run('cat', [file])).stdout), failed }
}

const EMPTY_MANIFEST = {
  objectFormat: 'sha1',
  topic: null,
  clock: 1,
  urls: [],
  trackers: [],
  chains: [],
  snapshots: [],
  superseded: [],
  bytes: 0,
} as const

const WELL = '[gittorrent]\n\tlisten = 127.0.0.1:0\n'

function troubles(found: readonly Finding[]): string[] {
  // What this machine is like is not this test's business.
  const own = found.filter(({ subject }) => !['git', 'node', 'compressor', 'disk', 'daemon'].includes(subject))
  return own.filter(({ verdict }) => verdict !== 'ok').map(({ verdict, text }) => `${verdict} ${text}`)
}

it('git versions: too old fails, without known security fixes warns, the first with them is well', () => {
  const verdicts = [
    '2.38.1',
    '2.39.5',
    '2.43.6',
    '2.43.7',
    '2.50.0',
    '2.50.1.windows.1',
    '2.51.0',
    '2.55.0-rc1',
    '3.0.0',
    'nonsense',
  ]
  assert.deepEqual(
    verdicts.map((version) => gitVerdict(`git version ${version}\n`).verdict),
    ['failure', 'warning', 'warning', 'ok', 'warning', 'ok', 'ok', 'ok', 'ok', 'failure'],
  )
})

it('every setting that the manual names is one', () => {
  const named = readProjectFile('helper/MANUAL.md').match(/^\| `gittorrent\.[A-Za-z]+`/gm) ?? []
  const config = new Map(named.map((row) => [row.slice('| `'.length, -1).toLowerCase(), ['x']]))
  assert.ok(config.size > 15)
  assert.deepEqual(unknownNames(config), [])
})

it('a sound configuration has no warning, and status 0', async () => {
  const { found, failed } = await examine(WELL)
  assert.deepEqual(troubles(found), [])
  assert.equal(failed, false)
  assert.ok(found.every(({ verdict, advice }) => (verdict === 'ok') === (advice === '')))
})

const MISTAKES: Readonly<Record<string, readonly [string, RegExp]>> = {
  'an unknown setting': ['[gittorrent]\n\tpeers = 127.0.0.1:1\n', /warning gittorrent\.peers is no setting/],
  'different texts in insteadOf': [
    '[protocol "gittorrent"]\n\tallow = always\n[url "gittorrent::https://a.org/"]\n\tinsteadOf = https://b.org/\n',
    /insteadOf replaces/,
  ],
  'submodules that git will refuse': [
    '[url "gittorrent::https://a.org/"]\n\tinsteadOf = https://a.org/\n',
    /submodules/,
  ],
  'an adoption that git-lfs cannot follow': [
    '[filter "lfs"]\n\tprocess = git-lfs filter-process\n[protocol "gittorrent"]\n\tallow = always\n' +
      '[url "gittorrent::https://a.org/"]\n\tinsteadOf = https://a.org/\n' +
      '[url "gittorrent::lfs=https://b.org/"]\n\tinsteadOf = https://b.org/\n',
    /warning git-lfs .*'https:\/\/a\.org\/'/,
  ],
  'an old protocol': ['[protocol]\n\tversion = 0\n', /protocol\.version=0/],
  'a forbidden protocol': ['[protocol "gittorrent"]\n\tallow = never\n', /failure .*forbids/],
  'seeding without a daemon': ['[gittorrent]\n\tseed = true\n', /no daemon runs/],
  'no way in': ['[gittorrent]\n\tdht = false\n\tlsd = false\n', /none is configured/],
}

for (const [what, [config, expected]] of Object.entries(MISTAKES)) {
  it(`${what} is found, alone`, async () => {
    const { found, failed } = await examine(WELL + config)
    const [trouble = '', ...others] = troubles(found)
    assert.match(trouble, expected)
    assert.deepEqual(others, [])
    assert.equal(failed, trouble.startsWith('failure'))
  })
}

it('a value that cannot be read, and a variable that nothing reads, are named', async () => {
  const bad = await examine(`${WELL}[gittorrent]\n\tuploadLimit = fast\n`)
  assert.match(troubles(bad.found).join(), /failure .*gittorrent\.uploadLimit/)
  assert.equal(bad.failed, true)
  const { found } = await examine(WELL, { GITTORRENT_PEERS: 'x' })
  assert.match(troubles(found).join(), /GITTORRENT_PEERS is no setting/)
})

/** A server on loopback that does this with every connection; resolves to its address. */
async function serve(onConnection: (socket: Socket) => void): Promise<{ server: Server; address: string }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return { server, address: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}` }
}

function linesOf(found: readonly Finding[], ...subjects: readonly string[]): string[] {
  return found.filter(({ subject }) => subjects.includes(subject)).map(({ verdict, text }) => `${verdict} ${text}`)
}

it('a port that is taken fails', async () => {
  const { server, address } = await serve((socket) => socket.destroy())
  const { found, failed } = await examine(`[gittorrent]\n\tlisten = ${address}\n`)
  assert.match(troubles(found).join(), /^failure .*EADDRINUSE/)
  assert.equal(failed, true)
  server.close()
})

it('a peer is well if it does what BitTorrent programs do, not if it merely takes connections', async () => {
  const silent = await serve(() => {})
  const web = await serve((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
  const stock = await serve((socket) => socket.pipe(socket))
  const seeder = await openLoopbackNet()
  const gone = await serve(() => {})
  gone.server.close()
  const addresses = [silent, web, stock, { address: formatAddress(seeder.address ?? assert.fail()) }, gone]
  const peers = addresses.map(({ address }) => `\tpeer = ${address}\n`).join('')
  const { found, failed } = await examine(`${WELL}${peers}`)
  assert.deepEqual(
    linesOf(found, 'peer').map((line) => line.replace(/127\.0\.0\.1:\d+ /, '')),
    [
      'warning takes connections, but says nothing to a BitTorrent handshake',
      'warning takes connections, but is no BitTorrent program',
      'ok answers as a BitTorrent program; for all origins',
      'ok takes connections and hangs up on an unknown torrent, as BitTorrent programs do; for all origins',
      'warning takes no connections',
    ],
  )
  assert.equal(failed, false)
  for (const { server } of [silent, web, stock]) server.close()
  await seeder.close()
})

it('with a secret a peer is well if it has it; a file that cannot be used fails', async () => {
  const [file, open] = ['secret', 'open'].map((name) => join(world.folder, name))
  if (file === undefined || open === undefined) return assert.fail()
  await writeFile(file, 'x'.repeat(32), { mode: 0o600 })
  await writeFile(open, 'x'.repeat(32), { mode: 0o644 })
  const nets = [
    await openLoopbackNet({ secret: Buffer.from('x'.repeat(32)) }),
    await openLoopbackNet({ secret: Buffer.from('y'.repeat(32)) }),
    await openLoopbackNet(),
  ]
  const peers = nets.map(({ address }) => `\tpeer = ${formatAddress(address ?? assert.fail())}\n`).join('')
  const { found } = await examine(
    `${WELL}\tsecretFile = ${file}\n\tdhtBootstrap = router.example.org:1\n\tdht = false\n${peers}`,
  )
  const [member, ...strangers] = linesOf(found, 'peer')
  assert.match(member ?? '', /^ok 127.* has the secret in '.*secret'$/)
  for (const stranger of strangers) assert.match(stranger, /^warning 127.* but does not have the secret in/)
  assert.equal(strangers.length, 2)
  assert.match(linesOf(found, 'local network').join(), /for no origin, because of gittorrent\.secretFile/)
  await Promise.all(nets.map((net) => net.close()))
  const bad = await examine(`${WELL}\tsecretFile = ${open}\n`)
  assert.match(linesOf(bad.found, 'secret').join(), /^failure .*mode 0600/)
  assert.equal(bad.failed, true)
})

it('says for which origins each way in is used, and what is remembered', async () => {
  const memory = openNetMemory(join(world.folder, 'doctor-home', 'peers'))
  memory.known.noteWorked(Buffer.alloc(20, 1), { host: '8.8.8.8', port: 1 }, Date.now())
  memory.known.noteNodes([{ host: '8.8.8.8', port: 1 }])
  await memory.save()
  const ways = 'remember = true\n\thome = HOME\n\ttrackerListen = [::1]:0\n\tdht = false\n\tmirrorOrder = fetch/git\n'
  const { found } = await examine(`${WELL}\t${ways.replace('HOME', join(world.folder, 'doctor-home'))}`, {
    GITTORRENT_REMEMBER: 'true',
  })
  assert.deepEqual(linesOf(found, 'remembered peers'), [
    'ok 1 peer of 1 repository, 1 DHT node, 0 bans; tried first, for all origins',
  ])
  assert.deepEqual(linesOf(found, 'own tracker'), ['ok [::1]:0 can be opened by the daemon, which does not run'])
  assert.deepEqual(linesOf(found, 'mirrors'), ['ok followed where an origin names some, in this order: fetch/git'])
  assert.equal(linesOf(found, 'gossip', 'ipv6').length, 2)
  const settingsOf = (env: Record<string, string>): Settings => readSettings(parseGitConfig(''), env)
  const [open, shared] = [settingsOf({}), settingsOf({ GITTORRENT_SECRET_FILE: '/secret' })]
  const [own, strange] = ['dht.internal', 'router.example.org'].map((host) => ({ host, port: 1 }))
  if (own === undefined || strange === undefined) return assert.fail()
  const isPublicOnly = /^for public origins only, not for private ones/
  assert.match(useOfTracker('udp://tracker.example.org:1', open), isPublicOnly)
  assert.equal(useOfTracker('udp://tracker.example.org:1', shared), 'for all origins')
  assert.equal(useOfTracker('http://tracker:6969/announce', open), 'for all origins')
  assert.equal(useOfNodes([own], open), 'for all origins')
  assert.match(useOfNodes([strange], open), isPublicOnly)
  assert.match(useOfNodes([strange], shared), /^for no origin/)
  assert.match(useOfNodes([own, strange], open), /^dht\.internal:1 for all origins, the others for public origins only/)
  assert.match(useOfLsd(open), isPublicOnly)
  assert.equal(useOfLsd(settingsOf({ GITTORRENT_LSD: 'true' })), 'for all origins')
})

it('each way in is tried: what answers is well, what does not is told, what is switched off is not tried', async () => {
  const tracker = await openTracker({ host: '127.0.0.1', port: 0 })
  const node = await openDht({ listen: { host: '127.0.0.1', port: 0 }, bootstrap: [] })
  await writeFile(join(world.folder, 'manifest.json'), encodeManifest(EMPTY_MANIFEST))
  const server = await startStaticServer(world.folder)
  const ways = [
    `tracker = ${tracker.httpUrl}`,
    `tracker = ${tracker.udpUrl}`,
    `dhtBootstrap = ${formatAddress(node.address)}`,
    `webseed = ${server.url}/`,
  ]
  const config = `${WELL}${ways.map((way) => `\t${way}\n`).join('')}`
  const waysOf = (found: readonly Finding[]): string[] => linesOf(found, 'tracker', 'dht', 'local network', 'web seed')
  const well = waysOf((await examine(config)).found)
  assert.equal(well.length, 5)
  for (const [index, line] of [
    /^ok http:.* answers; for all origins$/,
    /^ok udp:.* answers; for all origins$/,
    /^ok can be asked on 127\.0\.0\.1, for public origins only, not for private ones without/,
    /^ok 1 of 1 nodes answer; for all origins$/,
    /^ok .* has 0 links of 0 lines; for all origins$/,
  ].entries())
    assert.match(well[index] ?? '', line)
  await tracker.close()
  await node.close()
  await server.close()
  const gone = waysOf((await examine(config)).found)
  assert.equal(gone.filter((line) => line.startsWith('warning')).length, 4)
  assert.match(gone.join('\n'), /0 of 1 nodes answer, not 127\.0\.0\.1/)
  const off = waysOf((await examine(`${WELL}\tdht = false\n\tlsd = false\n\tpeer = 127.0.0.1:1\n`)).found)
  assert.deepEqual(off, ['ok switched off', 'ok switched off'])
})
