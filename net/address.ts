/**
 * Addresses: host and port, their text, their compact bytes (BEP 5 and 7), and their class.
 * The class decides who may hear of whom: loopback and private addresses never leave towards public ways in,
 * and a public stranger cannot make us dial into the local network.
 * Hosts are IPv4 or IPv6 literals everywhere but in static peers and bootstraps, where names are allowed.
 */
import { isIP, isIPv4 } from 'node:net'
import { concatBytes } from './bencode.ts'
import { NetError } from './errors.ts'
import { isGlobalAddress, isGlobalName } from './special-purpose.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export type AddressClass = 'loopback' | 'private' | 'public'

const HOST_LENGTH_MAX = 253
/** All addresses of this machine: of IPv4, and where IPv6 is spoken of both. */
export const ANY_HOST_V4 = '0.0.0.0'
export const ANY_HOST_V6 = '::'

/**
 * Reads "host:port" or "[v6]:port"; port 0 only where `portMin` says so.
 * @throws NetError address-malformed
 */
export function parseAddress(text: string, portMin = 1): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2] ?? ''
  const port = Number(match?.[3] ?? -1)
  const hostIsFine = host.length > 0 && host.length <= HOST_LENGTH_MAX && (match?.[1] === undefined || isIP(host) === 6)
  if (!hostIsFine || port < portMin || port > 65535) {
    throw new NetError('address-malformed', `address: expected host:port, got ${JSON.stringify(text)}`)
  }
  return { host, port }
}

/** "host:port", with brackets around IPv6. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** The one text of an address literal: zone index cut off, IPv6 as RFC 5952 writes it, IPv4 inside IPv6 as IPv4. */
export function plainHost(host: string): string {
  const bare = host.replace(/%.*$/, '')
  if (isIP(bare) !== 6) return bare
  const text = canonicalIPv6(bare)
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(text) ?? []
  if (high === undefined || low === undefined) return text
  return [high, low].flatMap((word) => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 0xff]).join('.')
}

function canonicalIPv6(text: string): string {
  // URL compresses zeros as RFC 5952 asks
  return new URL(`http://[${text}]`).hostname.slice(1, -1)
}

/** The class of an address literal or a name, which is judged by itself, not looked up. */
export function classOfHost(rawHost: string): AddressClass {
  const host = plainHost(rawHost).toLowerCase()
  const ip = bytesOfHost(host)
  if (ip === null) {
    if (/(^|\.)localhost\.?$/.test(host)) return 'loopback'
    return isGlobalName(host) ? 'public' : 'private'
  }
  if (host === '::1' || (ip.length === 4 && ip[0] === 127)) return 'loopback'
  return isGlobalAddress(ip) ? 'public' : 'private'
}

const CLASS_RANK: Readonly<Record<AddressClass, number>> = { loopback: 0, private: 1, public: 2 }

/** True if somebody of class `listener` may be told about an address of class `subject`. */
export function mayHearOf(listener: AddressClass, subject: AddressClass): boolean {
  return CLASS_RANK[subject] >= CLASS_RANK[listener]
}

/** True if two addresses have the same host and port. */
export function sameAddress(a: Address, b: Address): boolean {
  return a.port === b.port && a.host === b.host
}

/** True if `host` stands for all addresses of a machine. */
export function isAnyHost(host: string): boolean {
  return host === ANY_HOST_V4 || host === ANY_HOST_V6
}

/** True if `address` is a literal that can be dialled at all. */
export function isDialable(address: Address): boolean {
  const host = plainHost(address.host)
  if (isIP(host) === 0 || address.port < 1 || address.port > 65535) return false
  if (isAnyHost(host)) return false
  return !(isIPv4(host) && Number(host.split('.')[0]) >= 224) && !host.toLowerCase().startsWith('ff')
}

function hextets(half: string): number[] {
  return half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))
}

function bytesOfIPv6(host: string): Uint8Array | null {
  if (host.includes('.')) return null
  const [head = '', tail] = host.split('::')
  const left = hextets(head)
  const right = tail === undefined ? [] : hextets(tail)
  const groups = [...left, ...new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right]
  if (groups.length !== 8) return null
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

/** The 4 or 16 bytes of a literal that plainHost has written, null for a name. */
function bytesOfHost(host: string): Uint8Array | null {
  if (isIPv4(host)) return Uint8Array.from(host.split('.').map(Number))
  return isIP(host) === 6 ? bytesOfIPv6(host) : null
}

/** Bytes of a compact address (BEP 23, BEP 7). */
export const COMPACT_V4_LENGTH = 6
export const COMPACT_V6_LENGTH = 18

/** 6 bytes for IPv4, 18 for IPv6, null for names. */
export function compactAddress(address: Address): Uint8Array | null {
  const ip = bytesOfHost(plainHost(address.host))
  return ip === null ? null : Uint8Array.from([...ip, address.port >> 8, address.port & 0xff])
}

/** The address in 6 or 18 compact bytes, null if the length is another or the address cannot be dialled. */
export function expandAddress(bytes: Uint8Array): Address | null {
  const ipLength = bytes.length - 2
  if (ipLength !== 4 && ipLength !== 16) return null
  const port = ((bytes[ipLength] ?? 0) << 8) | (bytes[ipLength + 1] ?? 0)
  const ip = bytes.subarray(0, ipLength)
  const host = ipLength === 4 ? ip.join('.') : textOfIPv6(ip)
  const address = { host, port }
  return isDialable(address) ? address : null
}

function textOfIPv6(ip: Uint8Array): string {
  const mapped = ip[10] === 0xff && ip[11] === 0xff && ip.subarray(0, 10).every((byte) => byte === 0)
  if (mapped) return ip.subarray(12).join('.')
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push((((ip[i] ?? 0) << 8) | (ip[i + 1] ?? 0)).toString(16))
  return canonicalIPv6(groups.join(':'))
}

/** Compact addresses of each family, one after the other; names are left out. */
export function compactAddresses(addresses: readonly Address[]): { readonly v4: Uint8Array; readonly v6: Uint8Array } {
  const entries = addresses.flatMap((address) => compactAddress(address) ?? [])
  const ofLength = (length: number): Uint8Array => concatBytes(entries.filter((entry) => entry.length === length))
  return { v4: ofLength(COMPACT_V4_LENGTH), v6: ofLength(COMPACT_V6_LENGTH) }
}

/** The addresses in a list of one family; part of one at the end, and those that nobody can dial, are left out. */
export function expandAddresses(bytes: Uint8Array, entryLength: number): Address[] {
  const addresses: Address[] = []
  for (let at = 0; at + entryLength <= bytes.length; at += entryLength) {
    const address = expandAddress(bytes.subarray(at, at + entryLength))
    if (address !== null) addresses.push(address)
  }
  return addresses
}

/**
 * Who is charged, or banned: an IPv4 address, or the /64 of an IPv6 one, any address of which a machine may take (16 hexadecimal digits);
 * on loopback host and port, because every port there is another machine of a test network.
 */
export function ownerOf(from: Address): string {
  const host = plainHost(from.host)
  if (classOfHost(host) === 'loopback') return formatAddress(from)
  return host.includes(':') ? Buffer.from(bytesOfHost(host) ?? []).toString('hex', 0, 8) : host
}

/** What tells a crowd on few networks from others: the /24 of an IPv4 address, the /48 of an IPv6 one; a name is its own. */
export function networkOf(rawHost: string): string {
  if (isIPv4(rawHost)) return rawHost.slice(0, rawHost.lastIndexOf('.'))
  const host = plainHost(rawHost)
  const ip = bytesOfHost(host)
  if (ip === null) return host
  return ip.length === 4 ? networkOf(host) : Buffer.from(ip.subarray(0, 6)).toString('hex')
}
