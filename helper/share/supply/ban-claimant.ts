/**
 * Bans, for later runs, whoever claimed a chain or snapshot whose pack is not what it says, or put into a tunnel's what nobody asked for: all hashes fit, so
 * that nothing on the way to us is to blame. Within a run nobody is asked for the same chain twice.
 */

import { type Address, BAN_DURATION_MS, formatAddress, ownerOf, type TopicPeer } from '../../../net/index.ts'
import type { Trace } from '../../trace.ts'
import { openNetMemory } from '../net-memory.ts'

/** Those who said so of one and the same payload: its bytes are what they claimed. @param peerMemory as below */
export async function banClaimants(
  claimants: readonly TopicPeer[],
  peerMemory: string | null,
  trace: Trace,
): Promise<void> {
  for (const { address, remote } of claimants) await banClaimant(address ?? remote, peerMemory, trace)
}

/** @param peerMemory file in which bans outlive a run, null where they do not */
export async function banClaimant(claimant: Address, peerMemory: string | null, trace: Trace): Promise<void> {
  if (peerMemory === null) return
  trace(() => `${formatAddress(claimant)} is banned: its pack is not exact`)
  const memory = openNetMemory(peerMemory)
  memory.known.noteBan(ownerOf(claimant), BAN_DURATION_MS, Date.now())
  await memory.save()
}
