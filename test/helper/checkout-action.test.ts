/**
 * Goal: a CI job whose runner has adopted an origin by insteadOf checks out as before, from the swarm: the commands of
 * actions/checkout with their https URL, their token in a header, depth 1 and whole, submodules included.
 * Method: an origin over HTTP that refuses who does not bring the token; a seeder with a snapshot; the commands as the action
 * gives them, with the adoption in the user's configuration only.
 */

import assert from 'node:assert/strict'
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { AUTHOR } from './daemon-scene.ts'
import { startSmartHttp, type TestOrigin } from './origin.ts'

const HEADER = `AUTHORIZATION: basic ${Buffer.from('x-access-token:secret').toString('base64')}`

let world: DemoWorld
let origin: TestOrigin
let parent: string
let refusedCount = 0

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'part.git'), { commitCount: 250, seed: 8 })
  await world.run('gittorrent', ['chain', 'part.git', '--snapshot'])
  origin = await startSmartHttp(world.folder, (request, response) => {
    if (`AUTHORIZATION: ${request.headers.authorization}` === HEADER) return false
    refusedCount++
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    return true
  })
  untilFileEnds(origin)
  parent = await withSubmodule()
  await world.git('-C', 'part.git', 'config', 'remote.origin.url', `${origin.url}/part.git`)
  const quiet = { GITTORRENT_DHT: 'false', GITTORRENT_LSD: 'false' }
  const seeder = await world.startSeeder('part.git', null, quiet)
  const settings = [`peer = ${seeder.address}`, 'dht = false', 'lsd = false'].map((line) => `\t${line}\n`).join('')
  const adoption = `[url "gittorrent::lfs=${origin.url}/"]\n\tinsteadOf = ${origin.url}/\n`
  const allowance = '[protocol "gittorrent"]\n\tallow = always\n'
  await appendFile(join(world.folder, 'home', '.gitconfig'), `[gittorrent]\n${settings}${adoption}${allowance}`)
})

/** A repository `parent.git` with `part.git` as a submodule; its tip. */
async function withSubmodule(): Promise<string> {
  const part = await world.git('-C', 'part.git', 'rev-parse', 'main')
  const modules = `[submodule "part"]\n\tpath = part\n\turl = ${origin.url}/part.git\n`
  await world.git('init', '--quiet', '--bare', '--initial-branch=main', 'parent.git')
  const hash = ['-C', 'parent.git', 'hash-object', '-w', '--stdin']
  const blob = (await world.run('git', hash, { input: modules })).stdout.trim()
  const input = `100644 blob ${blob}\t.gitmodules\n160000 commit ${part}\tpart\n`
  const tree = (await world.run('git', ['-C', 'parent.git', 'mktree', '--missing'], { input })).stdout.trim()
  const commit = ['-C', 'parent.git', 'commit-tree', '-m', 'with a part', tree]
  const tip = (await world.run('git', commit, { environment: AUTHOR })).stdout.trim()
  await world.git('-C', 'parent.git', 'update-ref', 'refs/heads/main', tip)
  return tip
}

/** What the action does before it fetches. */
async function prepare(name: string, repository: string): Promise<(...args: string[]) => Promise<string>> {
  const run = (...args: string[]): Promise<string> => world.git('-C', name, ...args)
  await world.git('init', name)
  await run('remote', 'add', 'origin', `${origin.url}/${repository}`)
  await run('config', '--local', 'gc.auto', '0')
  await run('config', '--local', `http.${origin.url}/.extraheader`, HEADER)
  return run
}

async function checkOut(run: (...args: string[]) => Promise<string>): Promise<string> {
  await run('checkout', '--progress', '--force', '-B', 'main', 'refs/remotes/origin/main')
  return run('log', '-1', '--format=%H')
}

it('depth 1: one commit by its oid, the tree from peers, and the token goes to the origin only', async () => {
  const tip = await world.git('-C', 'part.git', 'rev-parse', 'main')
  const run = await prepare('shallow', 'part.git')
  const before = refusedCount
  const fetch = ['fetch', '--no-tags', '--prune', '--no-recurse-submodules', '--depth=1', 'origin']
  const refspec = `+${tip}:refs/remotes/origin/main`
  const { bytes, trace } = await world.viaSwarm(['-C', 'shallow', ...fetch, refspec], ['protocol.version=2'])
  assert.equal(await checkOut(run), tip)
  assert.ok(bytes.peers > bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
  assert.equal(refusedCount, before, 'the token came with the first request')
  assert.doesNotMatch(trace, /secret|eC1hY2Nlc3M/)
  assert.equal(await run('config', 'remote.origin.url'), `${origin.url}/part.git`)
  assert.equal(await run('status', '--porcelain'), '')
})

it('fetch-depth 0: all branches and tags', async () => {
  const run = await prepare('whole', 'part.git')
  const refspecs = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*']
  const fetch = ['fetch', '--prune', '--no-recurse-submodules', 'origin', ...refspecs]
  const { bytes } = await world.viaSwarm(['-C', 'whole', ...fetch], ['protocol.version=2'])
  assert.equal(await checkOut(run), await world.git('-C', 'part.git', 'rev-parse', 'main'))
  assert.ok(bytes.peers > bytes.origin, `${bytes.peers} from peers, ${bytes.origin} from the origin`)
  await run('fsck', '--full', '--no-progress')
})

it('submodules: recursive, with the token that the action gives each of them', async () => {
  const run = await prepare('recursive', 'parent.git')
  const fetch = ['fetch', '--no-tags', '--prune', '--no-recurse-submodules', '--depth=1', 'origin']
  await run('-c', 'protocol.version=2', ...fetch, `+${parent}:refs/remotes/origin/main`)
  assert.equal(await checkOut(run), parent)
  await world.git('config', '--global', `http.${origin.url}/.extraheader`, HEADER)
  await run('submodule', 'sync', '--recursive')
  await run('-c', 'protocol.version=2', 'submodule', 'update', '--init', '--force', '--depth=1', '--recursive')
  await run('submodule', 'foreach', '--recursive', 'git config --local gc.auto 0')
  const part = await world.git('-C', 'recursive/part', 'rev-parse', 'HEAD')
  assert.equal(part, await world.git('-C', 'part.git', 'rev-parse', 'main'))
  assert.equal(await world.git('-C', 'recursive/part', 'config', 'remote.origin.url'), `${origin.url}/part.git`)
  const stored = await readFile(join(world.folder, 'recursive', '.git', 'config'), 'utf8')
  assert.doesNotMatch(stored, /gittorrent::/)
})
