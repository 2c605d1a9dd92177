/**
 * The one error class of the helper room. Callers match `code`, never the text.
 * Text has the shape "what failed: expected X, got Y, try Z" and fits on one line, because the executables print it
 * as git prints its own ("fatal: ..."). Nothing that a stranger sent goes into it unescaped: see `printable`.
 */

export type HelperErrorCode =
  | 'url-malformed'
  | 'url-unsupported'
  | 'setting-malformed'
  | 'usage'
  | 'protocol-forbidden'
  | 'recursion'
  | 'origin-unreachable'
  | 'origin-protocol'
  | 'client-protocol'
  | 'git-failed'
  | 'interrupted'
  | 'object-missing'
  | 'limit'
  | 'object-missing'
  | 'repository-unusable'
  | 'store-corrupt'
  | 'chain-malformed'
  | 'pack-padded'
  | 'manifest-malformed'
  | 'webseed-failed'
  | 'listen-failed'
  | 'verify-failed'
  | 'daemon-absent'
  | 'daemon-refused'
  | 'home-unsafe'
  | 'key-unusable'
  | 'key-missing'
  | 'record-malformed'
  | 'record-conflict'
  | 'not-published'
  | 'not-yours'
  | 'name-unresolved'
  | 'name-conflict'
  | 'unsigned'
  | 'busy'

/** Thrown for everything that the outside world hands to the helper and that it cannot use. */
export class HelperError extends Error {
  override readonly name = 'HelperError'
  readonly code: HelperErrorCode
  readonly data: Readonly<Record<string, string | number>>

  constructor(
    code: HelperErrorCode,
    message: string,
    data: Readonly<Record<string, string | number>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.data = data
  }
}

/** Returns `text` on one line, at most 300 characters, with control characters shown as \xNN. */
export function printable(text: string): string {
  const short = text.length > 300 ? `${text.slice(0, 300)}...` : text
  return short.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** Returns the message of anything that was thrown, on one line. */
export function messageOf(thrown: unknown): string {
  return printable(thrown instanceof Error ? thrown.message : String(thrown))
}
