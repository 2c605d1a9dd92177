/**
 * Goal: the generated project is a sound repository with the shape that it promises, and the same one everywhere.
 * Method: generate a small one in both object formats and ask git; compare the tip with the one seen when this was written.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateRepository } from '../../bench/generate-repository.ts'
import { git, gitLines } from '../support/git.ts'
import { fsckComplaints } from '../support/oracles.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const GOLDEN_TIP = '0e83263eda313d1457287f38baf6b1d40d20378d'

test('a project of 600 commits has merges, releases, tags and open topics, and passes fsck', async () => {
  await withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'project.git')
    const { tip, commitCount, firstParentCount } = await generateRepository(directory, { commitCount: 600, seed: 1 })
    assert.equal(tip, GOLDEN_TIP)
    assert.equal(commitCount, 600)
    assert.ok(firstParentCount > 200 && firstParentCount < 350, `${firstParentCount} first parents`)
    const mergeCount = Number(await git(['rev-list', '--count', '--merges', '--all'], { directory }))
    assert.ok(mergeCount > 150 && mergeCount < 220, `${mergeCount} merges`)
    const refs = await gitLines(['for-each-ref', '--format=%(refname)'], { directory })
    for (const prefix of ['refs/heads/main', 'refs/heads/release-', 'refs/heads/topic/', 'refs/tags/v1.']) {
      assert.ok(
        refs.some((ref) => ref.startsWith(prefix)),
        prefix,
      )
    }
    assert.ok(refs.every((ref) => !ref.startsWith('refs/generating/')))
    assert.deepEqual(await fsckComplaints(directory, { strict: true }), [])
  })
})

test('SHA-256 repositories have the same shape', async () => {
  await withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'project.git')
    const repository = await generateRepository(directory, { commitCount: 150, seed: 1, objectFormat: 'sha256' })
    assert.equal(repository.tip.length, 64)
    assert.equal(repository.commitCount, 150)
    assert.deepEqual(await fsckComplaints(directory, { strict: true }), [])
  })
})
