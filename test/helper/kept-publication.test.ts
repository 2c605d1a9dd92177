/**
 * Goal: what is kept for a publisher is shown for what it is: proof of two-faced keys stays and is told, a chain of successors is
 * followed to its end, and each old key goes on leading there. Records of ours are signed anew in time, delegates' too; news of
 * delegates are brought; what is larger than there is room for does not come; and what is seeded lies on disk once.
 * Method: keepers in this process that look for news at nets which the test chooses.
 */
import assert from 'node:assert/strict'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { buildChains } from '../../helper/build/chains.ts'
import { readSettings } from '../../helper/config.ts'
import { describePublication } from '../../helper/daemon/publication-status.ts'
import { KeyStore, keyId } from '../../helper/keys/key-store.ts'
import { writeSecret } from '../../helper/keys/secret-text.ts'
import { SILENT } from '../../helper/progress.ts'
import { KeptPublication } from '../../helper/publish/kept-publication.ts'
import { delegateSalt, repositorySalt } from '../../helper/publish/names.ts'
import type { Signer } from '../../helper/publish/own-record.ts'
import { publishOnBehalf, publishSuccession } from '../../helper/publish/publish.ts'
import { decodeRecord, encodeRecord } from '../../helper/publish/record.ts'
import { commitmentTo } from '../../helper/publish/succession.ts'
import { TipServer } from '../../helper/publish/tip-serve.ts'
import { type Net, signItem } from '../../net/index.ts'
import { git } from '../support/git.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { hexOf, KEY, LIFETIME_S, published, START, signerOf, TRACE, User } from './publishing-user.ts'

/** Keeps a publication for `user`, looking for news at `peers`, until the test ends. */
async function keep(
  t: TestContext,
  user: User,
  peers: readonly Net[],
  room = Number.POSITIVE_INFINITY,
): Promise<{ kept: KeptPublication; net: Net }> {
  const net = await openLoopbackNet()
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
      roomLeft: () => room,
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

const DAY_S = 24 * 3600
/** Days before now, as `publish` takes them. */
const daysAgo = (days: number): number => Math.floor(Date.now() / 1000) - START - days * DAY_S
const importKey = async (user: User, { seed }: Signer): Promise<unknown> =>
  new KeyStore(user.env).import(await writeSecret(seed, null))

/** Seq and expiry of the record with this key and salt that a user has. */
async function recordOf(
  user: User,
  { publicKey }: Signer,
  salt: Uint8Array,
): Promise<{ seq: number; expires: number }> {
  const item = (await user.folder(KEY).memory()).item(publicKey, salt)
  assert.ok(item !== null)
  return { seq: item.seq, expires: decodeRecord(item.value).expires }
}

test('a record of ours is signed anew when half of its time is over, not before, for as long as it held', async (t) => {
  const owner = new User()
  await importKey(owner, KEY)
  await owner.write(KEY, 'main')
  await owner.publish(KEY, daysAgo(13), {}, 28 * DAY_S)
  const early = await recordOf(owner, KEY, repositorySalt('project'))
  const mirror = await owner.copy()
  const { kept } = await keep(t, owner, [await mirror.serve(t, KEY)])
  await kept.look()
  assert.deepEqual(await recordOf(owner, KEY, repositorySalt('project')), early)
  const late = new User()
  await importKey(late, KEY)
  await late.write(KEY, 'main')
  await late.publish(KEY, daysAgo(15), {}, 28 * DAY_S)
  const tip = await late.tip(KEY, 'main')
  const keeper = await keep(t, late, [await (await late.copy()).serve(t, KEY)])
  await keeper.kept.look()
  const renewed = await recordOf(late, KEY, repositorySalt('project'))
  assert.ok(renewed.seq >= daysAgo(0) + START - 60)
  assert.ok(Math.abs(renewed.expires - renewed.seq - 28 * DAY_S) <= 60, 'as long as before')
  assert.deepEqual([keeper.kept.seq, keeper.kept.expires], [renewed.seq, renewed.expires])
  await keeper.kept.look()
  assert.deepEqual(await recordOf(late, KEY, repositorySalt('project')), renewed, 'once')
  assert.equal(await late.tip(KEY, 'main'), tip)
})

test("a delegate's word is brought though the publisher said nothing new, and a delegate's keeper signs it anew", async (t) => {
  const delegate = signerOf(5)
  const allowed = { key: hexOf(delegate), expires: daysAgo(-20) + START, patterns: ['refs/heads/dev/*'] }
  const owner = new User()
  await owner.write(KEY, 'main')
  await owner.publish(KEY, daysAgo(16), { delegates: [allowed] }, 40 * DAY_S)
  const ownerNet = await owner.serve(t, KEY)
  const maintainer = new User()
  await importKey(maintainer, delegate)
  const push = async (days: number, ...branches: string[]): Promise<void> => {
    const read = (await maintainer.read(KEY, [ownerNet], daysAgo(days))).contributions
    await maintainer.write(KEY, ...branches)
    const target = { folder: maintainer.folder(KEY), name: 'project', delegate: allowed, read }
    const times = { nowSeconds: START + daysAgo(days), lifetimeSeconds: 28 * DAY_S }
    await publishOnBehalf(delegate, target, { env: maintainer.env, net: null, trace: TRACE, ...times })
  }
  await push(15, 'dev/a')
  const maintainerNet = await maintainer.serve(t, KEY)
  const follower = new User()
  const followed = await keep(t, follower, [maintainerNet])
  await followed.kept.look()
  const { seq } = followed.kept
  assert.equal(await follower.tip(KEY, 'dev/a'), await maintainer.tip(KEY, 'dev/a'))
  await push(14.5, 'dev/a', 'dev/b')
  await followed.kept.look()
  assert.equal(await follower.tip(KEY, 'dev/a'), await maintainer.tip(KEY, 'dev/a'))
  assert.equal(await follower.tip(KEY, 'dev/b'), await maintainer.tip(KEY, 'dev/b'))
  assert.equal(followed.kept.seq, seq, 'the publisher said nothing new')
  const salt = delegateSalt(keyId(KEY.publicKey), 'project')
  const before = await recordOf(maintainer, delegate, salt)
  const own = await keep(t, maintainer, [ownerNet])
  await own.kept.look()
  const renewed = await recordOf(maintainer, delegate, salt)
  assert.ok(renewed.seq > before.seq && renewed.expires > before.expires)
  await followed.kept.look()
  assert.deepEqual(await recordOf(follower, delegate, salt), renewed)
  const { refs } = await new User().read(KEY, [maintainerNet], daysAgo(0))
  const byDelegate = refs.filter(({ by }) => by === hexOf(delegate)).map(({ name }) => name)
  assert.deepEqual(byDelegate, ['refs/heads/dev/a', 'refs/heads/dev/b'], 'what was said stays')
})

test('what is larger than there is room for does not come, whether the record says so or not', async (t) => {
  const owner = new User()
  await owner.writeBytes(KEY, 600_000)
  await owner.publish(KEY, 0)
  const honest = await owner.serve(t, KEY)
  const room = 200_000
  const follower = new User()
  const first = await keep(t, follower, [honest], room)
  await first.kept.look()
  assert.match(first.kept.notes.join(), /'project': expected at most 195\.31 KiB, got \d+\.\d+ KiB/)
  assert.deepEqual([first.kept.state, await lengthOnDisk(follower)], ['failed', 0])
  // A record that claims to be small, signed by its key all the same.
  const liar = await owner.copy()
  const memory = await liar.folder(KEY).memory()
  const item = memory.item(KEY.publicKey, repositorySalt('project'))
  const record = item === null ? null : decodeRecord(item.value)
  assert.ok(record?.type === 'repository' && (record.objectsLength ?? 0) > room)
  const value = encodeRecord({ ...record, objectsLength: 10 })
  await memory.remember([signItem(KEY.seed, { salt: repositorySalt('project'), seq: START + 1, value })])
  const second = await keep(t, follower, [await liar.serve(t, KEY)], room)
  await second.kept.look()
  assert.match(second.kept.notes.join(), /'project': expected at most 195\.31 KiB, got more/)
  assert.deepEqual([second.kept.state, await lengthOnDisk(follower)], ['failed', 0])
  const third = await keep(t, follower, [honest], 1_000_000)
  await third.kept.look()
  assert.equal(third.kept.state, 'serving')
})

test('what is seeded lies in the isolated repository once: the chain is its pack', async (t) => {
  const owner = new User()
  await owner.writeBytes(KEY, 1_500_000)
  await owner.publish(KEY, 0)
  const length = await lengthOnDisk(owner)
  await owner.serve(t, KEY)
  const gitDir = owner.folder(KEY).repositoryPath('project')
  assert.ok((await lengthOnDisk(owner)) < length * 1.1, `${await lengthOnDisk(owner)} bytes, ${length} before`)
  await git(['fsck', '--full', '--strict'], { directory: gitDir })
  const reader = new User()
  await reader.read(KEY, [await owner.serve(t, KEY)], 1)
  assert.equal(await reader.tip(KEY, 'main'), await owner.tip(KEY, 'main'))
  // What comes later lies beside it.
  await owner.write(KEY, 'topic')
  await owner.publish(KEY, 10)
  await reader.read(KEY, [await owner.serve(t, KEY)], 11)
  assert.equal(await reader.tip(KEY, 'topic'), await owner.tip(KEY, 'topic'))
})

/** Bytes of objects and of segments that a user has of the publication. */
async function lengthOnDisk(user: User): Promise<number> {
  const gitDir = user.folder(KEY).repositoryPath('project')
  const names = await readdir(gitDir, { recursive: true }).catch(() => [])
  const wanted = names.filter((name) => /^(objects|gittorrent\/segments|gittorrent\/incoming)\//.test(name))
  const stats = await Promise.all(wanted.map((name) => stat(join(gitDir, name))))
  return stats.reduce((sum, found) => sum + (found.isFile() && !found.isDirectory() ? found.size : 0), 0)
}
