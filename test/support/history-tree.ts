/**
 * The file tree of a random history: what a change does to it, and how it becomes tree objects.
 * Paths and contents are strings of bytes (one char code per byte), so that names need not be UTF-8 and order is byte order.
 * Every change fits every tree: what it picks is taken modulo what is there, so that descriptions shrink freely.
 */

import type { ObjectWriter } from './object-writer.ts'
import { type NumberSource, randomNumbers } from './random-numbers.ts'

/** A leaf of the tree: a file, symbolic link, submodule entry, or an empty directory. */
export interface Leaf {
  /** As in a tree object, without padding. */
  readonly mode: string
  /** The content; of a submodule entry the commit's oid, of an empty directory nothing. */
  readonly content: string
}

/** Path to leaf. Never contains both a path and something below it. Treated as immutable. */
export type FileTree = ReadonlyMap<string, Leaf>

/** One change of a tree. Numbers are picks: any natural number is valid. */
export type Change =
  | { readonly kind: 'write'; readonly path: number; readonly lineCount: number; readonly seed: number }
  | { readonly kind: 'write-binary'; readonly path: number; readonly length: number; readonly seed: number }
  | { readonly kind: 'append-to-hot-file'; readonly seed: number }
  | {
      readonly kind: 'edit'
      readonly file: number
      readonly line: number
      readonly removedCount: number
      readonly addedCount: number
      readonly seed: number
    }
  | { readonly kind: 'delete'; readonly file: number }
  | { readonly kind: 'delete-directory'; readonly file: number }
  | { readonly kind: 'rename'; readonly file: number; readonly path: number }
  | { readonly kind: 'rename-directory'; readonly file: number; readonly path: number }
  | { readonly kind: 'copy'; readonly file: number; readonly path: number }
  | { readonly kind: 'set-mode'; readonly file: number; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: number; readonly target: number }
  | { readonly kind: 'submodule'; readonly path: number; readonly seed: number }
  | { readonly kind: 'empty-directory'; readonly path: number }
  | { readonly kind: 'restore-file'; readonly commit: number; readonly file: number }
  | { readonly kind: 'restore-all'; readonly commit: number }

/** What changes may use of their surroundings. */
export interface ChangeContext {
  readonly paths: readonly string[]
  readonly fileModes: readonly string[]
  /** The trees of all earlier commits, to restore from. */
  readonly earlier: readonly FileTree[]
  /** Hex digits of an oid. */
  readonly oidLength: number
}

export const EMPTY_DIRECTORY_MODE = '40000'
const SYMLINK_MODE = '120000'
const SUBMODULE_MODE = '160000'
const HOT_PATH = 'log/hot.txt'
const WORDS = ['tree', 'return', 'if', 'value', 'const', 'the', 'of', 'count', '=', '{', '}', '(', ')', '+', '\t', '0']

/** Returns `tree` after `change`. What does not apply, such as an edit of an empty tree, changes nothing. */
export function changeTree(tree: FileTree, change: Change, context: ChangeContext): FileTree {
  switch (change.kind) {
    case 'write':
      return withLeaf(tree, pathAt(context, change.path), file(text(change.seed, change.lineCount)))
    case 'write-binary':
      return withLeaf(tree, pathAt(context, change.path), file(binary(change.seed, change.length)))
    case 'append-to-hot-file':
      return withLeaf(tree, HOT_PATH, file((tree.get(HOT_PATH)?.content ?? '') + text(change.seed, 1)))
    case 'symlink':
      return withLeaf(tree, pathAt(context, change.path), {
        mode: SYMLINK_MODE,
        content: pathAt(context, change.target),
      })
    case 'submodule':
      return withLeaf(tree, pathAt(context, change.path), submodule(change.seed, context.oidLength))
    case 'empty-directory':
      return withLeaf(tree, pathAt(context, change.path), { mode: EMPTY_DIRECTORY_MODE, content: '' })
    case 'restore-all':
      return picked(context.earlier, change.commit) ?? tree
    case 'restore-file':
      return restoreFile(tree, picked(context.earlier, change.commit), change.file)
    default:
      return changeLeaf(tree, change, context)
  }
}

type ChangeOfLeaf = Extract<
  Change,
  { kind: 'edit' | 'delete' | 'delete-directory' | 'rename' | 'rename-directory' | 'copy' | 'set-mode' }
>

function changeLeaf(tree: FileTree, change: ChangeOfLeaf, context: ChangeContext): FileTree {
  const found = picked([...tree], change.file)
  if (found === undefined) return tree
  const [path, leaf] = found
  switch (change.kind) {
    case 'edit':
      return isText(leaf) ? withLeaf(tree, path, { mode: leaf.mode, content: edited(leaf.content, change) }) : tree
    case 'delete':
      return without(tree, path)
    case 'delete-directory':
      return without(tree, directoryOf(path))
    case 'rename':
      return withLeaf(without(tree, path), pathAt(context, change.path), leaf)
    case 'rename-directory':
      return moved(tree, directoryOf(path), pathAt(context, change.path))
    case 'copy':
      return withLeaf(tree, pathAt(context, change.path), leaf)
    case 'set-mode':
      return isText(leaf)
        ? withLeaf(tree, path, { mode: picked(context.fileModes, change.mode) ?? leaf.mode, content: leaf.content })
        : tree
  }
}

/** Writes the tree objects and blobs of `tree`, and returns the root's oid. `zeroPadded` writes 040000, as tools of 2009 did. */
export function writeFileTree(writer: ObjectWriter, tree: FileTree, zeroPadded: boolean): string {
  const children = new Map<string, Map<string, Leaf>>()
  const entries: TreeEntry[] = []
  for (const [path, leaf] of tree) {
    const slash = path.indexOf('/')
    if (slash < 0) {
      entries.push(leafEntry(writer, path, leaf, zeroPadded))
    } else {
      const name = path.slice(0, slash)
      const child = children.get(name) ?? new Map<string, Leaf>()
      children.set(name, child.set(path.slice(slash + 1), leaf))
    }
  }
  for (const [name, child] of children) {
    entries.push({ name, mode: directoryMode(zeroPadded), oid: writeFileTree(writer, child, zeroPadded) })
  }
  return writer.write('tree', treeBytes(entries))
}

interface TreeEntry {
  readonly name: string
  readonly mode: string
  readonly oid: string
}

function leafEntry(writer: ObjectWriter, name: string, leaf: Leaf, zeroPadded: boolean): TreeEntry {
  if (leaf.mode === SUBMODULE_MODE) return { name, mode: leaf.mode, oid: leaf.content }
  if (leaf.mode === EMPTY_DIRECTORY_MODE) {
    return { name, mode: directoryMode(zeroPadded), oid: writer.write('tree', new Uint8Array()) }
  }
  return { name, mode: leaf.mode, oid: writer.write('blob', Buffer.from(leaf.content, 'latin1')) }
}

function treeBytes(entries: readonly TreeEntry[]): Uint8Array {
  // git sorts a directory as if its name ended in a slash.
  const sortKey = (entry: TreeEntry): string => (entry.mode.endsWith('40000') ? `${entry.name}/` : entry.name)
  const sorted = [...entries].sort((left, right) => (sortKey(left) < sortKey(right) ? -1 : 1))
  const parts = sorted.map(({ mode, name, oid }) => [
    Buffer.from(`${mode} ${name}\0`, 'latin1'),
    Buffer.from(oid, 'hex'),
  ])
  return Buffer.concat(parts.flat())
}

function directoryMode(zeroPadded: boolean): string {
  return zeroPadded ? '040000' : '40000'
}

function withLeaf(tree: FileTree, path: string, leaf: Leaf): FileTree {
  const inTheWay = [...tree.keys()].filter((other) => path.startsWith(`${other}/`))
  const cleared = new Map(without(tree, path))
  for (const other of inTheWay) cleared.delete(other)
  return cleared.set(path, leaf)
}

/** Without the leaf at `path` and everything below it. */
function without(tree: FileTree, path: string): FileTree {
  return new Map([...tree].filter(([other]) => other !== path && !other.startsWith(`${path}/`)))
}

function moved(tree: FileTree, from: string, to: string): FileTree {
  const leaves = [...tree].filter(([path]) => path.startsWith(`${from}/`))
  return leaves.reduce(
    (result, [path, leaf]) => withLeaf(result, to + path.slice(from.length), leaf),
    without(tree, from),
  )
}

function restoreFile(tree: FileTree, source: FileTree | undefined, pick: number): FileTree {
  const found = source === undefined ? undefined : picked([...source], pick)
  return found === undefined ? tree : withLeaf(tree, found[0], found[1])
}

/** The top directory on the way to `path`; `path` itself when it lies in none. */
function directoryOf(path: string): string {
  return path.split('/', 1)[0] ?? path
}

function pathAt(context: ChangeContext, pick: number): string {
  return picked(context.paths, pick) ?? 'file'
}

/** Returns the member that a natural number picks, undefined only of an empty list. */
export function picked<Member>(members: readonly Member[], pick: number): Member | undefined {
  return members[pick % members.length]
}

function file(content: string): Leaf {
  return { mode: '100644', content }
}

function isText(leaf: Leaf): boolean {
  return leaf.mode.startsWith('100')
}

function submodule(seed: number, oidLength: number): Leaf {
  const next = randomNumbers(seed)
  return { mode: SUBMODULE_MODE, content: Array.from({ length: oidLength }, () => next(16).toString(16)).join('') }
}

function edited(
  content: string,
  change: { line: number; removedCount: number; addedCount: number; seed: number },
): string {
  const lines = content.split('\n')
  lines.splice(change.line % lines.length, change.removedCount, ...textLines(change.seed, change.addedCount))
  return lines.join('\n')
}

function text(seed: number, lineCount: number): string {
  return textLines(seed, lineCount)
    .map((line) => `${line}\n`)
    .join('')
}

function textLines(seed: number, lineCount: number): string[] {
  const next = randomNumbers(seed)
  return Array.from({ length: lineCount }, () => textLine(next))
}

function textLine(next: NumberSource): string {
  return Array.from({ length: 1 + next(9) }, () => picked(WORDS, next(WORDS.length))).join(' ') + next(1000)
}

function binary(seed: number, length: number): string {
  const next = randomNumbers(seed)
  return Buffer.from(Array.from({ length }, () => next(256))).toString('latin1')
}
