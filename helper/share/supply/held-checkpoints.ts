/**
 * Which checkpoints of offered chains a repository has with all their history: what its refs reach, those of one that it borrows from,
 * and commits that are known to be whole though no ref reaches them yet. Of each chain the newest that is there is asked
 * for first, so that git need not walk down to the oldest one.
 */

import type { Oid } from '../../../engine/index.ts'
import { runGit } from '../../git/repository.ts'
import type { ChainClaim } from '../chain-claim.ts'

export interface WholeCommits {
  /** Commits that are whole. */
  readonly complete: readonly string[]
  /** Checkpoints that were found to be held before; those that are found now come to it. */
  readonly found: Set<string>
  /** False in a shallow repository, whose refs vouch for nothing, and in one that is being cloned. */
  readonly areRefsWhole: boolean
}

/** Checkpoints whose history is there. What a chain puts below one of those counts as there. @throws HelperError 'git-failed' */
export async function heldCheckpoints(
  chains: readonly ChainClaim[],
  gitDir: string,
  whole: WholeCommits,
): Promise<ReadonlySet<Oid>> {
  const newestFirst = chains.map(checkpointsOf)
  const present = await commitsAmong(newestFirst.flat(), gitDir)
  const there = newestFirst.map((checkpoints) => checkpoints.slice(indexOfFirst(checkpoints, present)))
  const heads = there.flatMap(([head]) => head ?? [])
  const reached = await reachedAmong(heads, gitDir, whole)
  for (const oid of reached) whole.found.add(oid)
  const isHeld = ([head]: readonly Oid[]): boolean => head !== undefined && reached.has(head)
  // Below a commit that lies there unreached may be one that is reached.
  const unclear = there.filter((checkpoints) => !isHeld(checkpoints)).flat()
  const others = await reachedAmong(
    unclear.filter((oid) => present.has(oid)),
    gitDir,
    whole,
  )
  return new Set([...there.filter(isHeld).flat(), ...others])
}

function checkpointsOf({ links }: ChainClaim): Oid[] {
  return links.flatMap(({ segments }) => segments.map(({ plan }) => plan.tip).reverse())
}

/** Index of the first that is in `wanted`, their number if none is. */
function indexOfFirst(oids: readonly Oid[], wanted: ReadonlySet<string>): number {
  const index = oids.findIndex((oid) => wanted.has(oid))
  return index < 0 ? oids.length : index
}

/** Commits that lie there, whole or not. */
export async function commitsAmong(oids: readonly string[], gitDir: string): Promise<Set<string>> {
  const answers = await runGit(gitDir, ['cat-file', '--batch-check'], `${oids.join('\n')}\n`)
  return new Set(answers.split('\n').flatMap((line) => (/ commit \d+$/.test(line) ? [line.split(' ')[0] ?? ''] : [])))
}

/** Those of some commits that are there which refs, or commits that are whole, reach. */
async function reachedAmong(
  oids: readonly Oid[],
  gitDir: string,
  { complete, areRefsWhole }: WholeCommits,
): Promise<ReadonlySet<Oid>> {
  if (oids.length === 0) return new Set()
  const walk = ['rev-list', '--stdin']
  const args = areRefsWhole ? [...walk, '--not', '--all', '--alternate-refs'] : ['--shallow-file', '', ...walk]
  const ends = [...oids, ...complete.map((oid) => `^${oid}`)]
  const unreached = new Set((await runGit(gitDir, args, `${ends.join('\n')}\n`)).split('\n'))
  return new Set(oids.filter((oid) => !unreached.has(oid)))
}
