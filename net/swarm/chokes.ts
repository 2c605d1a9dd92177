/**
 * Whom to serve: everybody while there are few, else those who bring most (while we download ourselves) or have had least
 * (when we have everything), and some by turns, so that newcomers get their first pieces. Decided every ten seconds; a
 * free place is taken at once. Who is served and asks for nothing takes no place, and goes behind all others until he does.
 * Pure but for the flags that it sets.
 */
import { UPLOAD_PLACE_COUNT, UPLOAD_TURN_COUNT } from '../limits.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** Milliseconds between two decisions. */
export const CHOKE_INTERVAL_MS = 10_000

/** True if `peer` may be served at once. */
export function hasPlace(peers: Iterable<SwarmPeer>, nowMs: number): boolean {
  let count = 0
  for (const peer of peers) if (!peer.amChoking && !peer.isIdle(nowMs)) count += 1
  return count < UPLOAD_PLACE_COUNT
}

/**
 * Whom to serve for the next interval; counters of bytes start anew.
 * @param waitedMs how long a peer has been choked
 */
export function decideChokes(
  peers: Iterable<SwarmPeer>,
  isComplete: boolean,
  nowMs: number,
  waitedMs: (peer: SwarmPeer) => number,
): Set<SwarmPeer> {
  const interested = [...peers].filter((peer) => peer.isInterested)
  for (const peer of interested) peer.isIdler ||= peer.isIdle(nowMs)
  const byUse = (a: SwarmPeer, b: SwarmPeer): number => Number(a.isIdler) - Number(b.isIdler)
  const worth = (peer: SwarmPeer): number => (isComplete ? -peer.takenLength : peer.broughtLength)
  const byWorth = [...interested].sort((a, b) => byUse(a, b) || worth(b) - worth(a))
  const served = new Set(byWorth.slice(0, UPLOAD_PLACE_COUNT - UPLOAD_TURN_COUNT))
  const waiting = interested
    .filter((peer) => !served.has(peer))
    .sort((a, b) => byUse(a, b) || waitedMs(b) - waitedMs(a))
  for (const peer of waiting.slice(0, UPLOAD_TURN_COUNT)) served.add(peer)
  for (const peer of interested) {
    peer.broughtLength = 0
    peer.takenLength = 0
  }
  return served
}
