/**
 * Goal: the doctor finds what is wrong and nothing else, and scripts can rely on its status.
 * Method: git versions as text; the executable in homes whose configuration has one mistake each; ports on loopback.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { startStaticServer } from '../../bench/static-server.ts'
import { unknownNames } from '../../helper/doctor/configuration.ts'
import type { Finding } from '../../helper/doctor/finding.ts'
import { gitVerdict } from '../../helper/doctor/git-version.ts'
import { encodeManifest } from '../../helper/export/manifest.ts'
import { formatAddress, openDht, openTracker } from '../../net/index.ts'
import { readProjectFile } from '../tidy/project.ts'

let world: DemoWorld

before(async () => {
  world = await DemoWorld.open()
})

after(() => world.close())

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

it('a taken port fails, a peer that takes no connections warns, one that does is well', async () => {
  const server = createServer((socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const taken = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const well = await examine(`[gittorrent]\n\tlisten = 127.0.0.1:0\n\tpeer = ${taken}\n`)
  assert.deepEqual(troubles(well.found), [])
  const { found, failed } = await examine(`[gittorrent]\n\tlisten = ${taken}\n`)
  assert.match(troubles(found).join(), /failure .*EADDRINUSE/)
  assert.equal(failed, true)
  server.close()
  await once(server, 'close')
  const gone = await examine(`[gittorrent]\n\tlisten = 127.0.0.1:0\n\tpeer = ${taken}\n`)
  assert.match(troubles(gone.found).join(), /^warning .*takes no connections/)
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
  const linesOf = (found: readonly Finding[]): string[] => {
    const subjects = ['tracker', 'dht', 'local network', 'web seed']
    return found.filter(({ subject }) => subjects.includes(subject)).map(({ verdict, text }) => `${verdict} ${text}`)
  }
  const well = linesOf((await examine(config)).found)
  assert.equal(well.length, 5)
  for (const [index, line] of [
    /^ok http:.* answers$/,
    /^ok udp:.* answers$/,
    /^ok can be asked on 127\.0\.0\.1/,
    /^ok 1 of 1 nodes answer/,
    /^ok .* has 0 links of 0 lines$/,
  ].entries())
    assert.match(well[index] ?? '', line)
  await tracker.close()
  await node.close()
  await server.close()
  const gone = linesOf((await examine(config)).found)
  assert.equal(gone.filter((line) => line.startsWith('warning')).length, 4)
  assert.match(gone.join('\n'), /0 of 1 nodes answer, not 127\.0\.0\.1/)
  const off = linesOf((await examine(`${WELL}\tdht = false\n\tlsd = false\n\tpeer = 127.0.0.1:1\n`)).found)
  assert.deepEqual(off, ['ok switched off', 'ok switched off'])
})
