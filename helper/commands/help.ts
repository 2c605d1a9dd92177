/**
 * `gittorrent help` and `gittorrent completion`: parts of MANUAL.md, which lies beside the executables, in other clothes.
 */
import { readFile } from 'node:fs/promises'
import { HelperError } from '../errors.ts'
import { completionScript, SHELLS, type Shell } from '../manual/completion.ts'
import { commandPage, manualPage } from '../manual/man-page.ts'
import { type Manual, parseManual } from '../manual/manual.ts'
import { briefText, commandText, overviewText, sectionText } from '../manual/plain-text.ts'
import { type Command, onlyPositional, parseCommand } from './command-line.ts'
import { readVersion } from './version.ts'

const HELP_USAGE = 'help [--man] [<command> or <topic>]'
const COMPLETION_USAGE = 'completion bash|zsh|fish'

/** From dist/bin, where the executables are. */
const MANUAL = new URL('../../helper/MANUAL.md', import.meta.url)

export const helpCommand: Command = {
  usage: HELP_USAGE,
  async run(args, { printResult }) {
    const parsed = parseCommand(args, HELP_USAGE, { man: { type: 'boolean' } })
    const [name, ...more] = parsed.positionals
    if (more.length > 0) throw new HelperError('usage', `usage: gittorrent ${HELP_USAGE}`)
    const manual = await readManual()
    printResult(parsed.values.man === true ? manPage(manual, name, await readVersion()) : text(manual, name))
    return 0
  },
}

/** What is shown to somebody who names no command. */
export async function briefHelp(): Promise<string> {
  return briefText(await readManual())
}

export const completionCommand: Command = {
  usage: COMPLETION_USAGE,
  async run(args, { printResult }) {
    const name = onlyPositional(parseCommand(args, COMPLETION_USAGE, {}).positionals, COMPLETION_USAGE)
    const shell = SHELLS.find((known): known is Shell => known === name)
    if (shell === undefined) throw new HelperError('usage', `usage: gittorrent ${COMPLETION_USAGE}`)
    printResult(completionScript(await readManual(), shell))
    return 0
  },
}

function text(manual: Manual, name: string | undefined): string {
  if (name === undefined) return overviewText(manual)
  const command = manual.commands.find((entry) => entry.name === name)
  if (command !== undefined) return commandText(command)
  const section = manual.sections.find((entry) => entry.name === name)
  if (section !== undefined) return sectionText(section)
  throw unknown(name)
}

function manPage(manual: Manual, name: string | undefined, version: string): string {
  if (name === undefined) return manualPage(manual, version)
  const command = manual.commands.find((entry) => entry.name === name)
  if (command === undefined) throw unknown(name)
  return commandPage(command, version)
}

async function readManual(): Promise<Manual> {
  return parseManual(await readFile(MANUAL, 'utf8'))
}

function unknown(name: string): HelperError {
  return new HelperError('usage', `help: expected a command or topic, got '${name}', try \`gittorrent help\``)
}
