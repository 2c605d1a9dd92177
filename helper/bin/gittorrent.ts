/**
 * The executable `gittorrent`: wiring only.
 */

import { setMaxListeners } from 'node:events'
import { constants } from 'node:os'
import type { CommandContext } from '../commands/command-line.ts'
import { COMMANDS } from '../commands/commands.ts'
import { HelperError, messageOf } from '../errors.ts'

// One signal ends the questions to many peers: Node would warn of the eleventh, in the middle of our output.
setMaxListeners(0)

const FAILED = 128
const USAGE = 129

let status = FAILED
const interruption = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    // The second signal does not wait for an orderly end.
    status = 128 + constants.signals[name]
    if (interruption.signal.aborted) process.exit(status)
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
  if (name === '--help' || name === '-h') return runCommand('help', [])
  if (name === '--version' || name === '-v') return runCommand('version', args)
  if (name === undefined) {
    context.printText(await (await import('../commands/help.ts')).briefHelp())
    return USAGE
  }
  return args.includes('--help') || args.includes('-h') ? runCommand('help', [name]) : runCommand(name, args)
}

async function runCommand(name: string, args: readonly string[]): Promise<number> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load === undefined) throw await unknownCommand(name)
  return (await load()).run(args, context)
}

async function unknownCommand(name: string): Promise<HelperError> {
  const { nearestName } = await import('../commands/nearest-name.ts')
  const nearest = nearestName(name, Object.keys(COMMANDS))
  const advice = nearest === null ? 'see `gittorrent help`' : `did you mean '${nearest}'?`
  return new HelperError('usage', `fatal: '${name}' is not a gittorrent command, ${advice}`)
}

try {
  process.exitCode = await main()
} catch (error) {
  const isUsage = error instanceof HelperError && error.code === 'usage'
  const saysHow = isUsage && /^(usage|fatal): /m.test(error.message)
  context.printText(saysHow ? `${error.message}\n` : `fatal: ${messageOf(error)}\n`)
  process.exitCode = isUsage ? USAGE : status
}

// Nothing is left to do, and everything is written. Ending here spares Node from taking its heap down while another thread may
// still optimise functions in it, where Node 20 aborts at times ("Assertion failed: (data.first) != nullptr").
process.once('beforeExit', () => process.exit())
