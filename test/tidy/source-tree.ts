/**
 * The sources as the tidy rules see them: syntax trees from the compiler itself, imports resolved to paths.
 * A tree is read from the working directory, or made of a few lines for the tests of the rules.
 * The compiler's API is called unstable by its makers; its version is pinned, and this is the only file that opens it.
 */

import { readdirSync } from 'node:fs'
import { join, posix } from 'node:path'
import {
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isStringLiteral,
  type Node,
  SyntaxKind,
  type SourceFile as SyntaxTree,
} from 'typescript/unstable/ast'
import { createVirtualFileSystem, type FileSystem } from 'typescript/unstable/fs'
import { API } from 'typescript/unstable/sync'

export const PRODUCT_ROOMS = ['engine', 'net', 'helper'] as const
export const ROOMS = [...PRODUCT_ROOMS, 'bench', 'fuzz', 'test'] as const

export type Room = (typeof ROOMS)[number]

/** One import, export-from, dynamic import or import type. */
export interface ImportOfFile {
  readonly specifier: string
  /** Path from the top of the tree; null for a package. */
  readonly target: string | null
  readonly line: number
  readonly node: Node
}

export interface SourceFile {
  /** Path from the top of the tree, with slashes. */
  readonly path: string
  readonly room: Room
  readonly text: string
  readonly lines: readonly string[]
  readonly syntax: SyntaxTree
  readonly imports: readonly ImportOfFile[]
}

/** What a rule finds wrong: `path:line what, and what to do`. */
export type Complaint = string

/** Looks at all files and returns complaints, none when they are tidy. */
export type Rule = (files: readonly SourceFile[]) => Complaint[]

/** Returns every .ts file of the six rooms under `root`, sorted by path. */
export function readSourceTree(root: string): SourceFile[] {
  const projects = ROOMS.map((room) => join(root, room, 'tsconfig.json'))
  const paths = ROOMS.flatMap((room) => sourcesOfRoom(root, room))
  return parse({ cwd: root }, projects, root, paths)
}

/** Returns a made-up tree: paths, which begin with a room, to texts. */
export function sourceTreeOf(texts: Readonly<Record<string, string>>): SourceFile[] {
  const root = '/tree'
  const paths = Object.keys(texts).sort()
  const project = JSON.stringify({
    compilerOptions: { noLib: true, types: [], allowImportingTsExtensions: true },
    files: paths,
  })
  const files = Object.entries(texts).map(([path, text]) => [posix.join(root, path), text])
  const fs = createVirtualFileSystem({ ...Object.fromEntries(files), [`${root}/tsconfig.json`]: project })
  return parse({ cwd: root, fs }, [`${root}/tsconfig.json`], root, paths)
}

/** Calls `visit` with `node` and everything below it, parents first. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  node.forEachChild((child) => walk(child, visit))
}

/** Returns the 1-based line on which `node` begins, comments before it not counted. */
export function lineOf(syntax: SyntaxTree, node: Node): number {
  return lineAt(syntax.text, node.getStart(syntax))
}

/** Returns the complaint that `node` of `file` gives rise to. */
export function complain(file: SourceFile, node: Node, what: string): Complaint {
  return `${file.path}:${lineOf(file.syntax, node)} ${what}`
}

export function isProduct(file: SourceFile): boolean {
  return PRODUCT_ROOMS.some((room) => room === file.room)
}

function parse(
  options: { readonly cwd: string; readonly fs?: FileSystem },
  openProjects: string[],
  root: string,
  paths: readonly string[],
): SourceFile[] {
  const api = new API(options)
  try {
    const projects = api.updateSnapshot({ openProjects }).getProjects()
    return paths.map((path) => {
      const found = projects.map((project) => project.program.getSourceFile(posix.join(root, path)))
      const syntax = found.find((tree) => tree !== undefined)
      if (syntax === undefined) throw new Error(`${path}: expected it in a project of the compiler, got no syntax tree`)
      return sourceFile(path, syntax)
    })
  } finally {
    api.close()
  }
}

function sourcesOfRoom(root: string, room: Room): string[] {
  const names = readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
    .map((name) => posix.join(room, name))
    .sort()
}

function sourceFile(path: string, syntax: SyntaxTree): SourceFile {
  const room = ROOMS.find((name) => path.startsWith(`${name}/`))
  if (room === undefined) throw new Error(`${path}: expected a path in a room, got another`)
  const imports: ImportOfFile[] = []
  walk(syntax, (node) => {
    const specifier = specifierOf(node)
    if (specifier === null) return
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : null
    imports.push({ specifier, target, line: lineOf(syntax, node), node })
  })
  return { path, room, text: syntax.text, lines: syntax.text.split('\n'), syntax, imports }
}

function specifierOf(node: Node): string | null {
  if (isImportDeclaration(node) || isExportDeclaration(node)) return literalOf(node.moduleSpecifier)
  if (isImportTypeNode(node)) return isLiteralTypeNode(node.argument) ? literalOf(node.argument.literal) : null
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) return literalOf(node.arguments[0])
  return null
}

function literalOf(node: Node | undefined): string | null {
  return node !== undefined && isStringLiteral(node) ? node.text : null
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}
