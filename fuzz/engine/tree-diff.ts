/**
 * Fuzz target of the tree difference: the bytes hold three trees behind a length each, the first against the other two.
 * Subtrees are found by the first byte of their name, a few levels deep. Only EngineError may come out; what a change
 * names stands in the trees.
 */

import { AssertionError, EngineError } from '../../engine/errors.ts'
import { diffTrees } from '../../engine/tree-diff.ts'

const HASH_LENGTH = 20
const READ_COUNT_MAX = 8

export async function fuzz(bytes: Uint8Array): Promise<void> {
  const trees: Uint8Array[] = []
  let at = 0
  for (let index = 0; index < 3; index++) {
    const end = at + 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0)
    trees.push(bytes.subarray(at + 2, end))
    at = end
  }
  const nameOf = (index: number): string => String(index).padStart(2, '0').repeat(HASH_LENGTH)
  let left = READ_COUNT_MAX
  const read = async (oids: readonly string[]): Promise<Uint8Array[]> => {
    left--
    return oids.map((oid) =>
      left < 0 ? new Uint8Array(0) : (trees[Number.parseInt(oid.slice(0, 2), 16) % 3] ?? bytes),
    )
  }
  try {
    const [changes = []] = await diffTrees([{ tree: nameOf(0), olds: [nameOf(1), nameOf(2)] }], HASH_LENGTH, read)
    for (const { oid, olds } of changes) {
      if (oid.length !== 2 * HASH_LENGTH || olds.length > 2 || olds.includes(oid))
        throw new AssertionError('a change that is none')
    }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const entry = (mode: string, name: string, oid: number): Buffer =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.alloc(HASH_LENGTH, oid)])
  const treeOf = (first: number): Buffer => {
    const tree = Buffer.concat([entry('100644', 'a', first), entry('40000', 'b', first + 1), entry('160000', 'c', 7)])
    return Buffer.concat([Buffer.of(tree.length & 255, tree.length >> 8), tree])
  }
  return [Buffer.concat([treeOf(3), treeOf(4), treeOf(5)]), Buffer.concat([treeOf(3), treeOf(3), treeOf(6)])]
}

export const dictionary = ['40000 ', '100644 ', '160000 ', '\0', 'a\0', 'b\0']
