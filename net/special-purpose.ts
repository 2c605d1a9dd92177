/**
 * Addresses and names that do not mean the same to everybody: the one table, for peers, ways in, web servers and origins.
 * Addresses: IANA's special-purpose registries for IPv4 and IPv6 (RFC 6890, RFC 8190) as of October 2025. A block counts where it is
 * registered as not globally reachable. Three anycast services inside of such blocks are reachable and left out: nobody's peer is there.
 * Names: the special-use names (RFC 6761, 6762, 7686, 8375, 9476, 9637) and what home and office networks use.
 */

interface Block {
  readonly network: readonly number[]
  readonly lengthBits: number
}

/** 192.0.0.0/24 and the documentation and benchmarking blocks among them; from 224.0.0.0 on: multicast and reserved. */
const SPECIAL_V4 = [
  block([0], 8),
  block([10], 8),
  block([100, 64], 10),
  block([127], 8),
  block([169, 254], 16),
  block([172, 16], 12),
  block([192, 0, 0], 24),
  block([192, 0, 2], 24),
  block([192, 88, 99], 24),
  block([192, 168], 16),
  block([198, 18], 15),
  block([198, 51, 100], 24),
  block([203, 0, 113], 24),
  block([224], 3),
]

/** What is given to networks at all … */
const GLOBAL_UNICAST_V6 = block([0x20], 3)
/** … less protocol assignments (Teredo, ORCHID and benchmarking among them) and documentation. */
const SPECIAL_V6 = [block([0x20, 0x01], 23), block([0x20, 0x01, 0x0d, 0xb8], 32), block([0x3f, 0xff], 20)]
/** Where an IPv4 address decides: 6to4 (RFC 3056) has it behind the prefix, NAT64 (RFC 6052) at the end. */
const SIX_TO_FOUR = block([0x20, 0x02], 16)
const NAT64 = block([0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], 96)

/** Last labels that never name a host for everybody. */
const PRIVATE_SUFFIXES = new Set(
  'localhost local internal intranet private corp home lan test example invalid onion alt arpa localdomain'.split(' '),
)

function block(network: readonly number[], lengthBits: number): Block {
  return { network, lengthBits }
}

function isIn(ip: Uint8Array, { network, lengthBits }: Block): boolean {
  const wholeCount = lengthBits >> 3
  for (let at = 0; at < wholeCount; at++) if (ip[at] !== (network[at] ?? 0)) return false
  const restBits = 8 - (lengthBits & 7)
  return restBits === 8 || (ip[wholeCount] ?? 0) >> restBits === (network[wholeCount] ?? 0) >> restBits
}

/** Tells whether an address (4 or 16 bytes; IPv4 inside IPv6 in 4) is the same host from everywhere. */
export function isGlobalAddress(ip: Uint8Array): boolean {
  if (ip.length === 4) return !SPECIAL_V4.some((special) => isIn(ip, special))
  if (isIn(ip, SIX_TO_FOUR)) return isGlobalAddress(ip.subarray(2, 6))
  if (isIn(ip, NAT64)) return isGlobalAddress(ip.subarray(12))
  return isIn(ip, GLOBAL_UNICAST_V6) && !SPECIAL_V6.some((special) => isIn(ip, special))
}

/**
 * Tells whether a host name in ASCII and lower case can be the same host from everywhere: it has a dot, and a last label that is
 * none of the above and no number, which the system might take for an address.
 */
export function isGlobalName(name: string): boolean {
  const labels = name.replace(/\.$/, '').split('.')
  const last = labels.at(-1) ?? ''
  return labels.length > 1 && !labels.includes('') && !PRIVATE_SUFFIXES.has(last) && !/^\d/.test(last)
}
