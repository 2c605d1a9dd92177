/**
 * What a commit's tree brings against the trees of its parents (FORMAT.md, "Version graph"): every path whose object
 * differs from that of all parents, with the parents' objects at the same path. Breadth first, so that all trees of
 * one level of many commits are read in one request. A pure function of the trees; which objects are new to a history
 * is decided later, from the names.
 */

import {
  BLOB,
  compareEntries,
  ENTRY_GITLINK,
  ENTRY_TREE,
  type ObjectType,
  sameEntryOid,
  TREE,
  TreeCursor,
} from './object.ts'
import { oidFromBytes } from './oid.ts'

/**
 * Reads objects of one type by name, in the order asked; the arrays stay untouched by the reader.
 * @throws object-missing, object-malformed when an object is of another type
 */
export type ReadObjects = (oids: readonly string[], type: ObjectType) => Promise<Uint8Array[]>

/** One pair of trees to compare: `olds` are the parents' root trees, empty for a root commit. */
export interface TreePair {
  readonly tree: string
  readonly olds: readonly string[]
}

/** A path that differs: `name` is the name key, `olds` the objects of the same kind at that path in the parents. */
export interface Change {
  readonly type: typeof TREE | typeof BLOB
  readonly name: number
  readonly oid: string
  readonly olds: readonly string[]
}

interface Step {
  readonly pair: number
  readonly tree: string
  readonly olds: readonly string[]
}

/**
 * Changes of each pair, in the order of the pairs; inside a pair level by level, in stored order of the entries.
 * The root tree itself is not among them.
 */
export async function diffTrees(
  pairs: readonly TreePair[],
  hashLength: number,
  read: ReadObjects,
): Promise<Change[][]> {
  const changes: Change[][] = pairs.map(() => [])
  const queued = new Set<string>()
  let steps: Step[] = pairs.map(({ tree, olds }, pair) => ({ pair, tree, olds: olds.filter((old) => old !== tree) }))
  steps = steps.filter((step) => step.olds.length === (pairs[step.pair]?.olds.length ?? 0))
  while (steps.length > 0) {
    const wanted = new Set<string>()
    for (const step of steps) {
      wanted.add(step.tree)
      for (const old of step.olds) wanted.add(old)
    }
    const oids = [...wanted]
    const trees = new Map<string, Uint8Array>()
    const contents = await read(oids, TREE)
    oids.forEach((oid, index) => {
      const bytes = contents[index]
      if (bytes !== undefined) trees.set(oid, bytes)
    })
    const next: Step[] = []
    for (const step of steps) compareStep(step, trees, hashLength, changes[step.pair] ?? [], next)
    steps = next.filter((step) => addNew(queued, `${step.pair} ${step.tree} ${step.olds.join(' ')}`))
  }
  return changes
}

/** A pair of trees that is met again in one walk brings nothing new; a tree full of equal subtrees would grow for ever. */
function addNew(queued: Set<string>, step: string): boolean {
  const isNew = !queued.has(step)
  queued.add(step)
  return isNew
}

function compareStep(
  step: Step,
  trees: ReadonlyMap<string, Uint8Array>,
  hashLength: number,
  changes: Change[],
  next: Step[],
): void {
  const cursor = new TreeCursor(trees.get(step.tree) ?? new Uint8Array(0), hashLength)
  const olds = step.olds.map((old) => new OldTree(trees.get(old) ?? new Uint8Array(0), hashLength))
  while (cursor.next()) {
    if (cursor.kind === ENTRY_GITLINK) continue
    const type = cursor.kind === ENTRY_TREE ? TREE : BLOB
    const counterparts: string[] = []
    let differs = true
    for (const old of olds) {
      const match = old.seek(cursor)
      // A gitlink with the name of a blob is not that blob: the parent does not reach it.
      if (match === null || match.kind !== cursor.kind) continue
      if (sameEntryOid(cursor, match)) differs = false
      else counterparts.push(oidFromBytes(match.bytes, match.oidStart, hashLength))
    }
    if (!differs) continue
    const oid = oidFromBytes(cursor.bytes, cursor.oidStart, hashLength)
    changes.push({ type, name: nameKey(type, cursor.bytes, cursor.nameStart, cursor.nameEnd), oid, olds: counterparts })
    if (type === TREE) next.push({ pair: step.pair, tree: oid, olds: counterparts })
  }
}

/** A cursor over a parent's tree that follows the order of the tree it is compared with. */
class OldTree {
  readonly #cursor: TreeCursor
  #open: boolean

  constructor(bytes: Uint8Array, hashLength: number) {
    this.#cursor = new TreeCursor(bytes, hashLength)
    this.#open = this.#cursor.next()
  }

  /** The entry with the same name and kind of directory-ness as `entry`, or null. Never steps back. */
  seek(entry: TreeCursor): TreeCursor | null {
    while (this.#open) {
      const order = compareEntries(this.#cursor, entry)
      if (order === 0) return this.#cursor
      if (order > 0) return null
      this.#open = this.#cursor.next()
    }
    return null
  }
}

/** Name key: 32-bit FNV-1a over the type number and the bytes of the base name (FORMAT.md, "Names and shards"). */
export function nameKey(type: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = Math.imul(0x811c9dc5 ^ type, 0x01000193)
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  return hash >>> 0
}
