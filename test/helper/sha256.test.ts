/**
 * Goal: a SHA-256 repository goes through everything that a SHA-1 one goes through: chain, export, verify, seed, clone, fetch.
 * Method: a generated history, the executables as a user runs them, real sockets on loopback; judged by stock git, which
 * reads the bundles (version 3) and compares refs and objects, and by create-torrent, which computes the infohashes.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { infohashOfOracle } from '../engine/torrent-oracle.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

interface ShownLink {
  readonly tip: string
  readonly base: string | null
  readonly bytes: number
  readonly objects: number
  readonly infohash: string
  readonly sha256: string
}

interface ShownChain {
  readonly objectFormat: string
  readonly tip: string
  readonly links: readonly ShownLink[]
}

/** What the formula gives for a payload up to 32 MiB. */
const PIECE_LENGTH = 16_384

let world: DemoWorld
let chain: ShownChain

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 120, seed: 11, objectFormat: 'sha256' })
  chain = await chainOf('origin.git')
  await world.run('gittorrent', ['export', 'origin.git', '--out', 'exported'])
})

async function chainOf(directory: string): Promise<ShownChain> {
  return JSON.parse((await world.run('gittorrent', ['chain', directory, '--json'])).stdout)
}

/** Path of an exported link, by the name that FORMAT.md gives it. */
function bundleOf({ tip, base }: ShownLink): string {
  return join(world.folder, 'exported', `gt1-${tip}-${base ?? 'root'}.bundle`)
}

/** Links oldest first, as git can take them. */
function oldestFirst(): ShownLink[] {
  return [...chain.links].reverse()
}

async function objectsOf(directory: string, tip: string): Promise<string> {
  const listed = await world.git('-C', directory, 'rev-list', '--objects', '--no-object-names', tip)
  return listed.split('\n').sort().join('\n')
}

async function verdictOf(...args: string[]): Promise<{ ok: boolean; verdicts: { reason: string | null }[] }> {
  return JSON.parse(
    (await world.run('sh', ['-c', 'gittorrent verify "$@" --json || test $? = 1', 'sh', ...args])).stdout,
  )
}

it('its chain names everything by 64 digits, from the newest checkpoint down to the root', () => {
  assert.equal(chain.objectFormat, 'sha256')
  assert.ok(chain.links.length >= 4)
  chain.links.forEach(({ tip, base }, index) => {
    assert.match(tip, /^[0-9a-f]{64}$/)
    assert.equal(base, chain.links[index + 1]?.tip ?? null)
  })
})

it('its bundles are version 3, as chain says they are, and any torrent tool computes their infohash', async () => {
  for (const link of chain.links) {
    const payload = await readFile(bundleOf(link))
    const prerequisite = link.base === null ? '' : `-${link.base} \n`
    const header = `# v3 git bundle\n@object-format=sha256\n${prerequisite}${link.tip} refs/heads/gittorrent/${link.tip}\n\nPACK`
    assert.equal(payload.toString('latin1', 0, header.length), header)
    assert.equal(payload.length, link.bytes)
    assert.equal(createHash('sha256').update(payload).digest('hex'), link.sha256)
    assert.equal(await infohashOfOracle(basename(bundleOf(link)), payload, PIECE_LENGTH), link.infohash)
  }
})

it('stock git verifies its bundles, clones from the oldest and fetches the others, and has exactly the objects', async () => {
  const [oldest, ...newer] = oldestFirst().map(bundleOf)
  await world.git('clone', '--quiet', '--mirror', oldest ?? '', 'from-bundles.git')
  for (const bundle of newer) {
    await world.git('-C', 'from-bundles.git', 'bundle', 'verify', '--quiet', bundle)
    await world.git('-C', 'from-bundles.git', 'fetch', '--quiet', bundle, 'refs/heads/*:refs/heads/*')
  }
  const top = chain.links[0]?.tip ?? ''
  assert.equal(await objectsOf('from-bundles.git', top), await objectsOf('origin.git', top))
  const [all] = (await world.git('-C', 'from-bundles.git', 'count-objects', '-v')).match(/(?<=in-pack: )\d+/) ?? []
  const objectCount = chain.links.reduce((sum, { objects }) => sum + objects, 0)
  // Thin links bring their bases along when they are indexed: more entries than objects, never fewer.
  assert.ok(Number(all) >= objectCount)
  assert.equal((await objectsOf('from-bundles.git', top)).split('\n').length, objectCount)
  await world.git('-C', 'from-bundles.git', 'fsck', '--full', '--no-progress')
})

it('what was cloned from its bundles has the same chain', async () => {
  await world.git('-C', 'from-bundles.git', 'symbolic-ref', 'HEAD', `refs/heads/gittorrent/${chain.links[0]?.tip}`)
  assert.deepEqual((await chainOf('from-bundles.git')).links, chain.links)
})

it('verify takes a folder of its bundles, one beside a repository, and the stored segments', async () => {
  const [root, next, newer] = oldestFirst().map(bundleOf)
  assert.ok(root !== undefined && next !== undefined && newer !== undefined)
  await mkdir(join(world.folder, 'two'))
  for (const bundle of [root, next]) await copyFile(bundle, join(world.folder, 'two', basename(bundle)))
  assert.equal((await verdictOf('two')).ok, true)
  assert.equal((await verdictOf(newer, '--repository', 'origin.git')).ok, true)
  assert.equal((await verdictOf('origin.git')).ok, true)
})

it('verify tells a bundle of other bytes, though git reads the same objects from it', async () => {
  const [oldest] = oldestFirst()
  assert.ok(oldest !== undefined)
  const tip = `refs/heads/gittorrent/${oldest.tip}`
  await world.git('-C', 'from-bundles.git', 'bundle', 'create', '--quiet', '../other.bundle', tip)
  const { ok, verdicts } = await verdictOf('other.bundle')
  assert.equal(ok, false)
  assert.match(verdicts[0]?.reason ?? '', /differs from what its objects build/)
  const broken = await readFile(bundleOf(oldest))
  broken[broken.length >> 1] = ~(broken[broken.length >> 1] ?? 0)
  await writeFile(join(world.folder, 'broken.bundle'), broken)
  assert.equal((await verdictOf('broken.bundle')).ok, false)
})

it('a clone and a later fetch on loopback take it from a seeder and equal plain ones', async () => {
  await world.startDaemon()
  const url = world.originUrl('origin.git')
  const seeder = await world.startSeeder('origin.git')
  const settings = [`gittorrent.peer=${seeder.address}`, 'gittorrent.dht=false', 'gittorrent.lsd=false']
  const { bytes } = await world.viaSwarm(['clone', '--quiet', `gittorrent::${url}`, 'clone'], settings)
  assert.ok(bytes.peers > 4 * bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
  assert.deepEqual(await chainOf('clone'), chain)
  await seeder.stop()
  await world.run('git', ['-C', 'origin.git', 'fast-import', '--quiet'], { input: moreCommits(60) })
  const next = await world.startSeeder('origin.git')
  const newSettings = [`gittorrent.peer=${next.address}`, 'gittorrent.dht=false', 'gittorrent.lsd=false']
  const fetched = await world.viaSwarm(['-C', 'clone', 'fetch', '--quiet'], newSettings)
  assert.ok(fetched.bytes.peers > 0)
  await next.stop()
  await world.git('clone', '--quiet', url, 'plain')
  const refs = (directory: string): Promise<string> => world.git('-C', directory, 'for-each-ref', 'refs/remotes')
  assert.equal(await refs('clone'), await refs('plain'))
  assert.equal(await objectsOf('clone', 'origin/main'), await objectsOf('plain', 'origin/main'))
  await world.git('-C', 'clone', 'fsck', '--full', '--no-progress')
})

/** A fast-import stream that goes on from main, one file each. */
function moreCommits(count: number): string {
  const commits = Array.from({ length: count }, (_, index) => {
    const content = `${index}\n`.repeat(100 + index)
    const head = `commit refs/heads/main\ncommitter T <t@example.org> ${1_900_000_000 + index} +0000\ndata 1\nx\n`
    const from = index === 0 ? 'from refs/heads/main^0\n' : ''
    return `${head}${from}M 100644 inline f${index % 5}\ndata ${content.length}\n${content}\n`
  })
  return commits.join('')
}
