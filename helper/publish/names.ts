/**
 * What a publisher's repository is called and where it is found: names, salts, the topic. Normative in PUBLISHING.md.
 * A name is what stands behind the slash of a URL, without a trailing `.git`: 1 to 58 bytes, so that its salt fits.
 */
import { createHash } from 'node:crypto'
import { HelperError, printable } from '../errors.ts'

const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/
const NAME_LENGTH_MAX = 58

export const PROFILE_SALT = new Uint8Array(0)
export const SUCCESSION_SALT: Uint8Array = Buffer.from('gt1:succession')

/** The repository's name in a URL. @throws HelperError 'url-malformed' */
export function repositoryName(text: string): string {
  const name = text.endsWith('.git') ? text.slice(0, -4) : text
  const isGood = NAME.test(name) && name.length <= NAME_LENGTH_MAX && !/(\.lock|\.git)(\/|$)|\.\./.test(name)
  if (isGood) return name
  throw new HelperError(
    'url-malformed',
    `repository name: expected 1 to ${NAME_LENGTH_MAX} letters, digits, '.', '_', '-' and '/', got '${printable(text)}'`,
  )
}

/** Salt of the record of a publisher's own repository. */
export function repositorySalt(name: string): Uint8Array {
  return Buffer.from(`gt1:r:${name}`)
}

/** Salt of a delegate's record for a repository of the publisher `ownerId`. */
export function delegateSalt(ownerId: string, name: string): Uint8Array {
  return Buffer.concat([Buffer.from('gt1:d:'), createHash('sha1').update(`${ownerId}/${name}`).digest()])
}

/** In the place of a repository's name, for those who want to know what a publisher has at all. */
export const PROFILE_TOPIC_NAME = ''

/** 20 bytes: where everybody who has or wants the repository meets. */
export function publisherTopic(ownerId: string, name: string): Uint8Array {
  return createHash('sha1').update(`gittorrent publisher topic 1\n${ownerId}/${name}`).digest()
}
