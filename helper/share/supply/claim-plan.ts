/**
 * What of a claim a repository lacks, and whether that is worth taking: with what others have brought before, only what is long.
 */

import { commitsAmong } from '../../git/held-commits.ts'
import { runGit } from '../../git/repository.ts'
import { FOLDER_LINE_LENGTH_MIN, LINE_LENGTH_MIN, SHORT_LINE_COUNT_MAX, WHOLE_CHECK_COUNT_MAX } from '../../limits.ts'
import type { SupplyRequest } from '../../remote/supply.ts'
import type { ChainClaim } from '../chain-claim.ts'
import type { Claim } from './claims.ts'
import { heldCheckpoints } from './held-checkpoints.ts'
import { type LineTake, longLines, planTakes, segmentsOf } from './plan.ts'

/** What claims before have brought, or shown. */
export interface KnownBefore {
  /** Commits that are complete. */
  readonly complete: readonly string[]
  /** Checkpoints that git was found to have; added to. */
  readonly found: Set<string>
  /** A whole claim was taken, so that only what is long is worth it. */
  readonly isMore: boolean
}

export interface TakePlan {
  /** What is worth taking, oldest dependency first. */
  readonly lines: readonly LineTake[]
  /** Commits that are complete: those that were known to be, and what an interrupted --unshallow left. */
  readonly complete: readonly string[]
}

/** What to take of a claim. @throws HelperError 'git-failed' */
export async function planFor(
  claim: Claim,
  request: SupplyRequest,
  gitDir: string,
  known: KnownBefore,
): Promise<TakePlan> {
  const { isClone, isUnshallow } = request
  const { isMore, found } = known
  const isFirst = known.complete.length === 0
  const complete = isUnshallow && isFirst ? await wholeCheckpoints(claim.chains, gitDir) : known.complete
  const lines = linesOf(claim, request, new Set([...complete, ...found]), isMore)
  const areRefsWhole = !(isClone || isUnshallow)
  // Who offers what others have offered costs nothing.
  if (lines.length === 0 || (!areRefsWhole && complete.length === 0)) return { lines, complete }
  const held = await heldCheckpoints(claim.chains, gitDir, { complete, areRefsWhole }, found)
  return { lines: linesOf(claim, request, held, isMore), complete }
}

/** True if a claim goes on, by much, from one of the commits `complete`. */
export function goesOnFrom(complete: readonly string[], claim: Claim, request: SupplyRequest): boolean {
  const held = new Set(complete)
  return linesOf(claim, request, held, true).some(({ takes }) => {
    const [lowest] = takes.flatMap(segmentsOf)
    return lowest !== undefined && held.has(lowest.plan.base ?? '')
  })
}

function linesOf(
  { chains, peer }: Claim,
  { refs, wants }: SupplyRequest,
  held: ReadonlySet<string>,
  isMore: boolean,
): LineTake[] {
  const all = planTakes(chains, refs, new Set(wants), (oid) => held.has(oid))
  const shortest = peer === null ? FOLDER_LINE_LENGTH_MIN : 0
  const isLongOnly = isMore || all.length > SHORT_LINE_COUNT_MAX
  return longLines(all, isLongOnly ? LINE_LENGTH_MIN : shortest, !isMore)
}

/** The newest link tip that is there with all its history, whatever the boundaries and refs of the repository say. */
async function wholeCheckpoints(chains: readonly ChainClaim[], gitDir: string): Promise<string[]> {
  const tips = chains.flatMap(({ links }) => links.map(({ tip }) => tip))
  for (const tip of [...(await commitsAmong(tips, gitDir))].slice(0, WHOLE_CHECK_COUNT_MAX)) {
    const walk = ['--shallow-file', '', 'rev-list', '--objects', '--quiet', tip]
    if (
      await runGit(gitDir, walk).then(
        () => true,
        () => false,
      )
    )
      return [tip]
  }
  return []
}
