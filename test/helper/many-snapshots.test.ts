/**
 * Goal: of several snapshots that are offered at once those that are no good leave the others to be tried, but not for ever.
 * Method: real clones of depth 1 on loopback from peers of which the liars answer first; the origin's own repository is the oracle,
 * and the bytes that each side sent.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { padSnapshot } from '../../bench/attackers.ts'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { publicTips } from '../../helper/build/history.ts'
import { type SnapshotFile, SnapshotStore, snapshotCheckpoint } from '../../helper/build/snapshots.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { encodeChainAnswer } from '../../helper/share/chain-message.ts'
import { SNAPSHOT_TRY_COUNT_MAX } from '../../helper/share/supply/limits.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { parseOrigin } from '../../helper/url.ts'
import { formatAddress, type Net } from '../../net/index.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

let world: DemoWorld
let chains: Chains
let honest: SnapshotFile

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 600, seed: 8 })
  await world.startDaemon()
  const repository = await openRepository(join(world.folder, 'origin.git'))
  const tips = await publicTips(repository, 'origin', false)
  chains = untilFileEnds(await buildChains(repository, tips, { threadCount: 2 }))
  const checkpoint = snapshotCheckpoint(chains.chains[0]?.checkpoints ?? assert.fail('no chain'))
  honest = await new SnapshotStore(repository, chains.store.folder).ensure(
    checkpoint?.oid ?? assert.fail('no snapshot'),
  )
})

/** Clones from peers of which each offers one snapshot, and answers when the one before it has. */
async function cloneOffered(name: string, offered: readonly SnapshotFile[]) {
  const origin = world.originUrl('origin.git')
  const nets: Net[] = []
  let isTurn = Promise.resolve()
  try {
    for (const snapshot of offered) {
      const net = await openLoopbackNet()
      nets.push(net)
      net.seed(snapshot, snapshot)
      const isMyTurn = isTurn
      let noteTurn = (): void => {}
      isTurn = new Promise((resolve) => {
        noteTurn = resolve
      })
      const onRequest = async (): Promise<Uint8Array> => {
        await isMyTurn
        setImmediate(noteTurn)
        return encodeChainAnswer(chains.chains, [snapshot])
      }
      net.joinTopic(topicOf(parseOrigin(origin)), { onRequest }, { announce: false })
    }
    const peers = nets.map(({ address }) => `gittorrent.peer=${formatAddress(address ?? assert.fail('no port'))}`)
    const args = ['clone', '--quiet', '--depth=1', `gittorrent::${origin}`, name]
    const { bytes, trace } = await world.viaSwarm(args, [...peers, ...QUIET])
    const tipOf = (of: string): Promise<string> => world.git('-C', of, 'rev-parse', 'HEAD^{tree}')
    assert.equal(await tipOf(name), await tipOf('origin.git'))
    await world.git('-C', name, 'fsck', '--full', '--no-progress')
    return { bytes, trace, tryCount: trace.match(/: snapshot \w+ of \d+ bytes/g)?.length ?? 0 }
  } finally {
    for (const net of nets) await net.close()
  }
}

/** The honest snapshot, with a lie about the number of its objects. */
const miscounted = (excess: number): SnapshotFile => ({ ...honest, objectCount: honest.objectCount + excess })

it('when the snapshot of a liar is refused, that of the next peer is tried', async () => {
  const padded = await padSnapshot(chains, join(world.folder, 'padded'))
  const { bytes, trace, tryCount } = await cloneOffered('after-padded', [padded, honest])
  assert.equal(tryCount, 2, trace)
  assert.ok(bytes.peers > 2 * bytes.origin, `${JSON.stringify(bytes)}\n${trace}`)
})

it('who lies about the very payload that others offer does not spoil it for them', async () => {
  const { bytes, trace } = await cloneOffered('after-miscounted', [miscounted(1), honest])
  assert.ok(bytes.peers + honest.lengthBytes > 2 * bytes.origin, `${JSON.stringify(bytes)}\n${trace}`)
  assert.match(trace, /expected \d+ objects[\s\S]*supply: 0 haves, \d+ bytes, \n/)
})

it('after so many that were no good the origin sends everything', async () => {
  const lies = Array.from({ length: SNAPSHOT_TRY_COUNT_MAX + 2 }, (_, index) => miscounted(index + 1))
  const { bytes, trace, tryCount } = await cloneOffered('after-many', lies)
  assert.ok(tryCount > 1 && tryCount <= SNAPSHOT_TRY_COUNT_MAX, trace)
  assert.ok(bytes.peers < bytes.origin)
})
