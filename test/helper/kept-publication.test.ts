/**
 * Goal: what is kept for a publisher is shown for what it is: proof of two-faced keys stays and is told, a chain of successors is
 * followed to its end, and each old key goes on leading there.
 * Method: keepers in this process that look for news at nets which the test chooses.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { buildChains } from '../../helper/build/chains.ts'
import { readSettings } from '../../helper/config.ts'
import { describePublication } from '../../helper/daemon/publication-status.ts'
import { keyId } from '../../helper/keys/key-store.ts'
import { SILENT } from '../../helper/progress.ts'
import { KeptPublication } from '../../helper/publish/kept-publication.ts'
import { publishSuccession, type Signer } from '../../helper/publish/publish.ts'
import { commitmentTo } from '../../helper/publish/succession.ts'
import { TipServer } from '../../helper/publish/tip-serve.ts'
import { type Net, openNet } from '../../net/index.ts'
import { KEY, LIFETIME_S, LISTEN, published, QUIET, START, signerOf, TRACE, User } from './publishing-user.ts'

/** Keeps a publication for `user`, looking for news at `peers`, until the test ends. */
async function keep(t: TestContext, user: User, peers: readonly Net[]): Promise<{ kept: KeptPublication; net: Net }> {
  const net = await openNet({ ...QUIET, listen: LISTEN })
  const tips = new TipServer(TRACE)
  const addresses = peers.flatMap(({ address }) => address ?? [])
  const kept = new KeptPublication(
    { key: keyId(KEY.publicKey), name: 'project' },
    {
      net,
      tips,
      openChains: (repository) => buildChains(repository, []),
      env: user.env,
      config: new Map(),
      settings: { ...readSettings(new Map(), {}), peers: addresses, dht: false, lsd: false, peerMemory: null },
      progress: SILENT,
      trace: TRACE,
      log: () => {},
      signal: new AbortController().signal,
    },
  )
  t.after(async () => {
    await kept.close()
    tips.close()
    await net.close()
  })
  return { kept, net }
}

test('two values for one seq are told with what is kept, the first one stands, and the proof outlives a restart', async (t) => {
  const [one, two] = [await published(), await published()]
  const follower = new User()
  const first = await keep(t, follower, [await one.serve(t, KEY)])
  await first.kept.look()
  assert.deepEqual([first.kept.state, describePublication(first.kept).evidence], ['serving', 0])
  const second = await keep(t, follower, [await two.serve(t, KEY)])
  await second.kept.heard()
  await second.kept.look()
  const status = describePublication(second.kept)
  assert.match(status.warnings.join('\n'), /expected one value for seq 1795000000, got two, both signed by its key/)
  assert.equal(await follower.tip(KEY, 'main'), await one.tip(KEY, 'main'))
  const third = await keep(t, follower, [])
  await third.kept.heard()
  assert.equal(describePublication(third.kept).evidence, 1)
  assert.match(describePublication(third.kept).warnings.join('\n'), /signed two values for one seq, 1 times/)
})

test('every successor names the next: the keeper goes to the last, and leads readers of the first key there', async (t) => {
  const [second, third] = [signerOf(2), signerOf(3)]
  const owner = new User()
  const succeed = (signer: Signer, from: Signer, at: number): Promise<number | null> => {
    const around = { env: owner.env, net: null, trace: TRACE, nowSeconds: START + at, lifetimeSeconds: LIFETIME_S }
    return publishSuccession(signer, from.publicKey, 'rotated', around)
  }
  await owner.write(KEY, 'main')
  await owner.publish(KEY, 0, { next: commitmentTo(second.publicKey) })
  await owner.write(second, 'main', 'two')
  await owner.publish(second, 10, { next: commitmentTo(third.publicKey) })
  await succeed(second, KEY, 11)
  await owner.write(third, 'main', 'three')
  await owner.publish(third, 20)
  await succeed(third, second, 21)
  const nets = [await owner.serve(t, KEY), await owner.serve(t, second), await owner.serve(t, third)]
  const follower = new User()
  const { kept, net } = await keep(t, follower, nets)
  await kept.look()
  assert.deepEqual([kept.state, kept.id], ['serving', keyId(third.publicKey)])
  assert.equal(await follower.tip(third, 'three'), await owner.tip(third, 'three'))
  // Whoever knows the first key alone, and meets the keeper alone, ends at the last one.
  const reader = new User()
  const read = await reader.read(KEY, [net], 30)
  assert.equal(read.folder.id, keyId(third.publicKey))
  assert.equal(await reader.tip(third, 'three'), await owner.tip(third, 'three'))
  // A thief of the middle key names a successor of his own: nobody who was here before follows.
  const thief = await owner.copy()
  await thief.publish(second, 40, { next: commitmentTo(signerOf(4).publicKey) })
  const misled = await reader.read(KEY, [await thief.serve(t, second), net], 50)
  assert.equal(misled.folder.id, keyId(third.publicKey))
})
