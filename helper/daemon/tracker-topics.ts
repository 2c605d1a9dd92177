/**
 * Which topics the embedded tracker lets in: those of the origins in `gittorrent.trackerOrigin`, under the names that they have where
 * a secret is shared. A tracker that names no origin is open to all topics.
 */

import { secretTopicOf } from '../../net/index.ts'
import type { Settings } from '../config.ts'
import { HelperError, printable } from '../errors.ts'
import { readSecretFile, secretFileFor } from '../share/secret-file.ts'
import { topicOf } from '../share/topic.ts'
import { parseRemoteUrl } from '../url.ts'

/** Tells whether a topic (hex) is let in. @throws HelperError 'url-malformed', 'setting-malformed', 'key-unusable' */
export function trackerRule(origins: readonly string[], settings: Settings): (topicHex: string) => boolean {
  if (origins.length === 0) return () => true
  const topics = origins.map((url) => {
    const origin = parseRemoteUrl(url)
    if (origin.kind !== 'origin') {
      const message = `cannot use gittorrent.trackerOrigin: expected the URL of an origin, got '${printable(url)}'`
      throw new HelperError('setting-malformed', message)
    }
    const topic = topicOf(origin)
    const secretFile = secretFileFor(origin, settings)
    return Buffer.from(secretFile === null ? topic : secretTopicOf(readSecretFile(secretFile), topic)).toString('hex')
  })
  const allowed = new Set(topics)
  return (topicHex) => allowed.has(topicHex)
}
