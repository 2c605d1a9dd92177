/**
 * What is known of a stored segment, in memory and as JSON.
 */

export interface StoredSegment {
  readonly name: string
  readonly objectCount: number
  readonly commitCount: number
  /** Bytes of the body. */
  readonly length: number
  /** SHA-256 of the body, hex. */
  readonly sha256: string
  /** Name of the pack in `objects/pack` that holds the body at `offset`; null when it is a file of its own. */
  readonly pack: string | null
  readonly offset: number
}

/** The segment of some parsed JSON, or null if it is none. */
export function parseSegmentFacts(name: string, facts: Readonly<Record<string, unknown>>): StoredSegment | null {
  const { objectCount, commitCount, length, sha256, pack, offset } = facts
  if (!isCount(objectCount) || !isCount(commitCount) || !isCount(length) || !isCount(offset)) return null
  if (typeof sha256 !== 'string') return null
  if (pack !== null && (typeof pack !== 'string' || !/^pack-[0-9a-f]+\.pack$/.test(pack))) return null
  return { name, objectCount, commitCount, length, sha256, pack, offset }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
