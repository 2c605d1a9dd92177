/**
 * Goal: the daemon publishes: what is published and pushed on its machine is served at once, after a restart as well, and a
 * follower's daemon alone keeps it cloneable and its records alive without the key.
 * Method: real daemons on loopback and thirty DHT nodes that forget within seconds, which the nodes themselves are asked about.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { readSettings } from '../../helper/config.ts'
import { askDaemon } from '../../helper/daemon/control-client.ts'
import { daemonHome } from '../../helper/daemon/home.ts'
import type { PublicationStatus } from '../../helper/daemon/publication-status.ts'
import type { DaemonStatus } from '../../helper/daemon/status.ts'
import { repositorySalt } from '../../helper/publish/names.ts'
import { type Dht, itemTarget, openDht } from '../../net/index.ts'
import { directoryUntilExit } from '../support/temporary-directory.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { PublishedWorld, type RunningPublisher } from './published-world.ts'

const ITEM_AGE_MS = 6_000
const WAIT_TIMEOUT_MS = 120_000
const LOOK_INTERVAL_MS = 300
const ONCE = ['--once', '--json', '--listen', '127.0.0.1:0']

let world: PublishedWorld
let asker: Dht
let daemon: RunningPublisher
let key: { id: string; publicKey: string }
let url: string

before(async () => {
  world = untilFileEnds(await PublishedWorld.open(directoryUntilExit()))
  world.environmentOfAll = { GITTORRENT_TEST_PACE_S: '1' }
  const [first] = await world.startDht(30, ITEM_AGE_MS)
  asker = await openDht({
    listen: { host: '127.0.0.1', port: 0 },
    itemAgeMsMax: ITEM_AGE_MS,
    bootstrap: first === undefined ? [] : [first.address],
  })
  untilFileEnds(asker)
  await world.makeRepository('owner', 'project', 40)
  key = await world.keygen('owner')
  url = `gittorrent://${key.id}/project`
  daemon = await world.startCommand('owner', ['daemon'])
})

/** Looks until what is found is as wanted. */
async function until<T>(what: string, find: () => Promise<T>, isWanted: (found: T) => boolean): Promise<T> {
  const deadline = AbortSignal.timeout(WAIT_TIMEOUT_MS)
  for (let found = await find(); ; found = await find()) {
    if (isWanted(found)) return found
    if (deadline.aborted) throw new Error(`expected ${what}, got ${JSON.stringify(found)}`)
    await once(AbortSignal.timeout(LOOK_INTERVAL_MS), 'abort')
  }
}

async function publicationOf(user: string, repository = 'project'): Promise<PublicationStatus | undefined> {
  const home = daemonHome({ ...readSettings(new Map(), {}), home: join(world.folder, 'home', user) }, {})
  const { publications } = (await askDaemon(home, { command: 'status' })) as DaemonStatus
  return publications.find(({ name }) => name === repository)
}

/** The newest seq of the repository's record that the DHT has now, null if none. */
async function seqInDht(): Promise<number | null> {
  const salt = repositorySalt('project')
  const items = await asker.getItems(itemTarget(Buffer.from(key.publicKey, 'hex'), salt), salt)
  return items[0]?.seq ?? null
}

const publish = async (...options: string[]): Promise<{ seq: number }> =>
  JSON.parse(await world.run('owner', 'gittorrent', 'publish', 'project', ...ONCE, ...world.waysIn(), ...options))

it('what is published on its machine is served by the daemon, to whoever has the key', async () => {
  const { seq } = await publish()
  const status = await until(
    'the daemon to serve',
    () => publicationOf('owner'),
    (found) => found?.state === 'serving',
  )
  assert.deepEqual([status?.own, status?.seq, status?.key, status?.warnings], [true, seq, key.id, []])
  await world.viaKey('reader', ['clone', '--quiet', url, 'clone'])
  assert.equal(
    await world.git('reader', '-C', 'clone', 'rev-parse', 'origin/main', 'v1'),
    await world.git('owner', '-C', 'project', 'rev-parse', 'main', 'v1'),
  )
})

it('a push under the own key moves repository and record together, and the daemon serves both', async () => {
  await world.viaKey('owner', ['clone', '--quiet', url, 'working'])
  const tip = await world.commit('owner', 'working', 'pushed')
  await world.viaKey('owner', ['-C', 'working', 'push', '--quiet', 'origin', 'main'])
  const before = (await publicationOf('owner'))?.seq ?? 0
  await world.viaKey('reader', ['-C', 'clone', 'fetch', '--quiet'])
  assert.equal(await world.git('reader', '-C', 'clone', 'rev-parse', 'origin/main'), tip)
  // A push that is refused changes neither.
  await world.git('owner', '-C', 'working', 'reset', '--quiet', '--hard', 'HEAD~2')
  await world.commit('owner', 'working', 'another way')
  const refused = await world.gitOutcome('owner', ['-C', 'working', 'push', '--quiet', 'origin', 'main'])
  assert.notEqual(refused.status, 0)
  assert.equal((await publicationOf('owner'))?.seq, before)
  const { stdout } = await world.gitOutcome('reader', ['ls-remote', url, 'refs/heads/main'])
  assert.equal(stdout, `${tip}\trefs/heads/main\n`)
})

it('records that nodes have forgotten are there again when the daemon is', async () => {
  const { seq = 0 } = (await publicationOf('owner')) ?? {}
  await daemon.stop()
  await until('the DHT to forget', seqInDht, (found) => found === null)
  daemon = await world.startCommand('owner', ['daemon'])
  await until('the record', seqInDht, (found) => found === seq)
  await world.viaKey('newcomer', ['clone', '--quiet', url, 'after-restart'])
})

it("a follower's daemon brings it, hears of news, and says how many others hold it", async () => {
  await world.startCommand('follower', ['daemon'])
  await world.run('follower', 'gittorrent', 'add', url)
  const isThere = (found: PublicationStatus | undefined): boolean =>
    found?.state === 'serving' && found.holders?.current === 1
  const status = await until('the follower to hold it', () => publicationOf('follower'), isThere)
  assert.equal(status?.own, false)
  await until(
    'the owner to see it',
    () => publicationOf('owner'),
    (found) => found?.holders?.current === 1,
  )
  await world.git('owner', '-C', 'working', 'reset', '--quiet', '--hard', 'origin/main')
  await world.commit('owner', 'working', 'news')
  await world.viaKey('owner', ['-C', 'working', 'push', '--quiet', 'origin', 'main'])
  const { seq } = (await publicationOf('owner')) ?? {}
  await until(
    'the news',
    () => publicationOf('follower'),
    (found) => found?.seq === seq,
  )
  assert.match(await world.run('follower', 'gittorrent', 'status'), new RegExp(`followed, serving, seq ${seq}`))
})

it('without the publisher, for longer than records live, the follower alone keeps it cloneable', async () => {
  const seq = (await publicationOf('owner'))?.seq
  await daemon.stop()
  await rm(join(world.folder, 'data', 'owner'), { recursive: true })
  const goneAtMs = Date.now()
  const isLate = (found: PublicationStatus | undefined): boolean =>
    Date.parse(found?.lastPut ?? '') > goneAtMs + 2 * ITEM_AGE_MS
  const status = await until('records put late', () => publicationOf('follower'), isLate)
  assert.ok((status?.nodes ?? 0) > 0, 'nodes took them')
  assert.equal(await seqInDht(), seq)
  await world.viaKey('latecomer', ['clone', '--quiet', url, 'from-follower'])
  assert.equal(
    await world.git('latecomer', '-C', 'from-follower', 'rev-parse', 'HEAD'),
    await world.git('owner', '-C', 'working', 'rev-parse', 'main'),
  )
  await world.run('follower', 'gittorrent', 'remove', url)
  assert.equal(await publicationOf('follower'), undefined)
})

it('several publications at once under one key never sign two values for one seq', async () => {
  await world.makeRepository('prolific', 'other', 3)
  await world.keygen('prolific')
  const publish = async (name: string): Promise<number> => {
    const options = [...ONCE, ...world.waysIn(), '--profile-name', name, '--days', '2']
    return JSON.parse(await world.run('prolific', 'gittorrent', 'publish', 'other', ...options)).seq
  }
  const seqs = await Promise.all(['a', 'b', 'c', 'd'].map(publish))
  assert.equal(new Set(seqs).size, 4, seqs.join())
  await world.startCommand('prolific', ['daemon'])
  seqs.push(await publish('e'))
  const isNewest = (found: PublicationStatus | undefined): boolean => found?.seq === Math.max(...seqs)
  const status = await until('the record', () => publicationOf('prolific', 'other'), isNewest)
  assert.match(status?.warnings.join() ?? '', /about to expire/)
})
