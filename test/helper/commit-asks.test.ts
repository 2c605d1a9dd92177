/**
 * Goal: a seeder tells a client of 2015 which link holds a commit, and nothing of commits that are not published.
 * Method: the seeder is a process of its own, the client is bittorrent-protocol; git says which link is the right one.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld, type RunningSeeder } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { parseAddress } from '../../net/index.ts'
import { askLikeIn2015 } from '../net/client-of-2015.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

let world: DemoWorld
let seeder: RunningSeeder

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 300, seed: 4 })
  await world.startDaemon()
  seeder = await world.startSeeder('origin.git')
})

const ask = (oids: readonly string[], count: number): Promise<string[]> =>
  askLikeIn2015(
    parseAddress(seeder.address),
    oids.map((oid) => Buffer.from(oid, 'hex')),
    count,
  )

function isReached(oid: string, by: string): Promise<boolean> {
  return world.git('-C', 'origin.git', 'merge-base', '--is-ancestor', oid, by).then(
    () => true,
    () => false,
  )
}

it('checkpoints and other commits, of side histories too, are in the link that is named', async () => {
  const { links } = JSON.parse((await world.run('gittorrent', ['chain', 'origin.git', '--json'])).stdout)
  const newest: string = links[0].tip
  const all = (await world.git('-C', 'origin.git', 'rev-list', newest)).split('\n')
  for (const oid of [newest, ...all.filter((_, index) => index % 151 === 5)]) {
    const [infohash] = await ask([oid], 1)
    const link = links.find((candidate: { infohash: string }) => candidate.infohash === infohash)
    assert.ok(link !== undefined, oid)
    assert.ok(await isReached(oid, link.tip))
    assert.ok(link.base === null || !(await isReached(oid, link.base)))
  }
})

it('commits that are there but not published, and those that are nowhere, get no answer at all', async () => {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  const hidden = await world.git(
    '-C',
    'origin.git',
    ...identity,
    'commit-tree',
    'HEAD^{tree}',
    '-p',
    'HEAD',
    '-m',
    'hidden',
  )
  assert.deepEqual(await ask([hidden], 1), [])
  assert.deepEqual(await ask(['0f'.repeat(20)], 1), [])
})
