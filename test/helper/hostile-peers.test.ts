/**
 * Goal: strangers who lie, poison, surround, flood, replay, dawdle or exaggerate change nothing in a clone, and do not keep it
 * from the honest peer where there is one.
 * Method: real clones on loopback for every scene of bench/attackers.ts, with an honest peer named last and with none; the
 * origin's own repository is the oracle.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { ATTACKS, type Ground } from '../../bench/attackers.ts'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { SWARM_LENGTH_MIN } from '../../helper/limits.ts'
import { encodeChainAnswer } from '../../helper/share/chain-message.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress, type Net, openNet } from '../../net/index.ts'

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

let world: DemoWorld
let ground: Ground
let url: string
let honestPeer: Net
let honest: string

async function chainsOf(name: string): Promise<Chains> {
  const repository = await openRepository(join(world.folder, name))
  return buildChains(repository, await publicTips(repository, 'origin', false), { threadCount: 2 })
}

before(async () => {
  world = await DemoWorld.open()
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 2_500, seed: 9 })
  await generateRepository(join(world.folder, 'other.git'), { commitCount: 400, seed: 10 })
  await world.startDaemon()
  await world.git('clone', '--quiet', '--bare', 'origin.git', 'seed.git')
  const topic = topicOf(parseOrigin(world.originUrl('origin.git')))
  ground = { topic, chains: await chainsOf('seed.git'), others: await chainsOf('other.git') }
  url = `gittorrent::${world.originUrl('origin.git')}`
  const { chains } = ground.chains
  const ways = { peers: [], trackers: [], dht: false, dhtBootstrap: [], lsd: false }
  honestPeer = await openNet({ listen: { host: '127.0.0.1', port: 0 }, ...ways })
  for (const { links } of chains) for (const link of links) honestPeer.seed(link, link)
  honestPeer.joinTopic(topic, { onRequest: async () => encodeChainAnswer(chains) }, { announce: false })
  honest = honestPeer.address === null ? '' : formatAddress(honestPeer.address)
})

after(async () => {
  await honestPeer.close()
  await ground.chains.close()
  await ground.others.close()
  await world.close()
})

/** Clones, holds the result against the origin, and tells where the bytes came from. */
async function cloneWith(name: string, settings: readonly string[]) {
  const { bytes } = await world.viaSwarm(['clone', '--quiet', '--mirror', url, name], [...settings, ...QUIET])
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs(name), await refs('origin.git'))
  // Not --all: for a moment after git has ended, what the swarm brought is pinned by a worktree's HEAD.
  const objects = async (of: string): Promise<string[]> =>
    (await world.git('-C', of, 'rev-list', '--objects', '--no-object-names', '--glob=refs/')).split('\n').sort()
  assert.deepEqual(await objects(name), await objects('origin.git'))
  await world.git('-C', name, 'fsck', '--full', '--no-progress')
  return bytes
}

it('the links of these scenes travel both ways: by a swarm of their own and as ranges', () => {
  const lengths = ground.chains.chains.flatMap(({ links }) => links.map(({ lengthBytes }) => lengthBytes))
  assert.ok(Math.max(...lengths) > SWARM_LENGTH_MIN && Math.min(...lengths) < SWARM_LENGTH_MIN)
})

for (const [index, { name, open }] of ATTACKS.entries()) {
  it(`${name}: with an honest peer beside them the clone is right`, async () => {
    const attackers = await open(ground)
    try {
      const bytes = await cloneWith(`beside-${index}`, [...attackers.settings, `gittorrent.peer=${honest}`])
      // Whose claim looks as good as the honest one's may spoil the swarm; who has none must not.
      if (/^(eclipse|flood|oversized)/.test(name)) assert.ok(bytes.peers > bytes.origin)
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
