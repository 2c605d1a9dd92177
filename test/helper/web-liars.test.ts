/**
 * Goal: a web seed whose manifest looks right in everything, and whose bundles are valid, but of another repository, or whose snapshot has
 * an object too much, changes nothing in a clone; a manifest that was believed once is not sent again while it is the same.
 * Method: two exports of which one is dressed up as the other; a real clone through the helper, compared with a plain one; two fetches
 * of commits that no export has, with requests and bytes counted.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { deflateSync } from 'node:zlib'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { type StaticServerOptions, startStaticServer } from '../../bench/static-server.ts'
import { pieceLengthOf } from '../../engine/index.ts'
import { encodeTorrentFile } from '../../helper/export/torrent-file.ts'
import { describePayload } from '../../helper/share/chain-claim.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

let world: DemoWorld

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 250, seed: 21 })
  await generateRepository(join(world.folder, 'other.git'), { commitCount: 150, seed: 22 })
  await world.startDaemon()
  await world.git('clone', '--quiet', world.originUrl('origin.git'), 'plain')
  const origin = world.originUrl('origin.git')
  for (const name of ['origin', 'other'])
    await world.run('gittorrent', ['export', `${name}.git`, '--out', name, '--origin', origin])
})

it('valid bundles of another repository, under a manifest that names this one, change nothing', async () => {
  const manifestOf = async (folder: string) =>
    JSON.parse(await readFile(join(world.folder, folder, 'manifest.json'), 'utf8'))
  const [own, other] = [await manifestOf('origin'), await manifestOf('other')]
  // The chain is the other one's, with its own files and hashes; name and tip are those that the client looks for.
  const [mask] = own.chains
  other.chains = other.chains.map((chain: object) => ({ ...chain, ref: mask.ref, tip: mask.tip }))
  await writeFile(join(world.folder, 'other', 'manifest.json'), JSON.stringify(other, null, 1))
  const server = await startStaticServer(join(world.folder, 'other'))
  try {
    const url = `gittorrent::${world.originUrl('origin.git')}`
    const settings = [...QUIET, `gittorrent.webseed=${server.url}/manifest.json`]
    const { trace } = await world.viaSwarm(['clone', '--quiet', url, 'lied-to'], settings)
    assert.match(trace, /the origin has the tops of 0 of 1 lines/)
  } finally {
    await server.close()
  }
  // Not --all: for a moment after git has ended, what the swarm brought is pinned by a worktree's HEAD.
  const contents = async (of: string): Promise<string[]> => [
    await world.git('-C', of, 'for-each-ref'),
    ...(await world.git('-C', of, 'rev-list', '--objects', '--no-object-names', '--glob=refs/')).split('\n').sort(),
  ]
  assert.deepEqual(await contents('lied-to'), await contents('plain'))
  await world.git('-C', 'lied-to', 'fsck', '--full', '--no-progress')
  // Something may have come by the time the origin has said that it does not know it; nothing of it is there.
  const there = await world.git('-C', 'lied-to', 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)')
  const needed = await world.git('-C', 'lied-to', 'rev-list', '--objects', '--no-object-names', '--glob=refs/')
  assert.deepEqual(there.split('\n'), needed.split('\n').sort())
})

it('a snapshot with an object too much, under hashes that fit, is not taken', async () => {
  const inFolder = (name: string) => readFile(join(world.folder, 'origin', name))
  const manifest = JSON.parse(await inFolder('manifest.json').then(String))
  const [honest] = manifest.snapshots
  const payload = await inFolder(honest.file)
  payload.writeUInt32BE(honest.objects + 1, 8)
  const entry = Buffer.concat([Buffer.from([0x34]), deflateSync('evil')])
  const content = Buffer.concat([payload.subarray(0, -20), entry])
  const padded = Buffer.concat([content, createHash('sha1').update(content).digest()])
  const pieceLengthBytes = pieceLengthOf(padded.length)
  const pieces: Uint8Array[] = []
  for (let at = 0; at < padded.length; at += pieceLengthBytes)
    pieces.push(
      createHash('sha1')
        .update(padded.subarray(at, at + pieceLengthBytes))
        .digest(),
    )
  const { info, infohash } = describePayload(honest.file, padded.length, Buffer.concat(pieces))
  const sha256 = createHash('sha256').update(padded).digest('hex')
  const told = {
    ...honest,
    objects: honest.objects + 1,
    bytes: padded.length,
    sha256,
    infohash: Buffer.from(infohash).toString('hex'),
  }
  const answers = new Map<string, Uint8Array>([
    ['/manifest.json', Buffer.from(JSON.stringify({ ...manifest, snapshots: [told] }))],
    [`/${honest.file}`, padded],
    [`/${honest.file}.torrent`, encodeTorrentFile(info, { trackers: [], webseeds: [] }, null)],
  ])
  const padding: StaticServerOptions['intercept'] = (request, response) => {
    const bytes = answers.get(request.url ?? '')
    if (bytes === undefined) return false
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
    return true
  }
  const server = await startStaticServer(join(world.folder, 'origin'), { intercept: padding })
  try {
    const url = `gittorrent::${world.originUrl('origin.git')}`
    const settings = [...QUIET, `gittorrent.webseed=${server.url}/`]
    const { trace } = await world.viaSwarm(['clone', '--quiet', '--depth', '1', url, 'shallow-padded'], settings)
    assert.match(trace, /expected its whole tree and nothing else/)
  } finally {
    await server.close()
  }
  const there = await world.git(
    '-C',
    'shallow-padded',
    'cat-file',
    '--batch-all-objects',
    '--batch-check=%(objectname)',
  )
  const needed = await world.git('-C', 'shallow-padded', 'rev-list', '--objects', '--no-object-names', '--all')
  assert.deepEqual(there.split('\n'), needed.split('\n').sort())
})

it('a fetch that finds the folder as it was costs one answer without a body', async () => {
  const environment = { GITTORRENT_REMEMBER: 'true', GITTORRENT_HOME: join(world.folder, 'state') }
  const tree = await world.git('-C', 'origin.git', 'rev-parse', 'main^{tree}')
  const who = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  const server = await startStaticServer(join(world.folder, 'origin'))
  const sent: number[] = []
  try {
    for (let round = 1; round <= 2; round++) {
      const commit = await world.git('-C', 'origin.git', ...who, 'commit-tree', '-p', 'main', '-m', 'more', tree)
      await world.git('-C', 'origin.git', 'update-ref', 'refs/heads/main', commit)
      const url = `gittorrent::${world.originUrl('origin.git')}`
      const args = ['-C', 'plain', 'fetch', '--quiet', url, 'refs/heads/main:refs/remotes/origin/main']
      const settings = [...QUIET, `gittorrent.webseed=${server.url}/manifest.json`]
      const before = server.sentBytes()
      await world.viaSwarm(args, settings, environment)
      assert.equal(server.requests.length, round, server.requests.join('\n'))
      assert.equal(await world.git('-C', 'plain', 'rev-parse', 'origin/main'), commit)
      sent.push(server.sentBytes() - before)
    }
  } finally {
    await server.close()
  }
  const { size } = await stat(join(world.folder, 'origin', 'manifest.json'))
  assert.deepEqual(sent, [size, 0])
})
