/**
 * The manual as man pages, in the macros of man(7): one page for everything, one per command.
 */
import type { Block, CommandEntry, Manual } from './manual.ts'
import { plain } from './plain-text.ts'

/** gittorrent(1): all sections. */
export function manualPage({ sections }: Manual, version: string): string {
  const title = header('gittorrent', 'git clone through swarms', version)
  return (
    title +
    sections
      .slice(1)
      .map((section) => `.SH ${quoted(section.title.toUpperCase())}\n${blocks(section.blocks)}`)
      .join('')
  )
}

/** gittorrent-<command>(1). */
export function commandPage({ name, usage, summary, notes }: CommandEntry, version: string): string {
  const title = header(`gittorrent-${name}`, plain(summary).split(/[;:.](?:\s|$)/)[0] ?? '', version)
  const body: Block[] = [{ kind: 'paragraph', text: summary }, ...notes]
  const synopsis = `.SH SYNOPSIS\n${line(`\`gittorrent ${usage}\``)}\n`
  return `${title}${synopsis}.SH DESCRIPTION\n${blocks(body)}.SH SEE ALSO\n${line('gittorrent(1)')}\n`
}

function header(name: string, summary: string, version: string): string {
  return `.TH ${quoted(name.toUpperCase())} 1 "" ${quoted(`gittorrent ${version}`)}\n.nh\n.SH NAME\n${escaped(name)} \\- ${escaped(summary)}\n`
}

function blocks(all: readonly Block[]): string {
  return all.map((block) => `${blockSource(block)}\n`).join('')
}

function blockSource(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `.SS ${quoted(block.text)}`
    case 'paragraph':
      return `.PP\n${line(block.text)}`
    case 'example':
      return `.PP\n.RS 4\n.nf\n${block.lines.map(guarded).join('\n')}\n.fi\n.RE`
    case 'table':
      return block.rows.map(([first = '', ...others]) => `.TP\n${line(first)}\n${rowSource(others)}`).join('\n')
  }
}

function rowSource(cells: readonly string[]): string {
  const filled = cells.filter((cell) => cell !== '').map(line)
  return filled.length === 0 ? '\\&' : filled.join('\n.br\n')
}

/** A line with `code` in bold. */
function line(text: string): string {
  const parts = text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\*\*/g, '')
    .split('`')
  return guard(parts.map((part, index) => (index % 2 === 1 ? `\\fB${escaped(part)}\\fR` : escaped(part))).join(''))
}

function guarded(text: string): string {
  return guard(escaped(text))
}

/** A dot or quote at the start of a line would be a request. */
function guard(text: string): string {
  return /^[.']/.test(text) ? `\\&${text}` : text
}

function escaped(text: string): string {
  const ascii = text
    .replaceAll('…', '...')
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
  return ascii.replace(
    /[^\n -~]/gu,
    (c) => `\\[u${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
  )
}

function quoted(text: string): string {
  return `"${escaped(text).replaceAll('"', '""')}"`
}
