/**
 * Goal: stored rows that are damaged cost a rebuild, nothing else: the same links, and no error.
 * Method: damages every rows file in turn of a built store, takes the bodies away, and builds again.
 */

import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateRepository } from '../../bench/generate-repository.ts'
import { buildChains } from '../../helper/build/chains.ts'
import { resolveTip } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

/** Builds what is missing; returns the SHA-256 of every link. */
async function linksOf(gitDir: string): Promise<string[]> {
  const repository = await openRepository(gitDir)
  const chains = await buildChains(repository, [await resolveTip(repository, 'HEAD')], { threadCount: 1 })
  try {
    return (chains.chains[0]?.links ?? []).map(({ sha256 }) => sha256)
  } finally {
    await chains.close()
  }
}

test('damaged rows are built again', () =>
  withTemporaryDirectory(async (scratch) => {
    const gitDir = join(scratch, 'r.git')
    await generateRepository(gitDir, { commitCount: 120, seed: 7, objectFormat: 'sha1' })
    const expected = await linksOf(gitDir)
    const rows = join(gitDir, 'gittorrent', 'rows')
    const segments = join(gitDir, 'gittorrent', 'segments')
    const names = (await readdir(rows)).sort()
    assert(names.length > 3)
    for (const [index, name] of names.entries()) {
      const bytes = await readFile(join(rows, name))
      // Cut short, or with depths that no bases explain.
      const damaged = index % 2 === 0 ? bytes.subarray(0, bytes.length - 3) : Buffer.from(bytes)
      const objectCount = bytes.readUInt32LE(8)
      damaged.fill(9, 16 + objectCount * 25, 16 + objectCount * 26)
      await writeFile(join(rows, name), damaged)
    }
    const last = names[names.length - 1] ?? ''
    for (const name of await readdir(segments)) if (name.startsWith(last.slice(0, 20))) await rm(join(segments, name))
    assert.deepEqual(await linksOf(gitDir), expected)
  }))
