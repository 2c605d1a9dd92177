/**
 * Fuzz target of the bundle header. The bytes are a payload; only EngineError may come out. What parses must be exactly
 * what the writer writes for the same ends: one link has one header.
 */

import { encodeBundleHeader, parseBundleHeader } from '../../engine/bundle.ts'
import { AssertionError, EngineError } from '../../engine/errors.ts'
import { parseOid } from '../../engine/oid.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const header = parseBundleHeader(bytes)
    const written = encodeBundleHeader(header)
    const isSame = written.length === header.headerLength && written.every((byte, index) => byte === bytes[index])
    if (!isSame) throw new AssertionError('a header parsed that nobody would have written')
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const [tip, base] = ['a'.repeat(40), 'b'.repeat(40)].map((text) => parseOid(text, 'sha1'))
  const [longTip, longBase] = ['a'.repeat(64), 'b'.repeat(64)].map((text) => parseOid(text, 'sha256'))
  if (tip === undefined || base === undefined || longTip === undefined || longBase === undefined) return []
  return [
    encodeBundleHeader({ objectFormat: 'sha1', tip, base }),
    encodeBundleHeader({ objectFormat: 'sha1', tip, base: null }),
    encodeBundleHeader({ objectFormat: 'sha256', tip: longTip, base: longBase }),
    encodeBundleHeader({ objectFormat: 'sha256', tip: longTip, base: null }),
  ]
}

export const dictionary = [
  '# v2 git bundle\n',
  '# v3 git bundle\n',
  '@object-format=',
  'refs/heads/',
  '\n\n',
  '-',
  ' \n',
]
