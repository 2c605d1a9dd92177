/**
 * Bans, for later runs, those who claimed a chain or snapshot whose pack is not what it says, or put into a tunnel's what nobody asked for: all hashes fit, so
 * that nothing on the way to us is to blame. Within a run nobody is asked for the same chain twice.
 */

import { type Address, BAN_DURATION_MS, formatAddress, ownerOf } from '../../../net/index.ts'
import type { Trace } from '../../trace.ts'
import { openNetMemory } from '../net-memory.ts'

/** @param peerMemory file in which bans outlive a run, null where they do not; read and written once */
export async function banClaimants(
  claimants: readonly Address[],
  peerMemory: string | null,
  trace: Trace,
): Promise<void> {
  if (peerMemory === null || claimants.length === 0) return
  const memory = openNetMemory(peerMemory)
  for (const claimant of claimants) {
    trace(() => `${formatAddress(claimant)} is banned: its pack is not exact`)
    memory.known.noteBan(ownerOf(claimant), BAN_DURATION_MS, Date.now())
  }
  await memory.save()
}
