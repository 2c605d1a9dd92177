/**
 * What offered chains are worth to one request: how many of the wanted refs they are for. Each ref counts once, however often a claim
 * names it. That a chain ends where the origin stands is its claimant's word, and good for its rank only.
 */

import type { SupplyRequest } from '../../remote/supply.ts'
import type { ChainClaim } from '../chain-claim.ts'

/** How many of the wanted refs the chains are for, those that end where the origin stands counting double. */
export function matchOf(chains: readonly ChainClaim[], { refs, wants }: Pick<SupplyRequest, 'refs' | 'wants'>): number {
  const wanted = new Set(wants)
  const scores = new Map<string, number>()
  for (const { ref, tip } of chains) {
    const oid = refs.get(ref)
    if (oid !== undefined && wanted.has(oid)) scores.set(ref, Math.max(scores.get(ref) ?? 0, oid === tip ? 2 : 1))
  }
  return [...scores.values()].reduce((sum, score) => sum + score, 0)
}
