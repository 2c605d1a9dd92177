/**
 * Other swarms, each on a bundle of all refs that is cloned from when it is there: three BitTorrent clients, and IPFS.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { link, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { encodeInfo, pieceLengthOf } from '../../engine/index.ts'
import { bencodeDict, decodeBencode, encodeBencode } from '../../net/index.ts'
import type { DemoWorld } from '../demo-world.ts'
import { endClient, isThere, startClient, startSignpost, type TORRENT_CLIENTS } from '../torrent-clients.ts'
import { BUNDLE, CLONE_BUNDLE, freePort, lacking, makeBundle, nothing, type Rival } from './rival.ts'

/** Two addresses outside 127.0.0.0/8, or null. */
export type Hosts = { readonly seed: string; readonly leech: string } | null

type Client = (typeof TORRENT_CLIENTS)[number]

/** A client of its own kind seeds; a new one for every run, because some shun addresses whose connection ended. */
export function torrentOf(world: DemoWorld, client: Client, hosts: Hosts): Rival {
  const folder = join(world.folder, `seed-${client.name}`)
  const torrent = join(world.folder, `${client.name}.torrent`)
  let seeder: ChildProcess | null = null
  let signpost: Awaited<ReturnType<typeof startSignpost>> | null = null
  return {
    way: `${client.name} on a bundle, then git clone`,
    missing: async () => {
      if (!(await isThere(client))) return lacking(client)
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

/** Two helia nodes. */
export function ipfs(world: DemoWorld, helia: string | null): Rival {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'ipfs-node.js')
  let seeder: ChildProcess | null = null
  let address = ''
  let cid = ''
  return {
    way: 'IPFS (helia) on a bundle, then git clone',
    missing: async () =>
      helia === null ? 'npm install --ignore-scripts helia@5 @helia/unixfs@5 in a folder, and --helia <folder>' : null,
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
