/**
 * One conversation's dealings with the swarm: asks the supply at most once, remembers the haves it made true, keeps the
 * account of bytes, and prints the closing line. Errors of the supply end here: the origin then sends everything.
 */

import { join } from 'node:path'
import type { Environment, GitConfig, Settings } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { isEmptyStore } from '../git/empty-store.ts'
import { openProgress, SILENT, shareLine } from '../progress.ts'
import type { Trace } from '../trace.ts'
import type { Origin } from '../url.ts'
import { type Mirrors, NO_MIRRORS } from './mirrors.ts'
import { enterOrigin } from './recursion.ts'
import { RefMemory } from './ref-memory.ts'
import { NOTHING_SUPPLIED, type OpenSupply, type Supply, type SupplyRequest, type SupplyResult } from './supply.ts'
import { TemporaryRefs } from './temporary-refs.ts'

export type Wanted = Pick<
  SupplyRequest,
  | 'objectFormat'
  | 'wants'
  | 'haves'
  | 'isClone'
  | 'isShallow'
  | 'isUnshallow'
  | 'knownAmong'
  | 'onArrived'
  | 'askOrigin'
>

export interface SupplySurroundings {
  readonly origin: Origin
  readonly gitDir: string | null
  readonly remoteName: string
  readonly env: Environment
  readonly config: GitConfig
  readonly settings: Settings
  readonly trace: Trace
  readonly signal: AbortSignal
  readonly openSupply: OpenSupply
  readonly printText: (text: string) => void
}

export class SupplySession {
  /** What the origin said of its refs so far. */
  readonly memory = new RefMemory()
  /** Commits that the swarm made complete, to be offered to the origin on every round. */
  haves: readonly string[] = []
  /** Where else the origin says that its history can be had; set before the supply is asked. */
  mirrors: Mirrors = NO_MIRRORS
  /** Bytes that the origin sent in answer to fetch commands; null where an inner helper keeps them to itself. */
  originBytes: number | null = 0
  private asked = false
  private isSnapshotKept = false
  private isClosed = false
  private isQuiet = false
  private showsProgress = false
  private result: SupplyResult = NOTHING_SUPPLIED
  private supply: Promise<Supply> | null = null
  private readonly around: SupplySurroundings
  private readonly pins: TemporaryRefs

  constructor(around: SupplySurroundings) {
    this.around = around
    this.pins = new TemporaryRefs(around.gitDir, around.config, around.trace)
  }

  /** Takes `option verbosity <n>` (0 under -q) and `option progress <bool>`, which come before any other verb. */
  noteOption(line: string): void {
    if (line.startsWith('option verbosity ')) this.isQuiet = Number(line.slice('option verbosity '.length)) < 1
    if (line.startsWith('option progress ')) this.showsProgress = line === 'option progress true'
  }

  /** A commit that the swarm brought without its history, null if none. */
  get snapshot(): string | null {
    return this.result.snapshot?.commit ?? null
  }

  /** Notes that git will have the snapshot's commit; else it goes with the conversation. */
  async keepSnapshot(): Promise<void> {
    this.isSnapshotKept = true
    await this.result.snapshot?.keep()
  }

  /** True as long as the supply was not asked and can be. */
  get isOpen(): boolean {
    return !this.asked && this.around.gitDir !== null
  }

  /** Opens the supply of a clone ahead of its request, so that it gets ready while the origin lists its refs. */
  async prepare(): Promise<void> {
    const { gitDir } = this.around
    // A fetch may turn out to want nothing.
    if (gitDir !== null && (await isEmptyStore(join(gitDir, 'objects')))) this.open(gitDir)
  }

  private open(gitDir: string): Promise<Supply> {
    if (this.supply === null) {
      const { origin, config, settings, trace, openSupply, printText, signal } = this.around
      const warn = (text: string): void => printText(`gittorrent: ${text}\n`)
      this.supply = openSupply({ origin, gitDir, config, settings, trace, warn, signal })
      this.supply.catch(() => {})
    }
    return this.supply
  }

  /** Asks the supply on the first call; later calls, and calls without a repository, do nothing. */
  async bringOnce(wanted: Wanted, clientGone: Promise<void>): Promise<void> {
    const { gitDir, trace } = this.around
    if (this.asked || gitDir === null || wanted.wants.length === 0) return
    this.asked = true
    const { isRepositoryFirst } = this.mirrors
    const fetched = isRepositoryFirst ? await this.fetchFromMirrors(wanted, gitDir) : []
    try {
      if (fetched.length === 0) this.result = await this.bring(wanted, gitDir, clientGone)
    } catch (error) {
      if (this.around.signal.aborted) throw error
      trace(() => `supply failed: ${messageOf(error)}`)
      // Who asked for a secret wants to know that nothing was looked for without it.
      if (error instanceof HelperError && error.code === 'key-unusable')
        this.around.printText(`gittorrent: ${messageOf(error)}; everything comes from the origin\n`)
    }
    this.haves = [...fetched, ...this.result.haves]
    trace(() => `supply: ${this.haves.length} haves, ${this.result.bytesFromPeers} bytes, ${this.result.note ?? ''}`)
    await this.pins.pin(this.haves)
    if (isRepositoryFirst) return
    const rest = await this.fetchFromMirrors(wanted, gitDir)
    if (rest.length === 0) return
    this.haves = [...this.haves, ...rest]
    await this.pins.pin(rest)
  }

  /** What mirrors of the origin have of what is still lacking of wanted branches; tips that are complete now. */
  private async fetchFromMirrors(wanted: Wanted, gitDir: string): Promise<readonly string[]> {
    const { repositories } = this.mirrors
    const { env, trace, signal, origin, remoteName } = this.around
    const wants = new Set(wanted.wants)
    const isPlain = !wanted.isShallow && !wanted.isUnshallow
    if (repositories.length === 0 || !isPlain || wanted.wants.every((oid) => this.haves.includes(oid))) return []
    const lacking = [...this.memory.refs].filter(([name, oid]) => wants.has(oid) && name.startsWith('refs/'))
    const { fetchFromMirrors } = await import('./mirror-fetch.ts')
    return fetchFromMirrors({
      repositories,
      wanted: new Map(lacking),
      haves: this.haves,
      isClone: wanted.isClone,
      remoteName,
      gitDir,
      origin,
      env: enterOrigin(env, origin.url),
      trace,
      signal,
    })
  }

  private async bring(wanted: Wanted, gitDir: string, clientGone: Promise<void>): Promise<SupplyResult> {
    const gone = new AbortController()
    clientGone.then(() => gone.abort())
    const signal = AbortSignal.any([this.around.signal, gone.signal])
    const supply = await this.open(gitDir)
    return supply.bring({
      gitDir,
      origin: this.around.origin.url,
      ...wanted,
      mirrors: this.mirrors.manifests,
      refs: this.memory.refs,
      head: this.memory.head,
      progress: this.showsProgress && !this.isQuiet ? openProgress(this.around.printText) : SILENT,
      signal,
    })
  }

  /** Prints the closing line and lets the supply go; idempotent. */
  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    const { summary } = this.around.settings
    const { bytesFromPeers, bytesFromWebSeeds = 0, peerCount } = this.result
    const fromOrigin = this.originBytes ?? 'unknown'
    this.around.trace(
      () =>
        `received ${bytesFromPeers} bytes from peers, ${fromOrigin} from the origin, ${bytesFromWebSeeds} from web seeds`,
    )
    if (summary === 'always' || (summary === 'auto' && !this.isQuiet)) {
      const line = shareLine(bytesFromPeers, this.originBytes, peerCount, bytesFromWebSeeds)
      if (line !== null) this.around.printText(`gittorrent: ${line}\n`)
    }
    if (!this.isSnapshotKept) await this.result.snapshot?.drop().catch(() => {})
    await this.supply
      ?.then((supply) => supply.close())
      .catch((error: unknown) => this.around.trace(() => `supply: ${messageOf(error)}`))
    await this.handOver()
  }

  /** Lets the daemon keep what came, where the user wants that. */
  private async handOver(): Promise<void> {
    const { gitDir, settings } = this.around
    if (!this.asked || gitDir === null || !settings.seed) return
    const { handOver } = await import('../daemon/hand-over.ts')
    await handOver({ ...this.around, gitDir, bytesFromPeers: this.result.bytesFromPeers })
  }
}
