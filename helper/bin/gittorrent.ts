/**
 * The executable `gittorrent`: wiring only. Commands are loaded when they are named, so that each starts fast.
 */

import { constants } from 'node:os'
import type { Command, CommandContext } from '../commands/command-line.ts'
import { HelperError, messageOf } from '../errors.ts'

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  seed: async () => (await import('../commands/seed.ts')).seedCommand,
  chain: async () => (await import('../commands/chain.ts')).chainCommand,
  export: async () => (await import('../commands/export.ts')).exportCommand,
  mirrors: async () => (await import('../commands/mirrors.ts')).mirrorsCommand,
  verify: async () => (await import('../commands/verify.ts')).verifyCommand,
}

const FAILED = 128
const USAGE = 129

const interruption = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    // The second signal does not wait for an orderly end.
    if (interruption.signal.aborted) process.exit(128 + constants.signals[name])
    interruption.abort()
  })
}

const context: CommandContext = {
  env: process.env,
  signal: interruption.signal,
  printResult: (text) => void process.stdout.write(text),
  printText: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
}

async function main(): Promise<number> {
  const [name, ...args] = process.argv.slice(2)
  const load = name === undefined ? undefined : COMMANDS[name]
  if (load === undefined) {
    const names = Object.keys(COMMANDS).join(', ')
    const isHelp = name === 'help' || name === '--help' || name === '-h'
    context.printText(`usage: gittorrent <command> [<options>]\ncommands: ${names}\n`)
    if (!isHelp && name !== undefined) context.printText(`fatal: '${name}' is not a gittorrent command\n`)
    return isHelp ? 0 : USAGE
  }
  const command = await load()
  if (args.includes('--help') || args.includes('-h')) {
    context.printText(`usage: gittorrent ${command.usage}\n`)
    return 0
  }
  return command.run(args, context)
}

try {
  process.exitCode = await main()
} catch (error) {
  const isUsage = error instanceof HelperError && error.code === 'usage'
  context.printText(isUsage ? `${error.message}\n` : `fatal: ${messageOf(error)}\n`)
  process.exitCode = isUsage ? USAGE : FAILED
}
