/**
 * What a URL given to git-remote-gittorrent means. git strips the `gittorrent::` prefix itself, so the text is either
 * any git URL (the origin), or a `gittorrent://` one, whose authority decides between four kinds:
 *
 *   gittorrent://host/path   host has a dot or a port, is localhost or an IP literal: origin https://host/path
 *   gittorrent://<40|64 hex>/repo   a publisher's key      gittorrent://name/repo   a petname or registered name
 *   gittorrent://@domain/repo       a name that the domain vouches for
 *
 * `lfs=` before an http or https URL changes nothing: git-lfs does not see an insteadOf whose key has a "=".
 * No text has two meanings, and nothing is tried in a second one. Which names a topic gets is in topic-name.ts.
 */
import { isIPv6 } from 'node:net'
import { HelperError, printable } from './errors.ts'
import { URL_LENGTH_MAX } from './limits.ts'
import { withoutPassword } from './trace.ts'

export type OriginScheme = 'https' | 'http' | 'ssh' | 'git' | 'file'

/** A repository behind git's own transports. */
export interface Origin {
  readonly kind: 'origin'
  readonly scheme: OriginScheme
  /** The URL as the origin's transport takes it (for file: the local path or the file:// URL as given). */
  readonly url: string
  /** User part as written, password included; null when there is none. */
  readonly user: string | null
  /** Host as written, IPv6 without brackets; '' for file. */
  readonly host: string
  /** Port as written, null when none is. */
  readonly port: number | null
  /** Path as the far side gets it: percent-decoded except for http(s), `/~user` as `~user` for ssh and git. */
  readonly path: string
}

export type RemoteUrl =
  | Origin
  | { readonly kind: 'key'; readonly key: string; readonly repository: string }
  | { readonly kind: 'name'; readonly petname: string; readonly repository: string }
  | { readonly kind: 'domain'; readonly domain: string; readonly repository: string }

const LFS_MARK = /^lfs=(?=https?:\/\/)/i

const SCHEMES: ReadonlyMap<string, OriginScheme> = new Map([
  ['https', 'https'],
  ['http', 'http'],
  ['ssh', 'ssh'],
  ['git+ssh', 'ssh'],
  ['ssh+git', 'ssh'],
  ['git', 'git'],
  ['file', 'file'],
])

/**
 * Parses the URL argument of the remote helper, with or without its `gittorrent::` prefix.
 * Throws url-malformed (control characters, no path, bad port, a host or path that a command could take for an option)
 * and url-unsupported (a scheme without an origin transport).
 */
export function parseRemoteUrl(text: string): RemoteUrl {
  const bare = (text.startsWith('gittorrent::') ? text.slice('gittorrent::'.length) : text).replace(LFS_MARK, '')
  if (bare.length === 0 || bare.length > URL_LENGTH_MAX) throw malformed(text, 'a URL of 1 to 4096 characters')
  if (/[\u0000-\u001f\u007f]/.test(bare)) throw malformed(text, 'a URL without control characters')
  const helper = /^([A-Za-z0-9]+)::/.exec(bare)
  if (helper) throw unsupported(text, `the transport ${helper[1]}::`)
  if (/^gittorrent:\/\//i.test(bare)) return parseOwnUrl(bare)
  return parseOrigin(bare)
}

/** Parses any git URL, scp form or local path. Throws as parseRemoteUrl does. */
export function parseOrigin(text: string): Origin {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/s.exec(text)
  if (match) {
    const scheme = SCHEMES.get((match[1] ?? '').toLowerCase())
    if (scheme === undefined) throw unsupported(text, `the scheme ${match[1]}://`)
    return scheme === 'file' ? fileUrl(text, match[2] ?? '') : networkUrl(text, scheme, match[2] ?? '')
  }
  return scpForm(text) ?? localPath(text)
}

function parseOwnUrl(text: string): RemoteUrl {
  const rest = text.slice('gittorrent://'.length)
  const slash = rest.indexOf('/')
  const authority = slash < 0 ? rest : rest.slice(0, slash)
  const repository = slash < 0 ? '' : rest.slice(slash + 1).replace(/^\/+|\/+$/g, '')
  if (authority === '') throw malformed(text, 'gittorrent://host/path')
  if (authority.startsWith('@')) {
    if (!/^@[^@:/]+\.[^@:/]+$/.test(authority)) throw malformed(text, 'gittorrent://@domain/repository')
    return { kind: 'domain', domain: authority.slice(1).toLowerCase(), repository: required(text, repository) }
  }
  if (/[.:[]/.test(authority) || /(^|@)localhost$/i.test(authority)) return parseOrigin(`https://${rest}`)
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(authority)) {
    return { kind: 'key', key: authority.toLowerCase(), repository: required(text, repository) }
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(authority)) throw malformed(text, 'a name of letters, digits, - and _')
  return { kind: 'name', petname: authority, repository: required(text, repository) }
}

function networkUrl(text: string, scheme: Exclude<OriginScheme, 'file'>, rest: string): Origin {
  const slash = rest.indexOf('/')
  if (slash < 0) throw malformed(text, `${scheme}://host/path`)
  const written = rest.slice(0, slash)
  const authority = splitAuthority(text, scheme === 'ssh' || scheme === 'git' ? withBrackets(written) : written)
  const rawPath = rest.slice(slash)
  const isHttp = scheme === 'http' || scheme === 'https'
  const decoded = isHttp ? rawPath : percentDecode(text, rawPath)
  const path = !isHttp && decoded.startsWith('/~') ? decoded.slice(1) : decoded
  refuseHost(text, authority.host)
  refuseOptions(text, authority.host, path)
  if (scheme === 'git' && authority.user !== null) throw malformed(text, 'git://host/path without a user')
  return { kind: 'origin', scheme, url: `${scheme}://${rest}`, ...authority, path }
}

function fileUrl(text: string, rest: string): Origin {
  const path = percentDecode(text, rest)
  if (!path.startsWith('/')) throw malformed(text, 'file:///absolute/path')
  return { kind: 'origin', scheme: 'file', url: text, user: null, host: '', port: null, path }
}

/** git's rule: a colon before the first slash makes it `[user@]host:path`, unless that exists as a path (not here). */
function scpForm(text: string): Origin | null {
  const match = /^(?:([^/@]*)@)?(\[[^\]/]*\]|[^/:@[\]]+):(.*)$/s.exec(text)
  if (!match) return null
  const bracketed = (match[2] ?? '').replace(/^\[|\]$/g, '')
  const inner = (match[2] ?? '').startsWith('[') ? /^([^:]+):(\d+)$/.exec(bracketed) : null
  const host = inner?.[1] ?? bracketed
  const port = inner ? parsePort(text, inner[2] ?? '') : null
  const path = (match[3] ?? '').replace(/^\/~/, '~')
  if (host === '' || path === '') throw malformed(text, 'host:path')
  refuseHost(text, host)
  refuseOptions(text, host, path)
  return { kind: 'origin', scheme: 'ssh', url: text, user: match[1] ?? null, host, port, path }
}

function localPath(text: string): Origin {
  refuseOptions(text, '', text)
  return { kind: 'origin', scheme: 'file', url: text, user: null, host: '', port: null, path: text }
}

/** git also takes `[user@::1]:22` and, without a port, `user@::1`, which no other program does. */
function withBrackets(authority: string): string {
  return authority
    .replace(/^\[([^@\]]*)@([^\]]*)\]/, '$1@[$2]')
    .replace(/^((?:[^@]*@)?)([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/, '$1[$2]')
}

function splitAuthority(text: string, authority: string) {
  const at = authority.lastIndexOf('@')
  const user = at < 0 ? null : authority.slice(0, at)
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]]*))(?::(\d*))?$/.exec(authority.slice(at + 1))
  const host = match?.[1] ?? match?.[2] ?? ''
  if (!match || host === '') throw malformed(text, 'a host name before the path')
  const port = match[3] === undefined || match[3] === '' ? null : parsePort(text, match[3])
  return { user, host, port }
}

function parsePort(text: string, digits: string): number {
  const port = Number(digits)
  if (digits.length > 5 || port < 1 || port > 65535) throw malformed(text, 'a port from 1 to 65535')
  return port
}

function percentDecode(text: string, path: string): string {
  const bytes = Buffer.from(path).toString('latin1')
  const decoded = bytes.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  if (/[\u0000-\u001f\u007f]/.test(decoded)) throw malformed(text, 'a path without control characters')
  return Buffer.from(decoded, 'latin1').toString('utf8')
}

/** What is neither a name made of labels nor an IPv6 literal would give one origin two topic names. */
function refuseHost(text: string, host: string): void {
  if (host.includes(':')) {
    if (isIPv6(host.replace(/%.*$/, ''))) return
  } else if (!/[\s"#%/<>?@[\\\]^`{|}]/.test(host) && !host.replace(/\.$/, '').split('.').includes('')) return
  throw malformed(text, 'a host name or an address')
}

/** A host or path that starts with "-" would reach ssh or a git command as an option. */
function refuseOptions(text: string, host: string, path: string): void {
  if (host.startsWith('-') || path.startsWith('-')) throw malformed(text, 'a host and path that do not start with "-"')
}

function required(text: string, repository: string): string {
  if (repository === '') throw malformed(text, 'a repository name after the slash')
  return repository
}

function malformed(text: string, expected: string): HelperError {
  return new HelperError(
    'url-malformed',
    `cannot read the URL: expected ${expected}, got '${printable(withoutPassword(text))}'`,
  )
}

function unsupported(text: string, what: string): HelperError {
  return new HelperError(
    'url-unsupported',
    `cannot use '${printable(withoutPassword(text))}': ${what} is none that an origin can have, try https, http, ssh, git or file`,
  )
}

/** A URL as WHATWG has it, null for what is none. URL.canParse() says yes to some that are none, when Node has compiled its caller. */
export function urlIn(text: string, base?: URL): URL | null {
  try {
    return new URL(text, base)
  } catch {
    return null
  }
}
