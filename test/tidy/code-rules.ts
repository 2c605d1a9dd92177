/**
 * Rules about code: what engine may not call, escapes from the type system, sizes, headers, and manners of tests.
 * Limits of size are ratchets: a file named in RATCHET may keep its length but not grow; the list is empty and should stay so.
 */

import {
  isArrowFunction,
  isCallExpression,
  isConstructorDeclaration,
  isFunctionDeclaration,
  isFunctionExpression,
  isGetAccessorDeclaration,
  isIdentifier,
  isMethodDeclaration,
  isNewExpression,
  isNonNullExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isPropertyDeclaration,
  isSetAccessorDeclaration,
  isVariableDeclaration,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast'
import { type Complaint, complain, isProduct, type Rule, type SourceFile, walk } from './source-tree.ts'

const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70
const PRODUCT_HEADER_LINES_MIN = 3
const OTHER_HEADER_LINES_MIN = 2
const HEADER_LINES_MAX = 12

/** Path, or `path name` of a function, to the number of lines it may keep. */
const RATCHET: ReadonlyMap<string, number> = new Map()

/** Global names that bring in a clock, chance, the environment, or the order in which things happen to finish. */
const BANNED_IN_ENGINE = [
  'Date',
  'Intl',
  'performance',
  'process',
  'Buffer',
  'console',
  'crypto',
  'fetch',
  'globalThis',
  'navigator',
  'require',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'WeakRef',
  'FinalizationRegistry',
]

/** The functions of Math that are exact on integers. */
const EXACT_MATH = ['abs', 'ceil', 'clz32', 'floor', 'imul', 'max', 'min', 'sign', 'trunc']

/** What the engine computes depends on its input alone. */
export const engineIsPure: Rule = (files) =>
  files
    .filter((file) => file.room === 'engine')
    .flatMap((file) =>
      complaintsAbout(file, (node) => {
        if (isIdentifier(node) && BANNED_IN_ENGINE.includes(node.text) && !isName(node))
          return `engine uses ${node.text}`
        return isPropertyAccessExpression(node) ? impureAccess(node.getText(file.syntax), node.parent) : null
      }),
    )

function impureAccess(text: string, parent: Node): string | null {
  const [, math] = /^Math\.(\w+)$/.exec(text) ?? []
  if (math !== undefined && !EXACT_MATH.includes(math)) return `Math.${math} is not exact on integers`
  if (/\.(localeCompare|toLocale\w*)$/.test(text)) return 'the locale decides, compare bytes'
  if (/^Promise\.(race|any)$/.test(text)) return 'the fastest decides, await all'
  const isCall = isCallExpression(parent) && parent.arguments.length === 0
  return isCall && /\.(sort|toSorted)$/.test(text) ? 'sorting needs a comparator' : null
}

/** Whether the identifier only names a property or a declaration. */
function isName(node: Node): boolean {
  const { parent } = node
  if (isPropertyAccessExpression(parent) || isPropertyAssignment(parent)) return parent.name === node
  return 'name' in parent && parent.name === node
}

/** No any, no !, no comment that silences the compiler. */
export const typesAreNotEscaped: Rule = (files) =>
  files.flatMap((file) => [
    ...complaintsAbout(file, (node) => {
      if (node.kind === SyntaxKind.AnyKeyword) return 'any: use unknown and look'
      if (isNonNullExpression(node)) return '!: handle the absence'
      const isDeclaration = isPropertyDeclaration(node) || isVariableDeclaration(node)
      return isDeclaration && hasDefiniteMark(node) ? '!: initialise it' : null
    }),
    ...file.lines.flatMap((line, index) =>
      /(\/\/|\*).*@ts-(ignore|expect-error|nocheck)/.test(line)
        ? [`${file.path}:${index + 1} silences the compiler`]
        : [],
    ),
  ])

function hasDefiniteMark(node: Node): boolean {
  const mark =
    'exclamationToken' in node ? node.exclamationToken : 'postfixToken' in node ? node.postfixToken : undefined
  return typeof mark === 'object' && mark !== null && 'kind' in mark && mark.kind === SyntaxKind.ExclamationToken
}

/** No file past 400 lines. */
export const filesAreShort: Rule = (files) =>
  files.flatMap(({ path, lines }) => {
    const linesMax = RATCHET.get(path) ?? FILE_LINES_MAX
    return lines.length > linesMax + 1 ? [`${path}:1 has ${lines.length - 1} lines, more than ${linesMax}`] : []
  })

/** No function past 70 lines; the callback of a suite is no function. */
export const functionsAreShort: Rule = (files) =>
  files.flatMap((file) =>
    complaintsAbout(file, (node) => {
      if (!isFunction(node) || isSuite(node)) return null
      const lineCount = file.syntax.text.slice(node.getStart(file.syntax), node.getEnd()).split('\n').length
      const linesMax = RATCHET.get(`${file.path} ${functionName(node)}`) ?? FUNCTION_LINES_MAX
      return lineCount > linesMax ? `${functionName(node)} has ${lineCount} lines, more than ${linesMax}` : null
    }),
  )

function isFunction(node: Node): boolean {
  return (
    isFunctionDeclaration(node) ||
    isFunctionExpression(node) ||
    isArrowFunction(node) ||
    isMethodDeclaration(node) ||
    isConstructorDeclaration(node) ||
    isGetAccessorDeclaration(node) ||
    isSetAccessorDeclaration(node)
  )
}

function isSuite({ parent }: Node): boolean {
  return (
    isCallExpression(parent) && isIdentifier(parent.expression) && /^(describe|suite)$/.test(parent.expression.text)
  )
}

function functionName(node: Node): string {
  const named = [node, node.parent].find((candidate) => 'name' in candidate)
  const name = named !== undefined && 'name' in named ? named.name : undefined
  return typeof name === 'object' && name !== null && 'text' in name ? String(name.text) : 'a function'
}

/** A file says first what it is, in 3 to 12 lines; a test its goal and method, in 2 at least. */
export const filesHaveHeaders: Rule = (files) =>
  files
    .filter(({ path }) => !path.endsWith('.d.ts'))
    .flatMap((file) => {
      const length = headerLength(file.lines)
      const lengthMin = isProduct(file) ? PRODUCT_HEADER_LINES_MIN : OTHER_HEADER_LINES_MIN
      const isGood = length >= lengthMin && length <= HEADER_LINES_MAX
      return isGood
        ? []
        : [`${file.path}:1 has a header of ${length} lines, expected ${lengthMin} to ${HEADER_LINES_MAX}`]
    })

function headerLength(lines: readonly string[]): number {
  const rest = lines[0]?.startsWith('#!') === true ? lines.slice(1) : lines
  if (rest[0]?.startsWith('/*') === true) return rest.findIndex((line) => line.includes('*/')) + 1
  const end = rest.findIndex((line) => !line.startsWith('//'))
  return end < 0 ? rest.length : end
}

/** Every test runs, always and alone. */
export const testsAreNotSkipped: Rule = (files) =>
  files.filter(isTest).flatMap((file) =>
    complaintsAbout(file, (node) => {
      const text = isPropertyAccessExpression(node) ? node.getText(file.syntax) : ''
      if (/^(test|it|describe|suite|t|context)\.(skip|only|todo)$/.test(text)) return `${text}: make it run`
      const isOption =
        isPropertyAssignment(node) && isIdentifier(node.name) && /^(skip|only|todo)$/.test(node.name.text)
      return isOption ? 'an option that keeps a test from running' : null
    }),
  )

/** Tests wait for events, not for time. */
export const testsDoNotSleep: Rule = (files) =>
  files
    .filter(isTest)
    .flatMap((file) => [
      ...file.imports
        .filter(({ specifier }) => specifier === 'node:timers/promises')
        .map(({ line }) => `${file.path}:${line} sleeps, wait for the event`),
      ...complaintsAbout(file, (node) => (isSleep(node) ? 'sleeps, wait for the event' : null)),
    ])

/** Whether `node` is `new Promise((resolve) => setTimeout(resolve, …))`, in any spelling. */
function isSleep(node: Node): boolean {
  if (!isNewExpression(node) || !isIdentifier(node.expression) || node.expression.text !== 'Promise') return false
  const [executor] = node.arguments ?? []
  if (executor === undefined || !isArrowFunction(executor)) return false
  const resolve = executor.parameters[0]?.name
  if (resolve === undefined || !isIdentifier(resolve)) return false
  let sleeps = false
  walk(executor, (inner) => {
    if (!isCallExpression(inner) || !isIdentifier(inner.expression) || inner.expression.text !== 'setTimeout') return
    const [callback] = inner.arguments
    sleeps ||= callback !== undefined && isIdentifier(callback) && callback.text === resolve.text
  })
  return sleeps
}

/** What a file opens for all of its tests is closed by until-file-ends.ts, which also does when `before` has failed half way. */
export const testsEndWhatTheyOpen: Rule = (files) =>
  files
    .filter(({ path }) => path.endsWith('.test.ts'))
    .flatMap((file) =>
      complaintsAbout(file, (node) => {
        const isAfter = isCallExpression(node) && isIdentifier(node.expression) && node.expression.text === 'after'
        return isAfter && node.parent.parent.kind === SyntaxKind.SourceFile ? 'after: use untilFileEnds' : null
      }),
    )

function isTest(file: SourceFile): boolean {
  return file.room === 'test' || file.path.endsWith('.test.ts')
}

function complaintsAbout(file: SourceFile, look: (node: Node) => string | null): Complaint[] {
  const complaints: Complaint[] = []
  walk(file.syntax, (node) => {
    const what = look(node)
    if (what !== null) complaints.push(complain(file, node, what))
  })
  return complaints
}

export const CODE_RULES: Readonly<Record<string, Rule>> = {
  'engine calls no clock, chance, environment or locale': engineIsPure,
  'types are not escaped from': typesAreNotEscaped,
  'files have at most 400 lines': filesAreShort,
  'functions have at most 70 lines': functionsAreShort,
  'files open with a header': filesHaveHeaders,
  'tests are not skipped': testsAreNotSkipped,
  'tests do not sleep': testsDoNotSleep,
  'tests end what they open': testsEndWhatTheyOpen,
}
