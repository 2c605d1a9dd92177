/**
 * Goal: strangers who surround, flood, replay, dawdle or exaggerate change nothing in a clone, and do not keep it from the
 * honest peer where there is one.
 * Method: real clones on loopback; hostile peers are nets of this process, all named to the client before the honest one.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { encodeChainAnswer } from '../../helper/share/chain-message.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseOrigin } from '../../helper/url.ts'
import { bencodeDict, encodeBencode, formatAddress, type Net, openNet } from '../../net/index.ts'

const FAKE_COUNT = 24
const LOOPBACK = { host: '127.0.0.1', port: 0 }

let world: DemoWorld
let chains: Chains
let url: string
let honestPeer: Net

type Answer = (kind: string) => Promise<Uint8Array>

const honestAnswer: Answer = async () => encodeChainAnswer(chains.chains)
const neverAnswer: Answer = () => new Promise(() => {})

async function chainsOf(name: string): Promise<Chains> {
  const repository = await openRepository(join(world.folder, name))
  return buildChains(repository, await publicTips(repository, 'origin', false), { threadCount: 2 })
}

/** A peer on the topic of the origin that answers as it pleases and serves the links of `served`. */
async function openPeer(answer: Answer, served: Chains | null, uploadLimit?: number): Promise<Net> {
  const ways = { peers: [], trackers: [], dht: false, dhtBootstrap: [], lsd: false }
  const net = await openNet({ listen: LOOPBACK, ...ways, uploadLimit })
  for (const { links } of served?.chains ?? []) for (const link of links) net.seed(link, link)
  const topic = topicOf(parseOrigin(world.originUrl('origin.git')))
  net.joinTopic(topic, { onRequest: answer }, { announce: false })
  return net
}

before(async () => {
  world = await DemoWorld.open()
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 800, seed: 9 })
  await world.startDaemon()
  await world.git('clone', '--quiet', '--bare', 'origin.git', 'seed.git')
  chains = await chainsOf('seed.git')
  url = `gittorrent::${world.originUrl('origin.git')}`
  honestPeer = await openPeer(honestAnswer, chains)
})

after(async () => {
  await honestPeer.close()
  await chains.close()
  await world.close()
})

function addressOf(net: Net): string {
  assert.ok(net.address !== null)
  return formatAddress(net.address)
}

/** Clones with these peers, in this order, holds the result against the origin, and tells where the bytes came from. */
async function cloneFrom(name: string, addresses: readonly string[], ...settings: string[]) {
  const peers = addresses.map((address) => `gittorrent.peer=${address}`)
  const { bytes } = await world.viaSwarm(
    ['clone', '--quiet', '--mirror', url, name],
    [...peers, ...settings, 'gittorrent.dht=false', 'gittorrent.lsd=false'],
  )
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs(name), await refs('origin.git'))
  await world.git('-C', name, 'fsck', '--full', '--no-progress')
  return bytes
}

async function withPeers(answers: readonly Answer[], use: (addresses: string[]) => Promise<void>): Promise<void> {
  const nets = await Promise.all(answers.map((answer) => openPeer(answer, null)))
  try {
    await use(nets.map(addressOf))
  } finally {
    await Promise.all(nets.map((net) => net.close()))
  }
}

it('an eclipse: liars and silent ones all around do not keep the honest peer from being heard', () => {
  const liar: Answer = async () => encodeBencode(bencodeDict({ c: [], v: 1n }))
  const fakes = Array.from({ length: FAKE_COUNT }, (_, index) => (index % 2 === 0 ? liar : neverAnswer))
  return withPeers(fakes, async (addresses) => {
    const bytes = await cloneFrom('eclipsed', [...addresses, addressOf(honestPeer)])
    assert.ok(bytes.peers > bytes.origin)
  })
})

it('an eclipse without any honest peer ends at the origin', () => {
  const garbage: Answer = async () => Buffer.from('garbage')
  return withPeers(Array(FAKE_COUNT).fill(garbage), async (addresses) => {
    assert.equal((await cloneFrom('surrounded', addresses)).peers, 0)
  })
})

it('a flood of addresses: a tracker that names hundreds of hosts that are mute or gone keeps nobody from the honest', async () => {
  const sockets = new Set<Socket>()
  const mute = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  mute.listen(LOOPBACK)
  await once(mute, 'listening')
  const { port } = mute.address() as AddressInfo
  const named = Array.from({ length: 400 }, (_, index) => {
    // Every address of 127/8 is this machine: some lead to the mute, some to nobody.
    const wanted = index % 2 === 0 ? port : 1
    return Buffer.from([127, 0, 0, 1 + (index >> 1), wanted >> 8, wanted & 255])
  })
  const answer = encodeBencode(bencodeDict({ interval: 60n, peers: Buffer.concat(named) }))
  const tracker = createHttpServer((_, response) => response.end(answer))
  tracker.listen(LOOPBACK)
  await once(tracker, 'listening')
  const trackerUrl = `http://127.0.0.1:${(tracker.address() as AddressInfo).port}/announce`
  try {
    const bytes = await cloneFrom('flooded', [addressOf(honestPeer)], `gittorrent.tracker=${trackerUrl}`)
    assert.ok(bytes.peers > bytes.origin)
    const alone = await cloneFrom('flooded-alone', [], `gittorrent.tracker=${trackerUrl}`)
    assert.equal(alone.peers, 0)
  } finally {
    for (const socket of sockets) socket.destroy()
    mute.close()
    tracker.closeAllConnections()
    tracker.close()
  }
})

it('a stale answer, and one from before history was rewritten, bring what still holds and nothing else', async () => {
  const main = await world.git('-C', 'origin.git', 'rev-parse', 'HEAD')
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  const rewriteTo = async (base: string, message: string): Promise<void> => {
    const tree = `${base}^{tree}`
    const commit = await world.git('-C', 'origin.git', ...identity, 'commit-tree', tree, '-p', base, '-m', message)
    await world.git('-C', 'origin.git', 'update-ref', 'HEAD', commit)
  }
  try {
    await rewriteTo(main, 'newer than the answer')
    const stale = await cloneFrom('stale', [addressOf(honestPeer)])
    assert.ok(stale.peers > stale.origin)
    await rewriteTo(`${main}~300`, 'another history')
    await cloneFrom('rewritten', [addressOf(honestPeer)])
  } finally {
    await world.git('-C', 'origin.git', 'update-ref', 'HEAD', main)
  }
})

it('a peer that answers right at 1 kB/s delays nobody: the other peer serves, or the origin', async () => {
  const slow = await openPeer(honestAnswer, chains, 1_000)
  try {
    const bytes = await cloneFrom('slow-beside', [addressOf(slow), addressOf(honestPeer)])
    assert.ok(bytes.peers > bytes.origin)
    assert.ok((await cloneFrom('slow-alone', [addressOf(slow)])).origin > 0)
  } finally {
    await slow.close()
  }
})

it('oversized everything: answers beyond the bound, links of gigabytes and thousands of chains are refused', () => {
  const huge: Answer = async () => Buffer.alloc(20 * 2 ** 20, 0x64)
  const manyChains: Answer = async () => encodeChainAnswer(chains.chains.flatMap((chain) => Array(200).fill(chain)))
  const exaggerated: Answer = async () =>
    encodeChainAnswer(
      chains.chains.map((chain) => ({
        ...chain,
        links: chain.links.map((link) => ({
          ...link,
          segments: link.segments.map((segment) => ({ ...segment, length: 2 ** 40 })),
        })),
      })),
    )
  const peersFlood: Answer = async () => encodeBencode(Array(150_000).fill([]))
  return withPeers([huge, manyChains, exaggerated, peersFlood], async (addresses) => {
    assert.equal((await cloneFrom('oversized-alone', addresses)).peers, 0)
    const bytes = await cloneFrom('oversized', [...addresses, addressOf(honestPeer)])
    assert.ok(bytes.peers > bytes.origin)
  })
})
