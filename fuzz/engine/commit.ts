/**
 * Fuzz target of the reading of commits. The first byte chooses the object format. Only EngineError may come out; what was
 * understood stands at the start of the bytes, and nothing that looks like a parent follows it.
 */

import { AssertionError, EngineError } from '../../engine/errors.ts'
import { parseCommit } from '../../engine/object.ts'

export function fuzz(bytes: Uint8Array): void {
  const commit = bytes.subarray(1)
  try {
    const { tree, parents } = parseCommit(commit, (bytes[0] ?? 0) & 1 ? 'sha256' : 'sha1')
    const header = [`tree ${tree}\n`, ...parents.map((parent) => `parent ${parent}\n`)].join('')
    const text = Buffer.from(commit).toString('latin1')
    if (!text.startsWith(header)) throw new AssertionError('a header that is not there')
    if (/^parent .*\n/.test(text.slice(header.length))) throw new AssertionError('a parent that was left out')
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  return [40, 64].map((digits, choice) => {
    const [tree, parent] = ['a'.repeat(digits), 'b'.repeat(digits)]
    const people = 'author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nparent x\n'
    return Buffer.concat([Buffer.of(choice), Buffer.from(`tree ${tree}\nparent ${parent}\nparent ${tree}\n${people}`)])
  })
}

export const dictionary = ['tree ', 'parent ', '\n', 'a'.repeat(40), 'author ', '\r\n', '\0']
export const inputLengthMax = 512
