/**
 * From a repository to its chains, built and ready to serve: plan, build what is missing, open every link.
 * Used by `seed` and `chain`; progress and reporting are the caller's.
 */

import { availableParallelism } from 'node:os'
import type { Checkpoint, Oid } from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { type Repository, requireWholeHistory } from '../git/repository.ts'
import { BUILD_COMMITS_PER_THREAD_MIN, BUILD_THREAD_COUNT_MAX } from '../limits.ts'
import { SegmentStore } from '../store/segment-store.ts'
import { type BuildReport, buildHistory, isComplete } from './builder.ts'
import { type History, type NamedTip, planHistory } from './history.ts'
import { type LinkFile, openLinkFile } from './link-file.ts'
import { numberPacks } from './shared-packs.ts'
import { type SnapshotFile, SnapshotStore, snapshotCheckpoint } from './snapshots.ts'
import { Workshop } from './workshop.ts'

export interface Chain {
  readonly ref: string
  readonly tip: Oid
  /** Newest first. */
  readonly links: readonly LinkFile[]
  /** Newest first. */
  readonly checkpoints: readonly Checkpoint[]
  /** Lines with the same number fit into one pack; a line rests on none with a higher number. */
  readonly pack: number
}

export interface Chains {
  readonly repository: Repository
  /** The main line first; lines without checkpoints are absent. */
  readonly chains: readonly Chain[]
  /** Stored snapshots of the main line, newest first. */
  readonly snapshots: readonly SnapshotFile[]
  readonly report: BuildReport
  readonly store: SegmentStore
  close(): Promise<void>
}

export interface ChainOptions {
  /** Build the snapshot of the main line's newest checkpoint that has one. */
  readonly snapshot?: boolean
  /** Commits walked into built segments so far, of how many in all. */
  readonly onProgress?: (done: number, total: number) => void
  readonly threadCount?: number
  /** Stops the build; what is stored by then stays. */
  readonly signal?: AbortSignal
}

/**
 * Builds the chains of some tips, the main one first. A stored body that differs from its hash is dropped and built again
 * by a second attempt.
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
  let chains: Chain[]
  try {
    chains = await openChains(history, repository, store)
  } catch (error) {
    // A body that was good once and has rotted since is found, and dropped, when a new link is hashed.
    if (!(error instanceof HelperError) || error.code !== 'store-corrupt') throw error
    report = await buildOnce(repository, history, store, options)
    chains = await openChains(history, repository, store)
  }
  await store.saveChecks()
  const snapshots = await openSnapshots(repository, store, chains[0]?.checkpoints ?? [], options.snapshot === true)
  return { repository, chains, snapshots, report, store, close: () => store.close() }
}

async function openSnapshots(
  repository: Repository,
  { folder }: SegmentStore,
  checkpoints: readonly Checkpoint[],
  isWanted: boolean,
): Promise<SnapshotFile[]> {
  const snapshots = new SnapshotStore(repository, folder)
  const stored = await snapshots.list(checkpoints)
  const newest = isWanted ? snapshotCheckpoint(checkpoints) : null
  if (newest === null || stored.some(({ commit }) => commit === newest.oid)) return stored
  await snapshots.ensure(newest.oid)
  return snapshots.list(checkpoints)
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
  const interruption = watchFor(options.signal)
  let workshop: Workshop | null = null
  let done = 0
  let total = 0
  const openWorkshop = async (): Promise<Workshop> => {
    // A worker takes a tenth of a second to start: a few commits are built before the second one is there.
    const useful = total === 0 ? BUILD_THREAD_COUNT_MAX : Math.ceil(total / BUILD_COMMITS_PER_THREAD_MIN)
    const threadCount = options.threadCount ?? Math.min(availableParallelism(), BUILD_THREAD_COUNT_MAX, useful)
    const opened = await Workshop.open(repository.gitDir, store.folder, threadCount)
    workshop = opened
    if (interruption.isOver) await opened.close()
    return opened
  }
  const onStart = (commitCount: number): void => {
    total = commitCount
  }
  const onSegment = ({ commitCount }: { commitCount: number }): void => {
    done += commitCount
    // Rows that turn out to be damaged add to what was counted.
    total = Math.max(total, done)
    options.onProgress?.(done, total)
  }
  try {
    // A task that has lost its worker never ends: the race leaves it behind.
    return await Promise.race([
      buildHistory(history, { store, openWorkshop, onStart, onSegment }),
      interruption.happened,
    ])
  } finally {
    interruption.close()
    await (workshop as Workshop | null)?.close()
  }
}

/** A promise that is rejected when `signal` is aborted, until it is closed. */
function watchFor(signal: AbortSignal | undefined) {
  const state = { isOver: false, happened: new Promise<never>(() => {}), close: () => {} }
  if (signal === undefined) return state
  state.happened = new Promise<never>((_, reject) => {
    const stop = (): void => {
      state.isOver = true
      reject(
        new HelperError('interrupted', 'build: interrupted, what is finished stays stored, try the same command again'),
      )
    }
    state.close = () => {
      state.isOver = true
      signal.removeEventListener('abort', stop)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  state.happened.catch(() => {})
  return state
}

/** Compares every stored body with its hash, unless that was done and its file is the same; true if one is gone now. */
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
  const packs = await numberPacks(history.lines, store)
  for (const [index, { ref, line, links: plans }] of history.lines.entries()) {
    const links: LinkFile[] = []
    for (const plan of plans) links.push(await openLinkFile(plan, repository.objectFormat, store))
    const { tip, checkpoints } = line
    if (links.length > 0) chains.push({ ref, tip, links, checkpoints, pack: packs[index] ?? 0 })
  }
  return chains
}
