/**
 * The bundle header of a link: the bytes before the pack. Implements gitformat-bundle(5), version 2 for SHA-1 and
 * version 3 with `@object-format` for SHA-256, in the one form that `gt1` allows (FORMAT.md, "Bundle header").
 * Left out: every other bundle. The parser is no reader of bundles in general; it accepts what the writer writes.
 * Surprise: a prerequisite line ends in a space, because the grammar wants one before a comment even when the comment is
 * empty, and readers exist that insist on it.
 */

import { assert, EngineError } from './errors.ts'
import { hashLengthOf, type ObjectFormat, type Oid, parseOid } from './oid.ts'

/** What the header of a link says. */
export interface BundleHeader {
  readonly objectFormat: ObjectFormat
  /** The checkpoint at the younger end. */
  readonly tip: Oid
  /** The checkpoint at the older end; null for the link that ends at the roots. */
  readonly base: Oid | null
}

/** One pattern per object format, which the header fills from its first byte to the empty line. */
const PATTERNS: readonly (readonly [ObjectFormat, RegExp])[] = [
  ['sha1', patternOf('sha1')],
  ['sha256', patternOf('sha256')],
]

/** Longest header of any object format, in bytes. */
const HEADER_LENGTH_MAX = 512

/**
 * Writes the header.
 * @returns its bytes; the pack follows at once
 */
export function encodeBundleHeader(header: BundleHeader): Uint8Array {
  const { objectFormat, tip, base } = header
  assert(tip !== base, 'a link has two different ends')
  const prerequisite = base === null ? '' : `-${parseOid(base, objectFormat)} \n`
  const reference = `${parseOid(tip, objectFormat)} refs/heads/gittorrent/${tip}\n`
  return new TextEncoder().encode(`${preambleOf(objectFormat)}${prerequisite}${reference}\n`)
}

/**
 * Reads the header at the start of a payload.
 * @param bytes the payload, or its first 512 bytes at least
 * @returns the header and its length in bytes, which is where the pack starts
 * @throws EngineError 'bundle-malformed' on anything that `encodeBundleHeader` would not have written
 */
export function parseBundleHeader(bytes: Uint8Array): BundleHeader & { readonly headerLength: number } {
  // Byte for byte: a text decoder would drop a byte order mark.
  const text = String.fromCharCode(...bytes.subarray(0, HEADER_LENGTH_MAX))
  for (const [objectFormat, pattern] of PATTERNS) {
    const match = pattern.exec(text)
    if (match === null) continue
    const base = match[1] === undefined ? null : parseOid(match[1], objectFormat)
    const tip = parseOid(match[2] ?? '', objectFormat)
    if (tip === base) throw malformed('two different ends', tip)
    return { objectFormat, tip, base, headerLength: match[0].length }
  }
  throw malformed('the header of a link', JSON.stringify(text.slice(0, 64)))
}

function preambleOf(objectFormat: ObjectFormat): string {
  return objectFormat === 'sha1' ? '# v2 git bundle\n' : `# v3 git bundle\n@object-format=${objectFormat}\n`
}

function patternOf(objectFormat: ObjectFormat): RegExp {
  const oid = `([0-9a-f]{${hashLengthOf(objectFormat) * 2}})`
  return new RegExp(`^${preambleOf(objectFormat)}(?:-${oid} \n)?${oid} refs/heads/gittorrent/\\2\n\n`)
}

function malformed(expected: string, got: string): EngineError {
  return new EngineError('bundle-malformed', `cannot read the bundle header: expected ${expected}, got ${got}`)
}
