/**
 * Goal: on a publisher's topic, where no origin can help, strangers who lie, replay, dawdle or keep all places of the tunnel
 * change nothing in a clone and keep nobody from the honest peer.
 * Method: `gittorrent publish` and git as processes on loopback; hostile peers are nets of this process, all named to the reader
 * before the honest one; the publisher's own repository is the oracle.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { TIP_PARALLEL_COUNT } from '../../helper/publish/limits.ts'
import { publisherTopic } from '../../helper/publish/names.ts'
import { decodeRecord } from '../../helper/publish/record.ts'
import {
  decodeRecordsAnswer,
  decodeRefsQuestion,
  encodeRecordsAnswer,
  encodeRefsQuestion,
  REFS_KIND,
} from '../../helper/publish/refs-message.ts'
import { TIP_KIND } from '../../helper/publish/tip-fetch.ts'
import { encodeTipRequest } from '../../helper/publish/tip-request.ts'
import { encodePacket } from '../../helper/remote/pkt-line.ts'
import { formatAddress, type Net, parseAddress, Refusal, type TopicPeer } from '../../net/index.ts'
import { gitBytes } from '../support/git.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { directoryUntilExit } from '../support/temporary-directory.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { PublishedWorld, type RunningPublisher } from './published-world.ts'

const NOTHING = { onRequest: () => Promise.reject(new Refusal('unknown-kind')) }
/** A clone must not find the peers of the one before. */
const FORGETFUL = ['-c', 'gittorrent.remember=false']
const ASK = { timeoutMs: 5_000, responseLengthMax: 2 ** 20 }

type Answer = Promise<Uint8Array>

interface Manners {
  readonly records?: () => Answer
  readonly page?: (offset: number) => Answer
  readonly tip?: () => Answer
  readonly uploadLimit?: number
}

let world: PublishedWorld
let publisher: RunningPublisher
let topic: Uint8Array
/** What the honest publisher says, as bytes to be said again. */
let records: Uint8Array
let document: Uint8Array
let head: string

const never = (): Promise<never> => new Promise(() => {})

before(async () => {
  world = untilFileEnds(await PublishedWorld.open(directoryUntilExit()))
  await world.makeRepository('owner', 'project', 12)
  await writeFile(join(world.folder, 'project', 'large'), randomBytes(6 * 2 ** 20))
  head = await world.commit('owner', 'project', 'large')
  const key = await world.keygen('owner')
  publisher = await world.startPublisher('owner', 'project')
  topic = publisherTopic(key.id, 'project')
  await withPeer(async (peer) => {
    records = await peer.request(REFS_KIND, encodeRefsQuestion(null), ASK)
    const mirror = join(world.folder, 'data', 'owner', 'publishers', key.id, 'documents')
    const [name = ''] = await world.run('owner', 'ls', mirror).then((text) => text.split('\n'))
    const hash = /[0-9a-f]{64}/.exec(name)?.[0] ?? ''
    document = await peer.request(REFS_KIND, encodeRefsQuestion({ hash, offset: 0 }), ASK)
  })
})

/** Connects to the honest publisher as one more peer. */
async function withPeer<T>(use: (peer: TopicPeer) => Promise<T>): Promise<T> {
  const net = await openLoopbackNet({ listen: null, peers: [parseAddress(publisher.address)] })
  try {
    const peer = await net.joinTopic(topic, NOTHING, { announce: false }).waitForPeer({ timeoutMs: 5_000 })
    assert.ok(peer !== null)
    return await use(peer)
  } finally {
    await net.close()
  }
}

/** A peer on the publisher's topic that answers as it pleases; what it does not say otherwise is what the honest one says. */
async function openLiar({ records: tellRecords, page, tip, uploadLimit }: Manners): Promise<Net> {
  const net = await openLoopbackNet({ uploadLimit })
  const onRequest = async (kind: string, payload: Uint8Array): Answer => {
    if (kind === TIP_KIND) return (tip ?? never)()
    if (kind !== REFS_KIND) throw new Refusal('unknown-kind')
    const question = decodeRefsQuestion(payload)
    if (question === null) return tellRecords === undefined ? records : tellRecords()
    return page === undefined ? document.subarray(question.offset) : page(question.offset)
  }
  net.joinTopic(topic, { onRequest }, { announce: false })
  return net
}

async function withLiars(manners: readonly Manners[], use: (addresses: string[]) => Promise<void>): Promise<void> {
  const nets = await Promise.all(manners.map(openLiar))
  try {
    await use(nets.flatMap(({ address }) => (address === null ? [] : formatAddress(address))))
  } finally {
    await Promise.all(nets.map((net) => net.close()))
  }
}

/** Clones as a user who has read nothing before, and holds the result against the publisher's repository. */
async function assertClones(name: string, peers: readonly string[]): Promise<void> {
  await world.viaKey(name, [...FORGETFUL, 'clone', '--quiet', '--mirror', publisher.url, name], peers)
  await world.git('owner', '-C', name, 'fsck', '--full', '--strict')
  const refs = (of: string): Promise<string> =>
    world.git('owner', '-C', of, 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads', 'refs/tags')
  assert.equal(await refs(name), await refs('project'))
}

const packetsOf = (pack: Uint8Array): Uint8Array => {
  const packets: Uint8Array[] = [encodePacket('packfile\n')]
  for (let at = 0; at < pack.length; at += 2 ** 15)
    packets.push(encodePacket(Buffer.concat([Buffer.from([1]), pack.subarray(at, at + 2 ** 15)])))
  return Buffer.concat([...packets, Buffer.from('0000')])
}

// What these spend is waiting, and nothing is published meanwhile.
describe('side by side', { concurrency: true }, () => {
  it('an eclipse: those who know nothing, say garbage or are silent take no place of the one who knows', async () => {
    const kinds: Manners[] = [
      { records: async () => encodeRecordsAnswer([]) },
      { records: async () => Buffer.from('garbage') },
      { records: never },
    ]
    await withLiars(
      Array.from({ length: 45 }, (_, index) => kinds[index % 3] ?? {}),
      async (addresses) => {
        await assertClones('eclipsed', [...addresses, publisher.address])
      },
    )
  })

  it('documents that come byte by byte, never, or as another one are had from the next peer', async () => {
    const liars: Manners[] = [
      { page: async (offset) => document.subarray(offset, offset + 1) },
      { page: never },
      { page: async () => document.map((byte) => byte ^ 1) },
    ]
    await withLiars(liars, (addresses) => assertClones('documents', [...addresses, publisher.address]))
  })

  it('tunnels that bring garbage, nothing, another pack, silence, an error, or a kilobyte a second', async () => {
    await world.git('owner', 'init', '--quiet', '--bare', 'other.git')
    const blob = await gitBytes(['hash-object', '-w', '--stdin'], {
      directory: join(world.folder, 'other.git'),
      input: randomBytes(1000),
    })
    const pack = await gitBytes(['pack-objects', '--stdout'], {
      directory: join(world.folder, 'other.git'),
      input: blob,
    })
    const whole = await withPeer(async (peer) => {
      const request = encodeTipRequest({ objectFormat: 'sha1', wants: [head], haves: [] })
      const parts: Uint8Array[] = []
      const options = { stallTimeoutMs: 5_000, lengthMax: 2 ** 26 }
      for await (const part of peer.requestStream(TIP_KIND, request, options)) parts.push(part)
      return Buffer.concat(parts)
    })
    const liars: Manners[] = [
      { tip: async () => Buffer.from('garbage') },
      { tip: async () => new Uint8Array(0) },
      { tip: async () => packetsOf(pack) },
      { tip: async () => whole.subarray(0, whole.length >> 1) },
      { tip: never },
      { tip: () => Promise.reject(new Refusal('busy-for-ever')) },
      { tip: async () => whole, uploadLimit: 1_000 },
    ]
    await withLiars(liars, (addresses) => assertClones('tunnels', [...addresses, publisher.address]))
  })

  it('with hostile peers alone, and be it one that puts into the pack what nobody asked for, the clone ends with one sentence, and no directory is left', async () => {
    const directory = join(world.folder, 'project')
    const blob = await gitBytes(['hash-object', '-w', '--stdin'], { directory, input: randomBytes(1000) })
    const listed = await world.git('owner', '-C', 'project', 'rev-list', '--objects', '--no-object-names', '--all')
    const input = Buffer.concat([Buffer.from(`${listed}\n`), blob])
    const padded = packetsOf(await gitBytes(['pack-objects', '--stdout'], { directory, input }))
    const liars = [{ tip: async () => Buffer.from('garbage') }, { page: never }, { tip: async () => padded }]
    await withLiars(liars, async (addresses) => {
      const { status, stderr } = await world.gitOutcome(
        'alone',
        [...FORGETFUL, 'clone', publisher.url, 'alone'],
        addresses,
      )
      assert.equal(status, 128)
      assert.match(stderr, /expected all refs from its peers, got/)
    })
  })
})

it('a replayed answer of an earlier day does not hide the later one', async () => {
  const [oldRecords, oldDocument] = [records, document]
  const later = await world.commit('owner', 'project', 'later')
  await world.run(
    'owner',
    'gittorrent',
    'publish',
    'project',
    '--once',
    '--listen',
    '127.0.0.1:0',
    '--no-lsd',
    '--no-dht',
  )
  const replay: Manners = { records: async () => oldRecords, page: async (offset) => oldDocument.subarray(offset) }
  await withLiars(Array(12).fill(replay), async (addresses) => {
    await assertClones('replayed', [...addresses, publisher.address])
  })
  assert.equal(await world.git('owner', '-C', 'replayed', 'rev-parse', 'HEAD'), later)
})

it('a record that turns up while an older one is followed counts', async () => {
  const refs = await world.git('owner', '-C', 'project', 'for-each-ref', '--format=%(objectname)')
  const wants = [...new Set(refs.split('\n'))]
  const now = await withPeer(async (peer) => {
    const answer = await peer.request(REFS_KIND, encodeRefsQuestion(null), ASK)
    const [hash = ''] = decodeRecordsAnswer(answer).flatMap(({ value }) => {
      const record = decodeRecord(value)
      return record.type === 'repository' ? record.documentHash : []
    })
    const page = await peer.request(REFS_KIND, encodeRefsQuestion({ hash, offset: 0 }), ASK)
    const parts: Uint8Array[] = []
    const request = encodeTipRequest({ objectFormat: 'sha1', wants, haves: [] })
    for await (const part of peer.requestStream(TIP_KIND, request, { stallTimeoutMs: 5_000, lengthMax: 2 ** 26 }))
      parts.push(part)
    return { answer, page, pack: Buffer.concat(parts) }
  })
  let follow = (): void => {}
  const isFollowed = new Promise<void>((resolve) => {
    follow = resolve
  })
  const behind: Manners = {
    tip: () => {
      follow()
      return never()
    },
  }
  const late: Manners = {
    records: () => isFollowed.then(() => now.answer),
    page: async (offset) => now.page.subarray(offset),
    tip: async () => now.pack,
  }
  await withLiars([behind, late], (addresses) => assertClones('late', addresses))
})

it('askers who take every place of the tunnel and do not read keep nobody out', async () => {
  const head = await world.git('owner', '-C', 'project', 'rev-parse', 'HEAD')
  const request = encodeTipRequest({ objectFormat: 'sha1', wants: [head], haves: [] })
  const nets = await Promise.all(
    Array.from({ length: TIP_PARALLEL_COUNT }, () =>
      openLoopbackNet({ listen: null, peers: [parseAddress(publisher.address)] }),
    ),
  )
  try {
    for (const net of nets) {
      const peer = await net.joinTopic(topic, NOTHING, { announce: false }).waitForPeer({ timeoutMs: 5_000 })
      assert.ok(peer !== null)
      const options = { stallTimeoutMs: 60_000, lengthMax: 2 ** 30 }
      // One part is taken, the rest never.
      const reader = peer.requestStream(TIP_KIND, request, options)[Symbol.asyncIterator]()
      await reader.next()
    }
    await assertClones('crowded', [publisher.address])
  } finally {
    await Promise.all(nets.map((net) => net.close()))
  }
})
