/**
 * The secret of a farm or a private repository: one line of text in a file that only its owner can read, as ssh demands of a key.
 * What net makes of it is in net/secret.ts. A file that is not as it should be is an error and never means "no secret".
 */

import { readFileSync, statSync } from 'node:fs'
import { SECRET_LENGTH_MIN } from '../../net/index.ts'
import { HelperError, messageOf } from '../errors.ts'
import { SECRET_FILE_LENGTH_MAX } from '../limits.ts'

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
