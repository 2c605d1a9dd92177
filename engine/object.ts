/**
 * Git objects as bytes: the type numbers of pack entries and a cursor over the entries of a tree
 * (git's pack-format and "Git Objects" documents). Trees are read leniently, because real histories store zero-padded
 * modes and unsorted entries; only what cannot be split into entries at all is refused.
 * Of a commit only what the graph is made of is read: tree and parents. Not here: everything else in commits, and tags.
 */

import { EngineError } from './errors.ts'
import { type ObjectFormat, type Oid, parseOid } from './oid.ts'

export const COMMIT = 1
export const TREE = 2
export const BLOB = 3
export const TAG = 4
export type ObjectType = typeof COMMIT | typeof TREE | typeof BLOB | typeof TAG

const SPACE = 0x20
/** Longer modes keep their low bits, as git's do. */
const MODE_MASK = 0o777777
const NEWLINE = 0x0a
const MODE_TYPE_MASK = 0o170000
const MODE_TREE = 0o040000
const MODE_GITLINK = 0o160000

/** Kinds of tree entries that matter here: what is behind the name. A gitlink is no object of ours. */
export const ENTRY_BLOB = 0
export const ENTRY_TREE = 1
export const ENTRY_GITLINK = 2

/**
 * Walks the entries of one tree in stored order. Fields describe the current entry and are valid after a `next()` that
 * returned true: `nameStart`..`nameEnd` (the NUL), `oidStart`, `kind`.
 */
export class TreeCursor {
  readonly bytes: Uint8Array
  readonly hashLength: number
  nameStart = 0
  nameEnd = 0
  oidStart = 0
  kind = ENTRY_BLOB
  #end = 0

  constructor(bytes: Uint8Array, hashLength: number) {
    this.bytes = bytes
    this.hashLength = hashLength
  }

  /** Makes the entry at `offset` the next one. */
  seek(offset: number): void {
    this.#end = offset
  }

  /** Steps to the next entry; false at the end. @throws object-malformed */
  next(): boolean {
    const { bytes } = this
    let at = this.#end
    if (at >= bytes.length) return false
    let mode = 0
    for (let byte = bytes[at] ?? SPACE; byte !== SPACE; byte = bytes[++at] ?? -1) {
      if (byte < 0x30 || byte > 0x37) throw malformed('an octal mode', at)
      mode = ((mode << 3) | (byte - 0x30)) & MODE_MASK
    }
    this.nameStart = at + 1
    const end = bytes.indexOf(0, at + 1)
    if (end < 0 || end + 1 + this.hashLength > bytes.length) throw malformed('a name and an object name', at)
    this.nameEnd = end
    this.oidStart = end + 1
    this.#end = end + 1 + this.hashLength
    const type = mode & MODE_TYPE_MASK
    this.kind = type === MODE_TREE ? ENTRY_TREE : type === MODE_GITLINK ? ENTRY_GITLINK : ENTRY_BLOB
    return true
  }
}

/**
 * Order of two current entries as git sorts trees: names bytewise, a directory as if its name ended in a slash.
 * Zero only when names are equal and both or neither are directories.
 */
export function compareEntries(a: TreeCursor, b: TreeCursor): number {
  const lengthA = a.nameEnd - a.nameStart
  const lengthB = b.nameEnd - b.nameStart
  const common = Math.min(lengthA, lengthB)
  for (let i = 0; i < common; i++) {
    const difference = (a.bytes[a.nameStart + i] ?? 0) - (b.bytes[b.nameStart + i] ?? 0)
    if (difference !== 0) return difference
  }
  return byteAfterName(a, common, lengthA) - byteAfterName(b, common, lengthB)
}

/** True when both current entries carry the same object name. */
export function sameEntryOid(a: TreeCursor, b: TreeCursor): boolean {
  for (let i = 0; i < a.hashLength; i++) if (a.bytes[a.oidStart + i] !== b.bytes[b.oidStart + i]) return false
  return true
}

function byteAfterName(cursor: TreeCursor, at: number, length: number): number {
  if (at < length) return cursor.bytes[cursor.nameStart + at] ?? 0
  return cursor.kind === ENTRY_TREE ? 0x2f : 0
}

function malformed(expected: string, offset: number): EngineError {
  return new EngineError('object-malformed', `tree: expected ${expected} at byte ${offset}, got something else`, {
    offset,
  })
}

/** The type with this number. @throws object-type */
export function parseObjectType(number: number): ObjectType {
  if (number === COMMIT || number === TREE || number === BLOB || number === TAG) return number
  throw new EngineError('object-type', `object type: expected 1 to 4, got ${number}`, { number })
}

/** What the graph needs of a commit. */
export interface CommitLinks {
  readonly tree: Oid
  /** In stored order. */
  readonly parents: readonly Oid[]
}

/**
 * Tree and parents of a commit: its first line, and the `parent` lines right after it.
 * @param bytes content of a commit object, without git's header; only read
 * @throws EngineError 'object-malformed', 'oid-malformed'
 */
export function parseCommit(bytes: Uint8Array, format: ObjectFormat): CommitLinks {
  let at = 0
  const lineAfter = (word: string): string | null => {
    for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return null
    const end = bytes.indexOf(NEWLINE, at)
    if (end < 0) return null
    const text = String.fromCharCode(...bytes.subarray(at + word.length, Math.min(end, at + word.length + 80)))
    at = end + 1
    return text
  }
  const tree = lineAfter('tree ')
  if (tree === null) throw new EngineError('object-malformed', 'commit: expected a tree on its first line, got none')
  const parents: Oid[] = []
  for (let parent = lineAfter('parent '); parent !== null; parent = lineAfter('parent ')) {
    parents.push(parseOid(parent, format))
  }
  return { tree: parseOid(tree, format), parents }
}
