/**
 * Which boundaries of a shallow repository are none any more, because all history below them has come. The walk looks past
 * `.git/shallow`, which only git itself changes.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { plumbingEnvironment } from '../git/environment.ts'
import { COMMAND_LINE_LENGTH_BYTES_MAX } from '../limits.ts'
import { ByteReader } from './byte-reader.ts'

/** Those of `shallows` that one of `tops`, commits whose whole history is there, reaches. O(commits) */
export async function boundariesWithin(
  gitDir: string,
  shallows: readonly string[],
  tops: readonly string[],
): Promise<ReadonlySet<string>> {
  const left = new Set(shallows)
  const found = new Set<string>()
  const args = ['--git-dir', gitDir, '--shallow-file', '', 'rev-list', '--stdin']
  const child = spawn('git', args, { env: plumbingEnvironment(), stdio: ['pipe', 'pipe', 'ignore'] })
  const closed = once(child, 'close')
  child.stdin.on('error', () => {})
  child.stdin.end(`${tops.join('\n')}\n`)
  const reader = new ByteReader(child.stdout)
  while (left.size > 0) {
    const oid = await reader.line(COMMAND_LINE_LENGTH_BYTES_MAX)
    if (oid === null) break
    if (left.delete(oid)) found.add(oid)
  }
  if (left.size === 0) child.stdout.destroy()
  const [status] = await closed
  // A walk that broke off has met a hole: then nothing is known.
  return left.size === 0 || status === 0 ? found : new Set()
}
