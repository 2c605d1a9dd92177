/**
 * Goal: a seeder or daemon with `--http` is as good a web seed as an exported folder, for our helper and for stock git, and shows
 * what is new.
 * Method: real processes on loopback; every file compared with what `gittorrent export` writes; clones that know no peer, compared
 * with plain ones.
 */

import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { parseManifest } from '../../helper/export/manifest.ts'
import { NO_PEERS } from '../support/folder-scene.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { AUTHOR, DaemonScene, isServing } from './daemon-scene.ts'

let scene: DaemonScene

before(async () => {
  scene = untilFileEnds(await DaemonScene.open())
})

async function bodyAt(url: string): Promise<Buffer> {
  const response = await fetch(url)
  assert.equal(response.status, 200, url)
  return Buffer.from(await response.arrayBuffer())
}

async function statusAt(url: string): Promise<number> {
  return (await fetch(url, { method: 'HEAD' })).status
}

/** Every file of a fresh export is at the URL, the same byte for byte; the names of the links. */
async function assertServedAsExported(name: string, url: string, out: string, ...args: string[]): Promise<string[]> {
  const origin = ['--origin', scene.world.originUrl('origin.git')]
  await scene.world.run('gittorrent', ['export', name, '--out', out, '--base-url', url, ...origin, ...args])
  const names = await readdir(join(scene.world.folder, out))
  for (const file of names)
    assert.ok((await bodyAt(`${url}${file}`)).equals(await readFile(join(scene.world.folder, out, file))), file)
  assert.ok((await bodyAt(url)).equals(await readFile(join(scene.world.folder, out, 'index.html'))))
  return names.filter((file) => file.endsWith('.bundle'))
}

async function assertEqualToOrigin(clone: string): Promise<void> {
  const { world } = scene
  const plain = `plain-${clone}`
  await world.git('clone', '--quiet', world.originUrl('origin.git'), plain)
  for (const args of [
    ['for-each-ref', 'refs/heads', 'refs/remotes', 'refs/tags'],
    ['rev-parse', 'HEAD'],
  ])
    assert.equal(await world.git('-C', clone, ...args), await world.git('-C', plain, ...args))
  const objects = async (of: string): Promise<string[]> =>
    (await world.git('-C', of, 'rev-list', '--objects', '--no-object-names', '--all')).split('\n').sort()
  assert.deepEqual(await objects(clone), await objects(plain))
  await world.git('-C', clone, 'fsck', '--full', '--no-progress')
}

it('a seeder serves what an export writes, snapshots too, and clones come from it with no peer at all', async () => {
  const { world } = scene
  await scene.builtClone('seeded')
  await world.run('gittorrent', ['seed', 'seeded', '--once', '--snapshot'])
  const environment = { GITTORRENT_HTTP: '127.0.0.1:0', GITTORRENT_DHT: 'false', GITTORRENT_LSD: 'false' }
  const seeder = await world.startSeeder('seeded', 'origin.git', environment)
  const url = / is at (http:\S+\/)/.exec(seeder.said)?.[1] ?? ''
  const links = await assertServedAsExported('seeded', url, 'exported')
  assert.ok(links.length > 4)
  const { bytes } = await world.viaSwarm(
    ['clone', '--quiet', scene.url, 'cloned'],
    [...NO_PEERS, `gittorrent.webseed=${url}`],
  )
  assert.ok(bytes.web > 5 * bytes.origin && bytes.peers === 0, JSON.stringify(bytes))
  await assertEqualToOrigin('cloned')
  const args = ['clone', '--quiet', '--depth', '1', scene.url, 'shallow']
  const shallow = await world.viaSwarm(args, [...NO_PEERS, `gittorrent.webseed=${url}manifest.json`])
  assert.ok(shallow.bytes.web > shallow.bytes.origin, JSON.stringify(shallow.bytes))
  await world.git('clone', '--quiet', `--bundle-uri=${url}bundle-list`, world.originUrl('origin.git'), 'by-stock-git')
  const bundles = (await world.git('-C', 'by-stock-git', 'for-each-ref', 'refs/bundles')).split('\n')
  assert.equal(bundles.length, parseManifest(await bodyAt(`${url}manifest.json`)).chains[0]?.links.length)
  await assertEqualToOrigin('by-stock-git')
  await seeder.stop()
})

it('a daemon shows new checkpoints, keeps the links before them for a while, counts what it sent, and forgets what is removed', async () => {
  const { world } = scene
  const daemon = await scene.start(['--http', '127.0.0.1:0'], 'home-web')
  await scene.keptClone(daemon, 'kept')
  const { webseed, uploaded } = await daemon.until('kept', isServing)
  assert.ok(webseed !== null)
  assert.equal(uploaded, 0)
  const tracker = (await daemon.status()).tracker ?? ''
  const options = ['--tracker', tracker, '--no-snapshot']
  const before = await assertServedAsExported('kept', webseed, 'exported-before', ...options)
  await world.git('clone', '--quiet', world.originUrl('origin.git'), 'work')
  for (let index = 0; index < 40; index++) {
    const args = ['-C', 'work', 'commit', '--quiet', '--allow-empty', '-m', `new ${index}`]
    await world.run('git', args, { environment: AUTHOR })
  }
  await world.git('-C', 'work', 'push', '--quiet', join(world.folder, 'origin.git'), 'HEAD')
  await world.git('-C', 'kept', 'fetch', '--quiet')
  const [oldTop] = (await daemon.until('kept', () => true)).links
  await daemon.until('kept', ({ state, links }) => state === 'serving' && links[0]?.tip !== oldTop?.tip)
  const after = await assertServedAsExported('kept', webseed, 'exported-after', ...options)
  const gone = before.filter((name) => !after.includes(name))
  assert.ok(gone.length > 0)
  for (const name of gone.flatMap((link) => [link, `${link}.torrent`]))
    assert.equal(await statusAt(webseed + name), 200)
  const { bytes } = await world.viaSwarm(
    ['clone', '--quiet', scene.url, 'later'],
    [...NO_PEERS, `gittorrent.webseed=${webseed}`],
  )
  assert.ok(bytes.web > 5 * bytes.origin && bytes.peers === 0, JSON.stringify(bytes))
  await assertEqualToOrigin('later')
  assert.ok((await daemon.until('kept', isServing)).uploaded >= bytes.web)
  assert.match(await daemon.ask('status'), new RegExp(`web seed ${webseed}`))
  await daemon.ask('remove', 'kept')
  for (const name of ['', 'manifest.json', ...after]) assert.equal(await statusAt(webseed + name), 404)
  await daemon.end()
})
