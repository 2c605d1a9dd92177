/**
 * Goal: branches come from peers in few packs, as far as they bring more than they repeat, and neither the same object in two of
 * them nor a liar among them spoils the others.
 * Method: one small repository with branches that make the same changes, were merged, or have merged; git is the judge of which
 * bodies fit into one pack and of the clones, which come from peers of this process.
 */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { padChain } from '../../bench/attackers.ts'
import { DemoWorld } from '../../bench/demo-world.ts'
import { PACK_HEADER_LENGTH, writePackHeader } from '../../engine/index.ts'
import { BLOB } from '../../engine/object.ts'
import { buildChains, type Chain, type Chains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import { openLinkFile } from '../../helper/build/link-file.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { answererOf } from '../../helper/share/serve.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { SegmentStore } from '../../helper/store/segment-store.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress, type Net, openNet } from '../../net/index.ts'
import { bodyOf } from '../engine/pack-ports.ts'
import { type CommitToImport, importCommits } from '../support/fast-import.ts'
import { gitBytes, gitOutcome } from '../support/git.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const QUIET = { peers: [], trackers: [], dht: false, dhtBootstrap: [], lsd: false }

let world: DemoWorld
let chains: Chains
let url: string

/** A file that only grows, the same at the same step whoever writes it. */
function grown(step: number): string {
  return Array.from(
    { length: 40 + step },
    (_, line) => `${line} ${createHash('sha1').update(`${line}`).digest('hex')}\n`,
  ).join('')
}

/** `main` of 60 commits, which merges `merged` half way; `left` and `right` make the same changes; `repeats` has merged nearly all of main. */
function sceneCommits(): CommitToImport[] {
  const commits: CommitToImport[] = []
  const add = (branch: string, parents: readonly number[], files: CommitToImport['files']): number =>
    commits.push({ branch, parents, files: files ?? {}, message: `${branch} ${commits.length}\n` }) - 1
  const grow = (branch: string, from: number, count: number): number => {
    let at = from
    for (let step = 0; step < count; step++) at = add(branch, [at], { [`${branch}.txt`]: `${branch} ${step}\n` })
    return at
  }
  let main = add('main', [], { 'main.txt': 'main\n' })
  for (let step = 0; step < 9; step++) main = add('main', [main], { 'main.txt': grown(step) })
  const early = main
  const merged = grow('merged', main, 12)
  for (let step = 9; step < 30; step++) main = add('main', [main], { 'main.txt': grown(step) })
  main = add('main', [main, merged], { 'merged.txt': 'merged 11\n' })
  for (let step = 30; step < 60; step++) main = add('main', [main], { 'main.txt': grown(step) })
  grow('merged', merged, 12)
  for (const branch of ['left', 'right']) {
    let at = early
    for (let step = 0; step < 24; step++)
      at = add(branch, [at], { 'shared.txt': grown(100 + step), 'own.txt': `${branch} ${step}\n` })
  }
  grow('repeats', add('repeats', [early, main], { 'main.txt': grown(59) }), 8)
  for (let number = 0; number < 10; number++) grow(`small-${number}`, early + number, 6)
  return commits
}

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await importCommits(join(world.folder, 'origin.git'), sceneCommits())
  await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD', 'refs/heads/main')
  await world.startDaemon()
  url = `gittorrent::${world.originUrl('origin.git')}`
  await world.git('clone', '--quiet', '--bare', 'origin.git', 'seed.git')
  const repository = await openRepository(join(world.folder, 'seed.git'))
  chains = untilFileEnds(
    await buildChains(repository, await publicTips(repository, 'origin', false), { threadCount: 1 }),
  )
})

const shortName = ({ ref }: Pick<Chain, 'ref'>): string => ref.slice('refs/heads/'.length)

function branchOf(name: string): Chain {
  const chain = chains.chains.find((one) => shortName(one) === name)
  assert.ok(chain !== undefined, `${name} has no chain`)
  return chain
}

it('a branch that has merged far more than it brings has no chain, others have', () => {
  const names = chains.chains.map(shortName)
  assert.equal(names.includes('repeats'), false)
  for (const name of ['main', 'merged', 'left', 'right']) assert.ok(names.includes(name), name)
})

it('the chain of a branch ends where the main line has merged it', async () => {
  const base = branchOf('merged').links.at(-1)?.plan.base ?? ''
  const main = branchOf('main').links[0]?.plan.tip ?? ''
  const firstParents = await world.git('-C', 'seed.git', 'rev-list', '--first-parent', main)
  await world.git('-C', 'seed.git', 'merge-base', '--is-ancestor', base, main)
  assert.equal(firstParents.includes(base), false)
})

/** Has git index the bodies of some chains as one pack in a copy of the main line; its words if it refuses. */
async function indexTogether(name: string, together: readonly Chain[]): Promise<string | null> {
  const links = together.flatMap(({ links }) => [...links].reverse())
  const header = new Uint8Array(PACK_HEADER_LENGTH)
  writePackHeader(
    header,
    0,
    links.reduce((sum, { objectCount }) => sum + objectCount, 0),
  )
  const bodies = await Promise.all(links.map(({ bodies, read }) => read(bodies.start, bodies.end - bodies.start)))
  const pack = Buffer.concat([header, ...bodies])
  const input = Buffer.concat([pack, createHash('sha1').update(pack).digest()])
  const outcome = await gitOutcome(['index-pack', '--stdin', '--fix-thin'], {
    directory: join(world.folder, name),
    input,
  })
  return outcome.status === 0 ? null : outcome.stderr
}

it('lines with the same number fit into one pack, those that hold the same delta bases have different ones', async () => {
  await world.git('clone', '--quiet', '--bare', '--single-branch', 'origin.git', 'main.git')
  const [, ...branches] = chains.chains
  const numbers = [...new Set(branches.map(({ pack }) => pack))].sort()
  assert.ok(numbers.length > 1 && numbers.length < branches.length)
  assert.match((await indexTogether('main.git', branches)) ?? '', /duplicate base/)
  for (const number of numbers)
    assert.equal(
      await indexTogether(
        'main.git',
        branches.filter(({ pack }) => pack === number),
      ),
      null,
    )
  assert.notEqual(branchOf('left').pack, branchOf('right').pack)
  const tops = branches.map(({ links }) => links[0]?.plan.tip ?? '')
  await world.git('-C', 'main.git', 'rev-list', '--objects', '--quiet', ...tops)
})

/** A peer of this process that offers some chains. */
async function openPeer(offered: readonly Chain[]): Promise<Net> {
  const net = await openNet({ listen: { host: '127.0.0.1', port: 0 }, ...QUIET })
  for (const { links } of offered) for (const link of links) net.seed(link, link)
  const handlers = answererOf({ ...chains, chains: offered }, 'origin')
  net.joinTopic(topicOf(parseOrigin(world.originUrl('origin.git'))), handlers, { announce: false })
  return net
}

interface CloneOptions {
  readonly options?: readonly string[]
  readonly env?: Record<string, string>
  /** Offered by one more peer. */
  readonly beside?: readonly Chain[]
}

/** Clones from a peer that offers some chains, holds the clone against the origin, and says how many lines were whole. */
async function cloneFrom(
  offered: readonly Chain[],
  name: string,
  { options = ['--mirror'], env = {}, beside }: CloneOptions = {},
) {
  const nets = await Promise.all([offered, ...(beside === undefined ? [] : [beside])].map(openPeer))
  try {
    const peers = nets.map(({ address }) => `gittorrent.peer=${address === null ? '' : formatAddress(address)}`)
    const settings = [...peers, 'gittorrent.dht=false', 'gittorrent.lsd=false']
    const clone = await world.viaSwarm(['clone', '--quiet', ...options, url, name], settings, env)
    await world.git('-C', name, 'fsck', '--full', '--no-progress')
    const packs = (await readdir(join(world.folder, name, 'objects', 'pack'))).filter((file) => file.endsWith('.pack'))
    return { ...clone, packCount: packs.length, haves: Number(/supply: (\d+) haves/.exec(clone.trace)?.[1]) }
  } finally {
    await Promise.all(nets.map((net) => net.close()))
  }
}

it('a clone takes all lines in as few packs as their numbers say, and what is left from the origin in one', async () => {
  const { packCount, haves, trace } = await cloneFrom(chains.chains, 'clone.git')
  assert.equal(haves, chains.chains.length)
  assert.doesNotMatch(trace, /refused|broke off/)
  assert.equal(packCount, 1 + new Set(chains.chains.map(({ pack }) => pack)).size)
  assert.equal(await world.git('-C', 'clone.git', 'for-each-ref'), await world.git('-C', 'origin.git', 'for-each-ref'))
})

it('where nobody says which lines fit into one pack, or wrongly, all come all the same', async () => {
  const { haves } = await cloneFrom(
    chains.chains.map((chain) => ({ ...chain, pack: 0 })),
    'unnumbered.git',
  )
  assert.equal(haves, chains.chains.length)
})

/** Clones one branch through the swarm, and by git alone: both get the same objects. Tells how many lines came from peers. */
async function cloneAlone(name: string): Promise<number> {
  const options = ['--bare', '--single-branch', '--branch', name]
  const { haves } = await cloneFrom(chains.chains, `${name}.git`, { options })
  await world.git('clone', '--quiet', ...options, `file://${join(world.folder, 'origin.git')}`, `${name}-plain.git`)
  const objects = (of: string): Promise<string> =>
    world.git('-C', of, 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)')
  assert.equal(await objects(`${name}.git`), await objects(`${name}-plain.git`))
  return haves
}

it('a clone of one branch takes its line, and of the main line what it rests on and no more', async () => {
  const ofMain = new Set(branchOf('main').links.flatMap(({ plan }) => plan.segments.map(({ tip }) => tip)))
  const [, ...branches] = chains.chains
  const leaving = branches.find(({ links }) => ofMain.has(links.at(-1)?.plan.base ?? branchOf('merged').tip))
  assert.ok(leaving !== undefined)
  assert.equal(await cloneAlone(shortName(leaving)), 2)
})

it('a clone of one branch that the main line has merged, or that has no chain, comes from the origin', async () => {
  for (const name of ['merged', 'repeats']) assert.equal(await cloneAlone(name), 0)
})

it('an asker who does not say how many chains he takes gets no more than 64', async () => {
  const many = Array.from({ length: 100 }, () => branchOf('main'))
  const { onRequest } = answererOf({ ...chains, chains: many }, 'origin')
  const lengthOf = async (question: string): Promise<number> =>
    Buffer.from((await onRequest('chain', Buffer.from(question), '')) as Uint8Array)
      .toString('latin1')
      .split('15:refs/heads/main').length - 1
  assert.equal(await lengthOf('d1:f4:sha11:vi1ee'), 64)
  assert.equal(await lengthOf('d1:ci512e1:f4:sha11:vi1ee'), 100)
})

/** A chain whose newest segment is none, under claimed hashes that fit. */
async function spoil({ links: [newest, ...older], ...chain }: Chain, store: SegmentStore): Promise<Chain> {
  assert.ok(newest !== undefined)
  let offset = newest.bodies.start
  for (const [index, { length, objectCount, commitCount }] of newest.segments.entries()) {
    const plan = newest.plan.segments[index]
    assert.ok(plan !== undefined)
    const body = await newest.read(offset, length)
    if (index === newest.segments.length - 1) body.fill(0x55, length >> 1)
    offset += length
    await store.writeBody(plan, {
      async *parts() {
        yield body
      },
      length,
      objectCount,
      commitCount,
    })
  }
  return { ...chain, links: [await openLinkFile(newest.plan, 'sha1', store), ...older] }
}

it('of a claim with one line that git refuses, the other lines come', async () => {
  const folder = join(world.folder, 'spoiled')
  const store = new SegmentStore(folder, folder)
  try {
    const offered = await Promise.all(
      chains.chains.map((chain) => (chain === chains.chains.at(-2) ? spoil(chain, store) : chain)),
    )
    const { haves, trace } = await cloneFrom(offered, 'spoiled.git')
    assert.match(trace, /refused/)
    assert.equal(haves, chains.chains.length - 1)
  } finally {
    await store.close()
  }
})

it('a branch line with what nothing needs, or what is there already, brings nothing into the clone; who claims it is banned', async () => {
  const folder = join(world.folder, 'padded')
  const store = new SegmentStore(folder, folder)
  const { links } = branchOf('left')
  const base = links.at(-1)?.plan.base ?? ''
  const file = await gitBytes(['cat-file', 'blob', `${base}:main.txt`], { directory: join(world.folder, 'seed.git') })
  const env = { GITTORRENT_REMEMBER: 'true', GITTORRENT_HOME: join(world.folder, 'home-with-bans') }
  const namesIn = async (name: string): Promise<[string[], string[]]> => {
    const there = await world.git('-C', name, 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)')
    const needed = await world.git('-C', name, 'rev-list', '--objects', '--no-object-names', '--glob=refs/heads')
    return [there.split('\n'), needed.split('\n').sort()]
  }
  try {
    for (const [name, data] of [
      ['needless', randomBytes(1000)],
      ['held', file],
    ] as const) {
      const entry = bodyOf([{ type: BLOB, data }])
      const padded = await Promise.all(
        chains.chains.map((chain) => (chain === branchOf('left') ? padChain(chain, entry, store) : chain)),
      )
      const alone = await cloneFrom(padded, `${name}.git`, { env })
      assert.match(alone.trace, /exact check: not-exact.*is banned/s)
      assert.ok(alone.haves < chains.chains.length)
      assert.deepEqual(...(await namesIn(`${name}.git`)))
      if (name === 'held') continue
      const beside = await cloneFrom(padded, `${name}-beside.git`, { beside: chains.chains })
      assert.equal(beside.haves, chains.chains.length)
      assert.deepEqual(...(await namesIn(`${name}-beside.git`)))
    }
  } finally {
    await store.close()
  }
})
