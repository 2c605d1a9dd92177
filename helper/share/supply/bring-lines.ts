/**
 * Brings the lines of one claim into the repository: starts their downloads, lets git index them in quarantine as they come, has
 * the result checked, and moves over what is good. What a download brought that was not used stays for the next try.
 */

import type { Address, Net, Topic, TopicPeer } from '../../../net/index.ts'
import { humanBytes } from '../../progress.ts'
import type { SupplyContext, SupplyRequest } from '../../remote/supply.ts'
import { incomingFolder } from '../../store/incoming-folder.ts'
import { SegmentStore } from '../../store/segment-store.ts'
import type { WebSeeds } from '../webseed/web-seeds.ts'
import { banClaimants } from './ban-claimant.ts'
import type { BesideOrigin } from './beside-origin.ts'
import { type Incoming, isSwarmed } from './download.ts'
import { fsckWanted } from './fsck.ts'
import { IncomingFile } from './incoming.ts'
import { indexThreads, isKeptLine } from './kept-line.ts'
import { type Failure, type Intake, takeIn } from './line-intake.ts'
import type { Arrivals } from './origin-race.ts'
import { type LineTake, lengthOf } from './plan.ts'
import { Quarantine } from './quarantine.ts'
import { startAll } from './start-all.ts'
import { completeTops, takeLines } from './take-lines.ts'
import type { BroughtBy } from './way-for-others.ts'
import { wholeOf, type Yield } from './yield.ts'

const PROGRESS_INTERVAL_MS = 100

/** What the lines of one claim are taken with. */
export interface FollowedClaim {
  /** Who made it; null for a web seed. */
  readonly claimant: Address | null
  /** Whom to ask, in this order. */
  readonly peers: readonly TopicPeer[]
  /** Peers of the topic that have nothing of use. */
  readonly useless: ReadonlySet<TopicPeer>
  readonly webSeeds: WebSeeds
  /** The common directory of the repository, absolute. */
  readonly gitDir: string
  /** Commits that claims before it made whole, and those that were. */
  readonly complete: readonly string[]
  /** Another claim goes on, by much, from these commits: the origin is not asked for what is beyond them yet. */
  readonly goesOn: (expected: readonly string[]) => boolean
  /** The origin has the tops of all lines, which it is being asked; if not, nothing is taken in. */
  readonly isKnown: Promise<boolean>
  readonly besideOrigin: BesideOrigin
  /** Who brought how much, in this conversation. */
  readonly broughtBy: BroughtBy
}

/** Ways to peers, and what the conversation is about. */
export interface Means {
  readonly net: Net | null
  readonly topic: Topic | null
  readonly context: SupplyContext
}

export interface Brought extends Yield {
  /** What is in which pack; one entry per line, null where nothing was taken in. */
  readonly intakes: readonly (Intake | null)[]
}

/** A pack that is being taken in. */
interface Pack {
  readonly lines: readonly LineTake[]
  readonly incoming: readonly Promise<Incoming>[]
  /** All downloads that were begun. */
  readonly started: readonly Incoming[]
  readonly quarantine: Quarantine
  /** Called when git has all bytes. */
  readonly onArrived: () => void
  readonly signal: AbortSignal
}

/** Brings lines, whose chain is that of `claim`, and tells what is there now. */
export async function bringLines(
  lines: readonly LineTake[],
  claim: FollowedClaim,
  request: SupplyRequest,
  means: Means,
): Promise<Brought> {
  const { peers, useless, webSeeds, gitDir, isKnown, besideOrigin, broughtBy } = claim
  const { net, topic, context } = means
  const folder = incomingFolder(gitDir)
  await IncomingFile.removeOld(folder)
  const started: Incoming[] = []
  const store = new SegmentStore(gitDir)
  const quarantine = await Quarantine.open(gitDir, request.signal)
  const shown = showProgress(lines, started, peers.length > 0, request)
  const enough = new AbortController()
  let endWatch = (): void => {}
  void isKnown.then((isAllKnown) => {
    if (!isAllKnown) enough.abort()
    else if (!enough.signal.aborted) endWatch = besideOrigin.watch(arrivals, claim.complete)
  })
  const isWantedStill = async (): Promise<boolean> => (await isKnown) && !besideOrigin.left.aborted
  // A web seed takes over what peers do not bring; those have bounds of their own.
  const arrivals = (): Arrivals | null => (webSeeds.isUsable() ? null : arrivalsOf(lines, started))
  try {
    const signal = AbortSignal.any([request.signal, enough.signal, besideOrigin.left])
    const manners = { failed: new Set<TopicPeer>(), slow: new Set<TopicPeer>() }
    const { trace } = context
    const from = { net, topic, webSeeds, peers, useless, manners, broughtBy }
    const downloading = { ...from, trace, folder, store, signal: AbortSignal.any([signal, besideOrigin.over]) }
    const coming = startAll(lines, started, downloading)
    const isKept = (line: LineTake): boolean => isKeptLine(line, request)
    // What a fetch adds is checked line by line.
    const standsAlone = (line: LineTake): boolean => isKept(line) || !(request.isClone || request.isUnshallow)
    const expected = [...new Set([...claim.complete, ...lines.map(({ top }) => top)])]
    const onArrived = async (): Promise<void> => {
      if ((await isKnown) && !claim.goesOn(expected)) request.onArrived?.(expected)
    }
    const taken = await takeLines(lines, standsAlone, (indexes) => {
      const pack = indexes.flatMap((index) => lines[index] ?? [])
      const incoming = indexes.flatMap((index) => coming[index] ?? [])
      return takePack({ lines: pack, incoming, started, quarantine, onArrived, signal }, claim, request, context)
    })
    const isWanted = await isWantedStill()
    const intakes = isWanted ? taken : lines.map(() => null)
    // Every pack holds what its lines add; where nothing was before, that leads down to the roots.
    const isChecked = (index: number): boolean =>
      quarantine.isOfEmptyStore || lines.slice(index, index + 1).some(isKept)
    const tops = await completeTops(intakes, isChecked, quarantine, claim.complete, !request.isUnshallow)
    if (isWanted) await quarantine.release()
    const bytesFromPeers = sumOf(started, (incoming) => incoming.receivedLength())
    const bytesFromWebSeeds = sumOf(started, (incoming) => incoming.webLength())
    shown.done(bytesFromPeers + bytesFromWebSeeds)
    const bytes = { bytesFromPeers, bytesFromWebSeeds, peerCount: peers.length }
    return { ...wholeOf(lines, intakes, tops), ...bytes, intakes, note: null }
  } finally {
    shown.end()
    enough.abort()
    endWatch()
    await quarantine.close()
    // What a swarm brought is kept for the next try, which goes on where this one ended; ranges are not, nor what nobody wants.
    for (const { file, take, stop } of started) {
      await stop()
      await (isSwarmed(take) && (await isWantedStill()) ? file.close() : file.remove()).catch(() => {})
    }
    await store.close()
  }
}

/** Takes lines into one pack, a kept line alone, and lets go of the downloads that are in it. */
async function takePack(
  { lines, incoming, started, quarantine, onArrived, signal }: Pack,
  { claimant }: FollowedClaim,
  request: SupplyRequest,
  { trace, config, settings }: SupplyContext,
): Promise<readonly Intake[] | Failure> {
  if (signal.aborted) return 'broke-off'
  const isKept = lines.some((line) => isKeptLine(line, request))
  const outcome = await takeIn(lines, incoming, quarantine, {
    objectFormat: request.objectFormat,
    isWholeHistory: isKept,
    fsckObjects: fsckWanted(config),
    threadCount: isKept ? indexThreads(config) : null,
    onArrived,
    signal,
    trace,
  })
  if (outcome === 'not-exact' && claimant !== null) await banClaimants([claimant], settings.peerMemory, trace)
  // What came of a link that broke off is kept for the next try.
  const taken = typeof outcome === 'string' ? [] : outcome.flatMap(({ takes }) => takes)
  const used = new Set(outcome === 'not-exact' ? lines.flatMap(({ takes }) => takes) : taken)
  for (const one of started.filter(({ take }) => used.has(take))) {
    await one.stop()
    await one.file.remove()
  }
  return outcome
}

/** Shows how much of the lines has come, until `end`. */
function showProgress(
  lines: readonly LineTake[],
  started: readonly Incoming[],
  isFromPeers: boolean,
  { progress }: SupplyRequest,
): { done(length: number): void; end(): void } {
  const title = isFromPeers ? 'Receiving from peers' : 'Receiving from web seeds'
  const total = lengthOf(lines.flatMap(({ takes }) => takes))
  const show = setInterval(() => {
    const received = sumOf(started, (incoming) => incoming.receivedLength() + incoming.webLength())
    const percent = Math.min(100, Math.floor((received * 100) / total))
    progress.update(title, `${percent}% (${humanBytes(received)} of ${humanBytes(total)})`)
  }, PROGRESS_INTERVAL_MS)
  return { done: (length) => progress.done(title, humanBytes(length)), end: () => clearInterval(show) }
}

/** What came of lines, and what is still to come, that did not begin as well. */
function arrivalsOf(lines: readonly LineTake[], started: readonly Incoming[]): Arrivals {
  const notBegunLength = lengthOf(lines.flatMap(({ takes }) => takes)) - lengthOf(started.map(({ take }) => take))
  return {
    cameLength: sumOf(started, (incoming) => incoming.arrivals().cameLength),
    leftLength: notBegunLength + sumOf(started, (incoming) => incoming.arrivals().leftLength),
  }
}

function sumOf(incoming: readonly Incoming[], lengthOf: (one: Incoming) => number): number {
  return incoming.reduce((sum, one) => sum + lengthOf(one), 0)
}
