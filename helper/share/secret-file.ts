/**
 * The secret of a farm or a private repository: one line of text in a file that only its owner can read, as ssh demands of a key.
 * What net makes of it is in net/secret.ts. A file that is not as it should be is an error and never means "no secret".
 * Which file it is may depend on the origin: `gittorrent.<url>.secretFile` is for what is at or below that URL. URLs are compared by
 * the names that topics are made of, so that whoever clones by ssh is under the same rule as whoever clones by https.
 */

import { readFileSync, statSync } from 'node:fs'
import { SECRET_LENGTH_MIN } from '../../net/index.ts'
import type { SecretScope, Settings } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { SECRET_FILE_LENGTH_MAX } from '../limits.ts'
import { topicNameOf } from '../topic-name.ts'
import { withoutPassword } from '../trace.ts'
import { type Origin, parseOrigin } from '../url.ts'

type SecretSettings = Pick<Settings, 'secretFile' | 'secretScopes'>

/** The file with the secret of an origin: that of the longest URL which is the origin's or leads to it; null if none. @throws HelperError 'setting-malformed' */
export function secretFileFor(origin: Origin, { secretFile, secretScopes }: SecretSettings): string | null {
  const name = topicNameOf(origin)
  let length = -1
  let file = secretFile
  for (const scope of secretScopes) {
    const scopeName = nameOfScope(scope)
    const isInside = name === scopeName || name.startsWith(`${scopeName}/`)
    if (!isInside || scopeName.length < length) continue
    length = scopeName.length
    file = scope.file
  }
  return file
}

/** Every file that an origin may have, each once, that of `gittorrent.secretFile` first; null stands for no secret. @throws HelperError 'setting-malformed' */
export function secretFilesOf({ secretFile, secretScopes }: SecretSettings): readonly (string | null)[] {
  for (const scope of secretScopes) nameOfScope(scope)
  return [...new Set([secretFile, ...secretScopes.map(({ file }) => file)])]
}

/** The name of a repository, or the beginning of those of a host or a folder, without a slash at its end. */
function nameOfScope({ url }: SecretScope): string {
  const isWhole = /^[a-z0-9+.-]+:\/\/[^/]*\/*$/i.test(url)
  try {
    return isWhole ? topicNameOf(parseOrigin(`${url}/x`)).slice(0, -'/x'.length) : topicNameOf(parseOrigin(url))
  } catch (error) {
    const message = `gittorrent.${withoutPassword(url)}.secretFile: ${messageOf(error)}`
    throw new HelperError('setting-malformed', message, {}, error)
  }
}

/** The bytes of the first line of a file. @throws HelperError 'key-unusable' */
export function readSecretFile(path: string): Uint8Array {
  let text: string
  let mode: number
  try {
    const found = statSync(path)
    mode = found.mode & 0o777
    text = found.size > SECRET_FILE_LENGTH_MAX ? '' : readFileSync(path, 'utf8')
  } catch (error) {
    throw new HelperError('key-unusable', `gittorrent.secretFile: ${messageOf(error)}`, {}, error)
  }
  if ((mode & 0o077) !== 0) {
    const got = mode.toString(8).padStart(4, '0')
    throw unusable(path, `mode 0600, got ${got}, try chmod 600 '${path}'`)
  }
  const [line = ''] = text.split(/\r?\n/)
  const bytes = Buffer.from(line.trim())
  if (bytes.length < SECRET_LENGTH_MIN)
    throw unusable(path, `at least ${SECRET_LENGTH_MIN} characters, got ${bytes.length}, try openssl rand -hex 32`)
  return bytes
}

function unusable(path: string, what: string): HelperError {
  return new HelperError('key-unusable', `gittorrent.secretFile '${path}': expected ${what}`)
}
