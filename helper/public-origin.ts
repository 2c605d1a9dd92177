/**
 * May an origin be looked up in public (DHT, public trackers, multicast)? A topic is a hash of a guessable URL, so even
 * a look-up tells strangers that somebody here uses it. This judges the URL alone, without a name look-up; whether the
 * origin answers an anonymous request is for whoever announces to find out.
 */
import { canonicalHost } from './topic-name.ts'
import type { Origin } from './url.ts'

/** Last labels that never name a public host (RFC 6761, 6762, 8375, 9476 and what home and office networks use). */
const PRIVATE_SUFFIXES = new Set(
  'localhost local internal intranet private corp home lan test example invalid onion alt arpa localdomain'.split(' '),
)

/** IPv4 networks that are not public: address, prefix length in bits (IANA special-purpose registry). */
const PRIVATE_IPV4: readonly (readonly [number, number])[] = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0x7f000000, 8],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0000000, 24],
  [0xc0000200, 24],
  [0xc0a80000, 16],
  [0xc6120000, 15],
  [0xc6336400, 24],
  [0xcb007100, 24],
  [0xe0000000, 3],
]

/** Tells whether `origin` may use public ways in: https, http or git, no user part, a public host name or address. */
export function isPublicOrigin(origin: Origin): boolean {
  if (origin.scheme === 'ssh' || origin.scheme === 'file' || origin.user !== null) return false
  if (/[?&](access_token|private_token|token|password|key)=/i.test(origin.path)) return false
  return isPublicHost(origin.host)
}

/** Tells whether a host name or address literal (IPv6 without brackets) can be meant for everybody. */
export function isPublicHost(host: string): boolean {
  const name = canonicalHost(host)
  if (name.startsWith('[')) return isPublicIpv6(name.slice(1, -1))
  const octets = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(name)
  if (octets) return isPublicIpv4(octets.slice(1).reduce((value, octet) => value * 256 + Number(octet), 0))
  const labels = name.split('.')
  return labels.length > 1 && !labels.includes('') && !PRIVATE_SUFFIXES.has(labels.at(-1) ?? '')
}

function isPublicIpv4(address: number): boolean {
  return !PRIVATE_IPV4.some(([network, bits]) => Math.floor(address / 2 ** (32 - bits)) === network / 2 ** (32 - bits))
}

/** Only global unicast (2000::/3) is public, minus documentation; mapped and 6to4 forms count as the IPv4 inside. */
function isPublicIpv6(text: string): boolean {
  const words = ipv6Words(text)
  const word = (index: number) => words[index] ?? 0
  const isMapped = words.slice(0, 5).every((value) => value === 0) && word(5) === 0xffff
  if (isMapped) return isPublicIpv4(word(6) * 65536 + word(7))
  if (word(0) === 0x2002) return isPublicIpv4(word(1) * 65536 + word(2))
  if (word(0) === 0x2001 && word(1) === 0x0db8) return false
  return word(0) >= 0x2000 && word(0) <= 0x3fff
}

/** The eight words of a canonical IPv6 text (WHATWG form: hexadecimal only, at most one "::"). */
function ipv6Words(text: string): number[] {
  const [left = '', right] = text.split('::')
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)))
  const head = parse(left)
  if (right === undefined) return head
  const tail = parse(right)
  return [...head, ...Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0), ...tail]
}
