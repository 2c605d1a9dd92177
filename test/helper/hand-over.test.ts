/**
 * Goal: what one source of a link has brought is never fetched again, whoever goes on; a client that has the older part of a
 * link fetches the rest only and serves all of it.
 * Method: a history of large segments, peers that are nets of this process and read as the test says, real clones and fetches
 * through the helper; bytes compared with the honest payload, reads counted where they are served.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { type StaticServerOptions, startStaticServer } from '../../bench/static-server.ts'
import { createCheckpointRule, GT1 } from '../../engine/index.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import type { LinkFile } from '../../helper/build/link-file.ts'
import { openRepository } from '../../helper/git/repository.ts'
import type { ChainClaim } from '../../helper/share/chain-claim.ts'
import { decodeChainAnswer, encodeChainAnswer } from '../../helper/share/chain-message.ts'
import { ArrivedRanges } from '../../helper/share/supply/arrived-ranges.ts'
import { startDownload } from '../../helper/share/supply/download.ts'
import { IncomingFile } from '../../helper/share/supply/incoming.ts'
import { bodyRangeOf, type LinkTake, planTakes } from '../../helper/share/supply/plan.ts'
import { bringRanges } from '../../helper/share/supply/range-take.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { WebConnections } from '../../helper/share/webseed/http-get.ts'
import { followReading } from '../../helper/share/webseed/web-seeds.ts'
import { SegmentStore } from '../../helper/store/segment-store.ts'
import { openTrace } from '../../helper/trace.ts'
import { parseOrigin } from '../../helper/url.ts'
import { type Address, formatAddress, type Net, type Topic, type TopicPeer } from '../../net/index.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { offerChains } from '../support/offer-chains.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const BRANCH = 'refs/heads/main'
const COMMIT_COUNT = 640
const BLOB_LENGTH = 16_000

let world: DemoWorld
let url: string
let topic: Uint8Array
let newChains: Chains
let oldChains: Chains
let claim: ChainClaim
let newTip: string
let partial: LinkTake

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await world.git('init', '--quiet', '--bare', '--initial-branch=main', 'origin.git')
  await world.run('git', ['-C', 'origin.git', 'fast-import', '--quiet'], { input: history() })
  newTip = await world.git('-C', 'origin.git', 'rev-parse', 'HEAD')
  await world.startDaemon()
  topic = topicOf(parseOrigin(world.originUrl('origin.git')))
  url = `gittorrent::${world.originUrl('origin.git')}`
  newChains = untilFileEnds(await chainsOf('new.git'))
  const levelOf = await createCheckpointRule(GT1)
  const [claimed] = decodeChainAnswer(encodeChainAnswer(newChains.chains), 'sha1', levelOf)
  assert.ok(claimed !== undefined)
  claim = claimed
  const found = partialTake()
  assert.ok(found !== null, 'the history has a link that can be lacking in part')
  partial = found.take
  await world.git('-C', 'origin.git', 'update-ref', BRANCH, found.held)
  oldChains = untilFileEnds(await chainsOf('old.git'))
})

/** Commits in one line, each with a blob that neither compresses nor resembles another one. */
function history(): string {
  const commits = Array.from({ length: COMMIT_COUNT }, (_, index) => {
    const content = createHash('shake256', { outputLength: BLOB_LENGTH }).update(`${index}`).digest('base64')
    const head = [`commit ${BRANCH}`, `committer T <t@example.org> ${1_600_000_000 + index} +0000`, 'data 1', 'x']
    return [...head, `M 100644 inline f${index % 40}`, `data ${content.length}`, content].join('\n')
  })
  return `${commits.join('\n')}\n`
}

/** The chains of what the origin has now. */
async function chainsOf(name: string): Promise<Chains> {
  await world.git('clone', '--quiet', '--bare', 'origin.git', name)
  const repository = await openRepository(join(world.folder, name))
  return buildChains(repository, await publicTips(repository, 'origin', false), { threadCount: 2 })
}

/** A commit that holds two segments of a link or more, and lacks more than a swarm is worth. */
function partialTake(): { take: LinkTake; held: string } | null {
  const tips = [...claim.links].reverse().flatMap(({ segments }) => segments.map(({ plan }) => plan.tip))
  for (const [index, held] of tips.entries()) {
    const below = new Set<string>(tips.slice(0, index + 1))
    const [line] = planTakes([claim], new Map([[claim.ref, claim.tip]]), new Set([claim.tip]), (oid) => below.has(oid))
    const take = line?.takes.find(({ isWhole }) => !isWhole)
    if (take !== undefined && take.firstSegment >= 2 && bodyRangeOf(take).length > 2 ** 20) return { take, held }
  }
  return null
}

type Read = LinkFile['read']

/** A peer that offers `chains` and reads each link as `readerOf` says. */
async function openPeer(chains: Chains, readerOf: (link: LinkFile) => Read = (link) => link.read): Promise<Address> {
  const net = await openClient([])
  offerChains(net, topic, chains, readerOf)
  assert.ok(net.address !== null)
  return net.address
}

async function openClient(peers: readonly Address[]): Promise<Net> {
  const net = await openLoopbackNet({ peers })
  untilFileEnds(net)
  return net
}

/** What `peers` are called on a topic of ours, in that order. */
async function meet(peers: readonly Address[]): Promise<{ net: Net; topic: Topic; met: TopicPeer[] }> {
  const net = await openClient(peers)
  const joined = net.joinTopic(
    topic,
    { onRequest: () => Promise.reject(new Error('nobody asks')) },
    { announce: false },
  )
  const met = new Map<number, TopicPeer>()
  await new Promise<void>((resolve) =>
    joined.onPeer((peer) => {
      met.set(peer.remote.port, peer)
      if (met.size === peers.length) resolve()
    }),
  )
  return { net, topic: joined, met: peers.flatMap(({ port }) => met.get(port) ?? []) }
}

const never = (): Promise<Uint8Array> => new Promise(() => {})

function linkOf(take: LinkTake): LinkFile {
  const link = newChains.chains[0]?.links.find(({ infohash }) => Buffer.from(infohash).equals(take.link.infohash))
  assert.ok(link !== undefined)
  return link
}

function viaPeers(peers: readonly Address[], args: readonly string[]) {
  const settings = peers.map((peer) => `gittorrent.peer=${formatAddress(peer)}`)
  return world.viaSwarm(args, [...settings, 'gittorrent.dht=false', 'gittorrent.lsd=false'])
}

async function assertWhole(directory: string, tip: string): Promise<void> {
  assert.equal(await world.git('-C', directory, 'rev-parse', 'refs/remotes/origin/main'), tip)
  await world.git('-C', directory, 'fsck', '--full', '--no-progress')
}

it('a fetch takes of a link only the pieces over what is lacking, from its swarm', async () => {
  const cloned = await viaPeers([await openPeer(oldChains)], ['clone', '--quiet', url, 'client'])
  assert.ok(cloned.bytes.peers > 9 * cloned.bytes.origin)
  await world.git('-C', 'origin.git', 'update-ref', BRANCH, newTip)
  const { offset, length } = bodyRangeOf(partial)
  const link = linkOf(partial)
  const read = new ArrivedRanges()
  const peer = await openPeer(newChains, (one) => (from, count) => {
    if (one === link) read.add({ offset: from, length: count })
    return one.read(from, count)
  })
  const { bytes } = await viaPeers([peer], ['-C', 'client', 'fetch', '--quiet'])
  await assertWhole('client', newTip)
  assert.ok(bytes.peers > 9 * bytes.origin)
  const first = read.all()[0]?.offset ?? 0
  const readLength = read.all().reduce((sum, range) => sum + range.length, 0)
  assert.ok(first <= offset && first > offset - link.pieceLengthBytes, `read from ${first}, lacking from ${offset}`)
  // The trailer is no body: who asks for it means to serve the link.
  assert.equal(read.all().at(-1)?.offset, link.lengthBytes - (read.all().at(-1)?.length ?? 0))
  assert.ok(readLength < length + 2 * link.pieceLengthBytes && readLength < link.lengthBytes)
})

it('with what it has, a client serves the whole link to others', async () => {
  const gitDir = join(world.folder, 'client', '.git')
  const { net, topic: joined, met } = await meet([await openPeer(newChains)])
  const link = linkOf(partial)
  const store = new SegmentStore(gitDir)
  const incoming = await startDownload(partial, {
    net,
    topic: joined,
    webSeeds: { connections: new WebConnections(), ...followReading([]) },
    trace: openTrace({}),
    folder: join(gitDir, 'gittorrent', 'incoming'),
    store,
    peers: met,
    useless: new Set<TopicPeer>(),
    manners: { failed: new Set(), slow: new Set() },
    broughtBy: new Map(),
    signal: new AbortController().signal,
  })
  await incoming.ended
  assert.ok(incoming.receivedLength() < bodyRangeOf(partial).length + 2 * link.pieceLengthBytes)
  assert.ok(net.address !== null)
  const other = await openClient([])
  const bytes = new Uint8Array(link.lengthBytes)
  const into = {
    read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
    write: async (offset: number, part: Uint8Array) => bytes.set(part, offset),
  }
  await other.download(link, { peers: [net.address], store: into, stallTimeoutMs: 5_000 }).result
  assert.ok(Buffer.from(bytes).equals(await link.read(0, link.lengthBytes)))
  await incoming.stop()
  await incoming.file.remove()
  await store.close()
})

/** Brings the partial take by ranges from `peers`, in this order; resolves to the bodies. */
async function bodiesByRange(peers: readonly Address[]): Promise<Uint8Array> {
  const { met } = await meet(peers)
  const file = await IncomingFile.open(join(world.folder, 'ranges'))
  const { offset, length } = bodyRangeOf(partial)
  const signal = new AbortController().signal
  const manners = { failed: new Set<TopicPeer>(), slow: new Set<TopicPeer>() }
  await bringRanges({ take: partial, file, fileStart: offset, peersNow: () => met, manners, signal, onBytes: () => {} })
  const bytes = await file.read(0, length)
  await file.remove()
  return bytes
}

it('a range that stalls is taken over where it stopped, inside a segment too', async () => {
  const link = linkOf(partial)
  const { offset, length } = bodyRangeOf(partial)
  const middle = offset + Math.floor(length / 2)
  const stalling = await openPeer(
    newChains,
    (one) => (from, count) => (from > middle ? never() : one.read(from, count)),
  )
  const asked: number[] = []
  const second = await openPeer(newChains, (one) => (from, count) => {
    if (one === link) asked.push(from)
    return one.read(from, count)
  })
  assert.ok(Buffer.from(await bodiesByRange([stalling, second])).equals(await link.read(offset, length)))
  assert.ok(asked.length > 0 && Math.min(...asked) > middle - 2 ** 18, `asked from ${Math.min(...asked)}`)
})

it('wrong bytes before a stall cost the one who takes over a second request, not his good name', async () => {
  const link = linkOf(partial)
  const { offset, length } = bodyRangeOf(partial)
  const lying = await openPeer(newChains, (one) => async (from, count) => {
    if (from > offset) return never()
    return (await one.read(from, count)).map((byte, index) => (index === 5_000 ? byte ^ 1 : byte))
  })
  const bytes = await bodiesByRange([lying, await openPeer(newChains)])
  assert.ok(Buffer.from(bytes).equals(await link.read(offset, length)))
})

it('when nobody goes on, the origin sends only what is above the segments that came', async () => {
  await world.git('-C', 'origin.git', 'update-ref', BRANCH, newTip)
  const stalled = linkOf(partial)
  const links = newChains.chains[0]?.links ?? []
  const above = links.slice(0, links.indexOf(stalled)).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)
  const middle = partial.link.layout.bodyOffsets[2] ?? 0
  const peer = await openPeer(newChains, (one) => (from, count) => {
    return one === stalled && from > middle ? never() : one.read(from, count)
  })
  const { bytes, trace } = await viaPeers([peer], ['clone', '--quiet', url, 'half'])
  await assertWhole('half', newTip)
  assert.match(trace, /link \d+ of \d+ broke off/)
  const most = above + stalled.lengthBytes - (partial.link.layout.bodyOffsets[1] ?? 0)
  assert.ok(bytes.origin < 1.05 * most, `${bytes.origin} of ${most}`)
  const packs = await readdir(join(world.folder, 'half', '.git', 'objects', 'pack'))
  assert.ok(packs.some((name) => name.endsWith('.keep')))
})

it('a web seed goes on where peers stall, and is not asked for what they brought', async () => {
  await world.run('gittorrent', ['export', 'new.git', '--out', 'public', '--origin', world.originUrl('origin.git')])
  const manifest = join(world.folder, 'public', 'manifest.json')
  const text = await readFile(manifest, 'utf8')
  const stalled = linkOf(partial)
  let isHalf: () => void = () => {}
  const halfRead = new Promise<void>((resolve) => {
    isHalf = resolve
  })
  // Half of the link in whatever order its pieces are asked for, and nothing after that.
  let readLength = 0
  const peer = await openPeer(newChains, (one) => (from, count) => {
    if (one !== stalled) return one.read(from, count)
    if (readLength >= stalled.lengthBytes / 2) {
      isHalf()
      return never()
    }
    readLength += count
    return one.read(from, count)
  })
  const folder = join(world.folder, 'public')
  // The manifest comes once the peer has read half of the link, so that it is certain who brings what.
  const intercept: StaticServerOptions['intercept'] = (request, response) => {
    if (request.url !== '/manifest.json') return false
    void halfRead.then(() => response.end(text))
    return true
  }
  const server = await startStaticServer(folder, { intercept })
  try {
    const settings = [`gittorrent.peer=${formatAddress(peer)}`, `gittorrent.webseed=${server.url}/manifest.json`]
    const { bytes } = await world.viaSwarm(
      ['clone', '--quiet', url, 'completed'],
      [...settings, 'gittorrent.dht=false', 'gittorrent.lsd=false'],
    )
    await assertWhole('completed', newTip)
    assert.ok(bytes.peers > 9 * bytes.origin && bytes.web > 9 * bytes.origin, JSON.stringify(bytes))
    // What was read and had not arrived when the web seed was heard of may come twice: BLOCK_BACKLOG_LENGTH_MAX and a piece.
    assert.ok(bytes.web < 0.75 * stalled.lengthBytes, `${bytes.web} of ${stalled.lengthBytes}`)
  } finally {
    await server.close()
  }
})
