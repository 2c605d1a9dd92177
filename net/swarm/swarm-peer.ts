/**
 * What a swarm knows of one connection: the four flags of BEP 3, the pieces of the peer, what was asked of it and what it
 * asked for. Bookkeeping only; `Swarm` decides. How many blocks are asked for ahead follows how long they take: more while
 * they come quickly, fewer when they queue, so that a slow peer never holds much.
 */
import {
  BLOCK_REQUEST_COUNT_MAX,
  DOWNLOAD_MUTE_MS,
  DOWNLOAD_UNTRIED_MUTE_MS,
  EXTENSION_BURST_COUNT,
  EXTENSION_RATE_PER_S,
  INTEREST_BURST_COUNT,
  INTEREST_RATE_PER_S,
  NEEDLESS_BURST_COUNT,
  NEEDLESS_RATE_PER_S,
  PLACE_GRACE_MS,
  STATE_BURST_COUNT,
  STATE_RATE_PER_S,
  UPLOAD_PAUSE_MS_MAX,
} from '../limits.ts'
import type { Worth } from '../places.ts'
import { type Clock, TokenBucket } from '../rate.ts'
import { Bitfield } from './bitfield.ts'
import { Haves } from './haves.ts'
import type { Block } from './wire-messages.ts'

/** One connection as a swarm needs it; over TCP, or in the memory of a test. */
export interface SwarmLink {
  /** For people: host and port. */
  readonly name: string
  /** Both ends speak BEP 6. */
  readonly fast: boolean
  /** The peer speaks BEP 10. */
  readonly extended: boolean
  /** Bytes that were sent and have not left yet; the swarm sends no block while they are more than `backlogLengthMax`. */
  readonly backlogLength: number
  readonly backlogLengthMax: number
  /** Blocks asked for at once in the beginning; absent: two. */
  readonly depthStart?: number
  /** It has brought something to the same program, of this torrent or another. */
  readonly isProven?: boolean
  /** Adjoining pieces are cheaper for it than single ones. */
  readonly prefersRuns?: boolean
  send(parts: readonly Uint8Array[]): void
  /** The first block came of it that was lacking. */
  onBrought?(): void
  /** Ends the connection; `isGuilty`: the peer sent bytes that are provably wrong. */
  drop(reason: string, isGuilty: boolean): void
}

/** Blocks asked for ahead: at the start, and at the least. */
const DEPTH_START = 2
const DEPTH_MIN = 1
/** Milliseconds from asking to arrival: below, more is asked for ahead; above, less. */
const QUICK_MS = 500
const SLOW_MS = 1_000

/** A block that a peer was asked for. */
export interface AskedBlock extends Block {
  readonly atMs: number
  /** Others are not asked for it meanwhile; false for what is asked only to see whether anything comes. */
  readonly isHeld: boolean
}

export class SwarmPeer implements Worth {
  readonly link: SwarmLink
  readonly pieces: Bitfield
  isChoking = true
  isInterested = false
  amChoking = true
  amInterested = false
  /** It has said which pieces it has; may be said once. */
  hasSaidPieces = false
  /** Blocks asked of it, by Intake's key. */
  readonly asked = new Map<number, AskedBlock>()
  depth: number
  /** Most blocks that it takes requests for at once. */
  depthMax = 250
  /** Average milliseconds from asking to arrival. */
  latencyMs = 0
  lastBlockAtMs = 0
  /** It was asked and has been silent for too long. */
  isSnubbed = false
  /** When what it was asked for went to another one; null before, and once it has brought something since. */
  passedAtMs: number | null = null
  /** When the last block came from it, and when the last one went to it; null before. */
  broughtAtMs: number | null = null
  takenAtMs: number | null = null
  /** It has brought a block that was lacking. */
  isOfUse = false
  /** Blocks that came though nobody asked. */
  unaskedCount = 0
  /** Blocks that it asked for, oldest first. */
  readonly wanted: Block[] = []
  isBeingServed = false
  /** Valid while it is served. */
  unchokedAtMs = 0
  /** It had a place among those who are served, and asked for nothing; until it takes a block. */
  isIdler = false
  /** Bytes of blocks from and to it, since the chokes were last decided. */
  broughtLength = 0
  takenLength = 0
  isGone = false
  /** What it is told of pieces that come here. */
  readonly haves: Haves
  lastSentAtMs: number
  readonly joinedAtMs: number
  /** Number under which it wants metadata; null until it says so. */
  metadataId: number | null = null
  readonly extensionBucket: TokenBucket
  /** Of what it says about its chokes and all its pieces, and of what it says about its interest. */
  readonly stateBucket: TokenBucket
  readonly interestBucket: TokenBucket
  /** Of messages that change nothing. */
  readonly needlessBucket: TokenBucket

  constructor(link: SwarmLink, pieceCount: number, clock: Clock) {
    this.link = link
    this.depth = link.depthStart ?? DEPTH_START
    this.pieces = new Bitfield(pieceCount)
    this.joinedAtMs = clock.nowMs()
    this.haves = new Haves(this.pieces, this.joinedAtMs)
    this.lastSentAtMs = this.joinedAtMs
    this.extensionBucket = new TokenBucket(EXTENSION_RATE_PER_S, EXTENSION_BURST_COUNT, clock)
    this.stateBucket = new TokenBucket(STATE_RATE_PER_S, STATE_BURST_COUNT, clock)
    this.interestBucket = new TokenBucket(INTEREST_RATE_PER_S, INTEREST_BURST_COUNT, clock)
    this.needlessBucket = new TokenBucket(NEEDLESS_RATE_PER_S, NEEDLESS_BURST_COUNT, clock)
  }

  /** Takes the time that a block took. */
  onBlock(tookMs: number, nowMs: number): void {
    this.lastBlockAtMs = nowMs
    this.isSnubbed = false
    this.passedAtMs = null
    this.latencyMs = this.hasBrought ? this.latencyMs + (tookMs - this.latencyMs) / 8 : tookMs
    this.broughtAtMs = nowMs
    if (tookMs < QUICK_MS) this.depth = Math.min(this.depth + 1, this.depthMax)
    else if (tookMs > SLOW_MS) this.depth = Math.max(DEPTH_MIN, Math.floor(this.depth * 0.9))
  }

  /** Notes that bytes of blocks go to it. */
  onTaken(length: number, nowMs: number): void {
    this.takenLength += length
    this.takenAtMs = nowMs
    this.isIdler = false
  }

  get hasBrought(): boolean {
    return this.broughtAtMs !== null
  }

  /** Here or elsewhere. */
  get isProven(): boolean {
    return this.hasBrought || this.link.isProven === true
  }

  readonly isUseless = false

  get isUntried(): boolean {
    return this.broughtAtMs === null && this.takenAtMs === null
  }

  get activeAtMs(): number {
    return Math.max(this.joinedAtMs, this.broughtAtMs ?? 0, this.takenAtMs ?? 0)
  }

  /** It takes blocks, or waits until we serve it. What it was asked for counts when it comes: asking keeps nobody a place. */
  get isBusy(): boolean {
    const isWaiting = this.isInterested && this.amChoking
    return isWaiting || this.isTaking || this.link.backlogLength > 0
  }

  /** It brings nothing, where somebody else may: it owes us a block for long, or has never brought one and lets us wait, or has nothing. */
  isMute(nowMs: number): boolean {
    if (this.asked.size > 0)
      return nowMs - this.lastBlockAtMs >= (this.hasBrought ? DOWNLOAD_MUTE_MS : DOWNLOAD_UNTRIED_MUTE_MS)
    return !this.hasBrought && (this.isChoking || !this.amInterested) && nowMs - this.joinedAtMs >= PLACE_GRACE_MS
  }

  /** It waits for blocks that it asked for. */
  get isTaking(): boolean {
    return this.wanted.length > 0 || this.isBeingServed
  }

  /** It is served, and makes no use of it: asks for nothing, or has had a block and asks for no other for longer than a slow line takes. */
  isIdle(nowMs: number): boolean {
    if (this.amChoking || this.isTaking || this.link.backlogLength > 0) return false
    const takenAtMs = this.takenAtMs ?? Number.NEGATIVE_INFINITY
    if (takenAtMs < this.unchokedAtMs) return nowMs - this.unchokedAtMs >= PLACE_GRACE_MS
    return nowMs - takenAtMs >= UPLOAD_PAUSE_MS_MAX
  }

  /** Forgets a block that it does not want any more; false if it was not waiting. */
  forget({ index, offset, length }: Block): boolean {
    const at = this.wanted.findIndex((b) => b.index === index && b.offset === offset && b.length === length)
    if (at >= 0) this.wanted.splice(at, 1)
    return at >= 0
  }

  /** The next blocks to send it, adjoining ones together, at most `lengthMax` bytes but at least one block. */
  takeRun(lengthMax: number): Block[] {
    const run: Block[] = []
    let length = 0
    for (let next = this.wanted[0]; next !== undefined; next = this.wanted[0]) {
      const last = run.at(-1)
      const adjoins = last === undefined || (last.index === next.index && last.offset + last.length === next.offset)
      if (!adjoins || (run.length > 0 && length + next.length > lengthMax)) break
      run.push(next)
      length += next.length
      this.wanted.shift()
    }
    return run
  }

  /** More than we said we bear: requests may be on their way when it learns of our bound. */
  get asksTooMuch(): boolean {
    return this.wanted.length > 2 * BLOCK_REQUEST_COUNT_MAX
  }
}
