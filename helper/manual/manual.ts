/**
 * MANUAL.md as the one source of help texts, man pages and completion: its sections, its table of commands, and the options
 * named in both. Understands the Markdown that the manual uses: headings, paragraphs, tables, fenced examples.
 */

export type Block =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'paragraph'; readonly text: string }
  | { readonly kind: 'example'; readonly lines: readonly string[] }
  /** Cells of each row, without the heading row. */
  | { readonly kind: 'table'; readonly rows: readonly (readonly string[])[] }

export interface Section {
  readonly title: string
  /** The title in lower case with hyphens. */
  readonly name: string
  readonly blocks: readonly Block[]
}

export interface CommandEntry {
  readonly name: string
  /** Without the word gittorrent. */
  readonly usage: string
  readonly summary: string
  /** Paragraphs of the section that begin with the command's name. */
  readonly notes: readonly Block[]
  readonly options: readonly string[]
}

export interface Manual {
  readonly sections: readonly Section[]
  readonly commands: readonly CommandEntry[]
}

/** Reads the text of MANUAL.md. */
export function parseManual(text: string): Manual {
  const sections: Section[] = []
  let blocks: Block[] = []
  // The title of the document is no section.
  for (const block of blocksOf(text.replace(/^# .*$/m, ''))) {
    if (block.kind !== 'heading') {
      blocks.push(block)
      continue
    }
    blocks = []
    const name = block.text.toLowerCase().replace(/[^a-z0-9]+/g, '-')
    sections.push({ title: block.text, name, blocks })
  }
  return { sections, commands: commandsOf(sections) }
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = []
  const lines = text.split('\n')
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? ''
    const from = at++
    if (line.startsWith('#')) blocks.push({ kind: 'heading', text: line.replace(/^#+ /, '') })
    else if (line.startsWith('```')) {
      while (at < lines.length && !lines[at]?.startsWith('```')) at++
      blocks.push({ kind: 'example', lines: lines.slice(from + 1, at++) })
    } else if (line.startsWith('|')) {
      while (lines[at]?.startsWith('|')) at++
      blocks.push({ kind: 'table', rows: lines.slice(from + 2, at).map(cellsOf) })
    } else if (line !== '') {
      while (at < lines.length && !/^($|#|```|\|)/.test(lines[at] ?? '')) at++
      blocks.push({ kind: 'paragraph', text: lines.slice(from, at).join(' ') })
    }
  }
  return blocks
}

/** Cells of a table row; `\|` is a bar inside one. */
function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))
}

function commandsOf(sections: readonly Section[]): CommandEntry[] {
  const blocks = sections.find(({ name }) => name === 'commands')?.blocks ?? []
  const shared = sharedOptions(sections)
  return blocks
    .flatMap((block) => (block.kind === 'table' ? block.rows : []))
    .flatMap(([code = '', summary = '']) => {
      const [, usage = '', name = ''] = /^`gittorrent ((\S+).*)`$/.exec(code) ?? []
      if (name === '') return []
      const notes = blocks.filter((block) => block.kind === 'paragraph' && block.text.startsWith(`\`${name}`))
      const own = optionsIn([usage, summary, ...notes.map((note) => (note.kind === 'paragraph' ? note.text : ''))])
      const options = shared.commands.includes(name) ? [...own, ...shared.options] : own
      return [{ name, usage, summary, notes, options: [...new Set(options)].sort(byCharacters) }]
    })
}

/** The options of the settings' table, and the commands that take them. */
function sharedOptions(sections: readonly Section[]): { options: string[]; commands: string[] } {
  const blocks = sections.find(({ name }) => name === 'settings')?.blocks ?? []
  const rows = blocks.flatMap((block) => (block.kind === 'table' ? block.rows : []))
  const text = blocks.map((block) => (block.kind === 'paragraph' ? block.text : '')).join(' ')
  const [, named = ''] = /The options belong to (.*?)\./.exec(text) ?? []
  return { options: optionsIn(rows.map((row) => row[2] ?? '')), commands: named.match(/(?<=`)[a-z]+(?=`)/g) ?? [] }
}

function optionsIn(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.match(/(?<![\w-])--[a-z][a-z-]*/g) ?? [])
}

function byCharacters(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
