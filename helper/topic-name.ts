/**
 * The name of an origin for rendezvous: people who write the same repository differently must arrive at one text.
 * The rules, in their order, and vectors are in net/PROTOCOL.md, section 10; more vectors in test/helper/url.test.ts. What is left of a URL's
 * path when it comes here is decoded already, but for http and https.
 */
import { domainToASCII } from 'node:url'
import { HelperError } from './errors.ts'
import type { Origin, OriginScheme } from './url.ts'

const DEFAULT_PORTS: Readonly<Record<OriginScheme, number | null>> = {
  https: 443,
  http: 80,
  ssh: 22,
  git: 9418,
  file: null,
}

/** Returns the normalised name of `origin`. Throws url-malformed when no path is left. */
export function topicNameOf(origin: Origin): string {
  const isHttp = origin.scheme === 'http' || origin.scheme === 'https'
  const bytes = Buffer.from(origin.path, 'utf8').toString('latin1')
  const decoded = isHttp ? percentDecoded(bytes) : bytes
  const segments: string[] = []
  for (const segment of decoded.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment === '..') segments.pop()
    else segments.push(segment)
  }
  const last = segments.pop()
  if (last !== undefined && last !== '.git') segments.push(last.endsWith('.git') ? last.slice(0, -4) : last)
  if (segments.length === 0) {
    throw new HelperError('url-malformed', `cannot name the origin: expected a path, got '${origin.url}'`)
  }
  const port = origin.port === null || origin.port === DEFAULT_PORTS[origin.scheme] ? '' : `:${origin.port}`
  const host = origin.scheme === 'file' ? '' : canonicalHost(origin.host)
  return `${host}${port}/${segments.map(percentEncoded).join('/')}`
}

/** Returns a host in the one form of rule 2 there; an IPv6 literal comes back in brackets. */
export function canonicalHost(host: string): string {
  const dotless = host.endsWith('.') ? host.slice(0, -1) : host
  const bracketed = dotless.includes(':') ? `[${dotless.replace(/%.*$/, '')}]` : dotless
  try {
    return new URL(`http://${bracketed}/`).hostname
  } catch {
    return domainToASCII(dotless) || dotless.toLowerCase()
  }
}

function percentDecoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** Encodes one segment whose characters are bytes (latin1). */
function percentEncoded(segment: string): string {
  return segment.replace(
    /[^A-Za-z0-9\-._~!$&'()*+,;=:@]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
