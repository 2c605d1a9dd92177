/**
 * What offered chains are worth to one request: how many of the wanted refs they are for, and which of their links the
 * repository lacks.
 */

import { heldAmong } from '../../git/held-commits.ts'
import { runGit } from '../../git/repository.ts'
import { WHOLE_CHECK_COUNT_MAX } from '../../limits.ts'
import type { SupplyRequest } from '../../remote/supply.ts'
import type { ChainClaim } from '../chain-claim.ts'
import { type LineTake, planTakes } from './plan.ts'

/** How many of the wanted refs the chains are for, those that end where the origin stands counting double. */
export function matchOf(chains: readonly ChainClaim[], { refs, wants }: Pick<SupplyRequest, 'refs' | 'wants'>): number {
  const wanted = new Set(wants)
  let score = 0
  for (const { ref, tip } of chains) {
    const oid = refs.get(ref)
    if (oid !== undefined && wanted.has(oid)) score += oid === tip ? 2 : 1
  }
  return score
}

export interface TakePlan {
  readonly lines: readonly LineTake[]
  /** Checkpoints that are complete although no ref says so: what an interrupted --unshallow left. */
  readonly complete: readonly string[]
}

/** What to take of some chains, where the history of the checkpoints in `brought` is there already. @throws HelperError 'git-failed' */
export async function planFor(
  chains: readonly ChainClaim[],
  request: SupplyRequest,
  gitDir: string,
  brought: ReadonlySet<string>,
): Promise<TakePlan> {
  const wants = new Set(request.wants)
  const complete = request.isUnshallow ? await wholeCheckpoints(chains, gitDir) : []
  const held = request.isClone || request.isUnshallow ? new Set(complete) : await heldCheckpoints(chains, gitDir)
  return { lines: planTakes(chains, request.refs, wants, (oid) => held.has(oid) || brought.has(oid)), complete }
}

/** The newest link tip that is there with all its history, whatever the boundaries and refs of the repository say. */
async function wholeCheckpoints(chains: readonly ChainClaim[], gitDir: string): Promise<string[]> {
  const tips = chains.flatMap(({ links }) => links.map(({ tip }) => tip))
  const answers = await runGit(gitDir, ['cat-file', '--batch-check'], `${tips.join('\n')}\n`)
  const present = answers.split('\n').flatMap((line) => (/ commit \d+$/.test(line) ? [line.split(' ')[0] ?? ''] : []))
  for (const tip of present.slice(0, WHOLE_CHECK_COUNT_MAX)) {
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

/** Checkpoints of the chains that some ref of the repository, or of one that it borrows objects from, reaches. */
async function heldCheckpoints(chains: readonly ChainClaim[], gitDir: string): Promise<Set<string>> {
  const oids = new Set<string>()
  for (const { links } of chains) for (const { segments } of links) for (const { plan } of segments) oids.add(plan.tip)
  return heldAmong([...oids], gitDir)
}
