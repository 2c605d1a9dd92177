/**
 * What all commands of `gittorrent` share: options in git's manner, results on stdout, text for people on stderr, exit
 * status 0, 1 (a check failed), 128 (it could not be done), 129 (usage).
 */

import { type ParseArgsConfig, parseArgs } from 'node:util'
import { showBuild } from '../build/build-progress.ts'
import type { ChainOptions } from '../build/chains.ts'
import { type GitConfig, readGitConfig, readSettings, SETTING_OPTIONS, type Settings } from '../config.ts'
import { HelperError, printable } from '../errors.ts'
import { openProgress, type Progress, SILENT } from '../progress.ts'
import { openTrace, type Trace } from '../trace.ts'

export interface CommandContext {
  readonly env: NodeJS.ProcessEnv
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  readonly printResult: (text: string) => void
  readonly printText: (text: string) => void
  readonly isTerminal: boolean
}

export interface ParsedCommand {
  readonly values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>
  readonly positionals: readonly string[]
}

/** A command: its usage line and what it does; resolves to the exit status. */
export interface Command {
  readonly usage: string
  run(args: readonly string[], context: CommandContext): Promise<number>
}

type Options = NonNullable<ParseArgsConfig['options']>

/** Splits arguments. @throws HelperError 'usage' */
export function parseCommand(args: readonly string[], usage: string, options: Options): ParsedCommand {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
    return { values, positionals }
  } catch (error) {
    const what = printable(firstSentence(error instanceof Error ? error.message : String(error)))
    throw new HelperError('usage', `fatal: ${what}\nusage: gittorrent ${usage}`)
  }
}

/** Node's messages go on with advice for another case than most; git's begin with a small letter. */
function firstSentence(message: string): string {
  const [sentence = ''] = message.split(/\.(?:\s|$)/)
  return sentence.charAt(0).toLowerCase() + sentence.slice(1)
}

/** The same with the options of every command on the network, and the settings that come of them. */
export async function parseNetworkCommand(
  args: readonly string[],
  usage: string,
  options: Options,
  env: NodeJS.ProcessEnv,
): Promise<ParsedCommand & { settings: Settings; config: GitConfig; trace: Trace }> {
  const parsed = parseCommand(args, usage, { ...SETTING_OPTIONS, ...options })
  const config = await readGitConfig(env)
  return { ...parsed, config, settings: readSettings(config, env, parsed.values), trace: openTrace(env) }
}

/** The one positional argument. @throws HelperError 'usage' */
export function onlyPositional(positionals: readonly string[], usage: string): string {
  const [value, ...rest] = positionals
  if (value === undefined || rest.length > 0) throw new HelperError('usage', `usage: gittorrent ${usage}`)
  return value
}

export function textOption(parsed: ParsedCommand, name: string): string | null {
  const value = parsed.values[name]
  return typeof value === 'string' ? value : null
}

/** Options of every command that may build for long. */
export const PROGRESS_OPTIONS: Options = { progress: { type: 'boolean' }, quiet: { type: 'boolean', short: 'q' } }

/** Progress for people who watch: when stderr is a terminal or --progress was given, never under --quiet. */
export function progressOf({ isTerminal, printText }: CommandContext, parsed?: ParsedCommand): Progress {
  const values = parsed?.values ?? {}
  return values.quiet !== true && (isTerminal || values.progress === true) ? openProgress(printText) : SILENT
}

/** How a command builds: it shows progress and stops when it is interrupted. */
export function buildOptionsOf(context: CommandContext, parsed: ParsedCommand): ChainOptions {
  return { onProgress: showBuild(progressOf(context, parsed)), signal: context.signal }
}
