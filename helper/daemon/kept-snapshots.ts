/**
 * Snapshots of one repository that the daemon keeps: which are stored, whether the newest one is to be built, and when to
 * try again after that failed. Links come first: a snapshot that there is no room for costs only itself.
 * The repository's own `gittorrent.snapshot` decides, the daemon's setting where it says nothing.
 */
import type { Oid } from '../../engine/index.ts'
import type { Chain } from '../build/chains.ts'
import { type SnapshotFile, SnapshotStore, snapshotCheckpoint } from '../build/snapshots.ts'
import { type Repository, runGit } from '../git/repository.ts'
import { BUILD_RETRY_MS_MAX, BUILD_RETRY_MS_MIN } from '../limits.ts'

export class KeptSnapshots {
  readonly #folder: string
  readonly #isWantedByDefault: boolean
  #store: SnapshotStore | null = null
  #retryAtMs = Number.POSITIVE_INFINITY
  #retryDelayMs = BUILD_RETRY_MS_MIN

  /** `storeFolder` is the folder of the repository's segment store. */
  constructor(storeFolder: string, isWantedByDefault: boolean) {
    this.#folder = storeFolder
    this.#isWantedByDefault = isWantedByDefault
  }

  /** The stored snapshots of the main line, newest first, whoever built them. */
  list(repository: Repository, chains: readonly Chain[]): Promise<SnapshotFile[]> {
    this.#store ??= new SnapshotStore(repository, this.#folder)
    return this.#store.list(chains[0]?.checkpoints ?? [])
  }

  /** The commit whose snapshot is wanted and not stored, null if there is none. */
  async missing(
    { gitDir }: Repository,
    chains: readonly Chain[],
    stored: readonly SnapshotFile[],
  ): Promise<Oid | null> {
    const newest = snapshotCheckpoint(chains[0]?.checkpoints ?? [])
    if (newest === null || stored.some(({ commit }) => commit === newest.oid)) return null
    return (await this.#isWanted(gitDir)) ? newest.oid : null
  }

  async #isWanted(gitDir: string): Promise<boolean> {
    const args = ['config', '--local', '--type=bool', '--get', 'gittorrent.snapshot']
    const said = (await runGit(gitDir, args).catch(() => '')).trim()
    return said === '' ? this.#isWantedByDefault : said === 'true'
  }

  /** Whether a build that failed is to be tried again by now. */
  get isDue(): boolean {
    return performance.now() >= this.#retryAtMs
  }

  noteSuccess(): void {
    this.#retryAtMs = Number.POSITIVE_INFINITY
    this.#retryDelayMs = BUILD_RETRY_MS_MIN
  }

  noteFailure(): void {
    this.#retryAtMs = performance.now() + this.#retryDelayMs
    this.#retryDelayMs = Math.min(2 * this.#retryDelayMs, BUILD_RETRY_MS_MAX)
  }

  /** Tries again at once, at the next look. */
  hurry(): void {
    if (this.#retryAtMs !== Number.POSITIVE_INFINITY) this.#retryAtMs = 0
  }
}
