/**
 * One repository that the daemon keeps: looks at its refs and its store, has missing segments built, serves the chains,
 * and takes them back when the repository goes. Every look starts from what is on disk, so gc, repack, prune, deletion,
 * moving and restoring need no cases of their own. What was served before a change stays until the change after it.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Net, Seed, Topic } from '../../net/index.ts'
import { type Chain, openStoredChains } from '../build/chains.ts'
import { type NamedTip, planHistory, publicTips } from '../build/history.ts'
import type { LinkFile } from '../build/link-file.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import { HelperError, messageOf } from '../errors.ts'
import { openRepository, type Repository, requireWholeHistory } from '../git/repository.ts'
import { ANONYMOUS_RETRY_MS, BUILD_RETRY_MS_MAX, BUILD_RETRY_MS_MIN } from '../limits.ts'
import { isPublicOrigin } from '../public-origin.ts'
import { keptMirrorUrls } from '../remote/mirrors.ts'
import { commitFinder } from '../share/commit-asks.ts'
import { answererOf } from '../share/serve.ts'
import { topicOf } from '../share/topic.ts'
import { SegmentStore } from '../store/segment-store.ts'
import type { Origin } from '../url.ts'
import type { WebService } from '../web/web-service.ts'
import { answersAnonymously } from './anonymous.ts'
import type { BackgroundBuilds } from './background-build.ts'
import { folderLength, requireRoom, segmentsToCome, snapshotToCome } from './disk.ts'
import type { JobLimit } from './job-limit.ts'
import { KeptSnapshots } from './kept-snapshots.ts'
import type { ListEntry } from './repository-list.ts'
import type { SharedTopics } from './shared-topic.ts'

/** waiting: no commit to share yet; refused: it may not be served; missing: it is not there; failed: tried again later. */
export type KeptState = 'new' | 'building' | 'serving' | 'waiting' | 'refused' | 'missing' | 'failed'

export interface KeeperPorts {
  readonly net: Net
  readonly topics: SharedTopics
  /** Null: nothing is served over HTTP. */
  readonly web: WebService | null
  readonly builds: BackgroundBuilds
  readonly origin: Origin
  readonly diskLimit: number | null
  /** Whether snapshots are built where the repository does not say. */
  readonly snapshot: boolean
  /** Bytes that the stores of all repositories take. */
  readonly usedLength: () => number
  /** Bounds how many repositories are read at the same time. */
  readonly reads: JobLimit
  readonly log: (text: string) => void
  readonly signal: AbortSignal
}

interface ServedLink {
  readonly ref: string
  readonly link: LinkFile
  readonly seed: Seed
}

interface ServedSnapshot {
  readonly snapshot: SnapshotFile
  readonly seed: Seed
}

export class KeptRepository {
  readonly entry: ListEntry
  state: KeptState = 'new'
  /** Why the state is what it is; empty while there is nothing to say. */
  detail = ''
  isPublic = false
  storeLength = 0
  /** Exported folders that the origin named to the last fetch into this repository. */
  mirrors: readonly string[] = []
  /** Links that are announced now, the main line first. */
  served: readonly ServedLink[] = []
  /** Snapshots that are offered now, newest first. */
  servedSnapshots: readonly ServedSnapshot[] = []
  /** Where the folder is served over HTTP, null if nowhere. */
  webUrl: string | null = null
  readonly #ports: KeeperPorts
  readonly #topicHash: Uint8Array
  readonly #store: SegmentStore
  readonly #snapshots: KeptSnapshots
  #before: readonly Seed[] = []
  #stopAnswering: () => void = () => {}
  #fingerprint = ''
  #servedKey = ''
  #looking: Promise<void> | null = null
  #isStale = false
  #retryAtMs = 0
  #retryDelayMs = BUILD_RETRY_MS_MIN
  #anonymousAtMs = Number.NEGATIVE_INFINITY
  #isAnonymous = false

  constructor(entry: ListEntry, ports: KeeperPorts) {
    this.entry = entry
    this.#ports = ports
    this.#topicHash = topicOf(ports.origin)
    this.#store = new SegmentStore(entry.gitDir)
    this.#snapshots = new KeptSnapshots(this.#store.folder, ports.snapshot)
  }

  get topic(): Topic | null {
    return this.#ports.topics.topicOf(this.#topicHash, this)
  }

  get origin(): Origin {
    return this.#ports.origin
  }

  /** Bytes given in this run that are not in the entry's count yet. */
  get servedLength(): number {
    return [...this.#seeds, ...this.#before].reduce((sum, seed) => sum + seed.state().servedLength, 0)
  }

  get #seeds(): Seed[] {
    return [...this.served, ...this.servedSnapshots].map(({ seed }) => seed)
  }

  get isLooking(): boolean {
    return this.#looking !== null
  }

  /** Looks at the repository, and does what is to do; a look under way is followed by another one. */
  look(mayRetry = false): Promise<void> {
    if (mayRetry) {
      this.#retryAtMs = 0
      this.#snapshots.hurry()
    }
    if (this.#looking !== null) {
      this.#isStale = true
      return this.#looking
    }
    this.#looking = this.#lookUntilFresh().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #lookUntilFresh(): Promise<void> {
    do {
      this.#isStale = false
      try {
        await this.#lookOnce()
      } catch (error) {
        await this.#fail(error)
      }
    } while (this.#isStale && !this.#ports.signal.aborted)
  }

  async #lookOnce(): Promise<void> {
    const { signal } = this.#ports
    if ((await stat(this.entry.gitDir).catch(() => null)) === null) return this.#leave('missing', 'no such folder')
    this.mirrors = await keptMirrorUrls(this.entry.gitDir)
    if (signal.aborted || performance.now() < this.#retryAtMs) return
    if (!(await this.#mayServe())) return
    const { repository, tips } = await this.#ports.reads.run(() => this.#readRefs())
    const fingerprint = `${this.isPublic} ${JSON.stringify(tips)} ${await this.#storeMark()}`
    if (fingerprint === this.#fingerprint && !this.#snapshots.isDue) return
    if (tips.length === 0) return this.#leave('waiting', 'no branch of the origin yet')
    await this.#store.refresh()
    await this.#serve(repository, tips)
    // As it was before the look: what changed meanwhile, by our own build too, is worth another one.
    this.#fingerprint = fingerprint
    this.#retryDelayMs = BUILD_RETRY_MS_MIN
  }

  async #readRefs(): Promise<{ repository: Repository; tips: readonly NamedTip[] }> {
    const repository = await openRepository(this.entry.gitDir)
    requireWholeHistory(repository)
    return { repository, tips: await publicTips(repository, this.entry.remote, this.entry.includeLocal) }
  }

  /** Whether the owner's word and the origin allow it; decides who may hear of it, too. */
  async #mayServe(): Promise<boolean> {
    const { origin, signal } = this.#ports
    const needsProof = this.entry.claim === 'helper' || isPublicOrigin(origin)
    if (needsProof && !this.#isAnonymous && performance.now() - this.#anonymousAtMs > ANONYMOUS_RETRY_MS) {
      this.#anonymousAtMs = performance.now()
      this.#isAnonymous = await answersAnonymously(origin, signal)
    }
    this.isPublic = isPublicOrigin(origin) && this.#isAnonymous
    if (this.entry.claim !== 'helper' || this.#isAnonymous) return true
    await this.#leave(
      'refused',
      'the origin answers no anonymous request: try `gittorrent add` to share it all the same',
    )
    return false
  }

  async #serve(repository: Repository, tips: readonly NamedTip[]): Promise<void> {
    const { signal } = this.#ports
    let chains = await this.#openChains(repository, tips)
    if (chains === null) {
      await this.#build(await segmentsToCome(this.entry.gitDir), [], () => {
        this.state = 'building'
        this.detail = ''
        this.#ports.log(`'${this.entry.path}': building`)
      })
      if (signal.aborted) return
      await this.#store.refresh()
      chains = await this.#openChains(repository, tips)
    }
    if (chains === null) throw new HelperError('store-corrupt', 'expected all segments after a build, got fewer')
    this.storeLength = await folderLength(this.#store.folder)
    if (signal.aborted) return
    if (chains.length === 0) return this.#leave('waiting', 'no checkpoint yet: everything travels live')
    const snapshots = await this.#snapshots.list(repository, chains)
    await this.#showOnWeb(repository, tips, chains, snapshots)
    await this.#replace(repository, chains, snapshots)
    const missing = await this.#snapshots.missing(repository, chains, snapshots)
    if (missing === null) return this.#snapshots.noteSuccess()
    const trouble = await this.#makeSnapshot(snapshots[0]?.lengthBytes ?? null)
    if (signal.aborted) return
    const found = await this.#snapshots.list(repository, chains)
    await this.#showOnWeb(repository, tips, chains, found)
    await this.#replace(repository, chains, found)
    this.detail = trouble
    this.storeLength = await folderLength(this.#store.folder)
  }

  /** Has the newest snapshot built; a failure leaves the links served, and its words are returned. */
  async #makeSnapshot(lastLength: number | null): Promise<string> {
    const { gitDir, path } = this.entry
    try {
      await this.#build(await snapshotToCome(gitDir, lastLength), ['--snapshot'], () => {
        this.#ports.log(`'${path}': building a snapshot`)
      })
      this.#snapshots.noteSuccess()
      return ''
    } catch (error) {
      this.#snapshots.noteFailure()
      const trouble = `no snapshot, ${messageOf(error)}`
      if (!this.#ports.signal.aborted && trouble !== this.detail) this.#ports.log(`'${path}': ${trouble}`)
      return trouble
    }
  }

  #openChains(repository: Repository, tips: readonly NamedTip[]): Promise<readonly Chain[] | null> {
    return this.#ports.reads.run(async () =>
      openStoredChains(await planHistory(repository, tips), repository, this.#store),
    )
  }

  /** Builds what may add `lengthToCome` bytes in a process of its own. */
  async #build(lengthToCome: number, options: readonly string[], onStart: () => void): Promise<void> {
    const { builds, usedLength, diskLimit, origin } = this.#ports
    const { gitDir, remote, includeLocal } = this.entry
    await requireRoom(gitDir, lengthToCome, usedLength(), diskLimit)
    const local = includeLocal ? ['--local-branches'] : []
    await builds.run([gitDir, '--origin', origin.url, '--remote', remote, ...local, ...options], onStart)
  }

  /** Announces new chains and snapshots; those before stay for peers that are in the middle of them. */
  async #replace(repository: Repository, chains: readonly Chain[], snapshots: readonly SnapshotFile[]): Promise<void> {
    const { net, topics, log } = this.#ports
    this.state = 'serving'
    this.detail = ''
    const places = [...chains.flatMap(({ links }) => links.map(placeOf)), ...snapshots.map(nameOf)]
    const key = `${this.isPublic} ${places.join(' ')}`
    if (key === this.#servedKey) return
    this.#servedKey = key
    const gone = this.#before
    this.#before = this.#seeds
    this.servedSnapshots = snapshots.map((snapshot) => ({
      snapshot,
      seed: net.seed(snapshot, this.#guarded(snapshot)),
    }))
    this.served = chains.flatMap(({ ref, links }) =>
      links.map((link) => ({ ref, link, seed: net.seed(link, this.#guarded(link)) })),
    )
    const handlers = answererOf({ chains, repository, snapshots }, this.entry.remote)
    topics.offer(this.#topicHash, this, { handlers, isPublic: this.isPublic })
    this.#stopAnswering()
    // Who asks by a commit's name need not know the origin, so only what everybody can see is told.
    this.#stopAnswering = this.isPublic ? net.answerAsks(commitFinder({ chains, repository })) : () => {}
    await this.#stop(gone)
    const further = snapshots.length === 0 ? '' : ` and ${snapshots.length} snapshots`
    log(`'${this.entry.path}': serving ${this.served.length} links${further}`)
  }

  /** The same as an exported folder, where there is a web server and nothing forbids it. */
  async #showOnWeb(
    repository: Repository,
    tips: readonly NamedTip[],
    chains: readonly Chain[],
    snapshots: readonly SnapshotFile[],
  ): Promise<void> {
    const { web, origin } = this.#ports
    if (web === null || web.refusalFor(origin, this.isPublic) !== null) return this.#leaveWeb()
    await web.show(origin, this, {
      repository,
      tips,
      chains: chains.map((chain) => ({ ...chain, links: chain.links.map((link) => this.#guarding(link)) })),
      snapshots: snapshots.map((snapshot) => this.#guarding(snapshot)),
      remote: this.entry.remote,
      onSent: (count) => {
        this.entry.uploadedLength += count
      },
    })
    this.webUrl = web.urlOf(origin)
  }

  #leaveWeb(): void {
    this.#ports.web?.withdraw(this.#ports.origin, this)
    this.webUrl = null
  }

  #guarding<File extends Pick<LinkFile, 'read'>>(file: File): File {
    return { ...file, read: this.#guarded(file).read }
  }

  /** A body that cannot be read is looked after, and the peer goes elsewhere. */
  #guarded(link: Pick<LinkFile, 'read'>): Pick<LinkFile, 'read'> {
    return {
      read: async (offset, length) => {
        try {
          return await link.read(offset, length)
        } catch (error) {
          this.#fingerprint = ''
          void this.look()
          throw error
        }
      },
    }
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#ports.signal.aborted) return
    const isUnusable = error instanceof HelperError && error.code === 'repository-unusable'
    if (isUnusable) return this.#leave('refused', messageOf(error))
    const detail = messageOf(error)
    if (this.detail !== detail) this.#ports.log(`'${this.entry.path}': ${detail}`)
    this.state = 'failed'
    this.detail = detail
    this.#fingerprint = ''
    this.#retryAtMs = performance.now() + this.#retryDelayMs
    this.#retryDelayMs = Math.min(2 * this.#retryDelayMs, BUILD_RETRY_MS_MAX)
  }

  /** Serves nothing from now on, for a reason. */
  async #leave(state: KeptState, detail: string): Promise<void> {
    if (this.state !== state) this.#ports.log(`'${this.entry.path}': ${state}, ${detail}`)
    this.state = state
    this.detail = detail
    this.#fingerprint = ''
    await this.#withdraw()
    if (state === 'missing') await this.#store.refresh()
  }

  async #withdraw(): Promise<void> {
    const all = [...this.#seeds, ...this.#before]
    this.served = []
    this.servedSnapshots = []
    this.#before = []
    this.#servedKey = ''
    this.#leaveWeb()
    this.#stopAnswering()
    await this.#ports.topics.withdraw(this.#topicHash, this)
    await this.#stop(all)
  }

  async #stop(seeds: readonly Seed[]): Promise<void> {
    for (const seed of seeds) {
      await seed.close()
      this.entry.uploadedLength += seed.state().servedLength
    }
  }

  /** Changes when bodies come, go or are swapped, and with the repository's own word on what is kept. */
  async #storeMark(): Promise<string> {
    const { gitDir } = this.entry
    const folders = [join(this.#store.folder, 'segments'), join(this.#store.folder, 'snapshots')]
    const places = [...folders, join(gitDir, 'objects', 'pack'), join(gitDir, 'config')]
    const found = await Promise.all(places.map((place) => stat(place).catch(() => null)))
    return found.map((place) => `${place?.ino} ${place?.mtimeMs}`).join(' ')
  }

  /** Stops serving; a look under way finds that nobody waits for it. */
  async close(): Promise<void> {
    await this.#withdraw()
    await this.#store.close()
  }
}

/** What a link is, and where its bodies lie. */
function placeOf(link: LinkFile): string {
  const packs = new Set(link.segments.map(({ pack }) => pack ?? ''))
  return `${nameOf(link)} ${[...packs].join(' ')}`
}

function nameOf({ infohash }: { readonly infohash: Uint8Array }): string {
  return Buffer.from(infohash).toString('hex')
}
