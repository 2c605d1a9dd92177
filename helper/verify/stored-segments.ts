/**
 * Checks the segments that a repository stores: each body against its hash, then against what the engine builds anew
 * from the repository's objects. Only segments of lines that HEAD or a branch still has can be built again; others are
 * reported as such. On request what is damaged is replaced by what was built: a chain repairs what its links hold by itself,
 * but not segments that only a link of another tip would need.
 */

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GT1, type Oid, parseSegmentName, planLink, type SegmentPlan, segmentNameOf } from '../../engine/index.ts'
import { buildPlanned } from '../build/chains.ts'
import { type History, planHistory } from '../build/history.ts'
import { messageOf } from '../errors.ts'
import { type Repository, requireWholeHistory, runGit } from '../git/repository.ts'
import { READ_CHUNK_LENGTH } from '../limits.ts'
import { SegmentStore } from '../store/segment-store.ts'
import type { StoredSegment } from '../store/stored-segment.ts'
import type { Verdict } from './verdict.ts'

const TABLE_SUFFIX = '.json'

/** Checks all stored segments; with `isRepair` those that do not pass are built again, or removed where nothing can. */
export async function verifyStore(repository: Repository, isRepair: boolean): Promise<Verdict[]> {
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
    for (const plan of plans) {
      const verdict = { name: segmentNameOf(plan), reason: await reasonAgainst(plan, store, scratch) }
      const isBad = isRepair && verdict.reason !== null
      verdicts.push(isBad ? { ...verdict, remedy: await repair(plan, store, scratch) } : verdict)
    }
    await store.saveChecks()
    return verdicts
  } finally {
    await store.close()
    await scratch.close()
    await rm(scratchFolder, { recursive: true, force: true })
  }
}

async function storedPlans(store: SegmentStore, { objectFormat }: Repository): Promise<SegmentPlan[]> {
  const list = async (): Promise<SegmentPlan[]> => {
    const names = await readdir(join(store.folder, 'segments')).catch(() => [])
    const tables = names.filter((name) => name.endsWith(TABLE_SUFFIX)).sort((a, b) => (a < b ? -1 : 1))
    return tables.map((name) => parseSegmentName(name.slice(0, -TABLE_SUFFIX.length), objectFormat))
  }
  // Looking drops tables whose packs git has folded into others.
  for (const plan of await list()) await store.find(plan)
  return list()
}

/** One line per newest stored segment, tiled so that every stored segment on it is built. */
async function historyOf(plans: readonly SegmentPlan[], repository: Repository): Promise<History> {
  const present = await presentOf(new Set(plans.map(({ tip }) => tip)), repository)
  const bases = new Set(plans.flatMap(({ tip, base }) => (present.has(tip) ? [base] : [])))
  const tips = [...present].filter((tip) => !bases.has(tip))
  const named = tips.map((oid) => ({ ref: oid, oid }))
  const history = await planHistory(repository, named, false)
  const lines = history.lines.map((historyLine) => {
    const { line } = historyLine
    const links = plans.flatMap(({ grain, tip, base }) => planLink(line, tip, base, grain, GT1) ?? [])
    return { ...historyLine, links }
  })
  return { ...history, lines }
}

/** Those commits whose history is still here: that of a branch that was given up may be pruned. */
async function presentOf(tips: ReadonlySet<Oid>, { gitDir }: Repository): Promise<Set<Oid>> {
  const input = [...tips].map((tip) => `${tip}\n`).join('')
  const lines = (await runGit(gitDir, ['cat-file', '--batch-check=%(objectname)'], input)).split('\n')
  const found = new Set(lines)
  return new Set([...tips].filter((tip) => found.has(tip)))
}

/** Makes one segment good, or removes it if it is damaged for good; says which, null where neither is to be done. */
async function repair(plan: SegmentPlan, store: SegmentStore, scratch: SegmentStore): Promise<string | null> {
  const anew = await scratch.find(plan)
  const rows = await scratch.readRows(plan)
  if (anew !== null && rows !== null) {
    await store.writeRows(plan, rows)
    await store.writeBody(plan, { ...anew, parts: () => bodyOf(anew, scratch) })
    return 'built again'
  }
  if ((await store.findIntact(plan)) !== null) return null
  await store.drop(plan)
  return 'removed'
}

async function* bodyOf(segment: StoredSegment, store: SegmentStore): AsyncIterable<Uint8Array> {
  for (let at = 0; at < segment.length; at += READ_CHUNK_LENGTH) {
    yield await store.readBody(segment, at, Math.min(READ_CHUNK_LENGTH, segment.length - at))
  }
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
