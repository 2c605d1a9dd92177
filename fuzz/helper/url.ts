/**
 * Fuzz target of URLs and of the names that topics are made of. Only HelperError may come out; the name of an origin is
 * a fixed point of naming (with the one .git that naming drops), and a public origin has a host.
 */

import { HelperError } from '../../helper/errors.ts'
import { isPublicOrigin } from '../../helper/public-origin.ts'
import { topicNameOf } from '../../helper/topic-name.ts'
import { parseRemoteUrl } from '../../helper/url.ts'

const HTTPS_PORT = 443

export function fuzz(bytes: Uint8Array): void {
  const text = Buffer.from(bytes).toString('utf8')
  try {
    const url = parseRemoteUrl(text)
    if (url.kind !== 'origin') return
    if (url.host.startsWith('-') || url.path.startsWith('-')) throw new Error('an option for ssh')
    if (isPublicOrigin(url) && url.host === '') throw new Error('a public origin without a host')
    const name = topicNameOf(url)
    // A port of another scheme that is https's own stays in the name, where https would drop it.
    if (url.scheme === 'file' || url.port === HTTPS_PORT) return
    const again = topicNameOf({
      ...url,
      scheme: 'https',
      user: null,
      url: `https://${name}`,
      ...partsOf(name, url.port),
    })
    if (again !== name) throw new Error('a name that changes')
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
}

/** Host and path of a topic name, as an https URL has them; the port stays. */
function partsOf(name: string, port: number | null): { host: string; port: number | null; path: string } {
  const slash = name.indexOf('/')
  const authority = name.slice(0, slash)
  const written = /:(\d+)$/.exec(authority.replace(/^\[.*\]/, ''))
  const host = written === null ? authority : authority.slice(0, -written[0].length)
  return {
    host: host.replace(/^\[|\]$/g, ''),
    port: written === null ? null : (port ?? Number(written[1])),
    path: `${name.slice(slash)}.git`,
  }
}

export function seeds(): Uint8Array[] {
  return [
    'https://user:pass@example.com:8443/a/b.git',
    'gittorrent::https://example.com/a%20b/../c/.git',
    'ssh://git@[::1]:22/~user/repo.git',
    'git@example.com:repo.git',
    '[host:22]:path',
    'git://example.com/repo',
    'file:///srv/repo.git',
    '../local/path',
    `gittorrent://${'a'.repeat(64)}/repo`,
    'gittorrent://name/repo',
    'gittorrent://@example.com/repo',
    'gittorrent://localhost:3000/repo',
    'http://xn--bcher-kva.example./B%C3%BCcher',
  ].map((text) => Buffer.from(text))
}

export const dictionary = [
  'gittorrent::',
  'gittorrent://',
  'https://',
  'ssh://',
  'git://',
  'file://',
  '%2e%2e',
  '%00',
  '..',
  '.git',
  '[::1]',
  ':',
  '@',
  '/~',
  '-o',
  'ü',
  '127.1',
  '0x7f',
]
export const inputLengthMax = 512
