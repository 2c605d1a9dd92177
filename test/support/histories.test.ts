/**
 * Goal: the random histories that laws rest on are what they claim to be, and cover what real histories contain.
 * Method: write generated descriptions into repositories and ask git and isomorphic-git what is in them.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { type HistoryDescription, historyArbitrary, historyOfSeed, writeHistory } from '../engine/histories.ts'
import { git, gitLines } from './git.ts'
import { allObjects, fsckComplaints, reachableObjects, readObjectsIndependently } from './oracles.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'

/** What fsck says of stored oddities that we make on purpose. */
const EXPECTED_COMPLAINT =
  /zeroPaddedFilemode|nullSha1|badTimezone|badFilemode|largePathname|extraHeaderEntry|missingNameBeforeEmail/

const runs = (numRuns: number) => ({ numRuns, seed: 20_050_407 })

test('git finds every described commit, reachable from the refs, and no broken object', async () => {
  await fc.assert(
    fc.asyncProperty(historyArbitrary(), (description) =>
      withTemporaryDirectory(async (directory) => {
        const history = await writeHistory(directory, description)
        const reachable = await gitLines(['rev-list', '--all'], { directory })
        assert.deepEqual(new Set(reachable), new Set(history.commits))
        const complaints = await fsckComplaints(directory)
        assert.deepEqual(
          complaints.filter((line) => !EXPECTED_COMPLAINT.test(line)),
          [],
        )
      }),
    ),
    runs(25),
  )
})

test('a description gives the same objects every time', async () => {
  const description = historyOfSeed(1, { commitCountMin: 30, commitCountMax: 60 })
  await withTemporaryDirectory(async (directory) => {
    const first = await writeHistory(join(directory, 'first'), description)
    const second = await writeHistory(join(directory, 'second'), description)
    assert.deepEqual(second.refs, first.refs)
    assert.deepEqual(await allObjects(second.directory), await allObjects(first.directory))
  })
})

test('isomorphic-git reads the same bytes as git', async () => {
  const description = historyOfSeed(2, { commitCountMin: 10, commitCountMax: 20, objectFormat: 'sha1' })
  await withTemporaryDirectory(async (directory) => {
    const { refs } = await writeHistory(directory, description)
    const objects = await allObjects(directory)
    const reachable = await reachableObjects(directory, [...refs.values()])
    const independent = await readObjectsIndependently(directory, reachable)
    for (const [oid, object] of independent) {
      assert.equal(object.type, objects.get(oid)?.type)
      assert.deepEqual(Buffer.from(object.bytes), Buffer.from(objects.get(oid)?.bytes ?? []))
    }
  })
})

test('every kind of oddity occurs in a long history', async () => {
  const description = historyOfSeed(3, { commitCountMin: 150, commitCountMax: 200, objectFormat: 'sha1' })
  await withTemporaryDirectory(async (directory) => {
    const { tip } = await writeHistory(directory, description)
    const parentCounts = await gitLines(['log', '--all', '--format=%p'], { directory })
    const counts = new Set(parentCounts.map((line) => (line === '' ? 0 : line.split(' ').length)))
    for (const count of [0, 1, 2]) assert.ok(counts.has(count), `a commit with ${count} parents`)
    assert.ok(Math.max(...counts) > 2, 'an octopus merge')
    const modes = await modesOfHistory(directory)
    for (const mode of ['100644', '100755', '100664', '120000', '160000', '40000', '040000']) {
      assert.ok(modes.has(mode), `an entry of mode ${mode}`)
    }
    const bases = await gitLines(['log', '--all', '--merges', '--format=%H %P'], { directory })
    assert.ok((await crissCrossCount(directory, bases)) > 0, 'a criss-cross merge')
    assert.ok(Number(await git(['rev-list', '--count', '--first-parent', tip], { directory })) > 20, 'a long line')
    const tags = await gitLines(['for-each-ref', '--format=%(objecttype) %(*objecttype)', 'refs/tags'], { directory })
    for (const kind of ['commit ', 'tag commit', 'tag tag', 'tag tree', 'tag blob'])
      assert.ok(tags.includes(kind), kind)
    const changes = await gitLines(['log', '--all', '--raw', '-M', '--format=', '--no-abbrev'], { directory })
    assert.ok(
      changes.some((line) => /^:10\d+ 10\d+ (\w+) \1 M/.test(line)),
      'a change of mode alone',
    )
    assert.ok(
      changes.some((line) => / R\d+\t/.test(line)),
      'a rename',
    )
    assert.ok(
      changes.some((line) => line.includes('\\377')),
      'a name that is not UTF-8',
    )
  })
})

test('a long line has empty commits, trees that come back, and clocks that stand still or run backwards', async () => {
  const description = historyOfSeed(3, { commitCountMin: 150, commitCountMax: 200, objectFormat: 'sha1' })
  await withTemporaryDirectory(async (directory) => {
    await writeHistory(directory, description)
    const lines = await gitLines(['log', '--first-parent', '--reverse', '--format=%T %ct'], { directory })
    const commits = lines.map((line) => line.split(' '))
    const trees = commits.map(([tree]) => tree)
    const seconds = commits.map(([, time]) => Number(time))
    const some = (holds: (index: number) => boolean): boolean => trees.some((_, index) => index > 0 && holds(index))
    assert.ok(
      some((index) => trees[index] === trees[index - 1]),
      'an empty commit',
    )
    assert.ok(
      some((index) => trees[index] !== trees[index - 1] && trees.indexOf(trees[index]) < index),
      'a revert',
    )
    assert.ok(
      some((index) => seconds[index] === seconds[index - 1]),
      'equal times',
    )
    assert.ok(
      some((index) => (seconds[index] ?? 0) < (seconds[index - 1] ?? 0)),
      'a clock that runs backwards',
    )
  })
})

test('a failing history shrinks to a small one', () => {
  const hasMerge = ({ features, commits }: HistoryDescription): boolean =>
    features.includes('merges') && commits.some((commit) => commit.parents.length === 2)
  const outcome: fc.RunDetails<[HistoryDescription]> = fc.check(
    fc.property(historyArbitrary(), (description) => !hasMerge(description)),
    runs(200),
  )
  assert.ok(outcome.failed)
  const [smallest] = outcome.counterexample ?? []
  assert.ok(smallest !== undefined && smallest.commits.length <= 5 && smallest.features.length <= 2)
})

async function modesOfHistory(directory: string): Promise<Set<string>> {
  const modes = new Set<string>()
  for (const { type, bytes } of (await allObjects(directory)).values()) {
    if (type !== 'tree') continue
    const text = Buffer.from(bytes).toString('latin1')
    for (let offset = 0; offset < text.length; offset = text.indexOf('\0', offset) + 21) {
      modes.add(text.slice(offset, text.indexOf(' ', offset)))
    }
  }
  return modes
}

async function crissCrossCount(directory: string, merges: readonly string[]): Promise<number> {
  let count = 0
  for (const merge of merges) {
    const [, first = '', second = ''] = merge.split(' ')
    const { length } = await gitLines(['merge-base', '--all', first, second], { directory }).catch(() => [])
    if (length > 1) count += 1
  }
  return count
}
