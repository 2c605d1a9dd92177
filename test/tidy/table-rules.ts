/**
 * Rules about tables that go stale: error codes, limits, and exports that nothing uses.
 * A room declares its codes as a union type named …ErrorCode in errors.ts, and its bounds as constants in limits.ts.
 */

import {
  isClassDeclaration,
  isExportDeclaration,
  isExportSpecifier,
  isFunctionDeclaration,
  isIdentifier,
  isImportDeclaration,
  isImportSpecifier,
  isLiteralTypeNode,
  isNamespaceImport,
  isNewExpression,
  isStringLiteral,
  isTypeAliasDeclaration,
  isUnionTypeNode,
  isVariableStatement,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast'
import { type Complaint, complain, isProduct, PRODUCT_ROOMS, type Rule, type SourceFile, walk } from './source-tree.ts'

interface Declared {
  readonly name: string
  readonly node: Node
}

/** Every declared code is thrown or matched somewhere in its room, and every code that is thrown is declared. */
export const errorCodesAreCurrent: Rule = (files) =>
  PRODUCT_ROOMS.flatMap((room) => {
    const table = files.find(({ path }) => path === `${room}/errors.ts`)
    if (table === undefined) return []
    const declared = declaredCodes(table)
    if (declared.length === 0) return [`${table.path}:1 declares no codes, expected a union type named …ErrorCode`]
    const others = files.filter((file) => file.room === room && file !== table)
    const used = new Set(others.flatMap(stringsOf))
    const stale = declared.filter(({ name }) => !used.has(name))
    const names = new Set(declared.map(({ name }) => name))
    return [
      ...stale.map(({ name, node }) => complain(table, node, `nothing uses the code '${name}'`)),
      ...others.flatMap((file) => undeclaredCodes(file, errorClassOf(table), names)),
    ]
  })

function declaredCodes(table: SourceFile): Declared[] {
  const codes: Declared[] = []
  walk(table.syntax, (node) => {
    if (!isTypeAliasDeclaration(node) || !node.name.text.endsWith('ErrorCode')) return
    const members = isUnionTypeNode(node.type) ? [...node.type.types] : [node.type]
    for (const member of members) {
      if (isLiteralTypeNode(member) && isStringLiteral(member.literal))
        codes.push({ name: member.literal.text, node: member })
    }
  })
  return codes
}

function errorClassOf(table: SourceFile): string {
  const [, name] = /class (\w+Error) extends Error/.exec(table.text) ?? []
  return name ?? ''
}

function undeclaredCodes(file: SourceFile, errorClass: string, declared: ReadonlySet<string>): Complaint[] {
  const complaints: Complaint[] = []
  walk(file.syntax, (node) => {
    if (!isNewExpression(node) || !isIdentifier(node.expression) || node.expression.text !== errorClass) return
    const [code] = node.arguments ?? []
    if (code === undefined || !isStringLiteral(code) || declared.has(code.text)) return
    complaints.push(complain(file, code, `the code '${code.text}' is not declared in errors.ts`))
  })
  return complaints
}

/** Every limit is named in UPPER_SNAKE, says its unit and reason in a comment, and is used outside limits.ts. */
export const limitsAreCurrent: Rule = (files) =>
  files
    .filter((file) => isProduct(file) && file.path.endsWith('/limits.ts'))
    .flatMap((table) => {
      const elsewhere = files.filter((file) => isProduct(file) && file !== table).flatMap(identifiersOf)
      const own = identifiersOf(table)
      // One limit may exist to derive another.
      const used = new Set([...elsewhere, ...own.filter((name, index) => own.indexOf(name) !== index)])
      return exportsOf(table).flatMap(({ name, node }) => {
        // Lines without a gap share the comment above them.
        const isBare = /^(\s*\n\s*\n|(?!\s))\s*export/.test(node.getFullText(table.syntax))
        return [
          ...(/^[A-Z][A-Z0-9_]*$/.test(name) ? [] : [complain(table, node, `${name} is not UPPER_SNAKE`)]),
          ...(isBare ? [complain(table, node, `${name} has no comment with its unit and reason`)] : []),
          ...(used.has(name) ? [] : [complain(table, node, `nothing uses ${name}`)]),
        ]
      })
    })

/** Every exported value of a product room is used by somebody: its own file, another, or a test. */
export const exportsAreUsed: Rule = (files) => {
  const imported = new Set(files.flatMap(importedNames))
  return files
    .filter((file) => isProduct(file) && !isEntry(file))
    .flatMap((file) => {
      const own = identifiersOf(file)
      return exportsOf(file)
        .filter(({ name }) => own.indexOf(name) === own.lastIndexOf(name))
        .filter(({ name }) => !imported.has(`${file.path} ${name}`) && !imported.has(`${file.path} *`))
        .map(({ name, node }) => complain(file, node, `nothing uses ${name}`))
    })
}

/** Files that something else than an import starts. */
function isEntry({ path }: SourceFile): boolean {
  return path.endsWith('.d.ts') || path.endsWith('/index.ts') || path.includes('/bin/') || path.includes('worker')
}

function exportsOf(file: SourceFile): Declared[] {
  const found: Declared[] = []
  file.syntax.forEachChild((node) => {
    if (!isExported(node)) return
    if (isVariableStatement(node)) {
      for (const { name } of node.declarationList.declarations)
        if (isIdentifier(name)) found.push({ name: name.text, node })
    } else if ((isFunctionDeclaration(node) || isClassDeclaration(node)) && node.name !== undefined) {
      found.push({ name: node.name.text, node })
    }
  })
  return found
}

function isExported(node: Node): boolean {
  const modifiers: unknown = 'modifiers' in node ? node.modifiers : undefined
  if (!Array.isArray(modifiers)) return false
  return modifiers.some((modifier: Node) => modifier.kind === SyntaxKind.ExportKeyword)
}

/** Returns `path name` of everything that the file imports or hands on; `path *` where it takes everything. */
function importedNames(file: SourceFile): string[] {
  return file.imports.flatMap(({ target, node }) => {
    if (target === null) return []
    const names: string[] = []
    walk(node, (inner) => {
      if (isNamespaceImport(inner)) names.push('*')
      if (isImportSpecifier(inner) || isExportSpecifier(inner)) names.push((inner.propertyName ?? inner.name).text)
    })
    const takesAll = !isImportDeclaration(node) && !(isExportDeclaration(node) && node.exportClause !== undefined)
    return [...names, ...(takesAll ? ['*'] : [])].map((name) => `${target} ${name}`)
  })
}

function stringsOf(file: SourceFile): string[] {
  const strings: string[] = []
  walk(file.syntax, (node) => {
    if (isStringLiteral(node)) strings.push(node.text)
  })
  return strings
}

function identifiersOf(file: SourceFile): string[] {
  const names: string[] = []
  walk(file.syntax, (node) => {
    if (isIdentifier(node)) names.push(node.text)
  })
  return names
}

export const TABLE_RULES: Readonly<Record<string, Rule>> = {
  'error codes are declared and used': errorCodesAreCurrent,
  'limits are explained and used': limitsAreCurrent,
  'exported values are used': exportsAreUsed,
}
