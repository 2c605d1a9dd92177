/**
 * Fuzz target of the tree cursor. The first byte chooses the object format, the rest is a tree. Only EngineError may come
 * out; entries tile the tree without a gap, and their order is antisymmetric.
 */

import { AssertionError, EngineError } from '../../engine/errors.ts'
import { compareEntries, TreeCursor } from '../../engine/object.ts'

export function fuzz(bytes: Uint8Array): void {
  const tree = bytes.subarray(1)
  const hashLength = (bytes[0] ?? 0) & 1 ? 32 : 20
  try {
    const cursor = new TreeCursor(tree, hashLength)
    const behind = new TreeCursor(tree, hashLength)
    let end = 0
    for (let count = 0; cursor.next(); count++) {
      if (cursor.nameStart < end || cursor.nameEnd < cursor.nameStart || cursor.oidStart !== cursor.nameEnd + 1)
        throw new AssertionError('an entry overlaps another')
      end = cursor.oidStart + hashLength
      if (count === 0) continue
      behind.next()
      if (Math.sign(compareEntries(cursor, behind)) !== -Math.sign(compareEntries(behind, cursor)))
        throw new AssertionError('an order that is none')
    }
    if (end !== tree.length) throw new AssertionError('bytes that belong to no entry')
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  return [20, 32].map((hashLength, choice) => {
    const entry = (mode: string, name: string): Buffer =>
      Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.alloc(hashLength, name)])
    const modes = ['100644', '100755', '040000', '40000', '120000', '160000', '0']
    return Buffer.concat([Buffer.of(choice), ...modes.map((mode, index) => entry(mode, `name${index}`))])
  })
}

export const dictionary = ['40000 ', '100644 ', '160000 ', '0', ' \0', '\0']
