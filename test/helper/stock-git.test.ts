/**
 * Goal: git alone, without our helper, takes an exported folder as a bundle list, gets exactly what plain git gets, and spares the
 * origin. Whichever git is on the PATH: what depends on its version is asserted for that version.
 * Method: real git against git daemon behind a relay that counts, and a web server that counts; compared with plain clones. The
 * cases follow the bugs that bundle URIs had in git and elsewhere: tips not found, refs not kept, objects not checked.
 */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { type ByteMeter, startByteMeter } from '../../bench/byte-meter.ts'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { type StaticServer, startStaticServer } from '../../bench/static-server.ts'
import { parseManifest } from '../../helper/export/manifest.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

let world: DemoWorld
let web: StaticServer
let meter: ByteMeter
let origin: string
/** Whether this git reads creation tokens, relative URIs, and lists that a server advertises: 2.40 brought all three. */
let readsTokens: boolean
let plainBytes: number

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  // A maintenance run in the background would pull packs away from under fsck.
  await world.git('config', '--global', 'maintenance.auto', 'false')
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 400, seed: 11 })
  await world.startDaemon()
  meter = untilFileEnds(await startByteMeter(Number(new URL(world.originUrl('origin.git')).port)))
  origin = `git://127.0.0.1:${meter.port}/origin.git`
  web = untilFileEnds(await startStaticServer(world.folder))
  const [, major = 0, minor = 0] = /(\d+)\.(\d+)/.exec(await world.git('version'))?.map(Number) ?? []
  readsTokens = major > 2 || minor >= 40
  await exportTo('list', '--base-url', `${web.url}/list`)
  plainBytes = await originBytes(() => world.git('clone', '--quiet', origin, 'plain'))
})

async function exportTo(out: string, ...args: string[]): Promise<void> {
  await world.run('gittorrent', ['export', 'origin.git', '--out', out, ...args])
}

/** Links of the main line, newest first. */
async function linksOf(out: string) {
  const { chains } = parseManifest(await readFile(join(world.folder, out, 'manifest.json')))
  return chains[0]?.links ?? []
}

async function originBytes(act: () => Promise<unknown>): Promise<number> {
  const before = meter.sentBytes()
  await act()
  return meter.sentBytes() - before
}

/** Bundles that the web server was asked for while `act` ran. */
async function askedBundles(act: () => Promise<unknown>): Promise<string[]> {
  const before = web.requests.length
  await act()
  return web.requests.slice(before).flatMap((request) => /gt1-\S+\.bundle/.exec(request)?.[0] ?? [])
}

async function assertEqualToPlain(directory: string, plain = 'plain'): Promise<void> {
  const refs = (of: string): Promise<string> =>
    world.git('-C', of, 'for-each-ref', 'refs/heads', 'refs/remotes', 'refs/tags')
  assert.equal(await refs(directory), await refs(plain))
  const objects = async (of: string): Promise<string[]> => {
    const args = ['rev-list', '--objects', '--no-object-names', '--branches', '--tags', '--remotes']
    return (await world.git('-C', of, ...args)).split('\n').sort()
  }
  assert.deepEqual(await objects(directory), await objects(plain))
  await world.git('-C', directory, 'fsck', '--full', '--strict', '--no-progress')
}

it('clones with a bundle list over HTTP: every bundle, and a quarter of the bytes from the origin', async () => {
  const links = await linksOf('list')
  let asked: string[] = []
  const bytes = await originBytes(async () => {
    const args = ['clone', '--quiet', `--bundle-uri=${web.url}/list/bundle-list`, origin, 'over-http']
    asked = await askedBundles(() => world.git(...args))
  })
  assert.deepEqual(asked.sort(), links.map(({ file }) => file).sort())
  assert.ok(bytes < plainBytes / 4, `${bytes} of ${plainBytes} bytes from the origin`)
  await assertEqualToPlain('over-http')
})

it('keeps the tips of all bundles as refs, so that negotiation finds them', async () => {
  const links = await linksOf('list')
  const kept = (await world.git('-C', 'over-http', 'for-each-ref', '--format=%(objectname)', 'refs/bundles')).split(
    '\n',
  )
  assert.deepEqual(kept.sort(), links.map(({ tip }) => tip).sort())
})

it('remembers the newest token where git reads tokens', async () => {
  const [newest = 0] = (await linksOf('list')).map(({ token }) => token).sort((a, b) => b - a)
  const remembered = await world.git('-C', 'over-http', 'config', '--get', '--default', '', 'fetch.bundleCreationToken')
  assert.equal(remembered, readsTokens ? String(newest) : '')
})

it('clones with a bundle list from file://', async () => {
  await exportTo('by-file', '--base-url', `file://${join(world.folder, 'by-file')}`)
  const list = `--bundle-uri=file://${join(world.folder, 'by-file', 'bundle-list')}`
  const bytes = await originBytes(() => world.git('clone', '--quiet', list, origin, 'over-file'))
  assert.ok(bytes < plainBytes / 4, `${bytes} of ${plainBytes} bytes from the origin`)
  await assertEqualToPlain('over-file')
})

it('a list with relative URIs works where git resolves them, and is no harm where it does not', async () => {
  await exportTo('relative')
  const args = ['clone', '--quiet', `--bundle-uri=${web.url}/relative/bundle-list`, origin, 'over-relative']
  const asked = await askedBundles(() => world.git(...args))
  assert.equal(asked.length, readsTokens ? (await linksOf('relative')).length : 0)
  await assertEqualToPlain('over-relative')
})

it('the bundles pass the checks that a careful user asks for', async () => {
  const list = `--bundle-uri=${web.url}/list/bundle-list`
  await world.git('-c', 'transfer.fsckObjects=true', 'clone', '--quiet', list, origin, 'checked')
  await assertEqualToPlain('checked')
})

it('a server that advertises the list is followed by clients that allow it, where git knows how', async () => {
  await world.git('-C', 'origin.git', 'config', 'uploadpack.advertiseBundleURIs', 'true')
  await world.git('-C', 'origin.git', 'config', 'include.path', join(world.folder, 'list', 'bundle-list'))
  const clone = (...args: string[]) => askedBundles(() => world.git('-c', 'protocol.version=2', ...args))
  const asked = await clone('-c', 'transfer.bundleURI=true', 'clone', '--quiet', origin, 'advertised')
  assert.equal(asked.length, readsTokens ? (await linksOf('list')).length : 0)
  await assertEqualToPlain('advertised')
  assert.deepEqual(await clone('clone', '--quiet', origin, 'not-asked'), [])
  await assertEqualToPlain('not-asked')
})

it('a later fetch takes only bundles with newer tokens, and the origin sends the rest', async () => {
  const old = new Set((await linksOf('list')).map(({ file }) => file))
  const [newest = 0] = (await linksOf('list')).map(({ token }) => token).sort((a, b) => b - a)
  const commits = Array.from({ length: 120 }, (_, index) => {
    const content = `${index}\n`.repeat(300 + index)
    const head = ['commit refs/heads/main', `committer T <t@example.org> ${1_700_000_000 + index} +0000`, 'data 1', 'x']
    const from = index === 0 ? ['from refs/heads/main^0'] : []
    return [...head, ...from, `M 100644 inline g${index % 5}`, `data ${content.length}`, content]
  })
  await world.run('git', ['-C', 'origin.git', 'fast-import', '--quiet'], { input: `${commits.flat().join('\n')}\n` })
  await exportTo('list', '--base-url', `${web.url}/list`)
  const links = await linksOf('list')
  const newer = links.filter(({ token }) => token > newest).map(({ file }) => file)
  assert.ok(newer.length > 0 && newer.every((file) => !old.has(file)))
  let plain = 0
  let asked: string[] = []
  plain = await originBytes(() => world.git('-C', 'plain', 'fetch', '--quiet'))
  const bytes = await originBytes(async () => {
    asked = await askedBundles(() => world.git('-C', 'over-http', 'fetch', '--quiet'))
  })
  assert.deepEqual(asked.sort(), readsTokens ? newer.sort() : [])
  if (readsTokens) assert.ok(bytes < plain, `${bytes} of ${plain} bytes from the origin`)
  await assertEqualToPlain('over-http')
})
