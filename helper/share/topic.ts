/**
 * The topic of an origin: where everybody who works with the same repository meets (DESIGN section 5). A hash of a
 * guessable URL, so whoever looks it up tells that he is interested; see ways-in.ts for when that is allowed.
 */

import { createHash } from 'node:crypto'
import { topicNameOf } from '../topic-name.ts'
import type { Origin } from '../url.ts'

const PREFIX = 'gittorrent topic 1\n'

/** 20 bytes: SHA-1 of a versioned prefix and the normalised name of the origin. @throws HelperError 'url-malformed' */
export function topicOf(origin: Origin): Uint8Array {
  return createHash('sha1').update(PREFIX).update(topicNameOf(origin)).digest()
}
