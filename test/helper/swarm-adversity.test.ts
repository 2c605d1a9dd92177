/**
 * Goal: bad input and bad peers cost a little time, never correctness: each ends in a correct clone from the origin or in one
 * clear line.
 * Method: real processes on loopback; hostile peers are nets of this process that answer the topic as they please.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { createCheckpointRule, GT1 } from '../../engine/index.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { encodeChainAnswer } from '../../helper/share/chain-message.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress, type Net, type Source } from '../../net/index.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

let world: DemoWorld
let chains: Chains
let url: string

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 400, seed: 9 })
  await world.startDaemon()
  await world.git('clone', '--quiet', '--bare', 'origin.git', 'seed.git')
  const repository = await openRepository(join(world.folder, 'seed.git'))
  chains = untilFileEnds(
    await buildChains(repository, await publicTips(repository, 'origin', false), { threadCount: 2 }),
  )
  url = `gittorrent::${world.originUrl('origin.git')}`
  await world.git('clone', '--quiet', world.originUrl('origin.git'), 'plain')
})

interface Manners {
  readonly answer: () => Promise<Uint8Array>
  /** What the seeded links are read from; the honest bytes if it returns its argument. */
  readonly source: (honest: Source) => Source
}

async function openPeer({ answer, source }: Manners): Promise<Net> {
  const net = await openLoopbackNet()
  for (const { links } of chains.chains) for (const link of links) net.seed(link, source(link))
  const topic = topicOf(parseOrigin(world.originUrl('origin.git')))
  net.joinTopic(topic, { onRequest: answer }, { announce: false })
  return net
}

const honest = async (): Promise<Uint8Array> => encodeChainAnswer(chains.chains)

async function cloneFrom(net: Net, name: string): Promise<{ peers: number; origin: number }> {
  assert.ok(net.address !== null)
  const settings = [`gittorrent.peer=${formatAddress(net.address)}`, 'gittorrent.dht=false', 'gittorrent.lsd=false']
  const { bytes } = await world.viaSwarm(['clone', '--quiet', url, name], settings)
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs(name), await refs('plain'))
  await world.git('-C', name, 'fsck', '--full', '--no-progress')
  const objects = await readdir(join(world.folder, name, '.git', 'objects'))
  assert.deepEqual(
    objects.filter((entry) => entry.startsWith('tmp_')),
    [],
  )
  return bytes
}

async function withPeer(manners: Partial<Manners>, use: (net: Net) => Promise<void>): Promise<void> {
  const net = await openPeer({ answer: honest, source: (source) => source, ...manners })
  try {
    await use(net)
  } finally {
    await net.close()
  }
}

it('the honest peer of this file is one that clones come from', () =>
  withPeer({}, async (net) => {
    assert.ok((await cloneFrom(net, 'honest')).peers > 0)
  }))

it('a peer that answers garbage is passed over', () =>
  withPeer({ answer: async () => createHash('sha512').update('garbage').digest() }, async (net) => {
    assert.equal((await cloneFrom(net, 'garbage')).peers, 0)
  }))

it('a chain whose tips are no checkpoints is refused before anything is fetched', async () => {
  const levelOf = await createCheckpointRule(GT1)
  const tip = Buffer.from(chains.chains[0]?.links[0]?.plan.tip ?? '', 'hex')
  const forged = Buffer.from(tip)
  do forged[19] = (forged[19] ?? 0) + 1
  while (levelOf(forged.toString('hex')) !== null)
  const lying = async (): Promise<Uint8Array> => {
    const bytes = Buffer.from(await honest())
    for (let at = bytes.indexOf(tip); at >= 0; at = bytes.indexOf(tip, at + 1)) forged.copy(bytes, at)
    return bytes
  }
  await withPeer({ answer: lying }, async (net) => {
    assert.equal((await cloneFrom(net, 'lying')).peers, 0)
  })
})

it('bytes that are not what was announced never reach the repository', () => {
  const poison = (source: Source): Source => ({
    read: async (offset, length) =>
      (await source.read(offset, length)).map((byte, index) => (index % 1000 === 7 ? byte ^ 1 : byte)),
  })
  return withPeer({ source: poison }, async (net) => {
    assert.ok((await cloneFrom(net, 'poisoned')).origin > 0)
  })
})

it('a valid chain of another repository changes nothing', async () => {
  await generateRepository(join(world.folder, 'other.git'), { commitCount: 400, seed: 10 })
  const repository = await openRepository(join(world.folder, 'other.git'))
  const others = await buildChains(repository, await publicTips(repository, 'origin', false), { threadCount: 2 })
  try {
    await withPeer({ answer: async () => encodeChainAnswer(others.chains) }, async (net) => {
      await cloneFrom(net, 'other-chain')
    })
  } finally {
    await others.close()
  }
})

it('a peer that falls silent in the middle of a link is given up for the origin', () => {
  let reads = 0
  const stalling = (source: Source): Source => ({
    read: (offset, length) => (++reads > 3 ? new Promise<Uint8Array>(() => {}) : source.read(offset, length)),
  })
  return withPeer({ source: stalling }, async (net) => {
    assert.ok((await cloneFrom(net, 'stalled')).origin > 0)
  })
})

it('a peer that never answers the question is given up for the origin', () =>
  withPeer({ answer: () => new Promise<Uint8Array>(() => {}) }, async (net) => {
    assert.equal((await cloneFrom(net, 'silent')).peers, 0)
  }))

it('Ctrl-C while peers are looked for ends git and the helper at once and leaves no directory', () => {
  return withPeer({ answer: () => new Promise<Uint8Array>(() => {}) }, async (net) => {
    assert.ok(net.address !== null)
    const settings = ['-c', `gittorrent.peer=${formatAddress(net.address)}`, '-c', 'gittorrent.dht=false']
    const child = spawn('git', [...settings, '-c', 'gittorrent.lsd=false', 'clone', '--progress', url, 'looking'], {
      cwd: world.folder,
      env: world.environment,
      stdio: ['ignore', 'ignore', 'pipe'],
      // A terminal sends the signal to all of a group.
      detached: true,
    })
    const group = -(child.pid ?? assert.fail('git does not start'))
    let said = ''
    child.stderr.on('data', (bytes: Uint8Array) => {
      const wasLooking = said.includes('Looking for peers')
      said += Buffer.from(bytes).toString()
      if (!wasLooking && said.includes('Looking for peers')) process.kill(group, 'SIGINT')
    })
    // All who hold stderr are gone then, the helper as well.
    const [, signal] = await once(child, 'close', { signal: AbortSignal.timeout(20_000) })
    assert.deepEqual([signal, existsSync(join(world.folder, 'looking'))], ['SIGINT', false], said)
    assert.doesNotMatch(said, /Receiving objects|Traceback|\bat .*\.js/)
  })
})

it('a peer that hangs up on the first read is given up for the origin', async () => {
  let net: Net | null = null
  const leaving = (): Source => ({
    read: async () => {
      await net?.close()
      throw new Error('gone')
    },
  })
  net = await openPeer({ answer: honest, source: leaving })
  assert.ok((await cloneFrom(net, 'left')).origin > 0)
  await net.close()
})

it('a static peer where nobody listens costs nothing', async () => {
  const settings = ['gittorrent.peer=127.0.0.1:1', 'gittorrent.dht=false', 'gittorrent.lsd=false']
  const { bytes } = await world.viaSwarm(['clone', '--quiet', url, 'nobody'], settings)
  assert.equal(bytes.peers, 0)
})

async function failureOf(program: string, args: readonly string[]): Promise<string> {
  return world.run(program, args).then(
    () => assert.fail(`${program} ${args.join(' ')} succeeded`),
    (error: Error) => error.message,
  )
}

it('an origin that cannot be reached is one clear line, and no directory is left', async () => {
  const said = await failureOf('git', ['clone', '--quiet', 'gittorrent::git://127.0.0.1:1/none.git', 'unreachable'])
  assert.match(said, /127\.0\.0\.1/)
  assert.equal(existsSync(join(world.folder, 'unreachable')), false)
})

it('an empty repository has an empty chain and can be seeded and cloned', async () => {
  await world.git('init', '--quiet', '--bare', 'empty.git')
  const said = await failureOf('gittorrent', ['chain', 'empty.git'])
  assert.match(said, /HEAD/)
  const seeder = await world.startSeeder('empty.git', 'empty.git')
  assert.match(seeder.said, /nothing to share/)
  await seeder.stop()
  await world.git('clone', '--quiet', `gittorrent::${world.originUrl('empty.git')}`, 'empty-clone')
})

it('a repository without a checkpoint travels live', async () => {
  await mkdir(join(world.folder, 'tiny'))
  await world.git('init', '--quiet', 'tiny')
  // The first commit of this author and date has a name that is no checkpoint; the assertion below holds it to that.
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  await world.run('git', ['-C', 'tiny', ...identity, 'commit', '--quiet', '--allow-empty', '-m', 'one'], {
    environment: { GIT_AUTHOR_DATE: '1112911993 +0000', GIT_COMMITTER_DATE: '1112911993 +0000' },
  })
  const { stdout } = await world.run('gittorrent', ['chain', 'tiny', '--json'])
  assert.deepEqual(JSON.parse(stdout).links, [])
})

it('shallow and partial clones are refused by seed and chain in one line that names the remedy', async () => {
  await world.git('clone', '--quiet', '--depth=3', world.originUrl('origin.git'), 'shallow')
  assert.match(
    await failureOf('gittorrent', ['chain', 'shallow']),
    /^gittorrent chain shallow: fatal: .*shallow.*unshallow`$/,
  )
  await world.git('-C', 'origin.git', 'config', 'uploadpack.allowFilter', 'true')
  await world.git('clone', '--quiet', '--filter=blob:none', '--no-checkout', world.originUrl('origin.git'), 'partial')
  assert.match(await failureOf('gittorrent', ['seed', 'partial', '--once']), /fatal: .*partial clone/)
})

it('a work tree without remote-tracking branches offers nothing unless told', async () => {
  const { stderr } = await world.run('gittorrent', [
    'seed',
    'tiny',
    '--once',
    '--origin',
    world.originUrl('origin.git'),
  ])
  assert.match(stderr, /local branches are private/)
})

it('words that are no options are refused with the usage', async () => {
  assert.match(
    await failureOf('gittorrent', ['chain', '--frobnicate']),
    /fatal: unknown option '--frobnicate'\nusage: gittorrent chain/,
  )
  for (const word of ['frobnicate', 'constructor'])
    assert.match(await failureOf('gittorrent', [word]), /is not a gittorrent command, see `gittorrent help`/)
  for (const word of ['stauts', 'statu', 'Status'])
    assert.match(await failureOf('gittorrent', [word]), /is not a gittorrent command, did you mean 'status'\?/)
})
