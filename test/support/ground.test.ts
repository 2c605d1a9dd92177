/**
 * Goal: the ground that other tests stand on holds: git is hermetic, repositories repeat, oracles see what git sees.
 * Method: try to influence git from outside, build small repositories twice, and check the oracles against known answers.
 */

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { importCommits, importLine } from './fast-import.ts'
import { git, gitBytes, gitLines, gitOutcome, hermeticEnvironment } from './git.ts'
import { createObjectWriter, createRepository, oidOf, writeRefs } from './object-writer.ts'
import * as oracles from './oracles.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'

test('nothing of the machine reaches git', async () => {
  const scopes = await gitLines(['config', '--list', '--show-scope'])
  assert.ok(scopes.every((line) => line.startsWith('global\t')))
  const environment = hermeticEnvironment({ ADDED: 'yes', TZ: undefined })
  assert.equal(environment.ADDED, 'yes')
  assert.ok(!('TZ' in environment) && environment.HOME !== process.env.HOME)
})

test('a git that fails says so, and a git that hangs is ended', async () => {
  await assert.rejects(git(['no-such-command']), /expected status 0, got 1/)
  const args = ['-c', 'alias.hang=!exec tail -f /dev/null', 'hang']
  assert.equal((await gitOutcome(args, { timeoutMs: 100 })).status, null)
})

test('a temporary directory is gone afterwards, also when the test fails', async () => {
  const seen: string[] = []
  await assert.rejects(
    withTemporaryDirectory((directory) => {
      seen.push(directory)
      assert.ok(existsSync(directory))
      throw new Error('on purpose')
    }),
    /on purpose/,
  )
  assert.equal(existsSync(seen[0] ?? ''), false)
})

test('imported commits have the parents and files that were asked for, and repeat', async () => {
  await withTemporaryDirectory(async (scratch) => {
    const commits = [
      { files: { 'a.txt': 'one\n' } },
      { files: { 'b.txt': 'two\n' }, branch: 'topic', parents: [0] },
      { files: { 'a.txt': null, 'c.txt': new Uint8Array([0, 255]) }, parents: [0] },
      { parents: [2, 1], message: 'a merge\n' },
      { parents: [], branch: 'other', files: { 'd.txt': '' } },
    ]
    const first = await importCommits(join(scratch, 'first'), commits)
    assert.deepEqual(await importCommits(join(scratch, 'second'), commits), first)
    const directory = join(scratch, 'first')
    const parents = await gitLines(['rev-list', '--parents', '--no-walk=unsorted', ...first], { directory })
    const [a, b, c, d, e] = first
    assert.deepEqual(parents, [a, `${b} ${a}`, `${c} ${a}`, `${d} ${c} ${b}`, e])
    assert.deepEqual(await gitLines(['ls-tree', '-r', '--name-only', 'topic'], { directory }), ['a.txt', 'b.txt'])
    assert.deepEqual(await gitLines(['ls-tree', '-r', '--name-only', 'main'], { directory }), ['c.txt'])
  })
})

test('object names agree with git in both formats, also for malformed objects', async () => {
  for (const objectFormat of ['sha1', 'sha256'] as const) {
    await withTemporaryDirectory(async (directory) => {
      await createRepository(directory, objectFormat)
      const writer = createObjectWriter(objectFormat)
      const large = Buffer.alloc(100_000, 'x')
      const oids = [
        writer.write('blob', large),
        writer.write('tree', Buffer.from('no tree at all')),
        writer.write('blob', large),
      ]
      await writer.store(directory)
      await writer.store(directory)
      assert.equal(oids[0], oidOf(objectFormat, 'blob', large))
      assert.deepEqual(new Set((await oracles.allObjects(directory)).keys()), new Set(oids))
      await writeRefs(directory, new Map([['refs/blobs/large', oids[0] ?? '']]))
      assert.equal(await git(['rev-parse', 'refs/blobs/large'], { directory }), oids[0])
    })
  }
})

test('a segment is exact where rev-list with an exclusion is not', async () => {
  await withTemporaryDirectory(async (directory) => {
    // The file goes and comes back: its blob is reachable from the older end, but not from the older end's tree.
    const files = [{ 'a.txt': 'back\n' }, { 'a.txt': 'away\n' }, { 'a.txt': 'back\n', 'b.txt': 'new\n' }]
    const [, base = '', tip = ''] = await importCommits(
      directory,
      files.map((changed) => ({ files: changed })),
    )
    const exact = await oracles.segmentObjects(directory, tip, base)
    const approximate = await gitLines(['rev-list', '--objects', '--no-object-names', tip, `^${base}`], { directory })
    assert.equal(exact.size, 3)
    assert.equal(approximate.length, 4)
    assert.equal((await oracles.segmentObjects(directory, tip, null)).size, 9)
  })
})

test('thin packs are completed, listed and decoded by git and by isomorphic-git', async () => {
  await withTemporaryDirectory(async (scratch) => {
    const source = join(scratch, 'source')
    const line = await importLine(source, 40)
    const [base = '', tip = ''] = [line[19], line[39]]
    const pack = (input: string): Promise<Uint8Array> =>
      gitBytes(['pack-objects', '--revs', '--thin', '--stdout', '-q', '--delta-base-offset'], {
        directory: source,
        input,
      })
    const packs = [await pack(`${base}\n`), await pack(`${tip}\n^${base}\n`)]
    const target = join(scratch, 'target')
    const [, thin] = await oracles.unpackLinks(target, packs)
    assert.ok(thin !== undefined)
    assert.deepEqual(await oracles.firstParentLine(target, tip), [...line].reverse())
    const members = await oracles.segmentObjects(source, tip, base)
    const entries = await oracles.verifiedEntries(thin.packPath)
    assert.deepEqual(oracles.difference(members, new Set(entries.map((entry) => entry.oid))), new Set())
    assert.ok(entries.some((entry) => entry.depth > 0 && entry.deltaBase !== null))

    await writeFile(join(target, 'objects', 'pack', 'again.pack'), packs[1] ?? '')
    const found = await oracles.indexIndependently(target, 'objects/pack/again.pack')
    assert.deepEqual(new Set(found), members)
    assert.deepEqual(
      await oracles.readObjectsIndependently(target, members),
      await oracles.readObjects(source, members),
    )
  })
})

test('fsck complains of a missing object and not of a sound repository', async () => {
  await withTemporaryDirectory(async (directory) => {
    await importLine(directory, 3)
    assert.deepEqual(await oracles.fsckComplaints(directory), [])
    assert.ok((await oracles.repackedLength(directory, ['main'])) > 500)
    const writer = createObjectWriter('sha1')
    const tree = Buffer.concat([Buffer.from('100644 a\0'), Buffer.alloc(20, 7)])
    const commit = `tree ${writer.write('tree', tree)}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n`
    await writer.store(directory)
    const broken = await git(['hash-object', '-t', 'commit', '-w', '--stdin'], { directory, input: commit })
    await git(['update-ref', 'refs/heads/broken', broken], { directory })
    assert.match((await oracles.fsckComplaints(directory)).join('\n'), /missing blob 0707/)
  })
})
