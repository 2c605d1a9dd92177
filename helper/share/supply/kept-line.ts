/**
 * The main line of a clone: it becomes one kept pack, and its segments are served from ranges of that pack.
 */

import { availableParallelism } from 'node:os'
import { PACK_HEADER_LENGTH } from '../../../engine/index.ts'
import { configValue, type GitConfig } from '../../config.ts'
import { INDEX_THREAD_COUNT_MAX } from '../../limits.ts'
import type { SupplyRequest } from '../../remote/supply.ts'
import { SegmentStore } from '../../store/segment-store.ts'
import type { Intake } from './line-intake.ts'
import { type LineTake, segmentsOf } from './plan.ts'

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

/** Lets the clone serve what it took, from the pack itself. */
export async function rememberSegments({ takes, packHash }: Intake, gitDir: string): Promise<void> {
  const store = new SegmentStore(gitDir)
  let offset = PACK_HEADER_LENGTH
  const facts = takes.flatMap(segmentsOf).map(({ plan, objectCount, commitCount, length, sha256 }) => {
    const stored = { objectCount, commitCount, length, sha256, pack: `pack-${packHash}.pack`, offset }
    offset += length
    return { plan, stored }
  })
  await store.recordAllInPack(facts)
  await store.close()
}
