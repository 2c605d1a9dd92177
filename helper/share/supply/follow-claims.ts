/**
 * Follows one claim after the other until nothing is lacking. Who lies, stalls or breaks off has the next source asked, who was too slow to
 * be heard at first as well, and then peers that have turned up meanwhile; the origin is left with it when none is left, or too much
 * time has gone for nothing. Who brings all that he claims is not believed that there is no more: whoever has said so by then goes on from there.
 */

import type { Net, Topic } from '../../../net/index.ts'
import { NOTHING_SUPPLIED, type SupplyContext, type SupplyRequest, type SupplyResult } from '../../remote/supply.ts'
import type { WebSeeds } from '../webseed/web-seeds.ts'
import { BesideOrigin } from './beside-origin.ts'
import { type Brought, bringLines, type FollowedClaim } from './bring-lines.ts'
import { planFor, type TakePlan } from './claim-plan.ts'
import { HeardClaims } from './heard-claims.ts'
import { CLAIM_COUNT_MAX } from './limits.ts'
import { type LineTake, lengthOf } from './plan.ts'
import { TryBudget } from './try-budget.ts'
import { isNews, type Known, sumOfResults } from './yield.ts'

export interface ClaimSurroundings {
  /** Null, as the topic, where no way in to peers is configured. */
  readonly net: Net | null
  readonly topic: Topic | null
  readonly webSeeds: WebSeeds
  /** The common directory of the repository, absolute. */
  readonly gitDir: string
  readonly context: SupplyContext
  /** Told what is in which pack; not waited for. */
  readonly remember: (intakes: Brought['intakes']) => void
}

/** Brings what is claimed, and ends all questions. */
export async function followClaims(request: SupplyRequest, around: ClaimSurroundings): Promise<SupplyResult> {
  const { settings, trace } = around.context
  const over = new AbortController()
  const signal = AbortSignal.any([request.signal, over.signal])
  const isWebSigned = settings.webseedKeys.length > 0
  const heard = new HeardClaims({ ...request, signal }, { ...around, isWebSigned, trace })
  try {
    return await followAll(heard, request, around)
  } finally {
    over.abort()
  }
}

async function followAll(heard: HeardClaims, request: SupplyRequest, around: ClaimSurroundings): Promise<SupplyResult> {
  const { context, webSeeds, gitDir } = around
  const { trace, settings } = context
  const { isClone, isUnshallow, lengthMax = null } = request
  const besideOrigin = new BesideOrigin(request, settings.downloadLimit, trace)
  const lasting = { useless: heard.useless, webSeeds, gitDir, besideOrigin, broughtBy: new Map() }
  const known: Known = { links: new Set(), peers: new Set() }
  const found = new Set<string>()
  const budget = new TryBudget(CLAIM_COUNT_MAX)
  let result: SupplyResult = { ...NOTHING_SUPPLIED, note: 'nobody has a usable chain' }
  /** A claim came whole; or those who were heard leave nothing to be desired. */
  let [isMore, isEnough] = [false, false]
  await heard.first()
  while (budget.leftMs > 0 && !besideOrigin.isOver) {
    const sinceMs = performance.now()
    const claim = heard.next()
    if (claim === null) {
      const isHeard = await heard.more(isEnough, budget.leftMs)
      budget.noteLost(sinceMs)
      if (!isHeard) break
      continue
    }
    const plan: TakePlan = await planFor(claim, request, gitDir, { complete: result.haves, found, isMore })
    const { complete } = plan
    const lines: readonly LineTake[] = isMore ? await knownLines(plan.lines, request) : plan.lines
    result = { ...result, haves: complete }
    const peers = heard.peersFor(claim)
    const length = lengthOf(lines.flatMap(({ takes }) => takes))
    const isTooLong = lengthMax !== null && length + result.bytesFromPeers > lengthMax
    if (isTooLong || !isNews(lines, peers, known)) {
      // What a clone lacks somebody must have; a fetch mostly lacks what is too new for links.
      const isNothingLacking = lines.length === 0 && budget.tryCount === 0
      if (isNothingLacking) result = { ...result, note: 'nothing that others have is lacking' }
      isEnough ||= isNothingLacking && !isClone && !isUnshallow
      budget.noteLost(sinceMs)
      continue
    }
    budget.noteTry()
    const claimant = claim.peer === null ? null : (claim.peer.address ?? claim.peer.remote)
    const goesOn = (expected: readonly string[]): boolean => heard.goesOnFrom(expected)
    const brought = await bringKnown(lines, { ...lasting, claimant, peers, complete, goesOn }, request, around)
    around.remember(brought.intakes)
    result = sumOfResults(result, brought)
    isEnough = brought.isWhole || (isEnough && brought.haves.length === 0)
    isMore ||= brought.isWhole
    if (brought.isWhole) {
      besideOrigin.drop()
      if (request.wants.every((oid) => result.haves.includes(oid))) break
      continue
    }
    budget.noteLost(sinceMs, brought.bytesFromPeers + (brought.bytesFromWebSeeds ?? 0))
    trace(() => `claim of ${claim.source}: not all of it came, the next source is asked`)
  }
  return result
}

/**
 * Brings lines while the origin says whether it has their tops: if not all of them, nothing of that is taken in, and those that
 * it has are brought by themselves.
 */
async function bringKnown(
  offered: readonly LineTake[],
  claim: Omit<FollowedClaim, 'isKnown'>,
  request: SupplyRequest,
  means: ClaimSurroundings,
): Promise<Brought> {
  const asked = knownLines(offered, request)
  const isKnown = asked.then((lines) => lines.length === offered.length)
  const brought = await bringLines(offered, { ...claim, isKnown }, request, means)
  if ((await isKnown) || claim.besideOrigin.isOver) return brought
  const lines = await asked
  means.context.trace(() => `the origin has the tops of ${lines.length} of ${offered.length} lines`)
  return lines.length === 0 ? brought : bringLines(lines, { ...claim, isKnown: Promise.resolve(true) }, request, means)
}

/** The lines that lead to commits which the origin has, all where it does not say. */
async function knownLines(lines: readonly LineTake[], { knownAmong }: SupplyRequest): Promise<readonly LineTake[]> {
  const known = lines.length === 0 ? null : await knownAmong?.(lines.map(({ top }) => top))
  return known ? lines.filter(({ top }) => known.has(top)) : lines
}
