/**
 * Goal: strangers who lie, poison, surround, flood, replay, dawdle or exaggerate change nothing in a clone, and do not keep it
 * from the honest peer where there is one.
 * Method: real clones on loopback for every scene of bench/attackers.ts, with an honest peer named last and with none; the
 * origin's own repository is the oracle. The honest peer is a seeder of its own: in the process of the attackers, what they
 * take of its time would make it one of the silent.
 */

import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { ATTACKS, CROWDS, type Ground, PADDING_LENGTH, padSnapshot } from '../../bench/attackers.ts'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { SWARM_LENGTH_MIN } from '../../helper/limits.ts'
import { encodeChainAnswer } from '../../helper/share/chain-message.ts'
import { SLOW_LEFT_MS } from '../../helper/share/supply/limits.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress } from '../../net/index.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { offerChains } from '../support/offer-chains.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

let world: DemoWorld
let ground: Ground
let url: string
let honest: string

async function chainsOf(name: string): Promise<Chains> {
  const repository = await openRepository(join(world.folder, name))
  return buildChains(repository, await publicTips(repository, 'origin', false), { threadCount: 2 })
}

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 1_000, seed: 9 })
  await generateRepository(join(world.folder, 'other.git'), { commitCount: 150, seed: 10 })
  await world.startDaemon()
  await world.git('clone', '--quiet', '--bare', 'origin.git', 'seed.git')
  honest = (await world.startSeeder('seed.git')).address
  const topic = topicOf(parseOrigin(world.originUrl('origin.git')))
  const chains = untilFileEnds(await chainsOf('seed.git'))
  ground = { topic, chains, others: untilFileEnds(await chainsOf('other.git')) }
  url = `gittorrent::${world.originUrl('origin.git')}`
})

/** Names of all objects that the origin's refs reach, by the state of its refs. */
const objectsOfOrigin = new Map<string, readonly string[]>()

/** Clones, holds the result against the origin, and tells where the bytes came from. */
async function cloneWith(name: string, settings: readonly string[]) {
  const { bytes } = await world.viaSwarm(['clone', '--quiet', '--mirror', url, name], [...settings, ...QUIET])
  const refs = await world.git('-C', 'origin.git', 'for-each-ref')
  assert.equal(await world.git('-C', name, 'for-each-ref'), refs)
  // Not --all: for a moment after git has ended, what the swarm brought is pinned by a worktree's HEAD.
  const objects = async (of: string): Promise<string[]> =>
    (await world.git('-C', of, 'rev-list', '--objects', '--no-object-names', '--glob=refs/')).split('\n').sort()
  const expected = objectsOfOrigin.get(refs) ?? (await objects('origin.git'))
  objectsOfOrigin.set(refs, expected)
  assert.deepEqual(await objects(name), expected)
  await world.git('-C', name, 'fsck', '--full', '--no-progress')
  return bytes
}

it('the links of these scenes travel both ways: by a swarm of their own and as ranges', () => {
  const lengths = ground.chains.chains.flatMap(({ links }) => links.map(({ lengthBytes }) => lengthBytes))
  assert.ok(Math.max(...lengths) > SWARM_LENGTH_MIN && Math.min(...lengths) < SWARM_LENGTH_MIN)
})

// Half of the time is waiting for those who stall, most of all for the last, who begin for that reason.
describe('side by side', { concurrency: 3 }, () => {
  for (const [index, { name, open }] of [...ATTACKS.entries()].reverse()) {
    it(`${name}: with an honest peer beside them the clone is right`, async () => {
      const attackers = await open(ground)
      try {
        const bytes = await cloneWith(`beside-${index}`, [...attackers.settings, `gittorrent.peer=${honest}`])
        assert.ok(bytes.peers > bytes.origin, `${bytes.peers} bytes from peers, ${bytes.origin} from the origin`)
      } finally {
        await attackers.close()
      }
    })

    it(`${name}: alone they leave it to the origin`, async () => {
      const attackers = await open(ground)
      try {
        assert.ok((await cloneWith(`alone-${index}`, attackers.settings)).origin > 0)
      } finally {
        await attackers.close()
      }
    })
  }
})

it('a crowd that knows nothing, more than a client dials, does not keep the clone from the honest peer', async () => {
  const attackers = await CROWDS.find(({ name }) => name.endsWith('that know nothing'))?.open(ground)
  assert.ok(attackers !== undefined)
  try {
    const bytes = await cloneWith('crowd', [...attackers.settings, `gittorrent.peer=${honest}`])
    assert.ok(bytes.peers > bytes.origin, `${bytes.peers} bytes from peers, ${bytes.origin} from the origin`)
  } finally {
    await attackers.close()
  }
})

it('who always brings a little, alone, is left for the origin as soon as that is quicker', async () => {
  const { chains } = ground.chains
  const lengths = chains.flatMap(({ links }) => links.map(({ lengthBytes }) => lengthBytes))
  // Half as long again as the slow may take for the rest, so that the first blocks of two links still come in time.
  const uploadLimit = Math.floor(lengths.reduce((sum, length) => sum + length, 0) / ((1.5 * SLOW_LEFT_MS) / 1000))
  const slow = await openLoopbackNet({ uploadLimit })
  try {
    offerChains(slow, ground.topic, ground.chains)
    assert.ok(slow.address !== null)
    const settings = [`gittorrent.peer=${formatAddress(slow.address)}`, ...QUIET]
    const { trace, bytes } = await world.viaSwarm(['clone', '--quiet', '--mirror', url, 'dawdled'], settings)
    assert.match(trace, /the origin is asked beside others[\s\S]*bytes are left to the origin[\s\S]*the answer holds/)
    assert.ok(bytes.origin > bytes.peers)
    assert.deepEqual(await readdir(join(world.folder, 'dawdled', 'gittorrent', 'incoming')), [])
  } finally {
    await slow.close()
  }
})

/** True for a clone that has a pack which git leaves alone. */
async function hasKeptPack(name: string): Promise<boolean> {
  return (await readdir(join(world.folder, name, 'objects', 'pack'))).some((file) => file.endsWith('.keep'))
}

async function withAttack(wanted: string, use: (settings: string[]) => Promise<void>): Promise<void> {
  const attackers = await ATTACKS.find(({ name }) => name === wanted)?.open(ground)
  assert.ok(attackers !== undefined)
  try {
    await use([...attackers.settings, ...QUIET])
  } finally {
    await attackers.close()
  }
}

it('a chain padded with what nothing needs is refused whole, nothing of it stays, and its source is banned', async () => {
  const remember = { GITTORRENT_REMEMBER: 'true', GITTORRENT_HOME: join(world.folder, 'home-with-bans') }
  await withAttack('padded chain', async (settings) => {
    const { bytes, trace } = await world.viaSwarm(['clone', '--quiet', '--mirror', url, 'padded'], settings, remember)
    assert.ok(bytes.peers > PADDING_LENGTH)
    assert.match(trace, /asked ahead: in vain/)
    assert.equal(await hasKeptPack('padded'), false)
    for (const folder of ['segments', 'incoming'])
      assert.deepEqual(await readdir(join(world.folder, 'padded', 'gittorrent', folder)).catch(() => []), [])
    const there = await world.git('-C', 'padded', 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)')
    const needed = await world.git('-C', 'padded', 'rev-list', '--objects', '--no-object-names', '--all')
    assert.deepEqual(there.split('\n'), needed.split('\n').sort())
    const again = await world.viaSwarm(['clone', '--quiet', '--mirror', url, 'not-padded'], settings, remember)
    assert.equal(again.bytes.peers, 0)
  })
})

it('a snapshot padded with what nothing needs is refused, and who offered it is banned', async () => {
  const snapshot = await padSnapshot(ground.chains, join(world.folder, 'padded-snapshot'))
  const peer = await openLoopbackNet()
  try {
    peer.seed(snapshot, snapshot)
    const answer = encodeChainAnswer(ground.chains.chains, [snapshot])
    peer.joinTopic(ground.topic, { onRequest: async () => answer }, { announce: false })
    assert.ok(peer.address !== null)
    const settings = [`gittorrent.peer=${formatAddress(peer.address)}`, ...QUIET]
    const remember = { GITTORRENT_REMEMBER: 'true', GITTORRENT_HOME: join(world.folder, 'home-with-snapshot-bans') }
    const clone = (name: string) => world.viaSwarm(['clone', '--quiet', '--depth=1', url, name], settings, remember)
    const { trace } = await clone('snapshot-padded')
    assert.match(trace, /is banned: its pack is not exact[\s\S]*expected its whole tree and nothing else/)
    assert.doesNotMatch((await clone('snapshot-not-padded')).trace, /snapshot \w+ of/)
    for (const name of ['snapshot-padded', 'snapshot-not-padded']) await world.git('-C', name, 'fsck', '--no-progress')
  } finally {
    await peer.close()
  }
})

it('a fetch padded with what nothing needs is refused, an honest one of the same is not', async () => {
  const main = await world.git('-C', 'origin.git', 'rev-parse', 'HEAD')
  const branch = await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD')
  await world.git('clone', '--quiet', '--bare', '--single-branch', 'origin.git', 'old.git')
  await world.git('-C', 'old.git', 'update-ref', 'HEAD', `${main}~300`)
  const fetchInto = async (name: string, settings: readonly string[]) => {
    await world.git('clone', '--quiet', '--bare', '--no-local', 'old.git', name)
    const { bytes, trace } = await world.viaSwarm(['-C', name, 'fetch', '--quiet', url, `${branch}:new`], [...settings])
    const there = await world.git('-C', name, 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)')
    const needed = await world.git('-C', name, 'rev-list', '--objects', '--no-object-names', '--glob=refs/')
    return { bytes, trace, isExact: there === needed.split('\n').sort().join('\n') }
  }
  await withAttack('padded chain', async (settings) => {
    const { bytes, trace, isExact } = await fetchInto('fetched-padded', settings)
    assert.match(trace, /exact check: not-exact/)
    assert.ok(bytes.peers > PADDING_LENGTH && isExact)
  })
  const { bytes, trace, isExact } = await fetchInto('fetched', [`gittorrent.peer=${honest}`, ...QUIET])
  assert.match(trace, /exact check: exact/)
  assert.ok(bytes.peers > bytes.origin && isExact)
})

it('of a history that the origin does not know nothing stays, however right everything looks', async () => {
  await withAttack('wrong bundles under a right-looking chain', async (settings) => {
    const { trace } = await world.viaSwarm(['clone', '--quiet', '--mirror', url, 'unknown'], settings)
    assert.match(trace, /the origin has the tops of 0 of 1 lines/)
    // Something may have come by the time the origin has said so; nothing of it is there.
    const there = await world.git('-C', 'unknown', 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)')
    const needed = await world.git('-C', 'unknown', 'rev-list', '--objects', '--no-object-names', '--glob=refs/')
    assert.deepEqual(there.split('\n'), needed.split('\n').sort())
    assert.equal(await hasKeptPack('unknown'), false)
  })
})

it('an honest chain is exact and stays kept', async () => {
  const settings = [`gittorrent.peer=${honest}`, ...QUIET]
  const { trace } = await world.viaSwarm(['clone', '--quiet', '--mirror', url, 'exact'], settings)
  assert.match(trace, /exact check: exact/)
  assert.ok(await hasKeptPack('exact'))
})

it('an answer from before history was rewritten brings what still holds and nothing else', async () => {
  const main = await world.git('-C', 'origin.git', 'rev-parse', 'HEAD')
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  const rewriteTo = async (base: string, message: string): Promise<void> => {
    const tree = `${base}^{tree}`
    const commit = await world.git('-C', 'origin.git', ...identity, 'commit-tree', tree, '-p', base, '-m', message)
    await world.git('-C', 'origin.git', 'update-ref', 'HEAD', commit)
  }
  try {
    await rewriteTo(main, 'newer than the answer')
    const stale = await cloneWith('stale', [`gittorrent.peer=${honest}`])
    assert.ok(stale.peers > stale.origin)
    await rewriteTo(`${main}~300`, 'another history')
    await cloneWith('rewritten', [`gittorrent.peer=${honest}`])
  } finally {
    await world.git('-C', 'origin.git', 'update-ref', 'HEAD', main)
  }
})
