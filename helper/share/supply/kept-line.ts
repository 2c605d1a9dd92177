/**
 * The packs that lines become, and the segments in them. The main line of a clone is one kept pack, from whose ranges its
 * segments are served. What a fetch brings is an ordinary pack: until `git gc` folds it, the bodies in it complete links that
 * are lacking in part, and are not served otherwise.
 */

import { availableParallelism } from 'node:os'
import { configValue, type GitConfig } from '../../config.ts'
import type { SupplyRequest } from '../../remote/supply.ts'
import { SegmentStore } from '../../store/segment-store.ts'
import type { Intake } from './line-intake.ts'
import { type LineTake, segmentsOf } from './plan.ts'

/** Beyond that, git's own experiments found little gain, and each thread has a cache of 96 MB. */
const INDEX_THREAD_COUNT_MAX = 8

/** True for a line of a clone, or of the fetch that makes a shallow one whole, that reaches down to the roots. */
export function isKeptLine(
  { takes }: LineTake,
  { isClone, isUnshallow }: Pick<SupplyRequest, 'isClone' | 'isUnshallow'>,
): boolean {
  return (isClone || isUnshallow) && takes[0]?.link.base === null && takes[0].isWhole
}

/**
 * Threads for indexing the pack of a whole history, null to leave it to git: it takes 3 where there are 4 or 5 cores, and half of
 * more, but nothing else has work to do meanwhile. What the user says in pack.threads stands.
 */
export function indexThreads(config: GitConfig): number | null {
  const coreCount = availableParallelism()
  if (configValue(config, 'pack.threads') !== null || coreCount > 2 * INDEX_THREAD_COUNT_MAX) return null
  return Math.min(coreCount, INDEX_THREAD_COUNT_MAX)
}

/** Notes where in packs the bodies are that the repository did not have. */
export async function rememberSegments(intakes: readonly (Intake | null)[], gitDir: string): Promise<void> {
  const store = new SegmentStore(gitDir)
  for (const { takes, packHash, offset: start } of intakes.flatMap((intake) => intake ?? [])) {
    let offset = start
    const facts = takes.flatMap(segmentsOf).map(({ plan, objectCount, commitCount, length, sha256 }) => {
      const stored = { objectCount, commitCount, length, sha256, pack: `pack-${packHash}.pack`, offset }
      offset += length
      return { plan, stored }
    })
    const isLacking = await Promise.all(facts.map(async ({ plan }) => (await store.find(plan)) === null))
    await store.recordAllInPack(facts.filter((_, index) => isLacking[index]))
  }
  await store.close()
}
