/**
 * Fuzz target of the bundle header. The bytes are a payload; only EngineError may come out. What parses must be exactly
 * what the writer writes for the same ends: one link has one header.
 */

import { encodeBundleHeader, parseBundleHeader } from '../../engine/bundle.ts'
import { AssertionError, EngineError } from '../../engine/errors.ts'

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
