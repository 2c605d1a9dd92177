/**
 * Goal: what a web seed has besides bundles is used when it is due: the manifest early, links in the order in which git reads them, torrent
 * files for what they alone say; and peers share in what a folder claims.
 * Method: real clones from web servers of this process, one of which waits for what has to happen first; compared with plain clones.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { before, it } from 'node:test'
import type { StaticServerOptions } from '../../bench/static-server.ts'
import { buildChains } from '../../helper/build/chains.ts'
import { type NamedTip, publicTips, resolveTip } from '../../helper/build/history.ts'
import type { LinkFile } from '../../helper/build/link-file.ts'
import { parseManifest } from '../../helper/export/manifest.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress } from '../../net/index.ts'
import { FolderScene, NO_PEERS } from '../support/folder-scene.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { offerChains } from '../support/offer-chains.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

/** Less than what is still to come when the next link is asked for. */
const LAST_LENGTH = 4096

let scene: FolderScene

before(async () => {
  scene = untilFileEnds(await FolderScene.open())
})

it('the manifest of a folder is asked for before the origin has said a word', async () => {
  let onManifest: () => void = () => {}
  const isAsked = new Promise<void>((resolve) => {
    onManifest = resolve
  })
  const { port: originPort } = new URL(scene.world.originUrl('origin.git'))
  const origin = createServer((client) => {
    const server = connect(Number(originPort), '127.0.0.1')
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const)
      socket.on('error', () => other.destroy())
    client.pipe(server)
    void isAsked.then(() => server.pipe(client))
  })
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const address = origin.address()
  assert.ok(typeof address === 'object' && address !== null)
  const intercept = (request: { readonly url?: string | undefined }): boolean => {
    if (request.url === '/manifest.json') onManifest()
    return false
  }
  try {
    const { bytes } = await scene.withServer({ intercept }, (server) => {
      const settings = [...NO_PEERS, `gittorrent.webseed=${server.url}/manifest.json`]
      const late = `gittorrent::git://127.0.0.1:${address.port}/origin.git`
      return scene.world.viaSwarm(['clone', '--quiet', late, 'early'], settings)
    })
    await scene.assertEqualToPlain('early')
    assert.ok(bytes.web > 9 * bytes.origin, JSON.stringify(bytes))
  } finally {
    origin.close()
  }
})

it('links come oldest first, and the next one is asked for before the last bytes of one are there', async () => {
  let onNext: () => void = () => {}
  const isNextAsked = new Promise<void>((resolve) => {
    onNext = resolve
  })
  const intercept: StaticServerOptions['intercept'] = (request, response) => {
    const name = request.url ?? ''
    if (!name.endsWith('.bundle')) return false
    if (!name.endsWith('-root.bundle')) {
      onNext()
      return false
    }
    const bundle = readFileSync(join(scene.world.folder, 'public', name))
    response.writeHead(200, { 'content-length': bundle.length })
    response.write(bundle.subarray(0, -LAST_LENGTH))
    void isNextAsked.then(() => response.end(bundle.subarray(-LAST_LENGTH)))
    return true
  }
  const { bytes, requests } = await scene.withServer({ intercept }, async (server) => {
    return { ...(await scene.cloneFrom('in-order', `${server.url}/manifest.json`)), requests: server.requests }
  })
  await scene.assertEqualToPlain('in-order')
  assert.ok(bytes.web > 9 * bytes.origin, JSON.stringify(bytes))
  assert.match(requests.find((request) => /\.bundle\b(?!\.torrent)/.test(request)) ?? '', /-root\.bundle\b/)
})

/** Clones from a server beside one peer, which has the chains of `tips` and reads links with `readerOf`. */
async function cloneBesidePeer(
  name: string,
  tips: readonly NamedTip[],
  readerOf: (link: LinkFile) => LinkFile['read'],
  options: StaticServerOptions = {},
) {
  const repository = await openRepository(join(scene.world.folder, 'origin.git'))
  const chains = await buildChains(repository, tips, { threadCount: 2 })
  const net = await openLoopbackNet()
  offerChains(net, topicOf(parseOrigin(scene.world.originUrl('origin.git'))), chains, readerOf)
  try {
    return await scene.withServer(options, async (server) => {
      assert.ok(net.address !== null)
      const settings = [
        `gittorrent.peer=${formatAddress(net.address)}`,
        `gittorrent.webseed=${server.url}/manifest.json`,
      ]
      const cloned = await scene.world.viaSwarm(['clone', '--quiet', scene.url, name], [...NO_PEERS, ...settings])
      await scene.assertEqualToPlain(name)
      return cloned
    })
  } finally {
    await net.close()
    await chains.close()
  }
}

it('a swarm that stalls is completed by a web seed, from where it ended', async () => {
  const repository = await openRepository(join(scene.world.folder, 'origin.git'))
  const tips = await publicTips(repository, 'origin', false)
  const { bytes } = await cloneBesidePeer('completed', tips, () => () => new Promise(() => {}))
  assert.ok(bytes.web > 9 * bytes.origin, JSON.stringify(bytes))
})

/** Serves torrents with one byte changed. */
function withTorrents(at: (torrent: Buffer) => number): NonNullable<StaticServerOptions['intercept']> {
  return (request, response) => {
    const name = request.url ?? ''
    if (!name.endsWith('.torrent')) return false
    const torrent = readFileSync(join(scene.world.folder, 'public', name))
    torrent[at(torrent)] = (torrent[at(torrent)] ?? 0) ^ 1
    response.end(torrent)
    return true
  }
}

it('of a link that a newer folder claims a peer brings the pieces, whose hashes are in the torrent file', async () => {
  const repository = await openRepository(join(scene.world.folder, 'origin.git'))
  const older = [await resolveTip(repository, 'refs/heads/main~30')].map(({ oid }) => ({ ref: 'refs/heads/main', oid }))
  const { chains } = parseManifest(await readFile(join(scene.world.folder, 'public', 'manifest.json')))
  const root = chains[0]?.links.at(-1)
  const withoutRoot: StaticServerOptions['intercept'] = (request, response) => {
    if (request.url !== `/${root?.file}`) return false
    response.writeHead(404).end()
    return true
  }
  const good = await cloneBesidePeer('from-pieces', older, ({ read }) => read, { intercept: withoutRoot })
  assert.ok(good.bytes.peers >= (root?.bytes ?? 0) - 1000, `${good.bytes.peers} of ${root?.bytes}\n${good.trace}`)
  // The last bytes of a torrent without web seeds are those of its last piece hash.
  const intercept = withTorrents((torrent) => torrent.length - 3)
  const { bytes, trace } = await cloneBesidePeer('other-pieces', older, ({ read }) => read, { intercept })
  assert.match(trace, /expected the infohash in the manifest, got another/)
  assert.ok(bytes.web > 9 * bytes.origin, JSON.stringify(bytes))
})

it('a torrent file with other segments than the manifest means leaves everything to the origin', async () => {
  const intercept = withTorrents((torrent) => torrent.indexOf('gittorrent segments') + 40)
  const { bytes, trace } = await scene.withServer({ intercept }, (server) =>
    scene.cloneFrom('other-segments', `${server.url}/`),
  )
  assert.equal(bytes.web, 0)
  assert.match(trace, /expected the segments in the manifest, got others/)
  await scene.assertEqualToPlain('other-segments')
})
