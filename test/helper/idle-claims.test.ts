/**
 * Goal: who says that nothing is lacking, or little, whatever he says of the origin's tip, does not keep others from bringing the rest.
 * Method: real clones and fetches on loopback from a liar who answers first and an honest peer who answers right after him; the
 * origin's own repository is the oracle, and the bytes that each side sent.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { encodeChainAnswer } from '../../helper/share/chain-message.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress, type Net } from '../../net/index.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

type Offered = Chains['chains']

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

let world: DemoWorld
let url: string
let branch: string
let chains: Chains
/** What was to be had when the repository `old.git` was made. */
let oldChains: Chains

async function chainsOf(name: string): Promise<Chains> {
  const repository = await openRepository(join(world.folder, name))
  return untilFileEnds(await buildChains(repository, await publicTips(repository, 'origin', false), { threadCount: 2 }))
}

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 1_000, seed: 9 })
  branch = await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD')
  await world.git('clone', '--quiet', '--bare', '--single-branch', 'origin.git', 'old.git')
  await world.git('-C', 'old.git', 'update-ref', 'HEAD', 'HEAD~400')
  await world.startDaemon()
  chains = await chainsOf('origin.git')
  oldChains = await chainsOf('old.git')
  url = `gittorrent::${world.originUrl('origin.git')}`
})

/** The origin's main line, as it is claimed. */
function mainLine(): Offered[number] {
  return chains.chains.find(({ ref }) => ref === branch) ?? assert.fail('the origin has no main line')
}

/** Something that happens once. */
class Happening {
  note: () => void = () => {}
  readonly happened = new Promise<void>((resolve) => {
    this.note = resolve
  })
}

/** Settings that lead to a liar who offers `lie`, and to the honest peer; both are asked before the liar answers, and then the other. */
async function withLiar<Result>(lie: Offered, use: (settings: string[]) => Promise<Result>): Promise<Result> {
  const [isAsked, isLieTold] = [new Happening(), new Happening()]
  const topic = topicOf(parseOrigin(world.originUrl('origin.git')))
  const nets: Net[] = []
  const openPeer = async (offered: Offered, answer: () => Promise<Uint8Array>): Promise<string> => {
    const net = await openLoopbackNet()
    nets.push(net)
    for (const { links } of offered) for (const link of links) net.seed(link, link)
    net.joinTopic(topic, { onRequest: answer }, { announce: false })
    return `gittorrent.peer=${formatAddress(net.address ?? assert.fail('no port'))}`
  }
  try {
    const liar = await openPeer(lie, async () => {
      await isAsked.happened
      setImmediate(isLieTold.note)
      return encodeChainAnswer(lie)
    })
    const honest = await openPeer(chains.chains, async () => {
      isAsked.note()
      await isLieTold.happened
      return encodeChainAnswer(chains.chains)
    })
    return await use([liar, honest, ...QUIET])
  } finally {
    for (const net of nets) await net.close()
  }
}

/** Clones beside a liar; the bytes that came from where. */
async function cloneBeside(lie: Offered, name: string) {
  const { bytes, trace } = await withLiar(lie, (settings) =>
    world.viaSwarm(['clone', '--quiet', '--mirror', url, name], settings),
  )
  assert.equal(await world.git('-C', name, 'for-each-ref'), await world.git('-C', 'origin.git', 'for-each-ref'))
  await world.git('-C', name, 'fsck', '--full', '--no-progress')
  return { bytes, trace }
}

it('a clone goes on after a claim that ends at the oldest link and says that this is every tip', async () => {
  const { links } = mainLine()
  assert.ok(links.length > 1)
  const lie = chains.chains.map((chain) => ({ ...chain, links: links.slice(-1) }))
  const { bytes, trace } = await cloneBeside(lie, 'little')
  assert.ok(bytes.peers > 4 * bytes.origin, `${JSON.stringify(bytes)}\n${trace}`)
})

it('so it does after one that rests on what nobody names, so that there is nothing to take', async () => {
  const main = mainLine()
  const [newest] = main.links
  assert.ok(newest !== undefined && newest.plan.base !== null)
  const trunk = { ...main, ref: 'refs/heads/no-such-branch', links: main.links.slice(-1) }
  const lie = chains.chains.map((chain) => ({ ...chain, links: [newest] }))
  const { bytes, trace } = await cloneBeside([trunk, ...lie], 'nothing')
  assert.ok(bytes.peers > 4 * bytes.origin, `${JSON.stringify(bytes)}\n${trace}`)
})

it('a fetch goes on after a claim of which everything is there already', async () => {
  const tip = await world.git('-C', 'origin.git', 'rev-parse', branch)
  await world.git('clone', '--quiet', '--bare', '--no-local', 'old.git', 'fetching')
  const lie = oldChains.chains.filter(({ ref }) => ref === branch).map((chain) => ({ ...chain, tip: mainLine().tip }))
  assert.equal(lie.length, 1)
  const { bytes, trace } = await withLiar(lie, (settings) =>
    world.viaSwarm(['-C', 'fetching', 'fetch', '--quiet', url, `${branch}:new`], settings),
  )
  assert.equal(await world.git('-C', 'fetching', 'rev-parse', 'new'), tip)
  await world.git('-C', 'fetching', 'fsck', '--full', '--no-progress')
  assert.ok(bytes.peers > 4 * bytes.origin, `${JSON.stringify(bytes)}\n${trace}`)
})
