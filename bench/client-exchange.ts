/**
 * Three exchanges of one exported link with a BitTorrent client that shares no code with ours: from our seeder to it, from it to our
 * client, and from a web seed to it. SHA-256 of the payload is the judge. Everything stays on loopback.
 */

import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseManifest } from '../helper/export/manifest.ts'
import { asDict, decodeBencode, encodeBencode, openNet, parseAddress, type Store } from '../net/index.ts'
import { DemoWorld } from './demo-world.ts'
import { generateRepository } from './generate-repository.ts'
import { startStaticServer } from './static-server.ts'
import { endClient, startClient, startSignpost, type TorrentClient } from './torrent-clients.ts'

const CLIENT_TIMEOUT_MS = 120_000

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

export interface Exchange {
  /** What was tried, after the name of the client. */
  readonly what: string
  readonly isRight: boolean
}

/** A seeder on loopback, the exported folders of its repository, and a tracker that leads to it. */
export interface ExchangeWorld {
  /** The largest link that was exported. */
  readonly link: { readonly file: string; readonly sha256: string; readonly bytes: number }
  /** Tries one client, which listens on `port` and the one above. */
  exchange(client: TorrentClient, port: number): AsyncGenerator<Exchange>
  close(): Promise<void>
}

/** Builds, exports and seeds a generated history of that many commits. */
export async function openExchangeWorld(commitCount: number): Promise<ExchangeWorld> {
  const world = await DemoWorld.open()
  const signpost = await startSignpost()
  const web = await startStaticServer(world.folder)
  const close = async (): Promise<void> => {
    await web.close()
    signpost.close()
    await world.close()
  }
  try {
    await generateRepository(join(world.folder, 'origin.git'), { commitCount, seed: 1 })
    await world.startDaemon()
    const exported = ['export', 'origin.git', '--tracker', signpost.url]
    await world.run('gittorrent', [...exported, '--out', 'peers'])
    await world.run('gittorrent', [...exported, '--out', 'web', '--base-url', `${web.url}/web`])
    const seeder = await world.startSeeder('origin.git')
    const { chains } = parseManifest(await readFile(join(world.folder, 'peers', 'manifest.json')))
    const [link] = chains.flatMap(({ links }) => links).sort((a, b) => b.bytes - a.bytes)
    if (link === undefined) throw new Error('the repository has no link')
    const around = { folder: world.folder, link, signpost, seeder: parseAddress(seeder.address) }
    return { link, exchange: (client, port) => exchangeLink(client, port, around), close }
  } catch (error) {
    await close()
    throw error
  }
}

interface Surroundings extends Pick<ExchangeWorld, 'link'> {
  readonly folder: string
  readonly signpost: Awaited<ReturnType<typeof startSignpost>>
  readonly seeder: ReturnType<typeof parseAddress>
}

async function* exchangeLink(
  client: TorrentClient,
  firstPort: number,
  { folder: root, link, signpost, seeder }: Surroundings,
): AsyncGenerator<Exchange> {
  const folderOf = async (name: string): Promise<string> => {
    const folder = join(root, `${client.name}-${name}`)
    await mkdir(folder)
    await mkdir(`${folder}-settings`)
    return folder
  }
  const torrentIn = (out: string): string => join(root, out, `${link.file}.torrent`)
  const during = async (port: number, out: string, folder: string, use: () => Promise<boolean>): Promise<boolean> => {
    const order = { torrent: torrentIn(out), folder, host: '127.0.0.1', port }
    const child = startClient(await client.seed(order), folder)
    try {
      return await use()
    } finally {
      await endClient(child)
    }
  }
  const peers = await folderOf('peers')
  const comes = (folder: string) => (): Promise<boolean> => arrives(join(folder, link.file), link.sha256)
  signpost.pointAt(seeder)
  yield { what: 'downloads from our seeder', isRight: await during(firstPort, 'peers', peers, comes(peers)) }
  signpost.pointAt(null)
  // A fresh start on the same folder: aria2 shuns for a while an address whose connection ended, and here all have the same.
  const port = firstPort + 1
  const goes = (): Promise<boolean> => comesInTime(torrentIn('peers'), port, link.sha256)
  yield { what: 'seeds to our client', isRight: await during(port, 'peers', peers, goes) }
  const fromWeb = await folderOf('web')
  yield { what: 'downloads from a web seed', isRight: await during(firstPort, 'web', fromWeb, comes(fromWeb)) }
}
