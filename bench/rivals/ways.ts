/**
 * The ways to a whole repository that bench:rivals compares. Each says what is missing, prepares the serving side once, and gives
 * for every run a line of shell that ends when `target.git` has all refs.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { link, mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { encodeInfo, pieceLengthOf } from '../../engine/index.ts'
import { bencodeDict, decodeBencode, encodeBencode } from '../../net/index.ts'
import type { DemoWorld } from '../demo-world.ts'
import { startStaticServer } from '../static-server.ts'
import { endClient, isThere, startClient, startSignpost, TORRENT_CLIENTS } from '../torrent-clients.ts'

export interface Rival {
  readonly way: string
  /** Why it cannot run, with what was tried; null if it can. */
  missing(): Promise<string | null>
  prepare(): Promise<void>
  /** Gets ready for one run and returns the command. */
  before(): Promise<string>
  after(): Promise<void>
  close(): Promise<void>
}

interface Options {
  /** Two addresses outside 127.0.0.0/8, or null. */
  readonly hosts: { readonly seed: string; readonly leech: string } | null
  /** Where helia is installed, or null. */
  readonly helia: string | null
}

const BUNDLE = 'all.bundle'
const CLONE_BUNDLE = `git clone --quiet --mirror got/${BUNDLE} target.git`
const nothing = async (): Promise<void> => {}
const RSYNC = { probe: ['rsync', '--version'], packageName: 'rsync' }

/** Names of Debian's packages that are not there. */
export async function missingPackages(): Promise<string[]> {
  const wanted = [RSYNC, ...TORRENT_CLIENTS]
  const presence = await Promise.all(wanted.map(isThere))
  return wanted.filter((_, index) => presence[index] !== true).map(({ packageName }) => packageName)
}

export async function rivalsIn(world: DemoWorld, { hosts, helia }: Options): Promise<Rival[]> {
  return [
    gitClone(world),
    gitTorrent(world),
    bundleUri(world),
    rsync(world),
    ...TORRENT_CLIENTS.map((client) => torrentOf(world, client, hosts)),
    ipfs(world, helia),
    radicle(),
  ]
}

/** `git bundle create --all`, once. */
async function makeBundle(world: DemoWorld): Promise<void> {
  if (!existsSync(join(world.folder, BUNDLE)))
    await world.git('-C', 'origin.git', 'bundle', 'create', '--quiet', join(world.folder, BUNDLE), '--all')
}

function gitClone(world: DemoWorld): Rival {
  const command = `git clone --quiet --mirror ${world.originUrl('origin.git')} target.git`
  return {
    way: 'git clone',
    missing: async () => null,
    prepare: nothing,
    before: async () => command,
    after: nothing,
    close: nothing,
  }
}

function gitTorrent(world: DemoWorld): Rival {
  let seeder: Awaited<ReturnType<DemoWorld['startSeeder']>> | null = null
  const url = `gittorrent::${world.originUrl('origin.git')}`
  return {
    way: 'GitTorrent, one seeder',
    missing: async () => null,
    prepare: async () => {
      seeder = await world.startSeeder('origin.git')
    },
    before: async () => {
      const settings = `-c gittorrent.peer=${seeder?.address} -c gittorrent.dht=false -c gittorrent.lsd=false`
      return `git ${settings} clone --quiet --mirror ${url} target.git`
    },
    after: nothing,
    close: async () => seeder?.stop(),
  }
}

function bundleUri(world: DemoWorld): Rival {
  let server: Awaited<ReturnType<typeof startStaticServer>> | null = null
  return {
    way: 'git clone --bundle-uri, one bundle',
    missing: async () => null,
    prepare: async () => {
      await makeBundle(world)
      server = await startStaticServer(world.folder)
    },
    before: async () =>
      `git clone --quiet --mirror --bundle-uri=${server?.url}/${BUNDLE} ${world.originUrl('origin.git')} target.git && ` +
      // What git keeps of the bundle beside the refs that were asked for.
      `git -C target.git for-each-ref --format='delete %(refname)' refs/bundles | git -C target.git update-ref --stdin`,
    after: nothing,
    close: async () => server?.close(),
  }
}

function rsync(world: DemoWorld): Rival {
  let child: ChildProcess | null = null
  let port = 0
  return {
    way: 'rsync of the bare repository',
    missing: async () =>
      (await isThere(RSYNC)) ? null : 'no rsync; tried to run it, --install gets the package rsync',
    prepare: async () => {
      port = await freePort()
      const file = join(world.folder, 'rsyncd.conf')
      const text = `port = ${port}\naddress = 127.0.0.1\nuse chroot = no\n[all]\npath = ${join(world.folder, 'origin.git')}\nexclude = /gittorrent\n`
      await writeFile(file, text)
      child = spawn('rsync', ['--daemon', '--no-detach', `--config=${file}`], { stdio: 'ignore' })
      await accepts(port)
    },
    before: async () => `rsync --archive --quiet rsync://127.0.0.1:${port}/all/ target.git/`,
    after: nothing,
    close: async () => {
      if (child !== null) await endClient(child)
    },
  }
}

type Client = (typeof TORRENT_CLIENTS)[number]

/** A client of its own kind seeds; a new one for every run, because some shun addresses whose connection ended. */
function torrentOf(world: DemoWorld, client: Client, hosts: Options['hosts']): Rival {
  const folder = join(world.folder, `seed-${client.name}`)
  const torrent = join(world.folder, `${client.name}.torrent`)
  let seeder: ChildProcess | null = null
  let signpost: Awaited<ReturnType<typeof startSignpost>> | null = null
  return {
    way: `${client.name} on a bundle, then git clone`,
    missing: async () => {
      if (!(await isThere(client)))
        return `no ${client.name}; tried to run it, --install gets the package ${client.packageName}`
      if (client.name === 'Transmission' && hosts === null)
        return 'it refuses 127.0.0.0/8, and no network namespace could be made'
      return null
    },
    prepare: async () => {
      await makeBundle(world)
      await mkdir(folder)
      await link(join(world.folder, BUNDLE), join(folder, BUNDLE))
      signpost = await startSignpost()
      await writeFile(torrent, await torrentFile(join(folder, BUNDLE), signpost.url))
    },
    before: async () => {
      const { seed, leech } = hosts ?? { seed: '127.0.0.1', leech: '127.0.0.1' }
      const port = await freePort()
      const isSeeding = signpost?.hasSeed(port)
      signpost?.pointAt(null)
      seeder = startClient(await client.seed({ torrent, folder, host: seed, port }), folder)
      await isSeeding
      signpost?.pointAt({ host: seed, port })
      const order = { torrent, folder: join(world.folder, 'got'), host: leech, port: await freePort() }
      return `${await client.leech(order)} && ${CLONE_BUNDLE}`
    },
    after: async () => {
      if (seeder !== null) await endClient(seeder)
    },
    close: async () => {
      signpost?.close()
    },
  }
}

/** A single-file torrent, with the pieces that our links have. */
async function torrentFile(path: string, announce: string): Promise<Uint8Array> {
  const bytes = await readFile(path)
  const pieceLength = pieceLengthOf(bytes.length)
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += pieceLength)
    pieces.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + pieceLength))
        .digest(),
    )
  const info = decodeBencode(
    encodeInfo({ name: BUNDLE, length: bytes.length, pieceLength, pieces: Buffer.concat(pieces) }),
  )
  return encodeBencode(bencodeDict({ announce: Buffer.from(announce), info }))
}

/** Two helia nodes; kubo's package has no program in it. */
function ipfs(world: DemoWorld, helia: string | null): Rival {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'ipfs-node.js')
  let seeder: ChildProcess | null = null
  let address = ''
  let cid = ''
  return {
    way: 'IPFS (helia) on a bundle, then git clone',
    missing: async () =>
      helia === null
        ? "kubo: not in Debian's archive, and npm's package only downloads a program from dist.ipfs.tech, which could not be reached; helia: npm install --ignore-scripts helia@5 @helia/unixfs@5 in a folder, and --helia <folder>"
        : null,
    prepare: async () => {
      await makeBundle(world)
      seeder = spawn(process.execPath, [script, helia ?? '', 'seed', join(world.folder, BUNDLE)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const lines = createInterface({ input: seeder.stdout ?? process.stdin })
      const ended = once(seeder, 'exit').then(() => Promise.reject(new Error('the node ended before it served')))
      const [line] = await Promise.race([once(lines, 'line'), ended])
      ;[address = '', cid = ''] = String(line).split(' ')
    },
    before: async () => {
      const words = [process.execPath, script, helia ?? '', 'leech', `got/${BUNDLE}`, address, cid]
      return `${words.map((word) => `'${word}'`).join(' ')} && ${CLONE_BUNDLE}`
    },
    after: nothing,
    close: async () => {
      if (seeder !== null) await endClient(seeder)
    },
  }
}

function radicle(): Rival {
  const reason = "neither in Debian's archive (apt-cache search radicle) nor on npm; its own servers were not tried"
  return {
    way: 'Radicle',
    missing: async () => reason,
    prepare: nothing,
    before: async () => 'false',
    after: nothing,
    close: nothing,
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Resolves when somebody listens. */
async function accepts(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1')
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isUp) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`port ${port}: expected a listener, got none`)
}
