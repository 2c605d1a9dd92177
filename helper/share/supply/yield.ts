/**
 * The account of following claims one after the other: what each brought, what of that is whole, and whether the next one has
 * anything to offer that was not tried. Pure, but for the notes of what was tried.
 */

import type { Oid } from '../../../engine/index.ts'
import type { TopicPeer } from '../../../net/index.ts'
import type { SupplyResult } from '../../remote/supply.ts'
import type { Intake } from './line-intake.ts'
import type { LineTake } from './plan.ts'

/** What following one claim brought. */
export interface Yield extends SupplyResult {
  /** Nothing that was wanted of the claim is lacking. */
  readonly isWhole: boolean
}

/** What is whole of the lines, given the tops that git found complete. */
export function wholeOf(
  lines: readonly LineTake[],
  intakes: readonly (Intake | null)[],
  tops: readonly Oid[],
): Pick<Yield, 'haves' | 'isWhole'> {
  const whole = intakes.flatMap((intake) => (intake !== null && tops.includes(intake.top) ? intake : []))
  return {
    haves: tops,
    isWhole: whole.length === lines.length && whole.every(({ isComplete }) => isComplete),
  }
}

/** What was tried before in a conversation. */
export interface Known {
  /** Infohashes. */
  readonly links: Set<string>
  readonly peers: Set<TopicPeer>
}

/** True if something is to be taken that was not tried before, or from a peer that was not; notes both. */
export function isNews(lines: readonly LineTake[], peers: readonly TopicPeer[], known: Known): boolean {
  const links = lines.flatMap(({ takes }) => takes.map(({ link }) => Buffer.from(link.infohash).toString('hex')))
  const isNew = links.some((link) => !known.links.has(link)) || peers.some((peer) => !known.peers.has(peer))
  for (const link of links) known.links.add(link)
  for (const peer of peers) known.peers.add(peer)
  return isNew && links.length > 0
}

/** What two claims brought, one after the other. */
export function sumOfResults(a: SupplyResult, b: SupplyResult): SupplyResult {
  return {
    haves: [...new Set([...a.haves, ...b.haves])],
    bytesFromPeers: a.bytesFromPeers + b.bytesFromPeers,
    bytesFromWebSeeds: (a.bytesFromWebSeeds ?? 0) + (b.bytesFromWebSeeds ?? 0),
    peerCount: Math.max(a.peerCount, b.peerCount),
    note: b.note,
  }
}
