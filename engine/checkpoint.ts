/**
 * The checkpoint rule (FORMAT.md, "Checkpoints"): h(C) is xxHash64 with seed 0 of a commit's raw name, and the level
 * of C is the largest L ≤ 40 with h(C) divisible by N0 · 2^L. Pure arithmetic on 64-bit integers.
 */

import xxhash from 'xxhash-wasm'
import { CHECKPOINT_LEVEL_MAX, type FormatParameters } from './format.ts'
import { bytesOfOid } from './oid.ts'

/** Level of a commit, or null if it is no checkpoint. Its name is hex, or raw where many are asked for. */
export type LevelOf = (name: string | Uint8Array) => number | null

/** Prepares the rule; loading the hash is the only asynchronous step. */
export async function createCheckpointRule(parameters: FormatParameters): Promise<LevelOf> {
  const { h64Raw } = await xxhash()
  const modulus = BigInt(parameters.checkpointModulus)
  return (name) => levelOfHash(h64Raw(typeof name === 'string' ? bytesOfOid(name) : name, 0n), modulus)
}

/** Level of a 64-bit hash value under N0 = `modulus`, or null. A hash of zero has the highest level. */
export function levelOfHash(hash: bigint, modulus: bigint): number | null {
  if (hash % modulus !== 0n) return null
  let level = 0
  let divisor = modulus * 2n
  while (level < CHECKPOINT_LEVEL_MAX && hash % divisor === 0n) {
    level++
    divisor *= 2n
  }
  return level
}
