/**
 * Goal: what names and trees of strangers can do to an encoder is answered: keys that collide across types, entries whose
 * kind is not the type of their object, trees that hold each other many times.
 * Method: such histories written object by object, built with tight bounds, judged by git index-pack and by the error.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { nameKey } from '../../engine/tree-diff.ts'
import { importCommits } from '../support/fast-import.ts'
import { git } from '../support/git.ts'
import { createRepository } from '../support/object-writer.ts'
import { allObjects, unpackLinks } from '../support/oracles.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { buildLine, packOf, TIGHT } from './harness.ts'

const COMMIT = 1
const BLOB = 3
/** Its key as a blob is the key of all commits. */
const LIKE_A_COMMIT = '9i0h1q2'

async function writeTree(directory: string, lines: readonly string[]): Promise<string> {
  return (await git(['mktree', '--missing'], { directory, input: `${lines.join('\n')}\n` })).trim()
}

async function writeCommit(directory: string, tree: string, ...parents: string[]): Promise<string> {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
  const from = parents.flatMap((parent) => ['-p', parent])
  return (await git([...identity, 'commit-tree', '-m', 'x', ...from, tree], { directory })).trim()
}

it('a blob whose name key is that of all commits is nobody but a blob', () =>
  withTemporaryDirectory(async (scratch) => {
    const name = Buffer.from(LIKE_A_COMMIT)
    assert.equal(nameKey(BLOB, name, 0, name.length), nameKey(COMMIT, name, 0, 0))
    const directory = join(scratch, 'r')
    // The blob resembles the commits that follow, so that a delta against it would pay.
    const text = 'author T <t@example.org> 1112911993 +0000\ncommitter T <t@example.org> 1112911993 +0000\n\n'
    const commits = Array.from({ length: 30 }, (_, index) => ({
      files: { [LIKE_A_COMMIT]: `${text}${'a long message that repeats '.repeat(9)}${index >> 2}` },
      message: `${'a long message that repeats '.repeat(9)}${index}`,
    }))
    const tip = (await importCommits(directory, commits)).at(-1) ?? ''
    const segments = await buildLine(directory, 'sha1', tip, { parameters: TIGHT })
    const [unpacked] = await unpackLinks(join(scratch, 'u'), [packOf(segments, 'sha1')])
    assert.deepEqual(await allObjects(unpacked?.directory ?? ''), await allObjects(directory))
  }))

it('an entry that calls a tree a blob cannot be built, and says which object it is', () =>
  withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'r')
    await createRepository(directory, 'sha1')
    const blob = (await git(['hash-object', '-w', '--stdin'], { directory, input: 'x'.repeat(50) })).trim()
    const inner = await writeTree(directory, [`100644 blob ${blob}\ta`])
    const raw = Buffer.concat([Buffer.from('100644 lie\0'), Buffer.from(inner, 'hex')])
    const args = ['hash-object', '-w', '--literally', '-t', 'tree', '--stdin']
    const outer = (await git(args, { directory, input: raw })).trim()
    const commit = await writeCommit(directory, outer)
    await assert.rejects(buildLine(directory, 'sha1', commit, { parameters: TIGHT }), (error: Error) => {
      assert.match(error.message, new RegExp(`object ${inner}: expected a blob, got a tree`))
      return true
    })
  }))

it('trees of equal subtrees, twelve levels deep, are walked once', () =>
  withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'r')
    await createRepository(directory, 'sha1')
    const bomb = async (content: string): Promise<string> => {
      const blob = (await git(['hash-object', '-w', '--stdin'], { directory, input: content })).trim()
      let tree = await writeTree(directory, [`100644 blob ${blob}\tf`])
      for (let level = 0; level < 12; level++) {
        const same = tree
        tree = await writeTree(
          directory,
          Array.from({ length: 10 }, (_, index) => `040000 tree ${same}\td${index}`),
        )
      }
      return tree
    }
    const first = await writeCommit(directory, await bomb('one'))
    const second = await writeCommit(directory, await bomb('two'), first)
    const segments = await buildLine(directory, 'sha1', second, { parameters: TIGHT })
    const [unpacked] = await unpackLinks(join(scratch, 'u'), [packOf(segments, 'sha1')])
    assert.deepEqual(await allObjects(unpacked?.directory ?? ''), await allObjects(directory))
  }))
