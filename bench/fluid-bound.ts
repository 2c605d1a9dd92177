/**
 * What shaped lines allow at best, whatever the protocol: the bounds that live runs are measured against. Bytes are taken to flow
 * like water: no headers, no round trips, no time to compute.
 */

export interface Crowd {
  /** Bytes that each machine wants, F. */
  readonly lengthBytes: number
  /** Uplink of the source, u_s, in bits per second. */
  readonly sourceBits: number
  /** The lines of the N machines. */
  readonly lines: readonly { readonly upBits: number; readonly downBits: number }[]
  /** When the last machine starts, in seconds after the first; 0 where all start together. */
  readonly lastStartSeconds?: number
}

/** Seconds that no way of sharing can beat: max(F/u_s, F/d_min, N·F/(u_s + Σu_i)), and the last start with its own F/d. */
export function fluidBound(crowd: Crowd): number {
  const { sourceBits, lines } = crowd
  const upBits = lines.reduce((sum, line) => sum + line.upBits, sourceBits)
  const bits = crowd.lengthBytes * 8
  return Math.max(bits / sourceBits, lastDownload(crowd), (lines.length * bits) / upBits)
}

/** The same where nobody passes anything on: max(N·F/u_s, F/d_min). */
export function serialBound(crowd: Crowd): number {
  return Math.max((crowd.lines.length * crowd.lengthBytes * 8) / crowd.sourceBits, lastDownload(crowd))
}

function lastDownload({ lengthBytes, lines, lastStartSeconds = 0 }: Crowd): number {
  const slowest = Math.min(...lines.map((line) => line.downBits))
  // The slowest may have started first: only then is its download no bound on top of the last start.
  const fastest = Math.max(...lines.map((line) => line.downBits))
  return Math.max((lengthBytes * 8) / slowest, lastStartSeconds + (lengthBytes * 8) / fastest)
}
