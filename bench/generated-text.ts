/**
 * Text that behaves like a programming project's: lines repeat idioms, names recur, edits touch a few lines in one place.
 * Not random bytes, and not constant either, so that deltas and deflate find about what they find in real sources.
 * Everything is decided by the number source that the caller hands in.
 */

import type { NumberSource } from './random-numbers.ts'

/** A file as its lines, without newlines. Never changed in place. */
export type Lines = readonly string[]

/** A change of one place in a file, to be applied to any version of it. */
export interface Edit {
  /** Where, in 1/65536 of the file's length. */
  readonly position: number
  readonly removedCount: number
  readonly added: Lines
}

const SYLLABLES = [
  'ob',
  'ject',
  'pa',
  'th',
  'in',
  'dex',
  're',
  'fer',
  'cur',
  'sor',
  'ta',
  'ble',
  'en',
  'try',
  'lo',
  'ck',
]
const WORD_COUNT = 600
const INDENTS = ['', '', '\t', '\t', '\t', '\t\t', '\t\t', '\t\t\t']
const LINE_SHAPES: readonly ((word: () => string) => string)[] = [
  () => '',
  () => '}',
  () => '\treturn 0;',
  (word) => `if (${word()} < 0)`,
  (word) => `if (!${word()}->${word()})`,
  (word) => `${word()} = ${word()}(${word()}, ${word()});`,
  (word) => `struct ${word()} *${word()} = ${word()}->${word()};`,
  (word) => `die(_("${word()} ${word()} %s ${word()}"), ${word()});`,
  (word) => `static int ${word()}_${word()}(struct ${word()} *${word()}, int ${word()})`,
  (word) => `for (${word()} = 0; ${word()} < ${word()}->nr; ${word()}++) {`,
  (word) => `/* ${word()} ${word()} ${word()} the ${word()} of ${word()} ${word()}. */`,
  (word) => `${word()}_${word()}(&${word()}, ${word()}, ${word()}_${word()});`,
]

/** Returns a word of the project's vocabulary; common ones are much more frequent than rare ones. */
export function word(next: NumberSource): string {
  const wordNumber = next(1 + next(WORD_COUNT))
  const first = SYLLABLES[wordNumber % 16] ?? ''
  const second = SYLLABLES[(wordNumber >> 4) % 16] ?? ''
  return wordNumber < 256 ? first + second : `${first}${second}${SYLLABLES[(wordNumber >> 8) % 16] ?? ''}`
}

/** Returns `count` lines of source text. */
export function sourceLines(next: NumberSource, count: number): Lines {
  return Array.from({ length: count }, () => {
    const shape = LINE_SHAPES[next(LINE_SHAPES.length)]
    return (INDENTS[next(INDENTS.length)] ?? '') + (shape?.(() => word(next)) ?? '')
  })
}

/** Returns a translation catalogue: it names line numbers of the sources, so most of it changes with each new one. */
export function catalogueLines(next: NumberSource, language: string, messageCount: number): Lines {
  return Array.from({ length: messageCount }, (_, index) => [
    `#: source/${word(next)}.c:${next(900)}`,
    `msgid "message ${index} of ${SYLLABLES[index % 16]}"`,
    `msgstr "${language} ${SYLLABLES[(index * 7) % 16]} ${index}"`,
    '',
  ]).flat()
}

/** Returns an edit: mostly a few lines, now and then a whole function that comes or goes. */
export function randomEdit(next: NumberSource): Edit {
  const isLarge = next(10) === 0
  return {
    position: next(65_536),
    removedCount: isLarge ? next(40) : next(6),
    added: sourceLines(next, isLarge ? next(60) : 1 + next(7)),
  }
}

/** Past this length files stop growing: an edit removes at least as much as it adds. */
const FILE_LINES_MAX = 500

/** Returns the file after an edit. */
export function applyEdit(lines: Lines, edit: Edit): Lines {
  const at = (lines.length * edit.position) >>> 16
  const removedCount = lines.length > FILE_LINES_MAX ? edit.removedCount + edit.added.length : edit.removedCount
  return [...lines.slice(0, at), ...edit.added, ...lines.slice(at + removedCount)]
}

/** Returns a commit message: a subject, and for half of them a few lines of reasons. */
export function commitMessage(next: NumberSource, area: string): string {
  const words = (count: number): string => Array.from({ length: count }, () => word(next)).join(' ')
  const reasons = next(2) === 0 ? '' : `\n${Array.from({ length: 1 + next(8) }, () => `${words(9)}\n`).join('')}`
  return `${area}: ${words(3 + next(4))}\n${reasons}\nSigned-off-by: ${author(next)}\n`
}

/** Returns a name and address as commits carry them; a few people write most of the commits. */
export function author(next: NumberSource): string {
  const number = next(1 + next(60))
  return `Author ${SYLLABLES[number % 16]} <author-${number}@example.com>`
}
