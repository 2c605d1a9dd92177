/**
 * Bans, for later runs, whoever claimed a chain whose pack is not what it says, or put into a tunnel's what nobody asked for: all hashes fit, so
 * that nothing on the way to us is to blame. Within a run nobody is asked for the same chain twice.
 */

import { type Address, BAN_DURATION_MS, formatAddress, ownerOf } from '../../../net/index.ts'
import type { Trace } from '../../trace.ts'
import { openNetMemory } from '../net-memory.ts'

/** @param peerMemory file in which bans outlive a run, null where they do not */
export async function banClaimant(claimant: Address, peerMemory: string | null, trace: Trace): Promise<void> {
  if (peerMemory === null) return
  trace(() => `${formatAddress(claimant)} is banned: its pack is not exact`)
  const memory = openNetMemory(peerMemory)
  memory.known.noteBan(ownerOf(claimant), BAN_DURATION_MS, Date.now())
  await memory.save()
}
