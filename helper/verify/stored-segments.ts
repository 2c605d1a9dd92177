/**
 * Checks the segments that a repository stores: each body against its hash, then against what the engine builds anew
 * from the repository's objects. Only segments of lines that HEAD or a branch still has can be built again; others are
 * reported as such.
 */

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GT1, parseSegmentName, planLink, type SegmentPlan, segmentNameOf } from '../../engine/index.ts'
import { buildPlanned } from '../build/chains.ts'
import { type History, planHistory } from '../build/history.ts'
import { messageOf } from '../errors.ts'
import { type Repository, requireWholeHistory } from '../git/repository.ts'
import { SegmentStore } from '../store/segment-store.ts'
import type { Verdict } from './bundles.ts'

const TABLE_SUFFIX = '.json'

export async function verifyStore(repository: Repository): Promise<Verdict[]> {
  requireWholeHistory(repository)
  const store = new SegmentStore(repository.gitDir)
  const scratchFolder = await mkdtemp(join(tmpdir(), 'gittorrent-verify-'))
  const scratch = new SegmentStore(repository.gitDir, scratchFolder)
  try {
    const plans = await storedPlans(store, repository)
    const history = await historyOf(plans, repository)
    const built = await buildPlanned(repository, history, scratch)
    await built.close()
    const verdicts: Verdict[] = []
    for (const plan of plans)
      verdicts.push({ name: segmentNameOf(plan), reason: await reasonAgainst(plan, store, scratch) })
    return verdicts
  } finally {
    await store.close()
    await scratch.close()
    await rm(scratchFolder, { recursive: true, force: true })
  }
}

async function storedPlans(store: SegmentStore, { objectFormat }: Repository): Promise<SegmentPlan[]> {
  const names = await readdir(join(store.folder, 'segments')).catch(() => [])
  const tables = names.filter((name) => name.endsWith(TABLE_SUFFIX)).sort((a, b) => (a < b ? -1 : 1))
  return tables.map((name) => parseSegmentName(name.slice(0, -TABLE_SUFFIX.length), objectFormat))
}

/** One line per newest stored segment, tiled so that every stored segment on it is built. */
async function historyOf(plans: readonly SegmentPlan[], repository: Repository): Promise<History> {
  const bases = new Set(plans.map(({ base }) => base))
  const tips = [...new Set(plans.map(({ tip }) => tip))].filter((tip) => !bases.has(tip))
  const history = await planHistory(
    repository,
    tips.map((oid) => ({ ref: oid, oid })),
  )
  const lines = history.lines.map((historyLine) => {
    const { line } = historyLine
    const links = plans.flatMap(({ grain, tip, base }) => planLink(line, tip, base, grain, GT1) ?? [])
    return { ...historyLine, links }
  })
  return { graph: history.graph, lines }
}

async function reasonAgainst(plan: SegmentPlan, store: SegmentStore, scratch: SegmentStore): Promise<string | null> {
  try {
    const kept = await store.findIntact(plan)
    if (kept === null) return 'its body is missing or differs from its hash'
    const anew = await scratch.find(plan)
    if (anew === null) return 'it is on no line that can be built here'
    return anew.sha256 === kept.sha256 ? null : `differs from what its objects build (SHA-256 ${anew.sha256})`
  } catch (error) {
    return messageOf(error)
  }
}
