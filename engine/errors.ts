/**
 * The one error class of the engine room. Callers match `code`, never the text.
 * Text has the shape "what failed: expected X, got Y, try Z". A mistake in our own program is an AssertionError.
 */

export type EngineErrorCode =
  | 'oid-malformed'
  | 'object-malformed'
  | 'object-missing'
  | 'object-type'
  | 'pack-malformed'
  | 'pack-limit'
  | 'delta-malformed'
  | 'bundle-malformed'
  | 'torrent-malformed'
  | 'table-malformed'
  | 'deflate-drift'

/** Thrown for everything that the outside world hands to the engine and that it cannot use. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: EngineErrorCode
  readonly data: Readonly<Record<string, string | number>>

  constructor(
    code: EngineErrorCode,
    message: string,
    data: Readonly<Record<string, string | number>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.data = data
  }
}

/** Thrown when the engine itself is wrong: a bug, never a reaction to input. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws AssertionError unless `condition` holds. */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new AssertionError(`assertion failed: ${claim}`)
}
