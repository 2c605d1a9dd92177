/**
 * Goal: a repository that an origin names as its mirror spares the origin what the mirror has, and nothing that a mirror is or does
 * harms: behind, gone, silent or another repository; it is told of no commit that the origin does not know.
 * Method: real clones and fetches through the helper from an origin that names mirrors over git:// and HTTP; what leaves the origin, and
 * what a mirror hears, is taken from the sockets.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { type ByteMeter, startByteMeter } from '../../bench/byte-meter.ts'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { untilFileEnds, whenFileEnds } from '../support/until-file-ends.ts'
import { startSmartHttp, type TestOrigin } from './origin.ts'

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

let world: DemoWorld
let meter: ByteMeter
let http: TestOrigin
let heard: Buffer[]
let url: string
let mirrorUrl: string
const sockets = new Set<Socket>()

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await world.git('config', '--global', 'maintenance.auto', 'false')
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 200, seed: 91 })
  await world.git('clone', '--quiet', '--mirror', 'origin.git', 'mirror.git')
  await world.startDaemon()
  const { port } = new URL(world.originUrl('origin.git'))
  meter = untilFileEnds(await startByteMeter(Number(port)))
  http = untilFileEnds(await startSmartHttp(world.folder))
  heard = []
  const listener = createServer((client) => {
    const server = connect(Number(port), '127.0.0.1')
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    client.on('data', (bytes) => heard.push(bytes))
    client.pipe(server).pipe(client)
  }).listen(0, '127.0.0.1')
  whenFileEnds(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  await once(listener, 'listening')
  const address = listener.address()
  assert.ok(typeof address === 'object' && address !== null)
  mirrorUrl = `git://127.0.0.1:${address.port}/mirror.git`
  url = `git://127.0.0.1:${meter.port}/origin.git`
})

function publish(...args: string[]): Promise<unknown> {
  return world.run('gittorrent', ['mirrors', 'publish', 'origin.git', ...args])
}

async function unpublish(): Promise<void> {
  for (const kind of ['fetch/git', 'fetch/http'])
    await world.git('-C', 'origin.git', 'update-ref', '-d', `refs/mirrors/${kind}`)
}

async function clone(name: string, ...settings: string[]) {
  const before = meter.sentBytes()
  const { trace, bytes } = await world.viaSwarm(
    ['clone', '--quiet', `gittorrent::${url}`, name],
    [...QUIET, ...settings],
  )
  const sent = meter.sentBytes() - before
  await world.git('clone', '--quiet', url, `plain-${name}`)
  await assertEqual(name, `plain-${name}`)
  return { trace, bytes, sent }
}

async function assertEqual(directory: string, plain: string): Promise<void> {
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs(directory), await refs(plain))
  const objects = async (of: string): Promise<string[]> =>
    (await world.git('-C', of, 'rev-list', '--objects', '--no-object-names', '--all')).split('\n').sort()
  assert.deepEqual(await objects(directory), await objects(plain))
  await world.git('-C', directory, 'fsck', '--full', '--no-progress')
  assert.equal(await world.git('-C', directory, 'config', '--get-regexp', 'promisor').catch(() => ''), '')
}

async function commit(where: string, message: string): Promise<string> {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  const oid = await world.git('-C', where, ...identity, 'commit-tree', '-p', 'main', '-m', message, 'main^{tree}')
  await world.git('-C', where, 'update-ref', 'refs/heads/main', oid)
  return oid
}

it('a clone takes branches from the mirror, over git:// and over HTTP, and the origin sends what is no branch', async () => {
  const { sent: plain } = await clone('without')
  for (const [kind, where] of [
    ['git', mirrorUrl],
    ['http', `${http.url}/mirror.git`],
  ] as const) {
    await unpublish()
    await publish(`--fetch-${kind}`, where)
    const { sent, trace } = await clone(`by-${kind}`)
    assert.ok(sent < plain / 4, `${sent} of ${plain} bytes from the origin\n${trace}`)
    assert.match(trace, new RegExp(`mirror ${where}: [1-9]\\d* tips`))
  }
})

it('a fetch finds what is new at the mirror, the origin is asked for nothing, and the mirror hears of no local commit', async () => {
  await unpublish()
  await publish('--fetch-git', mirrorUrl)
  const local = await commit('by-git', 'a local one')
  await commit('origin.git', 'one')
  await world.git('-C', 'mirror.git', 'fetch', '--quiet')
  heard.splice(0)
  const { trace } = await world.viaSwarm(['-C', 'by-git', 'fetch', '--quiet'], QUIET)
  assert.match(trace, /the origin is not asked/)
  const told = Buffer.concat(heard).toString('latin1')
  assert.match(told, /have [0-9a-f]{40}/)
  assert.ok(!told.includes(local), told)
  await world.git('-C', 'plain-by-git', 'fetch', '--quiet')
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref', 'refs/remotes')
  assert.equal(await refs('by-git'), await refs('plain-by-git'))
  await world.git('-C', 'by-git', 'fsck', '--full', '--no-progress')
})

it('a mirror that is behind brings what it has, and the origin the rest', async () => {
  const oid = await commit('origin.git', 'two, which the mirror does not have')
  const { sent, trace } = await clone('behind')
  assert.equal(await world.git('-C', 'behind', 'rev-parse', 'origin/main'), oid)
  assert.doesNotMatch(trace, /the origin is not asked/)
  assert.ok(sent < 60_000, `${sent} bytes`)
})

it("in the user's order: folders and peers first unless he says otherwise, and no kind that he does not name", async () => {
  assert.match((await clone('ordered', 'gittorrent.mirrorOrder=fetch/git')).trace, /mirror git:/)
  assert.doesNotMatch((await clone('other-kind', 'gittorrent.mirrorOrder=fetch/http')).trace, /mirror git:/)
  assert.doesNotMatch((await clone('no-mirrors', 'gittorrent.mirrors=false')).trace, /mirror git:/)
  await assert.rejects(clone('wrong', 'gittorrent.mirrorOrder=ftp'), /mirrorOrder: expected some of/)
})

it('a mirror that is gone, silent or another repository costs time and nothing else', async () => {
  await generateRepository(join(world.folder, 'other.git'), { commitCount: 30, seed: 92 })
  const silent = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  assert.ok(typeof address === 'object' && address !== null)
  const base = mirrorUrl.replace('/mirror.git', '')
  for (const [name, where] of [
    ['gone', `${base}/gone.git`],
    ['unreachable', 'git://127.0.0.1:1/mirror.git'],
    ['silent', `git://127.0.0.1:${address.port}/mirror.git`],
    ['other', `${base}/other.git`],
  ] as const) {
    await unpublish()
    await publish('--fetch-git', where)
    await clone(name)
  }
  silent.close()
})

it('a clone that borrows objects, or has no refs of the origin to start from, does not ask a mirror', async () => {
  await unpublish()
  await publish('--fetch-git', mirrorUrl)
  const args = ['clone', '--quiet', '--reference', 'plain-behind', `gittorrent::${url}`, 'borrowing']
  assert.doesNotMatch((await world.viaSwarm(args, QUIET)).trace, /mirror git:.*tips/)
  await world.git('clone', '--quiet', '--bare', url, 'bare.git')
  await commit('origin.git', 'three')
  const fetch = ['-C', 'bare.git', 'fetch', '--quiet', `gittorrent::${url}`, '+refs/heads/*:refs/heads/*']
  assert.doesNotMatch((await world.viaSwarm(fetch, QUIET)).trace, /mirror git:.*tips/)
})
