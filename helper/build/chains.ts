/**
 * From a repository to its chains, built and ready to serve: plan, build what is missing, open every link.
 * Used by `seed` and `chain`; progress and reporting are the caller's.
 */

import { availableParallelism } from 'node:os'
import type { Checkpoint, Oid } from '../../engine/index.ts'
import { type Repository, requireWholeHistory } from '../git/repository.ts'
import { BUILD_THREAD_COUNT_MAX } from '../limits.ts'
import { SegmentStore } from '../store/segment-store.ts'
import { type BuildReport, buildHistory, isComplete } from './builder.ts'
import { type History, type NamedTip, planHistory } from './history.ts'
import { type LinkFile, openLinkFile } from './link-file.ts'
import { Workshop } from './workshop.ts'

export interface Chain {
  readonly ref: string
  readonly tip: Oid
  /** Newest first. */
  readonly links: readonly LinkFile[]
  /** Newest first. */
  readonly checkpoints: readonly Checkpoint[]
}

export interface Chains {
  readonly repository: Repository
  /** The main line first; lines without checkpoints are absent. */
  readonly chains: readonly Chain[]
  readonly report: BuildReport
  readonly store: SegmentStore
  close(): Promise<void>
}

export interface ChainOptions {
  /** Commits walked into built segments so far, of how many in all. */
  readonly onProgress?: (done: number, total: number) => void
  readonly threadCount?: number
}

/**
 * Builds the chains of some tips, the main one first. A stored body that differs from its hash is dropped by the first
 * attempt and built again by the second.
 * @throws HelperError 'repository-unusable' for a shallow or partial repository
 */
export async function buildChains(
  repository: Repository,
  tips: readonly NamedTip[],
  options: ChainOptions = {},
): Promise<Chains> {
  requireWholeHistory(repository)
  const history = await planHistory(repository, tips)
  const store = new SegmentStore(repository.gitDir)
  await store.collect()
  return buildPlanned(repository, history, store, options)
}

/** The same for a history that is planned already, into a given store. */
export async function buildPlanned(
  repository: Repository,
  history: History,
  store: SegmentStore,
  options: ChainOptions = {},
): Promise<Chains> {
  let report = await buildOnce(repository, history, store, options)
  if (await dropDamaged(history, store)) report = await buildOnce(repository, history, store, options)
  const chains = await openChains(history, repository, store)
  return { repository, chains, report, store, close: () => store.close() }
}

/** Opens the chains of a planned history from what is stored; null where something has to be built first. */
export async function openStoredChains(
  history: History,
  repository: Repository,
  store: SegmentStore,
): Promise<Chain[] | null> {
  if (!(await isComplete(history, store)) || (await dropDamaged(history, store))) return null
  return openChains(history, repository, store)
}

async function buildOnce(
  repository: Repository,
  history: History,
  store: SegmentStore,
  options: ChainOptions,
): Promise<BuildReport> {
  let workshop: Workshop | null = null
  let commits = 0
  const openWorkshop = async (): Promise<Workshop> => {
    const threadCount = options.threadCount ?? Math.min(availableParallelism(), BUILD_THREAD_COUNT_MAX)
    workshop = await Workshop.open(repository.gitDir, store.folder, threadCount)
    return workshop
  }
  const onSegment = ({ commitCount }: { commitCount: number }): void => {
    commits += commitCount
    options.onProgress?.(commits, history.graph.count)
  }
  try {
    return await buildHistory(history, { store, openWorkshop, onSegment })
  } finally {
    await (workshop as Workshop | null)?.close()
  }
}

/** Compares every stored body with its hash, once per process; true if one differed and is gone now. */
async function dropDamaged({ lines }: History, store: SegmentStore): Promise<boolean> {
  let isDamaged = false
  for (const { links } of lines) {
    for (const plan of links.flatMap(({ segments }) => segments)) {
      if ((await store.findChecked(plan)) === null) isDamaged = true
    }
  }
  return isDamaged
}

async function openChains(history: History, repository: Repository, store: SegmentStore): Promise<Chain[]> {
  const chains: Chain[] = []
  for (const { ref, line, links: plans } of history.lines) {
    const links: LinkFile[] = []
    for (const plan of plans) links.push(await openLinkFile(plan, repository.objectFormat, store))
    if (links.length > 0) chains.push({ ref, tip: line.tip, links, checkpoints: line.checkpoints })
  }
  return chains
}
