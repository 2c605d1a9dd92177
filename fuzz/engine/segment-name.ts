/**
 * Fuzz target of segment names, which are file names of the store. Only EngineError may come out; what is understood is
 * written in the same characters.
 */

import { AssertionError, EngineError } from '../../engine/errors.ts'
import { parseSegmentName, segmentNameOf } from '../../engine/segment-name.ts'

export function fuzz(bytes: Uint8Array): void {
  const text = Buffer.from(bytes).toString('latin1')
  for (const format of ['sha1', 'sha256'] as const) {
    try {
      if (segmentNameOf(parseSegmentName(text, format)) !== text) throw new AssertionError('a name with two forms')
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
    }
  }
}

export function seeds(): Uint8Array[] {
  const names = [
    `fine-${'a'.repeat(40)}-root`,
    `coarse-${'a'.repeat(40)}-${'b'.repeat(40)}`,
    `fine-${'a'.repeat(64)}-root`,
  ]
  return names.map((name) => Buffer.from(name))
}

export const dictionary = ['fine-', 'coarse-', '-root', '-', '/', '..', '\n']
export const inputLengthMax = 256
