/**
 * Question: do BitTorrent clients that share no code with ours take a link from our seeder, and give it to our client?
 * For aria2 and libtorrent (its Python binding): (1) it downloads a link from `gittorrent seed`, knowing only the exported
 * .torrent file and a tracker; (2) our client downloads it from there; (3) it downloads the same link with no peer, from the
 * web seed in the .torrent file. SHA-256 of the payload is the judge. Everything stays on loopback, which is why Transmission
 * is not here: it refuses peers on 127.0.0.0/8.
 *
 *   npm run bench:clients [-- --install]      --install gets missing clients from Debian's archive (as root)
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseManifest } from '../helper/export/manifest.ts'
import { asDict, bencodeDict, decodeBencode, encodeBencode, openNet, parseAddress, type Store } from '../net/index.ts'
import { DemoWorld } from './demo-world.ts'
import { generateRepository } from './generate-repository.ts'
import { startStaticServer } from './static-server.ts'

const CLIENT_TIMEOUT_MS = 120_000
const PORT_FIRST = 41_000

interface Client {
  readonly name: string
  /** Debian's package. */
  readonly packageName: string
  /** Fails unless the client is there. */
  readonly probe: readonly string[]
  /** Downloads a torrent into a folder, and seeds it until it is ended. */
  readonly start: (torrent: string, folder: string, port: number) => readonly string[]
}

const LIBTORRENT_SCRIPT = `
import libtorrent as lt, sys, time
torrent, folder, port = sys.argv[1:]
session = lt.session({'listen_interfaces': '127.0.0.1:' + port, 'enable_dht': False, 'enable_lsd': False,
  'enable_upnp': False, 'enable_natpmp': False, 'ssrf_mitigation': False, 'allow_multiple_connections_per_ip': True})
handle = session.add_torrent({'ti': lt.torrent_info(torrent), 'save_path': folder})
while True: time.sleep(1)
`

const CLIENTS: readonly Client[] = [
  {
    name: 'aria2',
    packageName: 'aria2',
    probe: ['aria2c', '--version'],
    start: (torrent, folder, port) => [
      ...[
        'aria2c',
        '--no-conf',
        '--quiet',
        '--check-integrity=true',
        '--seed-ratio=0',
        '--enable-dht=false',
        '--enable-dht6=false',
      ],
      ...['--enable-peer-exchange=false', '--bt-enable-lpd=false', '--file-allocation=none', '--disable-ipv6'],
      ...['--bt-tracker-interval=1', `--listen-port=${port}`, `--dir=${folder}`, torrent],
    ],
  },
  {
    name: 'libtorrent',
    packageName: 'python3-libtorrent',
    probe: ['/usr/bin/python3', '-c', 'import libtorrent'],
    start: (torrent, folder, port) => ['/usr/bin/python3', '-c', LIBTORRENT_SCRIPT, torrent, folder, String(port)],
  },
]

/** A tracker that sends everybody to whoever is set, and remembers nobody. */
async function startSignpost() {
  let target: { readonly host: string; readonly port: number } | null = null
  const server = createServer((_, response) => {
    const [a, b, c, d] = (target?.host ?? '').split('.').map(Number)
    const { port = 0 } = target ?? {}
    const peers = target === null ? [] : [a, b, c, d, port >> 8, port & 255].map((byte) => byte ?? 0)
    response.end(encodeBencode(bencodeDict({ interval: 5n, 'min interval': 1n, peers: Uint8Array.from(peers) })))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/announce`,
    pointAt: (next: typeof target): void => {
      target = next
    },
    close: () => server.close(),
  }
}

function startClient([program = '', ...args]: readonly string[], folder: string): ChildProcess {
  // Its home is in the scratch folder: no settings of the user, and none left to him.
  return spawn(program, args, { stdio: 'ignore', env: { PATH: process.env.PATH, HOME: `${folder}-settings` } })
}

async function endClient(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** Resolves to true when the file has this hash, false when it has not in time. */
async function arrives(path: string, sha256: string): Promise<boolean> {
  const untilMs = performance.now() + CLIENT_TIMEOUT_MS
  while (performance.now() < untilMs) {
    const bytes = await readFile(path).catch(() => null)
    if (bytes !== null && createHash('sha256').update(bytes).digest('hex') === sha256) return true
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  return false
}

/** Our client takes the link from one address; true if the bytes are right. */
async function comesFrom(torrentFile: string, port: number, sha256: string): Promise<boolean> {
  const info = asDict(decodeBencode(await readFile(torrentFile)))?.get('info')
  if (info === undefined) return false
  const bytes = encodeBencode(info)
  const dict = asDict(info)
  const lengthBytes = Number(dict?.get('length'))
  const payload = new Uint8Array(lengthBytes)
  const store: Store = {
    read: async (offset, length) => payload.slice(offset, offset + length),
    write: async (offset, part) => void payload.set(part, offset),
  }
  const net = await openNet({ listen: null, peers: [], trackers: [], dht: false, dhtBootstrap: [], lsd: false })
  try {
    const infohash = createHash('sha1').update(bytes).digest()
    const torrent = { infohash, info: bytes, lengthBytes, pieceLengthBytes: Number(dict?.get('piece length')) }
    const peers = [{ host: '127.0.0.1', port }]
    await net.download(torrent, { peers, store, stallTimeoutMs: 20_000 }).result
    return createHash('sha256').update(payload).digest('hex') === sha256
  } catch {
    return false
  } finally {
    await net.close()
  }
}

/** The same, as often as it takes until the other client has checked its file and listens. */
async function comesInTime(torrentFile: string, port: number, sha256: string): Promise<boolean> {
  const untilMs = performance.now() + CLIENT_TIMEOUT_MS
  while (performance.now() < untilMs) {
    if (await comesFrom(torrentFile, port, sha256)) return true
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  return false
}

async function isThere({ probe: [program = '', ...args] }: Client): Promise<boolean> {
  return promisify(execFile)(program, args).then(
    () => true,
    () => false,
  )
}

async function install(clients: readonly Client[]): Promise<void> {
  const packages = clients.map(({ packageName }) => packageName)
  const args = ['install', '--yes', '--no-install-recommends', ...packages]
  await promisify(execFile)('apt-get', args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
}

async function main(): Promise<number> {
  const presence = await Promise.all(CLIENTS.map(isThere))
  const missing = CLIENTS.filter((_, index) => presence[index] !== true)
  if (missing.length > 0 && process.argv.includes('--install')) await install(missing)
  const world = await DemoWorld.open()
  const signpost = await startSignpost()
  let isGood = true
  const say = (client: string, what: string, isRight: boolean): void => {
    isGood &&= isRight
    console.log(`${isRight ? 'ok    ' : 'not ok'}  ${client}: ${what}`)
  }
  const web = await startStaticServer(world.folder)
  try {
    await generateRepository(join(world.folder, 'origin.git'), { commitCount: 3000, seed: 1 })
    await world.startDaemon()
    const exported = ['export', 'origin.git', '--tracker', signpost.url]
    await world.run('gittorrent', [...exported, '--out', 'peers'])
    await world.run('gittorrent', [...exported, '--out', 'web', '--base-url', `${web.url}/web`])
    const seeder = await world.startSeeder('origin.git')
    const { chains } = parseManifest(await readFile(join(world.folder, 'peers', 'manifest.json')))
    const [link] = chains.flatMap(({ links }) => links).sort((a, b) => b.bytes - a.bytes)
    if (link === undefined) throw new Error('the repository has no link')
    console.log(`# ${link.file}, ${link.bytes} bytes`)
    let port = PORT_FIRST + (process.pid % 10_000)
    for (const client of CLIENTS) {
      if (!(await isThere(client))) {
        say(client.name, `missing, try --install (package ${client.packageName})`, false)
        continue
      }
      const folderOf = async (name: string): Promise<string> => {
        const folder = join(world.folder, `${client.name}-${name}`)
        await mkdir(folder)
        await mkdir(`${folder}-settings`)
        return folder
      }
      const during = async (out: string, folder: string, use: () => Promise<void>): Promise<void> => {
        const torrent = join(world.folder, out, `${link.file}.torrent`)
        const child = startClient(client.start(torrent, folder, ++port), folder)
        try {
          await use()
        } finally {
          await endClient(child)
        }
      }
      const torrent = join(world.folder, 'peers', `${link.file}.torrent`)
      const peers = await folderOf('peers')
      signpost.pointAt(parseAddress(seeder.address))
      await during('peers', peers, async () =>
        say(client.name, 'downloads from our seeder', await arrives(join(peers, link.file), link.sha256)),
      )
      signpost.pointAt(null)
      // A fresh start on the same folder: aria2 shuns for a while an address whose connection ended, and here all have the same.
      await during('peers', peers, async () =>
        say(client.name, 'seeds to our client', await comesInTime(torrent, port, link.sha256)),
      )
      const folder = await folderOf('web')
      await during('web', folder, async () =>
        say(client.name, 'downloads from a web seed', await arrives(join(folder, link.file), link.sha256)),
      )
    }
  } finally {
    await web.close()
    signpost.close()
    await world.close()
  }
  return isGood ? 0 : 1
}

process.exitCode = await main()
