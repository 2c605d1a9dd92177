/**
 * Goal: the commit at the start of a snapshot is taken as git names it, and one that would be inflated to more than a commit may have
 * is refused before it is, however short its stream.
 * Method: packs made here around a commit whose message is one byte many times, which deflates by a thousand; git hashes it.
 */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { EngineError } from '../../engine/index.ts'
import { COMMIT } from '../../engine/object.ts'
import { SNAPSHOT_COMMIT_LENGTH_MAX } from '../../helper/limits.ts'
import { firstCommit } from '../../helper/share/supply/snapshot-intake.ts'
import { bodyOf, packOf } from '../engine/pack-ports.ts'
import { git } from '../support/git.ts'

/** A commit of `length` bytes. */
function commitOf(length: number): Buffer {
  const head = `tree ${'1'.repeat(40)}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\n`
  return Buffer.from(head.padEnd(length, 'x'))
}

function snapshotWith(commit: Buffer): Uint8Array {
  return packOf(bodyOf([{ type: COMMIT, data: commit }]), 1, 'sha1')
}

it('a commit as long as one may be is taken', async () => {
  const commit = commitOf(SNAPSHOT_COMMIT_LENGTH_MAX)
  const named = await git(['hash-object', '-t', 'commit', '--literally', '--stdin'], { directory: '.', input: commit })
  const { oid, content } = firstCommit(snapshotWith(commit), 'sha1')
  assert.equal(oid, named)
  assert.ok(commit.equals(content))
})

it('a longer one is refused by the length that it declares', () => {
  const bytes = snapshotWith(commitOf(SNAPSHOT_COMMIT_LENGTH_MAX + 1))
  assert.ok(bytes.length < 4096)
  // Its stream is cut off: whoever inflates it says something else.
  const declared = bytes.subarray(0, 64)
  assert.throws(
    () => firstCommit(declared, 'sha1'),
    (error) => error instanceof EngineError && error.code === 'pack-limit',
  )
})
