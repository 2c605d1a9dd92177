/**
 * Goal: a snapshot is built on request, listed, the same from another clone, and never served damaged.
 * Method: a line of 200 commits, whose snapshot is compared between two differently packed clones and with its files
 * changed; `git index-pack` reads it; the command prints it.
 */

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { resolveTip } from '../../helper/build/history.ts'
import { SnapshotStore, snapshotCheckpoint } from '../../helper/build/snapshots.ts'
import { chainCommand } from '../../helper/commands/chain.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { importLine } from '../support/fast-import.ts'
import { git } from '../support/git.ts'
import { createRepository } from '../support/object-writer.ts'
import { unpackInto } from '../support/oracles.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const COMMIT_COUNT = 200

async function withChains(directory: string, use: (chains: Chains) => Promise<void>): Promise<void> {
  const repository = await openRepository(directory)
  const chains = await buildChains(repository, [await resolveTip(repository, 'HEAD')], { threadCount: 1 })
  try {
    await use(chains)
  } finally {
    await chains.close()
  }
}

async function printed(directory: string, ...options: string[]): Promise<string> {
  let text = ''
  const status = await chainCommand.run([directory, ...options], {
    printResult: (part: string) => {
      text += part
    },
    printText: () => {},
    isTerminal: false,
    env: {},
    signal: new AbortController().signal,
  })
  assert.equal(status, 0)
  return text
}

it('a snapshot is built when asked for, and the same from another clone', () =>
  withTemporaryDirectory(async (scratch) => {
    const first = join(scratch, 'first.git')
    const second = join(scratch, 'second.git')
    await importLine(first, COMMIT_COUNT)
    await git(['clone', '--quiet', '--bare', first, second], { directory: scratch })
    await git(['repack', '-adfq', '--depth=2', '--window=2'], { directory: second })
    assert.deepEqual(JSON.parse(await printed(first, '--json')).snapshots, [])
    const [snapshot, ...others] = JSON.parse(await printed(first, '--snapshot', '--json')).snapshots
    assert.deepEqual(others, [])
    assert.deepEqual(JSON.parse(await printed(first, '--json')).snapshots, [snapshot])
    assert.deepEqual(JSON.parse(await printed(second, '--snapshot', '--json')).snapshots, [snapshot])
    assert.match(await printed(first), new RegExp(`^${snapshot.infohash} ${snapshot.commit} snapshot `, 'm'))
  }))

it('a snapshot is a pack that git reads by itself', () =>
  withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'r.git')
    await importLine(directory, COMMIT_COUNT)
    await withChains(directory, async ({ chains, repository, store }) => {
      const checkpoint = snapshotCheckpoint(chains[0]?.checkpoints ?? [])
      assert.ok(checkpoint !== null)
      const snapshot = await new SnapshotStore(repository, store.folder).ensure(checkpoint.oid)
      const payload = await snapshot.read(0, snapshot.lengthBytes)
      const empty = join(scratch, 'empty.git')
      await createRepository(empty, 'sha1')
      await unpackInto(empty, payload)
      const tree = `${checkpoint.oid}^{tree}`
      assert.equal(
        await git(['ls-tree', '-r', tree], { directory: empty }),
        await git(['ls-tree', '-r', tree], { directory }),
      )
      assert.deepEqual(await snapshot.read(5, 40), payload.slice(5, 45))
    })
  }))

it('a damaged snapshot is not listed, and built again', () =>
  withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'r.git')
    await importLine(directory, COMMIT_COUNT)
    await withChains(directory, async ({ chains, repository, store }) => {
      const checkpoints = chains[0]?.checkpoints ?? []
      const checkpoint = snapshotCheckpoint(checkpoints)
      assert.ok(checkpoint !== null)
      const snapshots = new SnapshotStore(repository, store.folder)
      const { infohash, lengthBytes } = await snapshots.ensure(checkpoint.oid)
      const path = join(store.folder, 'snapshots', `${checkpoint.oid}.pack`)
      const good = await readFile(path)
      await writeFile(path, Buffer.from(good).fill(0, lengthBytes - 30))
      assert.deepEqual(await snapshots.list(checkpoints), [])
      assert.deepEqual((await snapshots.ensure(checkpoint.oid)).infohash, infohash)
      assert.deepEqual(await readFile(path), good)
    })
  }))
