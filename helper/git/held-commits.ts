/**
 * Which of some commits a repository has with all their history: what its refs, or those of one that it borrows objects from, reach.
 * Commits that lie there unreached may lack anything.
 */

import { runGit } from './repository.ts'

/** Those of `oids` that a ref reaches. @throws HelperError 'git-failed' */
export async function heldAmong(oids: readonly string[], gitDir: string): Promise<Set<string>> {
  const asked = new Set(oids)
  const answers = await runGit(gitDir, ['cat-file', '--batch-check'], `${[...asked].join('\n')}\n`)
  const present = answers.split('\n').flatMap((line) => (line.endsWith(' missing') ? [] : [line.split(' ')[0] ?? '']))
  const known = present.filter((oid) => asked.has(oid))
  if (known.length === 0) return new Set()
  // Of the commits that are there, those that no ref reaches are no haves.
  const walk = ['rev-list', '--stdin', '--not', '--all', '--alternate-refs']
  const loose = await runGit(gitDir, walk, `${known.join('\n')}\n`)
  const unreached = new Set(loose.split('\n'))
  return new Set(known.filter((oid) => !unreached.has(oid)))
}
