/**
 * Peers, trackers and web servers that do their worst to a clone, one scene for each attack that net/PROTOCOL.md has bounds
 * against. They are nets of this process, named to the client before the honest peer; the tests hold the bytes of each
 * clone against the origin, the bench (attacks.ts) how long it took.
 */

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { pieceLengthOf } from '../engine/index.ts'
import type { Chains } from '../helper/build/chains.ts'
import { openLinkFile } from '../helper/build/link-file.ts'
import { PieceHasher } from '../helper/build/piece-hasher.ts'
import { type SnapshotFile, SnapshotStore, snapshotCheckpoint } from '../helper/build/snapshots.ts'
import { encodeChainAnswer } from '../helper/share/chain-message.ts'
import { SegmentStore } from '../helper/store/segment-store.ts'
import { bencodeDict, encodeBencode, formatAddress, type Net, openNet, type Source } from '../net/index.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }
/** Without gossip, or a hundred of them would meet and spend the machine's time on one another. */
const QUIET = { peers: [], trackers: [], dht: false, dhtBootstrap: [], lsd: false, gossip: false }
/** A third of them is silent: more than are asked at once. */
const FAKE_COUNT = 15
/** Of a pack of SHA-1: its trailer, and where its header counts objects. */
const HASH_LENGTH = 20
const OBJECT_COUNT_OFFSET = 8
/** More than a client dials at a time, twice over. */
const CROWD_COUNT = 130

/** What attackers know of the repository that is cloned. */
export interface Ground {
  /** The topic of its origin. */
  readonly topic: Uint8Array
  readonly chains: Chains
  /** Chains of a repository that has nothing to do with it. */
  readonly others: Chains
}

export interface Attackers {
  /** Settings that lead a client to them. */
  readonly settings: readonly string[]
  close(): Promise<void>
}

export interface Attack {
  readonly name: string
  readonly open: (ground: Ground) => Promise<Attackers>
}

type Offered = Chains['chains']
type Answer = () => Promise<Uint8Array>

interface Manners {
  readonly answer: Answer
  /** Links that are seeded. */
  readonly offered?: Offered
  /** What their bytes are read from. */
  readonly source?: (honest: Source) => Source
  readonly uploadLimit?: number
}

async function openPeer(topic: Uint8Array, { answer, offered = [], source, uploadLimit }: Manners): Promise<Net> {
  const net = await openNet({ listen: LOOPBACK, ...QUIET, uploadLimit })
  for (const { links } of offered) for (const link of links) net.seed(link, source?.(link) ?? link)
  net.joinTopic(topic, { onRequest: answer }, { announce: false })
  return net
}

/** Peers with these manners, as static peers of the client. */
async function peersOf(topic: Uint8Array, manners: readonly Manners[]): Promise<Attackers> {
  const nets = await Promise.all(manners.map((one) => openPeer(topic, one)))
  return {
    settings: nets.flatMap(({ address }) => (address === null ? [] : `gittorrent.peer=${formatAddress(address)}`)),
    close: async () => {
      await Promise.all(nets.map((net) => net.close()))
    },
  }
}

const never = (): Promise<never> => new Promise(() => {})
const always =
  (answer: Uint8Array): Answer =>
  async () =>
    answer

/** Says these chains; encoded once, because the longest take a second, in which nobody else of this process would be heard. */
function answerOf(chains: Parameters<typeof encodeChainAnswer>[0]): Answer {
  return always(encodeChainAnswer(chains))
}

/** The chains with every claimed hash of a payload changed, so that nobody has the torrents that follow from them. */
function withOtherHashes(chains: Offered): Offered {
  const other = (hex: string): string => hex.replace(/^../, hex.startsWith('00') ? '11' : '00')
  return chains.map((chain) => ({
    ...chain,
    links: chain.links.map((link) => ({
      ...link,
      sha256: other(link.sha256),
      // Of the info dict only the piece hashes are told; the last of them ends before "e".
      info: link.info.map((byte, at) => (at === link.info.length - 2 ? byte ^ 1 : byte)),
      segments: link.segments.map((segment) => ({ ...segment, sha256: other(segment.sha256) })),
    })),
  }))
}

/** A tracker that names `addresses` (IPv4, in compact form). */
async function openTrackerOf(addresses: readonly Uint8Array[]): Promise<Attackers> {
  const answer = encodeBencode(bencodeDict({ interval: 60n, peers: Buffer.concat(addresses) }))
  const server = createHttpServer((_, response) => response.end(answer))
  server.listen(LOOPBACK)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    settings: [`gittorrent.tracker=http://127.0.0.1:${port}/announce`],
    close: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Every address of 127/8 is this machine: half of those named lead to one who takes connections and says nothing, half to nobody. */
async function openAddressFlood(): Promise<Attackers> {
  const sockets = new Set<Socket>()
  const mute = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  mute.listen({ host: '0.0.0.0', port: 0 })
  await once(mute, 'listening')
  const { port } = mute.address() as AddressInfo
  const named = Array.from({ length: 400 }, (_, index) => {
    const wanted = index % 2 === 0 ? port : 1
    return Buffer.from([127, 0, 1, 1 + (index >> 1), wanted >> 8, wanted & 255])
  })
  const tracker = await openTrackerOf(named)
  return {
    settings: tracker.settings,
    close: async () => {
      await tracker.close()
      for (const socket of sockets) socket.destroy()
      mute.close()
    },
  }
}

/** Links with lengths that no disk holds. */
function exaggerated(chains: Offered): Offered {
  return chains.map((chain) => ({
    ...chain,
    links: chain.links.map((link) => ({
      ...link,
      segments: link.segments.map((segment) => ({ ...segment, length: 2 ** 40 })),
    })),
  }))
}

/** The answer of a peer that has not looked at the origin for long: the newest links are lacking, and it knows an old tip. */
function stale(chains: Offered): Offered {
  return chains.slice(0, 1).flatMap((chain) => {
    const links = chain.links.slice(-1)
    const [newest] = links
    return newest === undefined ? [] : [{ ...chain, tip: newest.plan.tip, links }]
  })
}

/** A valid chain of something else, under the name and tip that the client looks for. */
function disguised(others: Offered, honest: Offered): Offered {
  const [mask] = honest
  return others.slice(0, 1).map((chain) => ({ ...chain, ref: mask?.ref ?? chain.ref, tip: mask?.tip ?? chain.tip }))
}

/** Bytes of the object that a padded chain has too much. */
export const PADDING_LENGTH = 300_000

/** A pack entry of a blob that nothing names. */
function paddingEntry(): Uint8Array {
  let left = PADDING_LENGTH >> 4
  const header = [0xb0 | (PADDING_LENGTH & 15)]
  for (; left > 127; left >>= 7) header.push(0x80 | (left & 127))
  return Buffer.concat([Buffer.from([...header, left]), deflateSync(randomBytes(PADDING_LENGTH))])
}

/** A chain whose links have one entry more in their oldest segment. Every claimed hash fits, and git finds nothing wrong with a pack. */
export async function padChain(
  chain: Offered[number],
  entry: Uint8Array,
  store: SegmentStore,
): Promise<Offered[number]> {
  const links = chain.links.map(async (link) => {
    let offset = link.bodies.start
    for (const [index, { length, objectCount, commitCount }] of link.segments.entries()) {
      const plan = link.plan.segments[index]
      if (plan === undefined) break
      const body = await link.read(offset, length)
      offset += length
      const extra = index === 0 ? [entry] : []
      const parts = [body, ...extra]
      await store.writeBody(plan, {
        async *parts() {
          yield* parts
        },
        length: parts.reduce((sum, part) => sum + part.length, 0),
        objectCount: objectCount + extra.length,
        commitCount,
      })
    }
    return openLinkFile(link.plan, 'sha1', store)
  })
  return { ...chain, links: await Promise.all(links) }
}

/** A snapshot with one object too much, of which every claimed hash fits; `folder` is for its files. */
export async function padSnapshot({ chains, repository }: Chains, folder: string): Promise<SnapshotFile> {
  const checkpoint = snapshotCheckpoint(chains[0]?.checkpoints ?? [])
  if (checkpoint === null) throw new Error('the history is too short for a snapshot')
  const { oid } = checkpoint
  const { lengthBytes, objectCount, read } = await new SnapshotStore(repository, folder).ensure(oid)
  const pack = Buffer.from(await read(0, lengthBytes - HASH_LENGTH))
  pack.writeUInt32BE(objectCount + 1, OBJECT_COUNT_OFFSET)
  const body = Buffer.concat([pack, paddingEntry()])
  const payload = Buffer.concat([body, createHash('sha1').update(body).digest()])
  const pieces = new PieceHasher(pieceLengthOf(payload.length))
  pieces.update(payload)
  const sha256 = createHash('sha256').update(payload).digest('hex')
  const facts = JSON.stringify({ objectCount: objectCount + 1, length: payload.length, sha256 })
  const files = { pack: payload, pieces: pieces.finish(), json: facts }
  for (const [ending, bytes] of Object.entries(files))
    await writeFile(join(folder, 'snapshots', `${oid}.${ending}`), bytes)
  const [padded] = await new SnapshotStore(repository, folder).list([checkpoint])
  if (padded === undefined) throw new Error('a padded snapshot cannot be read')
  return padded
}

/** A main line that is padded. */
async function openPadded({ topic, chains: { chains } }: Ground): Promise<Attackers> {
  const folder = await mkdtemp(join(tmpdir(), 'gittorrent-padded-'))
  const store = new SegmentStore(folder, folder)
  const padding = paddingEntry()
  const offered = await Promise.all(chains.slice(0, 1).map((chain) => padChain(chain, padding, store)))
  const peers = await peersOf(topic, [{ answer: answerOf(offered), offered }])
  return {
    settings: peers.settings,
    close: async () => {
      await peers.close()
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const poisoned = (honest: Source): Source => ({
  read: async (offset, length) =>
    (await honest.read(offset, length)).map((byte, index) => (index % 1000 === 7 ? byte ^ 1 : byte)),
})

/** Peers that all answer alike. */
const crowdOf =
  (answer: Answer) =>
  ({ topic }: Ground): Promise<Attackers> =>
    peersOf(topic, Array(CROWD_COUNT).fill({ answer }))

/** Peers that all claim the right chain, and bring of it as these manners have it. */
const claimantsOf =
  (manners: Pick<Manners, 'source' | 'uploadLimit'>) =>
  ({ topic, chains: { chains } }: Ground): Promise<Attackers> =>
    peersOf(topic, Array(CROWD_COUNT).fill({ answer: answerOf(chains), offered: chains, ...manners }))

/** Eclipses by crowds. */
export const CROWDS: readonly Attack[] = [
  { name: `eclipse: ${CROWD_COUNT} that know nothing`, open: crowdOf(answerOf([])) },
  { name: `eclipse: ${CROWD_COUNT} that answer garbage`, open: crowdOf(async () => Buffer.from('no')) },
  { name: `eclipse: ${CROWD_COUNT} that say nothing`, open: crowdOf(never) },
  {
    name: `eclipse: ${CROWD_COUNT} with the right chain that never send`,
    open: claimantsOf({ source: () => ({ read: never }) }),
  },
  {
    name: `eclipse: ${CROWD_COUNT} with the right chain at 1 kB/s`,
    open: claimantsOf({ uploadLimit: 1_000 }),
  },
]

/** One scene per attack. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'lying chain: hashes that nobody has',
    open: ({ topic, chains }) =>
      peersOf(topic, Array(3).fill({ answer: answerOf(withOtherHashes(chains.chains)), offered: chains.chains })),
  },
  {
    name: 'wrong bundles under a right-looking chain',
    open: ({ topic, chains, others }) => {
      const claimed = disguised(others.chains, chains.chains)
      return peersOf(topic, [{ answer: answerOf(claimed), offered: claimed }])
    },
  },
  { name: 'padded chain', open: openPadded },
  {
    name: 'poisoned pieces',
    open: ({ topic, chains: { chains } }) =>
      peersOf(topic, Array(3).fill({ answer: answerOf(chains), offered: chains, source: poisoned })),
  },
  {
    name: 'pieces that never come',
    open: ({ topic, chains: { chains } }) =>
      peersOf(topic, Array(3).fill({ answer: answerOf(chains), offered: chains, source: () => ({ read: never }) })),
  },
  {
    name: `eclipse: ${FAKE_COUNT} liars and silent peers`,
    open: ({ topic }) => {
      const kinds: Manners[] = [{ answer: answerOf([]) }, { answer: never }, { answer: async () => Buffer.from('no') }]
      return peersOf(
        topic,
        Array.from({ length: FAKE_COUNT }, (_, index) => kinds[index % 3] ?? { answer: never }),
      )
    },
  },
  { name: 'flood: a tracker that names 400 fakes', open: openAddressFlood },
  {
    name: 'oversized answers, counts and lengths',
    open: ({ topic, chains: { chains } }) =>
      peersOf(topic, [
        { answer: always(Buffer.alloc(20 * 2 ** 20, 0x64)) },
        { answer: answerOf(chains.flatMap((chain) => Array(200).fill(chain))) },
        { answer: answerOf(exaggerated(chains)) },
        { answer: always(encodeBencode(Array(150_000).fill([]))) },
      ]),
  },
  {
    name: 'stale and replayed answers',
    open: ({ topic, chains: { chains } }) =>
      peersOf(topic, Array(3).fill({ answer: answerOf(stale(chains)), offered: stale(chains) })),
  },
  {
    name: 'right answers at 1 kB/s',
    open: ({ topic, chains: { chains } }) =>
      peersOf(topic, Array(3).fill({ answer: answerOf(chains), offered: chains, uploadLimit: 1_000 })),
  },
  {
    name: 'right answers at 40 kB/s, which no stall ends',
    open: ({ topic, chains: { chains } }) =>
      peersOf(topic, [{ answer: answerOf(chains), offered: chains, uploadLimit: 40_000 }]),
  },
]
