/**
 * Goal: peers that are slower than a web seed, and a web seed that is slower than peers, are asked when what came first has failed.
 * Method: real clones from a web server and a peer of this process, each of which answers when the other one's claim is followed
 * already, so that the moment in which they wait for one another is over; bytes as the helper counts them.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, it } from 'node:test'
import type { StaticServerOptions } from '../../bench/static-server.ts'
import { linkName } from '../../engine/index.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import { type SnapshotFile, SnapshotStore, snapshotCheckpoint } from '../../helper/build/snapshots.ts'
import { piecesIn } from '../../helper/export/torrent-file.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { describePayload } from '../../helper/share/chain-claim.ts'
import { CHAIN_KIND, encodeChainAnswer } from '../../helper/share/chain-message.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress, type Net } from '../../net/index.ts'
import { FolderScene, NO_PEERS } from '../support/folder-scene.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

let scene: FolderScene
let chains: Chains
let snapshot: SnapshotFile

before(async () => {
  scene = untilFileEnds(await FolderScene.open())
  const repository = await openRepository(join(scene.world.folder, 'origin.git'))
  chains = untilFileEnds(
    await buildChains(repository, await publicTips(repository, 'origin', false), { threadCount: 2 }),
  )
  const checkpoint = snapshotCheckpoint(chains.chains[0]?.checkpoints ?? [])
  assert.ok(checkpoint !== null)
  snapshot = await new SnapshotStore(repository, chains.store.folder).ensure(checkpoint.oid)
})

/** Something that happens once. */
class Happening {
  note: () => void = () => {}
  readonly happened = new Promise<void>((resolve) => {
    this.note = resolve
  })
}

/** Clones from a server beside a peer. */
function cloneBeside(net: Net, options: StaticServerOptions, args: readonly string[]) {
  assert.ok(net.address !== null)
  const peer = `gittorrent.peer=${formatAddress(net.address)}`
  return scene.withServer(options, (server) => {
    const settings = [...NO_PEERS, peer, `gittorrent.webseed=${server.url}/manifest.json`]
    return scene.world.viaSwarm(['clone', '--quiet', ...args], settings)
  })
}

/** Clones from a server without the files `missing`, and from a peer that answers when the server has been asked for one of them. */
async function cloneBesideLatePeer(missing: RegExp, ...args: string[]) {
  const [due, heard] = [new Happening(), new Happening()]
  const net = await openLoopbackNet()
  try {
    for (const { links } of chains.chains) for (const link of links) net.seed(link, link)
    net.seed(snapshot, snapshot)
    const onRequest = async (): Promise<Uint8Array> => {
      await due.happened
      setImmediate(askBack)
      return encodeChainAnswer(chains.chains, [snapshot])
    }
    const topicHash = topicOf(parseOrigin(scene.world.originUrl('origin.git')))
    const topic = net.joinTopic(topicHash, { onRequest }, { announce: false })
    // Messages keep their order: whoever answers this has taken in what was said before.
    const askBack = (): void => {
      for (const peer of topic.peers())
        peer
          .request(CHAIN_KIND, new Uint8Array(0), { timeoutMs: 10_000, responseLengthMax: 1 })
          .catch(() => {})
          .finally(heard.note)
    }
    const intercept: StaticServerOptions['intercept'] = (request, response) => {
      if (!missing.test(request.url ?? '')) return false
      due.note()
      void heard.happened.then(() => response.writeHead(503).end())
      return true
    }
    return await cloneBeside(net, { intercept }, args)
  } finally {
    await net.close()
  }
}

it('what peers say while the claim of a web seed is followed is used when that has failed', async () => {
  const { bytes, trace } = await cloneBesideLatePeer(/\.bundle$/, scene.url, 'late-peer')
  await scene.assertEqualToPlain('late-peer')
  assert.ok(bytes.peers > 9 * bytes.origin && bytes.web === 0, `${JSON.stringify(bytes)}\n${trace}`)
})

it('so is the snapshot that they offer', async () => {
  const { bytes, trace } = await cloneBesideLatePeer(/\.pack$/, '--depth', '1', scene.url, 'late-snapshot')
  assert.ok(bytes.peers > 2 * bytes.origin && bytes.web === 0, `${JSON.stringify(bytes)}\n${trace}`)
  await scene.world.git('-C', 'late-snapshot', 'fsck', '--full', '--no-progress')
})

it('a manifest that comes while the claim of a liar is followed is used when that has failed', async () => {
  const followed = new Happening()
  const net = await openLoopbackNet()
  try {
    const lies = chains.chains.map((chain) => ({
      ...chain,
      links: chain.links.map((link) => {
        const pieces = piecesIn(link.info).map((byte) => byte ^ 1)
        return { ...link, ...describePayload(linkName(link.plan.tip, link.plan.base), link.lengthBytes, pieces) }
      }),
    }))
    const read = async (_: number, length: number): Promise<Uint8Array> => {
      followed.note()
      return new Uint8Array(length)
    }
    for (const { links } of lies) for (const link of links) net.seed(link, { ...link, read })
    const topicHash = topicOf(parseOrigin(scene.world.originUrl('origin.git')))
    net.joinTopic(topicHash, { onRequest: async () => encodeChainAnswer(lies) }, { announce: false })
    let isHeld = true
    const intercept: StaticServerOptions['intercept'] = (request, response) => {
      if (request.url !== '/manifest.json' || !isHeld) return false
      isHeld = false
      void followed.happened.then(() => response.writeHead(302, { location: '/manifest.json' }).end())
      return true
    }
    const { bytes, trace } = await cloneBeside(net, { intercept }, [scene.url, 'late-manifest'])
    await scene.assertEqualToPlain('late-manifest')
    assert.ok(bytes.web > 9 * bytes.origin, `${JSON.stringify(bytes)}\n${trace}`)
  } finally {
    await net.close()
  }
})
