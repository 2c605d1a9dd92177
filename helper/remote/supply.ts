/**
 * The port through which the relay asks the swarm for history before it asks the origin. The relay knows nothing of
 * chains and peers: it hands over what git wants, and gets commits that are complete in the object store by now, which
 * it then offers to the origin as haves. Nothing here may fail for reasons of the swarm: less then comes from peers.
 */
import type { GitConfig, Settings } from '../config.ts'
import type { Progress } from '../progress.ts'
import type { Trace } from '../trace.ts'
import type { Origin } from '../url.ts'

export interface SupplyRequest {
  /** The repository that the objects go into, absolute or relative to the working directory. */
  readonly gitDir: string
  /** The URL of the origin, without `gittorrent::`. */
  readonly origin: string
  readonly objectFormat: 'sha1' | 'sha256'
  /** Objects that git wants, in its order; named refs (want-ref) resolved through `refs`. */
  readonly wants: readonly string[]
  /** The first haves that git offered (about 16): private to this machine and the origin, never for a peer. */
  readonly haves: readonly string[]
  /** Ref name to oid, from the ref advertisement that passed just before; only what git asked for. */
  readonly refs: ReadonlyMap<string, string>
  /** The ref that HEAD points at, null when unknown. */
  readonly head: string | null
  /** Only the newest commits are wanted, without what is behind them: a snapshot helps, links do not. */
  readonly isShallow: boolean
  /** Git offered no haves and is done: a clone, or a fetch into an empty repository. */
  readonly isClone: boolean
  /** A shallow repository wants all history: what its refs reach is not complete, so it counts for nothing. */
  readonly isUnshallow: boolean
  /** Which of some commits the origin has, null where it does not say; absent where there is no such origin. */
  readonly knownAmong?: (oids: readonly string[]) => Promise<ReadonlySet<string> | null>
  /** URLs of manifests that the origin names under refs/mirrors/. */
  readonly mirrors?: readonly string[]
  /** Bytes that may come; unbounded unless given. */
  readonly lengthMax?: number | undefined
  /**
   * Told of the commits that will be complete if all is as it was claimed, once most bytes of a clone are there and git indexes them.
   * Nothing of it is checked yet. May be told again when another source is followed.
   */
  readonly onArrived?: ((expected: readonly string[]) => void) | undefined
  /**
   * Asks the origin for all that is lacking beyond `haves`, while it comes from elsewhere too; null where an answer could not be passed on
   * to git. Absent where there is no origin that has it all. Not while `knownAmong` is being asked.
   */
  readonly askOrigin?: ((haves: readonly string[]) => OriginAnswer | null) | undefined
  readonly progress: Progress
  readonly signal: AbortSignal
}

/** An answer of the origin, of which nothing has been passed on yet. Git gets it when the supply has ended, unless it was dropped. */
export interface OriginAnswer {
  /** Bytes that came so far. */
  keptLength(): number
  /** It is there, or as much of it as waits unread. */
  isFull(): boolean
  /** It was given up, by `drop` or because the origin was asked something else meanwhile: nothing more comes of it. */
  isGone(): boolean
  /** Gives it up; idempotent. */
  drop(): void
}

export interface BroughtSnapshot {
  readonly commit: string
  /** Makes sure that the commit stays; for a snapshot that turns out to be among what git asked for. */
  keep(): Promise<void>
  /** Takes the commit out of the object store unless somebody else has use for it; its tree stays. */
  drop(): Promise<void>
}

export interface SupplyResult {
  /** Commits whose whole history is in the object store now, whether it came now or was there before. */
  readonly haves: readonly string[]
  /** A commit whose whole tree is in the object store now, but not its history; null when none came. */
  readonly snapshot?: BroughtSnapshot | null
  readonly bytesFromPeers: number
  readonly bytesFromWebSeeds?: number
  readonly peerCount: number
  /** One sentence for the trace and the verbose, why not more came; null when there is nothing to say. */
  readonly note: string | null
}

export interface Supply {
  /** Never rejects for swarm reasons; ends within its time budget, and at once when the signal is aborted. */
  bring(request: SupplyRequest): Promise<SupplyResult>
  /** Ends all connections; idempotent. */
  close(): Promise<void>
}

/** What a supply may know before the first request. */
export interface SupplyContext {
  readonly origin: Origin
  readonly gitDir: string
  readonly config: GitConfig
  readonly settings: Settings
  readonly trace: Trace
  /** Tells the user one line that is no error; without a line end. */
  readonly warn: (text: string) => void
  readonly signal: AbortSignal
}

/**
 * Opens the supply, which then begins to look for peers and to read manifests. Called for the first request that it can serve, or
 * earlier where one is certain to come; modules are loaded only then.
 */
export type OpenSupply = (context: SupplyContext) => Promise<Supply>

export const NOTHING_SUPPLIED: SupplyResult = { haves: [], bytesFromPeers: 0, peerCount: 0, note: null }

/** The supply where no way in is configured. */
export const NULL_SUPPLY: Supply = {
  bring: async () => NOTHING_SUPPLIED,
  close: async () => {},
}
