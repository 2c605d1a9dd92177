/**
 * Fuzz target of the start of a snapshot, from which its commit is taken. Only EngineError and HelperError may come out; what is taken in
 * is a commit with the name that git gives it.
 */

import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { EngineError } from '../../engine/index.ts'
import { HelperError } from '../../helper/errors.ts'
import { SNAPSHOT_COMMIT_LENGTH_MAX } from '../../helper/limits.ts'
import { firstCommit } from '../../helper/share/supply/snapshot-intake.ts'

const COMMIT = `tree ${'1'.repeat(40)}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n`

export function fuzz(bytes: Uint8Array): void {
  try {
    const { oid, content, tree, end } = firstCommit(bytes, 'sha1')
    const expected = createHash('sha1').update(`commit ${content.length}\0`).update(content).digest('hex')
    if (oid !== expected || !/^[0-9a-f]{40}$/.test(tree) || end > bytes.length) throw new Error('another commit')
  } catch (error) {
    if (!(error instanceof HelperError || error instanceof EngineError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const { length } = COMMIT
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\x02', 'latin1')
  const entry = [Buffer.of(0x90 | (length & 15), length >> 4), deflateSync(Buffer.from(COMMIT))]
  return [Buffer.concat([header, ...entry, ...entry]), Buffer.concat([header, ...entry])]
}

/** Its content, as inflated and as parsed. */
export const allocationLengthMax = 3 * SNAPSHOT_COMMIT_LENGTH_MAX

export const dictionary = ['PACK', 'x\x9c', 'tree ', 'author ', '\x90', '\xff\xff\xff\xff\x7f']
