/**
 * Goal: what an origin says under refs/mirrors/ is found without being asked for by anybody, used, and changes nothing in what git
 * sees; an origin that has nothing to add is not asked; nonsense there is no harm.
 * Method: real clones through the helper over git:// and smart HTTP, with and without published mirrors, compared with plain git;
 * connections and requests counted at the origin.
 */

import assert from 'node:assert/strict'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { type ByteMeter, startByteMeter } from '../../bench/byte-meter.ts'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { type StaticServer, startStaticServer } from '../../bench/static-server.ts'
import { keptMirrorUrls, NO_MIRRORS, withList } from '../../helper/remote/mirrors.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { startSmartHttp, type TestOrigin } from './origin.ts'

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

let world: DemoWorld
let web: StaticServer
let meter: ByteMeter
let http: TestOrigin
let gitUrl: string
let httpUrl: string

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await world.git('config', '--global', 'maintenance.auto', 'false')
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 300, seed: 31 })
  await world.startDaemon()
  meter = untilFileEnds(await startByteMeter(Number(new URL(world.originUrl('origin.git')).port)))
  http = untilFileEnds(await startSmartHttp(world.folder))
  web = untilFileEnds(await startStaticServer(world.folder))
  gitUrl = `git://127.0.0.1:${meter.port}/origin.git`
  httpUrl = `${http.url}/origin.git`
  await world.run('gittorrent', ['export', 'origin.git', '--out', 'public', '--base-url', `${web.url}/public`])
  await world.git('clone', '--quiet', gitUrl, 'plain')
  await world.run('gittorrent', ['mirrors', 'publish', 'origin.git', '--folder', 'public'])
})

async function assertEqual(directory: string, plain: string): Promise<void> {
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs(directory), await refs(plain))
  const objects = async (of: string): Promise<string[]> =>
    (await world.git('-C', of, 'rev-list', '--objects', '--no-object-names', '--all')).split('\n').sort()
  assert.deepEqual(await objects(directory), await objects(plain))
  await world.git('-C', directory, 'fsck', '--full', '--no-progress')
}

it('publishes what a reader of 2011 would expect, and magnets', async () => {
  const show = (name: string): Promise<string> => world.git('-C', 'origin.git', 'show', `refs/mirrors/bundle/${name}`)
  assert.equal(await show('http'), `${web.url}/public/manifest.json`)
  for (const url of (await show('torrent')).split('\n'))
    assert.match(url, /\/public\/gt1-[0-9a-f]+-\w+\.bundle\.torrent$/)
  for (const magnet of (await show('torrent-magnet')).split('\n')) {
    const { searchParams } = new URL(magnet)
    assert.match(searchParams.get('xt') ?? '', /^urn:btih:[0-9a-f]{40}$/)
    assert.equal(searchParams.get('ws'), `${web.url}/public/${searchParams.get('dn')}`)
  }
})

it('a clone over git:// uses them over the one connection that plain git needs', async () => {
  const before = meter.connectionCount()
  const { bytes } = await world.viaSwarm(['clone', '--quiet', `gittorrent::${gitUrl}`, 'over-git'], QUIET)
  assert.equal(meter.connectionCount(), before + 1)
  assert.ok(bytes.web > 9 * bytes.origin, JSON.stringify(bytes))
  await assertEqual('over-git', 'plain')
})

it('a clone over HTTP uses them with two requests more than plain git: for their list, and for whether the origin has what they have', async () => {
  const count = async (act: () => Promise<unknown>): Promise<number> => {
    const before = http.requests().length
    await act()
    return http.requests().length - before
  }
  const plain = await count(() => world.git('clone', '--quiet', httpUrl, 'plain-http'))
  let web = 0
  const ours = await count(async () => {
    const { bytes } = await world.viaSwarm(['clone', '--quiet', `gittorrent::${httpUrl}`, 'over-http'], QUIET)
    web = bytes.web
  })
  assert.equal(ours, plain + 2)
  assert.ok(web > 0)
  await assertEqual('over-http', 'plain-http')
})

it('git sees refs/mirrors/ only where it asks for everything', async () => {
  assert.equal(await world.git('-C', 'over-git', 'for-each-ref', 'refs/mirrors'), '')
  await world.viaSwarm(['clone', '--quiet', '--mirror', `gittorrent::${gitUrl}`, 'mirror.git'], QUIET)
  await world.git('clone', '--quiet', '--mirror', gitUrl, 'plain-mirror.git')
  await assertEqual('mirror.git', 'plain-mirror.git')
  const listed = (url: string): Promise<string> => world.git('ls-remote', url)
  assert.equal(await listed(`gittorrent::${gitUrl}`), await listed(gitUrl))
})

it('gittorrent.mirrors=false leaves them alone', async () => {
  const settings = [...QUIET, 'gittorrent.mirrors=false']
  const { bytes } = await world.viaSwarm(['clone', '--quiet', `gittorrent::${gitUrl}`, 'without'], settings)
  assert.equal(bytes.web, 0)
  await assertEqual('without', 'plain')
})

/** Lets the origin have something new. */
async function commit(message: string): Promise<void> {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  const tree = ['commit-tree', '-p', 'main', '-m', message, 'main^{tree}']
  const oid = await world.git('-C', 'origin.git', ...identity, ...tree)
  await world.git('-C', 'origin.git', 'update-ref', 'refs/heads/main', oid)
}

/** Requests that a fetch over HTTP makes. */
async function posts(): Promise<number> {
  const before = http.requests().length
  await world.viaSwarm(['-C', 'over-http', 'fetch', '--quiet'], QUIET)
  return http.requests().length - before
}

it('a fetch asks for the list again only when it has changed', async () => {
  await commit('one')
  const first = await posts()
  await world.run('gittorrent', [
    ...['mirrors', 'publish', 'origin.git', '--folder', 'public', '--fetch-http', 'http://127.0.0.1:1/project.git'],
  ])
  // The list of another kind is new, then it is known.
  await commit('two')
  assert.equal(await posts(), first + 1)
  await commit('two and a half')
  assert.equal(await posts(), first)
  await world.run('sh', ['-c', `printf 'https://a.example/other\\n${web.url}/public/manifest.json\\n' >list`])
  const blob = await world.git('-C', 'origin.git', 'hash-object', '-w', '../list')
  await world.git('-C', 'origin.git', 'update-ref', 'refs/mirrors/bundle/http', blob)
  await commit('three')
  assert.equal(await posts(), first + 1)
  await world.git('-C', 'plain-http', 'fetch', '--quiet')
  await assertEqual('over-http', 'plain-http')
})

it('a list that has not changed is asked for again after 30 days, and then counts from there', async () => {
  const kept = join(world.folder, 'over-http', '.git', 'gittorrent', 'mirrors-bundle-http')
  const age = (days: number): Promise<void> => utimes(kept, 0, Date.now() / 1000 - days * 24 * 3600)
  await age(29.9)
  await commit('four')
  const known = await posts()
  await age(30.1)
  await commit('five')
  assert.equal(await posts(), known + 1)
  await commit('six')
  assert.equal(await posts(), known)
  await world.git('-C', 'plain-http', 'fetch', '--quiet')
  await assertEqual('over-http', 'plain-http')
})

for (const [name, text] of [
  ['nonsense', '\\000\\377 nothing of use\\nhttp://[/manifest.json\\nfile:///etc/passwd\\n'],
  ['a server that is not there', 'http://127.0.0.1:1/manifest.json\\n'],
] as const) {
  it(`a list of ${name} is no harm`, async () => {
    await world.git('clone', '--quiet', '--bare', 'origin.git', `odd ${name}.git`)
    await world.run('sh', ['-c', `printf '${text}' >odd`])
    const blob = await world.git('-C', `odd ${name}.git`, 'hash-object', '-w', '../odd')
    await world.git('-C', `odd ${name}.git`, 'update-ref', 'refs/mirrors/bundle/http', blob)
    for (const base of [`git://127.0.0.1:${meter.port}`, http.url]) {
      const url = `${base}/${base.startsWith('git') ? `odd ${name}` : encodeURIComponent(`odd ${name}`)}.git`
      const target = `clone of ${name} ${base.slice(0, 3)}`
      await world.viaSwarm(['clone', '--quiet', `gittorrent::${url}`, target], QUIET)
      await world.git('clone', '--quiet', url, `plain ${target}`)
      await assertEqual(target, `plain ${target}`)
    }
  })
}

it('a mirror ref that is no list, but a whole history, is no harm', async () => {
  await world.git('clone', '--quiet', '--bare', 'origin.git', 'large.git')
  await world.git('-C', 'large.git', 'update-ref', 'refs/mirrors/bundle/http', 'refs/heads/main')
  for (const base of [`git://127.0.0.1:${meter.port}`, http.url]) {
    const target = `large over ${base.slice(0, 3)}`
    await world.viaSwarm(['clone', '--quiet', `gittorrent::${base}/large.git`, target], QUIET)
    await world.git('clone', '--quiet', `${base}/large.git`, `plain ${target}`)
    await assertEqual(target, `plain ${target}`)
  }
})

it('an origin that has nothing to add is not asked for objects at all', async () => {
  const { stdout } = await world.run('gittorrent', ['chain', 'origin.git', '--json'])
  const [, older, oldest] = JSON.parse(stdout).links.map(({ tip }: { tip: string }) => tip)
  await world.git('init', '--quiet', '--bare', '--initial-branch=main', 'settled.git')
  const settle = async (tip: string): Promise<void> => {
    await world.git('-C', 'settled.git', 'fetch', '--quiet', '--no-tags', '../origin.git', `+${tip}:refs/heads/main`)
    await world.run('gittorrent', ['export', 'settled.git', '--out', 'settled', '--base-url', `${web.url}/settled`])
    await world.run('gittorrent', ['mirrors', 'publish', 'settled.git', '--folder', 'settled'])
  }
  for (const url of [`git://127.0.0.1:${meter.port}/settled.git`, `${http.url}/settled.git`]) {
    const name = `settled-${url.slice(0, 3)}`
    await settle(oldest)
    const clone = await world.viaSwarm(['clone', '--quiet', `gittorrent::${url}`, name], QUIET)
    assert.match(clone.trace, /the origin is not asked/)
    assert.equal(clone.bytes.origin, 0)
    await world.git('clone', '--quiet', url, `plain-${name}`)
    await assertEqual(name, `plain-${name}`)
    await settle(older)
    const fetch = await world.viaSwarm(['-C', name, 'fetch', '--quiet'], QUIET)
    assert.match(fetch.trace, /the origin is not asked/)
    await world.git('-C', `plain-${name}`, 'fetch', '--quiet')
    await assertEqual(name, `plain-${name}`)
  }
})

it('a mirror that the origin withdraws is forgotten by the next fetch, though it brings nothing', async () => {
  const gitDir = join(world.folder, 'settled-git', '.git')
  assert.notDeepEqual(await keptMirrorUrls(gitDir), [])
  const refs = await world.git('-C', 'settled.git', 'for-each-ref', '--format=delete %(refname)', 'refs/mirrors/')
  await world.run('git', ['-C', 'settled.git', 'update-ref', '--stdin'], { input: `${refs}\n` })
  await world.viaSwarm(['-C', 'settled-git', 'fetch', '--quiet'], QUIET)
  assert.deepEqual(await keptMirrorUrls(gitDir), [])
})

it('a list of .torrent files or of magnet links leads to the folder that they are in', async () => {
  for (const kind of ['torrent', 'torrent-magnet']) {
    await world.git('clone', '--quiet', '--bare', 'origin.git', `${kind}.git`)
    await world.git('-C', `${kind}.git`, 'fetch', '--quiet', '../origin.git', '+refs/mirrors/*:refs/mirrors/*')
    await world.git('-C', `${kind}.git`, 'update-ref', '-d', 'refs/mirrors/bundle/http')
    const settings = [...QUIET, `gittorrent.mirrorOrder=bundle/${kind}`]
    for (const base of [`git://127.0.0.1:${meter.port}`, http.url]) {
      const target = `by ${kind} ${base.slice(0, 3)}`
      const args = ['clone', '--quiet', `gittorrent::${base}/${kind}.git`, target]
      const { bytes, trace } = await world.viaSwarm(args, settings)
      assert.ok(bytes.web > 9 * bytes.origin, trace)
      await world.git('clone', '--quiet', `${base}/${kind}.git`, `plain ${target}`)
      await assertEqual(target, `plain ${target}`)
    }
  }
})

it('only URLs of the right kind are taken from a list', () => {
  const read = (kind: Parameters<typeof withList>[1], ...lines: string[]) =>
    withList(NO_MIRRORS, kind, Buffer.from(lines.join('\n')))
  const lines = [
    'https://a.example/x/manifest.json',
    'http://b.example/manifest.json?token=1',
    'https://c.example/bundle-list',
    'file:///manifest.json',
    'https://d.example/ /manifest.json',
    'https://e.example/manifest.json\r',
    'not a URL/manifest.json',
  ]
  assert.deepEqual(read('bundle/http', ...lines).manifests, lines.slice(0, 2))
  const many = Array.from({ length: 50 }, (_, index) => `https://h${index}.example/manifest.json`)
  assert.deepEqual(read('bundle/http', ...many).manifests, many.slice(0, 8))
  const torrents = ['https://a.example/x/gt1-1-root.bundle.torrent', 'https://a.example/x/gt1-2-1.bundle.torrent']
  assert.deepEqual(read('bundle/torrent', ...torrents, 'https://a.example/x').manifests, [lines[0]])
  const magnet = 'magnet:?xt=urn:btih:1&ws=https%3A%2F%2Fa.example%2Fx%2Fgt1-1-root.bundle&ws=file%3A%2F%2F%2Fb.bundle'
  assert.deepEqual(read('bundle/torrent-magnet', magnet, torrents[0] ?? '').manifests, [lines[0]])
  const repositories = ['git://m.example/p.git', 'https://m.example/p.git', 'ssh://m.example/p.git', '/srv/p.git']
  assert.deepEqual(
    read('fetch/git', ...repositories, 'git://u:p@m.example/p.git').repositories,
    repositories.slice(0, 1),
  )
  assert.deepEqual(read('fetch/http', ...repositories).repositories, repositories.slice(1, 2))
  assert.ok(read('fetch/http', ...repositories).isRepositoryFirst)
  assert.ok(
    !withList(read('bundle/http', ...lines), 'fetch/http', Buffer.from(repositories.join('\n'))).isRepositoryFirst,
  )
})
