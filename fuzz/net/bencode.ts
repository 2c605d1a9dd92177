// Fuzz target: the strict codec of our own messages. What it accepts, it writes back byte for byte.
import { decodeBencode, encodeBencode, NetError } from '../../net/index.ts'

export function fuzz(bytes: Uint8Array): void {
  const value = orNothing(bytes)
  if (value !== null && Buffer.compare(encodeBencode(value), bytes) !== 0)
    throw new Error('accepted, but not canonical')
}

function orNothing(bytes: Uint8Array) {
  try {
    return decodeBencode(bytes)
  } catch (error) {
    if (error instanceof NetError) return null
    throw error
  }
}
