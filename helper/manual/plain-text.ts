/**
 * The manual as plain text for a terminal: paragraphs wrapped, examples and tables indented, code without its marks.
 */
import type { Block, CommandEntry, Manual, Section } from './manual.ts'

const WIDTH = 80
const INDENT = '    '
/** What is left of a line beside the indented name of a command. */
const PHRASE_LENGTH_MAX = 64

/** What people begin with. */
const COMMON_COMMANDS: ReadonlySet<string> = new Set([
  'seed',
  'daemon',
  'add',
  'status',
  'export',
  'publish',
  'doctor',
  'help',
])

/** What `gittorrent help <command>` shows. */
export function commandText({ usage, summary, notes }: CommandEntry): string {
  const intro: Block = { kind: 'paragraph', text: summary }
  return `usage: gittorrent ${plain(usage)}\n\n${blocksText([intro, ...notes])}`
}

/** What `gittorrent help <topic>` shows. */
export function sectionText({ title, blocks }: Section): string {
  return `${title}\n\n${blocksText(blocks)}`
}

/** What `gittorrent` alone shows: the commonest commands. */
export function briefText({ commands }: Manual): string {
  return [
    'usage: gittorrent <command> [<options>]',
    '',
    'common commands:',
    ...commandLines(commands.filter(({ name }) => COMMON_COMMANDS.has(name))),
    '',
    'all commands and topics: gittorrent help',
    '',
  ].join('\n')
}

/** What `gittorrent help` shows. */
export function overviewText({ commands, sections }: Manual): string {
  const topics = sections.filter(({ name }) => name !== 'commands').map(({ name }) => `${INDENT}${name}`)
  return [
    'usage: gittorrent <command> [<options>]',
    '',
    'commands (gittorrent help <command>):',
    ...commandLines(commands),
    '',
    'topics (gittorrent help <topic>):',
    ...topics,
    '',
  ].join('\n')
}

function commandLines(commands: readonly CommandEntry[]): string[] {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return commands.map(({ name, summary }) => `${INDENT}${name.padEnd(width)}  ${firstPhrase(summary)}`)
}

/** Markdown inside a line, without its marks. */
export function plain(text: string): string {
  return text.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]+/g, '')
}

function firstPhrase(summary: string): string {
  const phrase = plain(summary).split(/[;:.](?:\s|$)/)[0] ?? ''
  return phrase.length > PHRASE_LENGTH_MAX ? `${phrase.slice(0, PHRASE_LENGTH_MAX - 3)}...` : phrase
}

function blocksText(blocks: readonly Block[]): string {
  return `${blocks.map(blockText).join('\n\n')}\n`
}

function blockText(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return plain(block.text)
    case 'paragraph':
      return wrapped(plain(block.text), '')
    case 'example':
      return block.lines.map((line) => `${INDENT}${line}`).join('\n')
    case 'table':
      return block.rows.map(rowText).join('\n')
  }
}

/** The first cell on a line of its own, the others below it. */
function rowText([first = '', ...others]: readonly string[]): string {
  const rest = others.map(plain).filter((cell) => cell !== '')
  return [`${INDENT}${plain(first)}`, ...rest.map((cell) => wrapped(cell, INDENT + INDENT))].join('\n')
}

function wrapped(text: string, indent: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(indent + line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, indent + line].join('\n')
}
