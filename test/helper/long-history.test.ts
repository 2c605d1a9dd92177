/**
 * Goal: a history so long that our own thread reads along is cloned from peers and kept; padded, it is refused and nothing of it stays.
 * Method: a tree of 50,000 small files with some commits above it, from an honest peer and from one that pads.
 */

import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { ATTACKS, type Ground } from '../../bench/attackers.ts'
import { DemoWorld } from '../../bench/demo-world.ts'
import { buildChains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { EXACT_OBJECT_COUNT_MIN } from '../../helper/limits.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress } from '../../net/index.ts'
import { git } from '../support/git.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { offerChains } from '../support/offer-chains.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']
const FOLDER_LENGTH = 200

let world: DemoWorld
let ground: Ground
let url: string

/** As many files as it takes, then twenty commits that change one each, for `git fast-import`. */
function history(): string {
  const lines: string[] = []
  const commit = (number: number, files: readonly number[]): void => {
    lines.push('commit refs/heads/main', `committer A <a@b> ${1_000_000_000 + number} +0000`, 'data 1', 'm')
    for (const file of files) {
      const content = `content ${number} ${file}\n`
      const path = `${Math.floor(file / FOLDER_LENGTH)}/${file}`
      lines.push(`M 100644 inline ${path}`, `data ${content.length}`, content)
    }
  }
  commit(
    0,
    Array.from({ length: EXACT_OBJECT_COUNT_MIN }, (_, file) => file),
  )
  for (let number = 1; number <= 20; number++) commit(number, [number * FOLDER_LENGTH])
  return `${lines.join('\n')}\n`
}

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  const directory = join(world.folder, 'origin.git')
  await world.git('init', '--quiet', '--bare', '--initial-branch=main', directory)
  await git(['fast-import', '--quiet'], { directory, input: history() })
  await world.startDaemon()
  await world.git('clone', '--quiet', '--bare', 'origin.git', 'seed.git')
  const repository = await openRepository(join(world.folder, 'seed.git'))
  const tips = await publicTips(repository, 'origin', false)
  const chains = untilFileEnds(await buildChains(repository, tips, { threadCount: 2 }))
  ground = { topic: topicOf(parseOrigin(world.originUrl('origin.git'))), chains, others: chains }
  url = `gittorrent::${world.originUrl('origin.git')}`
})

it('comes from peers, exact, and stays kept', async () => {
  const peer = await openLoopbackNet()
  try {
    offerChains(peer, ground.topic, ground.chains)
    assert.ok(peer.address !== null)
    const settings = [`gittorrent.peer=${formatAddress(peer.address)}`, ...QUIET]
    const { bytes, trace } = await world.viaSwarm(['clone', '--quiet', '--mirror', url, 'exact'], settings)
    assert.match(trace, /exact check: exact, read along/)
    assert.ok(bytes.peers > bytes.origin)
    assert.ok((await readdir(join(world.folder, 'exact', 'objects', 'pack'))).some((name) => name.endsWith('.keep')))
    await world.git('-C', 'exact', 'fsck', '--no-progress')
  } finally {
    await peer.close()
  }
})

it('is refused when it is padded, and nothing of it stays', async () => {
  const attackers = await ATTACKS.find(({ name }) => name === 'padded chain')?.open(ground)
  assert.ok(attackers !== undefined)
  try {
    const settings = [...attackers.settings, ...QUIET]
    const { trace } = await world.viaSwarm(['clone', '--quiet', '--mirror', url, 'padded'], settings)
    assert.match(trace, /exact check: not-exact, read along/)
    const there = await world.git('-C', 'padded', 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)')
    const needed = await world.git('-C', 'padded', 'rev-list', '--objects', '--no-object-names', '--all')
    assert.deepEqual(there.split('\n'), needed.split('\n').sort())
  } finally {
    await attackers.close()
  }
})
