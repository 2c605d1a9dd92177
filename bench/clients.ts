/**
 * Question: do BitTorrent clients that share no code with ours take a link from our seeder, and give it to our client?
 * For aria2 and libtorrent (its Python binding): (1) it downloads a link from `gittorrent seed`, knowing only the exported
 * .torrent file and a tracker; (2) our client downloads it from there; (3) it downloads the same link with no peer, from the
 * web seed in the .torrent file. SHA-256 of the payload is the judge. Everything stays on loopback, which is why Transmission
 * is not here: it refuses peers on 127.0.0.0/8.
 *
 *   npm run bench:clients [-- --install]      --install gets missing clients from Debian's archive (as root)
 */

import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseManifest } from '../helper/export/manifest.ts'
import { asDict, decodeBencode, encodeBencode, openNet, parseAddress, type Store } from '../net/index.ts'
import { DemoWorld } from './demo-world.ts'
import { generateRepository } from './generate-repository.ts'
import { startStaticServer } from './static-server.ts'
import { endClient, install, isThere, startClient, startSignpost, TORRENT_CLIENTS } from './torrent-clients.ts'

// Transmission refuses peers on 127.0.0.0/8.
const CLIENTS = TORRENT_CLIENTS.filter(({ name }) => name !== 'Transmission')

const CLIENT_TIMEOUT_MS = 120_000
const PORT_FIRST = 41_000

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

async function main(): Promise<number> {
  const presence = await Promise.all(CLIENTS.map(isThere))
  const missing = CLIENTS.filter((_, index) => presence[index] !== true)
  const packages = missing.map(({ packageName }) => packageName)
  if (missing.length > 0 && process.argv.includes('--install')) await install(packages)
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
        const child = startClient(await client.seed({ torrent, folder, host: '127.0.0.1', port: ++port }), folder)
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
