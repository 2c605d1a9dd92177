/**
 * What a check found out about one thing, and of a payload what its objects build. A thing is known by its name; `gittorrent verify`
 * prints a line for each.
 */

import type { ManifestLink, ManifestSnapshot } from '../export/manifest.ts'

/** `reason` is null when all is well. */
export interface Verdict {
  readonly name: string
  readonly reason: string | null
  /** What a repair did about it; absent without one, null where it could do nothing. */
  readonly remedy?: string | null
}

/** What was found out about one payload. */
export interface CheckedPayload extends Verdict {
  /** What its objects build, as a manifest describes it; null if the payload is not that. */
  readonly built: ManifestLink | ManifestSnapshot | null
}
