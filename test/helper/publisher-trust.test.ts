/**
 * Goal: a reader is never led behind what was seen, notices two-faced keys, follows a rotation that was committed to, and takes
 * from delegates what they may give and no more.
 * Method: publishers and readers in this process, each with a data folder, meeting over static peers or DHT nodes whose contents
 * the test chooses.
 */
import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { test } from 'node:test'
import { keyId } from '../../helper/keys/key-store.ts'
import { publisherTopic } from '../../helper/publish/names.ts'
import { publishOnBehalf, publishSuccession } from '../../helper/publish/publish.ts'
import { decodeRecord } from '../../helper/publish/record.ts'
import { decodeDocument, encodeDocument, type RefsDocument } from '../../helper/publish/refs-document.ts'
import { decodeRefsQuestion, encodeRecordsAnswer } from '../../helper/publish/refs-message.ts'
import { keepAlive } from '../../helper/publish/serve-publisher.ts'
import { commitmentTo } from '../../helper/publish/succession.ts'
import type { Net } from '../../net/index.ts'
import { importCommits } from '../support/fast-import.ts'
import { git } from '../support/git.ts'
import { LOOPBACK, openLoopbackNet } from '../support/loopback-net.ts'
import { hexOf, KEY, LIFETIME_S, published, START, signerOf, TRACE, User } from './publishing-user.ts'

test('an older record, however genuine, does not lead a reader back', async (t) => {
  const owner = await published()
  const stale = await owner.copy()
  await owner.write(KEY, 'main', 'next')
  const seq = await owner.publish(KEY, 10)
  const reader = new User()
  const first = await reader.read(KEY, [await owner.serve(t, KEY)], 11)
  assert.deepEqual([first.seq, first.notes], [seq, []])
  const back = await reader.read(KEY, [await stale.serve(t, KEY)], 12)
  assert.equal(back.seq, seq)
  assert.match(back.notes.join('\n'), /offers seq 1795000000, which is older than seq 1795000010 seen before/)
  assert.equal(await reader.tip(KEY, 'next'), await owner.tip(KEY, 'next'))
})

test('a record about to expire, and one that has expired, is shown as such', async (t) => {
  const owner = new User()
  await owner.write(KEY, 'main')
  await owner.publish(KEY, 0, {}, 3600)
  const net = await owner.serve(t, KEY)
  assert.match((await new User().read(KEY, [net], 60)).notes.join(), /expires in 0 days, on 2026-11-18/)
  const late = await new User().read(KEY, [net], 3600 + 5 * 24 * 3600)
  assert.match(late.notes.join(), /expired 5 days ago, on 2026-11-18: newer refs may exist/)
  assert.equal(late.refs.length, 1)
})

test('two values for one seq are refused, and kept as proof', async (t) => {
  const [one, two] = [await published(), await published()]
  const nets = [await one.serve(t, KEY), await two.serve(t, KEY)]
  // Whoever answers first is asked; so the second is met with the first one's word in memory.
  const reader = new User()
  await reader.read(KEY, nets.slice(0, 1), 1)
  await assert.rejects(reader.read(KEY, nets.slice(1), 2), {
    code: 'record-conflict',
    message: /two, both signed by its key/,
  })
  assert.equal((await reader.folder(KEY).memory()).evidenceCount, 1)
  assert.equal(await reader.tip(KEY, 'main'), await one.tip(KEY, 'main'))
})

test('a peer that forges, or delivers another document, changes nothing', async (t) => {
  const owner = await published()
  const liar = await owner.copy()
  const memory = await liar.folder(KEY).memory()
  const record = memory.items().find(({ salt }) => salt.length > 0)
  assert.ok(record !== undefined)
  const net = await openLoopbackNet()
  t.after(() => net.close())
  const answer = async (_: string, payload: Uint8Array): Promise<Uint8Array> =>
    decodeRefsQuestion(payload) === null ? encodeRecordsAnswer(memory.items()) : Buffer.from('gittorrent refs 1\n')
  net.joinTopic(publisherTopic(keyId(KEY.publicKey), 'project'), { onRequest: answer }, { announce: false })
  await assert.rejects(new User().read(KEY, [net], 1), { code: 'not-published' })
  const both = await new User().read(KEY, [net, await owner.serve(t, KEY)], 1).catch((error: unknown) => error)
  // With an honest peer beside it the clone succeeds, whichever is asked first.
  if (both instanceof Error) assert.match(both.message, /expected them from one of 1 peers/)
})

test('a refs document in which a ref was moved, taken back, left out or renamed is none, whoever hands it out', async (t) => {
  const owner = new User()
  await owner.write(KEY, 'main')
  const old = await owner.tip(KEY, 'main')
  await owner.write(KEY, 'main', 'next')
  await owner.publish(KEY, 0)
  const memory = await owner.folder(KEY).memory()
  const genuine = await documentOf(owner)
  const [main, next] = genuine.refs
  assert.ok(main !== undefined && next !== undefined)
  const doctored = [
    [{ ...main, oid: next.oid }, next],
    [{ ...main, oid: old }, next],
    [main],
    [main, { ...next, name: 'refs/tags/v1' }],
    [{ ...main, seq: main.seq + 1 }, next],
  ].map((refs) => encodeDocument({ ...genuine, refs }))
  for (const document of doctored) {
    const net = await openLoopbackNet()
    t.after(() => net.close())
    const onRequest = async (_: string, payload: Uint8Array): Promise<Uint8Array> =>
      decodeRefsQuestion(payload) === null ? encodeRecordsAnswer(memory.items()) : document
    net.joinTopic(publisherTopic(keyId(KEY.publicKey), 'project'), { onRequest }, { announce: false })
    const reader = new User()
    await assert.rejects(reader.read(KEY, [net], 1), { code: 'not-published' })
    assert.equal(await reader.folder(KEY).repository('project'), null, 'nothing is there')
  }
})

async function documentOf(user: User): Promise<RefsDocument> {
  const items = (await user.folder(KEY).memory()).items()
  const records = items.flatMap(({ value }) => decodeRecord(value))
  const record = records.find(({ type }) => type === 'repository')
  const bytes = record?.type === 'repository' ? await user.folder(KEY).document(record.documentHash) : null
  assert.ok(bytes !== null)
  return decodeDocument(bytes)
}

test('the successor named in advance takes over, and the thief of the old key cannot name another', async (t) => {
  const [next, thiefs] = [signerOf(2), signerOf(3)]
  const owner = new User()
  await owner.write(KEY, 'main')
  await owner.publish(KEY, 0, { next: commitmentTo(next.publicKey) })
  const reader = new User()
  await reader.read(KEY, [await owner.serve(t, KEY)], 1)
  // The thief has the key and all that was public, and names a successor of his own.
  const thief = await published()
  await thief.publish(KEY, 50, { next: commitmentTo(thiefs.publicKey) })
  await thief.write(thiefs, 'main')
  await thief.publish(thiefs, 51)
  const around = { env: thief.env, net: null, trace: TRACE, nowSeconds: START + 52, lifetimeSeconds: LIFETIME_S }
  await publishSuccession(thiefs, KEY.publicKey, 'rotated', around)
  const thiefNet = await thief.serve(t, KEY)
  const misled = await reader.read(KEY, [thiefNet], 60)
  assert.equal(misled.folder.id, keyId(KEY.publicKey), 'the reader does not follow to the key of the thief')
  assert.match(misled.notes.join('\n'), /names another successor now/)
  // The owner, without the old key, takes over with the next one.
  const reborn = new User()
  await reborn.write(next, 'main', 'reborn')
  await reborn.publish(next, 70)
  await cp(owner.folder(KEY).path, reborn.folder(KEY).path, { recursive: true })
  await publishSuccession(next, KEY.publicKey, 'revoked', { ...around, env: reborn.env, nowSeconds: START + 71 })
  const [oldNet, newNet] = [await reborn.serve(t, KEY), await reborn.serve(t, next)]
  const moved = await reader.read(KEY, [oldNet, newNet], 80)
  assert.equal(moved.folder.id, keyId(next.publicKey))
  assert.match(moved.notes.join('\n'), /was revoked by its holder/)
  assert.equal(await reader.tip(next, 'reborn'), await reborn.tip(next, 'reborn'))
})

test('a delegate writes what the publisher allows, until the publisher takes it back', async (t) => {
  const delegate = signerOf(4)
  const owner = await published()
  const allowed = { key: hexOf(delegate), expires: START + 1000, patterns: ['refs/heads/dev/*'] }
  await owner.publish(KEY, 10, { delegates: [allowed] })
  const ownerNet = await owner.serve(t, KEY)
  const maintainer = new User()
  const read = (await maintainer.read(KEY, [ownerNet], 11)).contributions
  const around = { env: maintainer.env, net: null, trace: TRACE, nowSeconds: START + 20, lifetimeSeconds: LIFETIME_S }
  const target = { folder: maintainer.folder(KEY), name: 'project', delegate: allowed, read }
  await maintainer.write(KEY, 'dev/feature')
  await publishOnBehalf(delegate, target, around)
  const nets = [ownerNet, await maintainer.serve(t, KEY)]
  const reader = new User()
  const both = await reader.read(KEY, nets.slice(1), 30)
  assert.deepEqual(
    both.refs.map(({ name, by }) => [name, by]),
    [
      ['refs/heads/dev/feature', hexOf(delegate)],
      ['refs/heads/main', hexOf(KEY)],
    ],
  )
  assert.equal(await reader.tip(KEY, 'dev/feature'), await maintainer.tip(KEY, 'dev/feature'))
  await maintainer.write(KEY, 'main')
  const intrusion = publishOnBehalf(delegate, target, { ...around, nowSeconds: START + 40 })
  await assert.rejects(intrusion, { code: 'not-yours', message: /refs\/heads\/main/ })
  const afterTerm = await new User().read(KEY, nets.slice(1), 1001)
  assert.deepEqual(
    afterTerm.refs.map(({ name }) => name),
    ['refs/heads/main'],
  )
  await owner.publish(KEY, 50, { delegates: [] })
  const revoked = await reader.read(KEY, nets.slice(0, 1), 60)
  assert.deepEqual(
    revoked.refs.map(({ name }) => name),
    ['refs/heads/main'],
  )
})

test('neither side takes back what the other pushed meanwhile, and what a delegate deleted stays deleted', async (t) => {
  const delegate = signerOf(4)
  const allowed = { key: hexOf(delegate), expires: START + 1000, patterns: ['refs/heads/dev/*'] }
  const owner = await published()
  await owner.publish(KEY, 10, { delegates: [allowed] })
  const maintainer = new User()
  const around = { env: maintainer.env, net: null, trace: TRACE, nowSeconds: START + 20, lifetimeSeconds: LIFETIME_S }
  const target = { folder: maintainer.folder(KEY), name: 'project', delegate: allowed }
  const push = async (at: number, change: () => Promise<unknown>, ...peers: Net[]): Promise<void> => {
    const read = (await maintainer.read(KEY, peers, at)).contributions
    await change()
    await publishOnBehalf(delegate, { ...target, read }, { ...around, nowSeconds: START + at })
  }
  const ownerNet = await owner.serve(t, KEY)
  await push(20, () => maintainer.write(KEY, 'dev/a', 'dev/b'), ownerNet)
  const maintainerNet = await maintainer.serve(t, KEY)
  // The owner has read dev/a as it was, and signs again after it has moved.
  await owner.read(KEY, [maintainerNet], 21)
  await push(30, () => maintainer.write(KEY, 'dev/a'), ownerNet)
  await owner.publish(KEY, 40, { read: [] })
  const reader = new User()
  await reader.read(KEY, [ownerNet, maintainerNet], 41)
  assert.equal(await reader.tip(KEY, 'dev/a'), await maintainer.tip(KEY, 'dev/a'))
  const gitDir = maintainer.folder(KEY).repositoryPath('project')
  await push(50, () => git(['update-ref', '-d', 'refs/heads/dev/b'], { directory: gitDir }), ownerNet)
  await push(60, () => maintainer.write(KEY, 'dev/c'), ownerNet)
  const names = (await reader.read(KEY, [ownerNet, maintainerNet], 61)).refs.map(({ name }) => name.slice(11))
  assert.deepEqual(names, ['dev/a', 'dev/c', 'main'])
  // What the publisher deletes, knowing it, is gone as well.
  const { contributions } = await owner.read(KEY, [maintainerNet], 62)
  await git(['update-ref', '-d', 'refs/heads/dev/c'], { directory: owner.folder(KEY).repositoryPath('project') })
  await owner.publish(KEY, 70, { read: contributions })
  const left = (await reader.read(KEY, [ownerNet, maintainerNet], 71)).refs.map(({ name }) => name.slice(11))
  assert.deepEqual(left, ['dev/a', 'main'])
})

test('a publication that nobody holds any more ends with a sentence, not with a wait', async () => {
  await assert.rejects(new User().read(KEY, [], 0), {
    code: 'not-published',
    message: /got none from 0 peers \(ways in: none\)/,
  })
})

test('records are put again by a follower without the key, and outlive nodes that forget', async (t) => {
  const { openDht } = await import('../../net/index.ts')
  const first = await openDht({ listen: LOOPBACK, bootstrap: [], itemAgeMsMax: 300 })
  t.after(() => first.close())
  const owner = await published()
  const follower = await owner.copy()
  const net = await openLoopbackNet({ dht: true, dhtBootstrap: [first.address] })
  t.after(() => net.close())
  // Many refreshes, in all longer than an item lives alone.
  await new Promise<void>((resolve) => {
    let toldCount = 0
    const trace = Object.assign(
      (line: () => string): void => {
        // What is told while the test takes its nodes down says nothing.
        if (toldCount < 12) assert.doesNotMatch(line(), / 0/)
        if (++toldCount === 12) resolve()
      },
      { enabled: true },
    )
    t.after(keepAlive(net, follower.folder(KEY), trace, 100))
  })
  const asker = await openDht({ listen: LOOPBACK, bootstrap: [first.address] })
  t.after(() => asker.close())
  const items = await asker.getItems(Buffer.from(keyId(KEY.publicKey), 'hex'), new Uint8Array(0))
  assert.deepEqual(
    items.map(({ key }) => Buffer.from(key).toString('hex')),
    [hexOf(KEY)],
  )
})

test('thousands of refs come whole: documents of several pages, questions of several rounds', async (t) => {
  const owner = new User()
  const repository = await owner.folder(KEY).openRepository('project', 'sha1')
  const branches = Array.from({ length: 1600 }, (_, n) => ({ branch: `b${n}`, parents: [], files: { f: `${n}\n` } }))
  const oids = await importCommits(repository.gitDir, branches)
  const tags = Array.from(
    { length: 14_000 },
    (_, n) => `create refs/tags/release-number-${n} ${oids[n % oids.length]}\n`,
  )
  await git(['update-ref', '--stdin'], { directory: repository.gitDir, input: tags.join('') })
  await git(['pack-refs', '--all'], { directory: repository.gitDir })
  await owner.publish(KEY, 0)
  const reader = new User()
  const publication = await reader.read(KEY, [await owner.serve(t, KEY)], 1)
  assert.equal(publication.refs.length, 15_600)
  assert.ok(publication.record.documentLength > 1024 * 1024)
  const listed = (user: User): Promise<string> =>
    git(['for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads', 'refs/tags'], {
      directory: user.folder(KEY).repositoryPath('project'),
    })
  assert.equal(await listed(reader), await listed(owner))
})
