/**
 * Annotated tags that git expects to follow by themselves (include-tag). The origin adds a tag when its commit is in the
 * pack that it sends; commits that the swarm brought are not, so their tags would be missing from a clone of one branch,
 * which asks only once. The relay therefore wants these tags by name.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Environment } from '../config.ts'
import { BATCH_LINE_COUNT_MAX } from '../limits.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import type { AnnotatedTag } from './ref-memory.ts'

/** `<oid> missing` or `<oid> <type> <size>`: 64 digits, a type, 20 digits. */
const CHECK_LINE_LENGTH_BYTES_MAX = 256

/** Returns the oids of those `tags` whose commit is in the object store while the tag itself is not. */
export async function tagsToFollow(tags: readonly AnnotatedTag[], env: Environment): Promise<readonly string[]> {
  const asked = tags.slice(0, BATCH_LINE_COUNT_MAX)
  if (asked.length === 0) return []
  const child = spawn('git', ['cat-file', '--batch-check', '--buffer'], {
    env: { ...env, GIT_NO_LAZY_FETCH: '1' },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = once(child, 'close')
  const writer = new ByteWriter(child.stdin)
  const reader = new ByteReader(child.stdout)
  const sent = writer.write(asked.map((tag) => `${tag.oid}\n${tag.peeled}\n`).join('')).then(() => writer.end())
  const wanted: string[] = []
  for (const tag of asked) {
    const own = await reader.line(CHECK_LINE_LENGTH_BYTES_MAX)
    const target = await reader.line(CHECK_LINE_LENGTH_BYTES_MAX)
    if (own?.endsWith(' missing') && target !== null && !target.endsWith(' missing')) wanted.push(tag.oid)
  }
  await Promise.all([sent, ended])
  return wanted
}
