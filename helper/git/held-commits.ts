/**
 * Which of some commits a repository has with all their history: what its refs, or those of one that it borrows objects from, reach, and
 * what commits reach that are known to be whole. Commits that lie there unreached may lack anything.
 */

import { runGit } from './repository.ts'

/** What vouches for the history of a commit. */
export interface WholeCommits {
  /** Commits that are whole. */
  readonly complete: readonly string[]
  /** False in a shallow repository, whose refs vouch for nothing, and in one that is being cloned. */
  readonly areRefsWhole: boolean
}

/** Those of `oids` that a ref reaches. @throws HelperError 'git-failed' */
export async function heldAmong(oids: readonly string[], gitDir: string): Promise<Set<string>> {
  const present = await commitsAmong(oids, gitDir)
  return reachedAmong([...present], gitDir, { complete: [], areRefsWhole: true })
}

/** Those of `oids` that are commits and lie there, whole or not, in the same order. @throws HelperError 'git-failed' */
export async function commitsAmong(oids: readonly string[], gitDir: string): Promise<Set<string>> {
  const asked = new Set(oids)
  const answers = await runGit(gitDir, ['cat-file', '--batch-check'], `${[...asked].join('\n')}\n`)
  const present = answers.split('\n').flatMap((line) => (/ commit \d+$/.test(line) ? [line.split(' ')[0] ?? ''] : []))
  return new Set(present.filter((oid) => asked.has(oid)))
}

/** Those of some commits that are there which refs, or commits that are whole, reach. @throws HelperError 'git-failed' */
export async function reachedAmong<Name extends string>(
  oids: readonly Name[],
  gitDir: string,
  { complete, areRefsWhole }: WholeCommits,
): Promise<Set<Name>> {
  if (oids.length === 0) return new Set()
  const walk = ['rev-list', '--stdin']
  const args = areRefsWhole ? [...walk, '--not', '--all', '--alternate-refs'] : ['--shallow-file', '', ...walk]
  const ends = [...oids, ...complete.map((oid) => `^${oid}`)]
  const unreached = new Set((await runGit(gitDir, args, `${ends.join('\n')}\n`)).split('\n'))
  return new Set(oids.filter((oid) => !unreached.has(oid)))
}
