/**
 * Which checkpoints of offered chains a repository has with all their history: what its refs reach, those of one that it borrows from,
 * and commits that are known to be whole though no ref reaches them yet. Of each chain the newest that is there is asked
 * for first, so that git need not walk down to the oldest one.
 */

import type { Oid } from '../../../engine/index.ts'
import { commitsAmong, reachedAmong, type WholeCommits } from '../../git/held-commits.ts'
import type { ChainClaim } from '../chain-claim.ts'

/**
 * Checkpoints whose history is there. What a chain puts below one of those counts as there.
 * @param found takes those that git was found to have @throws HelperError 'git-failed'
 */
export async function heldCheckpoints(
  chains: readonly ChainClaim[],
  gitDir: string,
  whole: WholeCommits,
  found: Set<string>,
): Promise<ReadonlySet<Oid>> {
  const newestFirst = chains.map(checkpointsOf)
  const present = await commitsAmong(newestFirst.flat(), gitDir)
  const there = newestFirst.map((checkpoints) => checkpoints.slice(indexOfFirst(checkpoints, present)))
  const heads = there.flatMap(([head]) => head ?? [])
  const reached = await reachedAmong(heads, gitDir, whole)
  for (const oid of reached) found.add(oid)
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
