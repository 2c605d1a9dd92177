/**
 * The background service: its nets, one list, one socket, and a keeper for each repository. Composes the other files of
 * this folder; decides only what joins the list and when everybody is looked at.
 */
import { basename, dirname, relative, resolve } from 'node:path'
import { Gates, type Net, openTracker, type Tracker } from '../../net/index.ts'
import type { DaemonSettings, GitConfig, HttpSettings, Settings } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { originOf } from '../git/origin-of.ts'
import { openRepository, type Repository, requireWholeHistory, runGit } from '../git/repository.ts'
import {
  CLOCK_JUMP_MS,
  LIST_WRITE_INTERVAL_MS,
  MISSING_FORGET_MS,
  REPOSITORY_READ_PARALLEL_COUNT,
  WATCHED_REPOSITORY_COUNT_MAX,
} from '../limits.ts'
import { paceOf } from '../publish/pace.ts'
import type { Trace } from '../trace.ts'
import { WebService } from '../web/web-service.ts'
import { BackgroundBuilds } from './background-build.ts'
import { askDaemon } from './control-client.ts'
import { ControlSocket } from './control-socket.ts'
import { findExported } from './export-ok.ts'
import { type DaemonHome, prepareHome } from './home.ts'
import { JobLimit } from './job-limit.ts'
import { KeptRepository } from './kept-repository.ts'
import { DaemonNets } from './nets.ts'
import { answerForPublications } from './publication-commands.ts'
import { Publications } from './publications.ts'
import { RefWatch } from './ref-watch.ts'
import { type Claim, type ListEntry, readList, writeList } from './repository-list.ts'
import { type DaemonStatus, describeDaemon, describeRepository, type RepositoryStatus } from './status.ts'
import { trackerRule } from './tracker-topics.ts'

export interface DaemonOptions {
  readonly home: DaemonHome
  readonly config: GitConfig
  readonly settings: Settings
  readonly daemonSettings: DaemonSettings
  readonly http: HttpSettings
  /** What starts `gittorrent`: interpreter and script. */
  readonly program: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly trace: Trace
  readonly log: (text: string) => void
  /** Called when somebody asks the daemon to stop. */
  readonly onStop: () => void
}

/** What `add` is told. */
interface Addition {
  readonly path: string
  readonly remote: string
  readonly origin: string | null
  readonly includeLocal: boolean
  readonly claim: Claim
  /** Bytes that a clone or fetch has just had from peers. */
  readonly downloadedLength: number
}

interface Member {
  readonly kept: KeptRepository
  readonly watch: RefWatch | null
  missingSinceMs: number | null
}

/** What the daemon is reached by, and the limits that hold for all of it. */
interface Doors {
  readonly nets: DaemonNets
  readonly tracker: Tracker | null
  readonly web: WebService | null
  readonly gates: Gates
}

export class Daemon {
  readonly #options: DaemonOptions
  readonly #nets: DaemonNets
  readonly #tracker: Tracker | null
  readonly #web: WebService | null
  readonly #gates: Gates
  readonly #builds: BackgroundBuilds
  readonly #reads = new JobLimit(REPOSITORY_READ_PARALLEL_COUNT)
  /** By git directory. */
  readonly #members = new Map<string, Member>()
  readonly #abort = new AbortController()
  readonly #startedAtMs = Date.now()
  #skewMs = Date.now() - performance.now()
  readonly #timers: NodeJS.Timeout[] = []
  #control: ControlSocket | null = null
  #publications: Publications | null = null
  #writing: Promise<void> = Promise.resolve()

  private constructor(options: DaemonOptions, { nets, tracker, web, gates }: Doors) {
    this.#options = options
    this.#nets = nets
    this.#tracker = tracker
    this.#web = web
    this.#gates = gates
    this.#builds = new BackgroundBuilds(options.program, options.env)
  }

  /**
   * Starts the service: listens, takes up the list, begins to look.
   * @throws HelperError 'daemon-refused' when one runs already, 'home-unsafe', 'listen-failed'; NetError 'listen-failed'
   */
  static async open(options: DaemonOptions): Promise<Daemon> {
    const { home, daemonSettings } = options
    await prepareHome(home)
    await requireNoOther(home)
    const entries = await readList(home.list)
    const daemon = new Daemon(options, await openDoors(options))
    daemon.#publications = await daemon.#openPublications()
    daemon.#control = await ControlSocket.open(home.socket, (request) => daemon.#answer(request))
    for (const entry of entries) await daemon.#take(entry).catch((error) => daemon.#report(entry.path, error))
    await daemon.#scanRoots()
    daemon.#every(daemonSettings.pollIntervalS * 1000, () => daemon.#poll())
    daemon.#every(LIST_WRITE_INTERVAL_MS, () => daemon.#save())
    return daemon
  }

  #openPublications(): Promise<Publications> {
    const { home, ...others } = this.#options
    const signal = this.#abort.signal
    return Publications.open({
      ...others,
      listPath: home.publications,
      net: this.#nets.main,
      builds: this.#builds,
      signal,
    })
  }

  get address(): Net['address'] {
    return this.#nets.main.address
  }

  /** Where it is a web seed, null if nowhere. */
  get httpAddress(): Net['address'] {
    return this.#web?.address ?? null
  }

  get trackerUrl(): string | null {
    return this.#tracker?.httpUrl ?? null
  }

  #every(intervalMs: number, job: () => Promise<void>): void {
    const timer = setInterval(() => void job().catch((error) => this.#report('the list', error)), intervalMs)
    this.#timers.push(timer)
  }

  #report(what: string, error: unknown): void {
    this.#options.log(`'${what}': ${messageOf(error)}`)
  }

  async #answer(request: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { command, path, remote, origin, localBranches, claim, downloaded } = request
    if (command === 'status') return this.status()
    if (command === 'stop') {
      setImmediate(this.#options.onStop)
      return { pid: process.pid }
    }
    const publications = this.#publications
    if (publications !== null && request.key !== undefined) return answerForPublications(publications, request)
    if (typeof path !== 'string' || path === '') throw new HelperError('usage', `expected a path, got none`)
    if (command === 'remove') return this.#remove(path)
    if (command !== 'add') throw new HelperError('usage', `expected a command, got '${String(command)}'`)
    return this.#add({
      path,
      remote: typeof remote === 'string' ? remote : 'origin',
      origin: typeof origin === 'string' ? origin : null,
      includeLocal: localBranches === true,
      claim: claim === 'helper' ? 'helper' : 'command',
      downloadedLength:
        typeof downloaded === 'number' && Number.isSafeInteger(downloaded) ? Math.max(0, downloaded) : 0,
    })
  }

  status(): DaemonStatus {
    const kept = [...this.#members.values()].map((member) => member.kept)
    const publications = this.#publications?.status() ?? []
    const { httpAddress, trackerUrl: tracker } = this
    const own = { net: this.#nets.main, startedAtMs: this.#startedAtMs, tracker, httpAddress, publications }
    return describeDaemon(kept, own)
  }

  /** Takes a repository into the list, or hears news of one that is there. */
  async #add(addition: Addition): Promise<RepositoryStatus> {
    const repository = await openRepository(addition.path)
    requireWholeHistory(repository)
    const known = this.#members.get(repository.gitDir)
    const claim = addition.claim === 'helper' && (await isOptedIn(repository)) ? 'command' : addition.claim
    const before = known?.kept.entry
    const entry: ListEntry = {
      path: before?.path ?? shownPath(addition.path, repository),
      gitDir: repository.gitDir,
      remote: claim === 'helper' ? (before?.remote ?? addition.remote) : addition.remote,
      origin: addition.origin ?? before?.origin ?? null,
      includeLocal: addition.includeLocal || (claim === 'helper' && before?.includeLocal === true),
      claim: before?.claim === 'command' ? 'command' : claim,
      uploadedLength: before?.uploadedLength ?? 0,
      downloadedLength: (before?.downloadedLength ?? 0) + addition.downloadedLength,
    }
    if (known !== undefined && before !== undefined && sameTerms(entry, before)) {
      before.downloadedLength = entry.downloadedLength
      void known.kept.look(true)
      return describeRepository(known.kept)
    }
    if (known !== undefined) {
      await this.#drop(repository.gitDir)
      entry.uploadedLength = known.kept.entry.uploadedLength
    }
    const kept = await this.#take(entry)
    await this.#save()
    return describeRepository(kept)
  }

  async #remove(path: string): Promise<{ path: string }> {
    const wanted = resolve(path)
    const found = [...this.#members.values()].find(({ kept: { entry } }) =>
      [entry.path, entry.gitDir, dirname(entry.gitDir)].includes(wanted),
    )
    if (found === undefined) {
      throw new HelperError('usage', `expected a repository of the list, got '${path}', try \`gittorrent list\``)
    }
    await this.#drop(found.kept.entry.gitDir)
    await this.#save()
    return { path: found.kept.entry.path }
  }

  /** Begins to keep a repository. */
  async #take(entry: ListEntry): Promise<KeptRepository> {
    const { daemonSettings, log } = this.#options
    const { repositoryLimit, diskLimit, snapshot } = daemonSettings
    if (this.#members.size >= repositoryLimit) {
      const expected = `at most ${repositoryLimit} repositories (gittorrent.repositoryLimit)`
      throw new HelperError('limit', `cannot add '${entry.path}': expected ${expected}, got one more`)
    }
    const origin = await originOf({ gitDir: entry.gitDir, path: entry.path }, entry.remote, entry.origin)
    const kept = new KeptRepository(entry, {
      ...this.#nets.of(origin),
      web: this.#web,
      builds: this.#builds,
      origin,
      diskLimit,
      snapshot,
      usedLength: () => [...this.#members.values()].reduce((sum, member) => sum + member.kept.storeLength, 0),
      reads: this.#reads,
      log,
      signal: this.#abort.signal,
    })
    const isWatched = this.#members.size < WATCHED_REPOSITORY_COUNT_MAX
    const watch = isWatched ? new RefWatch(entry.gitDir, entry.remote, () => void kept.look()) : null
    this.#members.set(entry.gitDir, { kept, watch, missingSinceMs: null })
    void kept.look()
    return kept
  }

  async #drop(gitDir: string): Promise<void> {
    const member = this.#members.get(gitDir)
    if (member === undefined) return
    this.#members.delete(gitDir)
    member.watch?.close()
    await member.kept.close()
  }

  /** A clock that jumped, or a machine that slept: trackers and DHT nodes may have forgotten what was announced. */
  #noticeJump(): void {
    const skewMs = Date.now() - performance.now()
    const jumpMs = Math.abs(skewMs - this.#skewMs)
    this.#skewMs = skewMs
    if (jumpMs < CLOCK_JUMP_MS) return
    this.#options.log('the clock has jumped: announcing anew')
    this.#nets.announceAgain()
  }

  async #poll(): Promise<void> {
    this.#noticeJump()
    await this.#scanRoots()
    for (const [gitDir, member] of this.#members) {
      const { kept } = member
      if (!kept.isLooking) void kept.look()
      if (kept.state !== 'missing') member.missingSinceMs = null
      else member.missingSinceMs ??= performance.now()
      const isForgotten = performance.now() - (member.missingSinceMs ?? performance.now()) > MISSING_FORGET_MS
      if (isForgotten && kept.entry.claim !== 'command') await this.#drop(gitDir)
    }
  }

  /** Takes in what carries `git-daemon-export-ok` below the roots, and lets go of what does not any more. */
  async #scanRoots(): Promise<void> {
    const { roots, rootUrl } = this.#options.daemonSettings
    const found = new Set<string>()
    for (const root of roots.map((path) => resolve(path))) {
      for (const gitDir of await findExported(root)) {
        found.add(gitDir)
        if (this.#members.has(gitDir)) continue
        const origin = rootUrl === null ? null : `${rootUrl.replace(/\/$/, '')}/${relative(root, worktreeOf(gitDir))}`
        const claim = { claim: 'export-ok' as const, uploadedLength: 0, downloadedLength: 0 }
        const place = { path: worktreeOf(gitDir), gitDir, remote: 'origin', origin, includeLocal: origin !== null }
        await this.#take({ ...place, ...claim }).catch((error) => this.#report(gitDir, error))
      }
    }
    for (const [gitDir, { kept }] of this.#members) {
      if (kept.entry.claim !== 'export-ok' || found.has(gitDir)) continue
      await this.#drop(gitDir)
      this.#options.log(`'${kept.entry.path}': not exported any more`)
    }
  }

  /** Writes the list, one write after the other; a full disk is reported and tried again. */
  #save(): Promise<void> {
    const entries = [...this.#members.values()]
      .map(({ kept }) => ({ ...kept.entry, uploadedLength: kept.entry.uploadedLength + kept.servedLength }))
      .filter(({ claim }) => claim !== 'export-ok')
    this.#writing = this.#writing.then(() =>
      writeList(this.#options.home.list, entries).catch((error) => this.#report(this.#options.home.list, error)),
    )
    return this.#writing
  }

  /** Ends everything; what hangs is left behind by the caller's exit. */
  async close(): Promise<void> {
    this.#abort.abort()
    for (const timer of this.#timers) clearInterval(timer)
    this.#builds.close()
    for (const { watch } of this.#members.values()) watch?.close()
    await this.#save()
    await this.#control?.close()
    await this.#web?.close()
    await Promise.all([...this.#members.values()].map(({ kept }) => kept.close()))
    await this.#publications?.close()
    await this.#nets.close()
    await this.#tracker?.close()
    this.#gates.close()
  }
}

async function requireNoOther(home: DaemonHome): Promise<void> {
  const pid = await askDaemon(home, { command: 'status' }).then(
    (status) => Object(status).pid,
    () => null,
  )
  if (pid !== null) throw new HelperError('daemon-refused', `a daemon runs already, process ${pid}`)
}

/** A repository says by itself that it is to be seeded; the user's global word is not enough for private origins. */
async function isOptedIn({ gitDir }: Repository): Promise<boolean> {
  const args = ['config', '--local', '--type=bool', '--get', 'gittorrent.seed']
  return (await runGit(gitDir, args).catch(() => '')).trim() === 'true'
}

function sameTerms(one: ListEntry, other: ListEntry): boolean {
  const terms = ({ remote, origin, includeLocal, claim }: ListEntry) => [remote, origin, includeLocal, claim].join('\n')
  return terms(one) === terms(other)
}

function worktreeOf(gitDir: string): string {
  return basename(gitDir) === '.git' ? dirname(gitDir) : gitDir
}

/** The helper knows only the git directory; people know the folder around it. */
function shownPath(path: string, { gitDir }: Repository): string {
  return resolve(path) === gitDir ? worktreeOf(gitDir) : resolve(path)
}

/** Opens all or none. @throws HelperError 'listen-failed', 'key-unusable'; NetError 'listen-failed' */
async function openDoors({ settings, daemonSettings, http, env, trace }: DaemonOptions): Promise<Doors> {
  const { trackerListen, trackerOrigins } = daemonSettings
  const gates = new Gates(settings)
  const opened: { close(): Promise<void> }[] = []
  try {
    const isAllowed = trackerRule(trackerOrigins, settings)
    const tracker = trackerListen === null ? null : await openTracker(trackerListen, isAllowed)
    if (tracker !== null) opened.push(tracker)
    const own = tracker === null ? [] : [tracker.httpUrl]
    const withOwn = { ...settings, trackers: [...settings.trackers, ...own] }
    const web = await WebService.open(http, withOwn, gates)
    if (web !== null) opened.push(web)
    const nets = await DaemonNets.open(withOwn, gates, paceOf(env).itemAgeMs, trace)
    return { nets, tracker, web, gates }
  } catch (error) {
    await Promise.all(opened.map((one) => one.close()))
    throw error
  }
}
