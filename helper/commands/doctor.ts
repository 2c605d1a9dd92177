/**
 * `gittorrent doctor`: looks at what GitTorrent needs on this machine and says for each thing whether it is well, and what to
 * do where it is not. Changes nothing, announces nothing. Status 1 if something cannot work, 0 with mere warnings.
 */
import type { Finding } from '../doctor/finding.ts'
import { findings } from '../doctor/findings.ts'
import { HelperError } from '../errors.ts'
import { type Command, type CommandContext, parseCommand } from './command-line.ts'

const USAGE = 'doctor [--public] [--json]'

export const doctorCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, USAGE, { json: { type: 'boolean' }, public: { type: 'boolean' } })
    if (parsed.positionals.length > 0) throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const found = await findings(context.env, parsed.values.public === true)
    if (parsed.values.json === true) context.printResult(`${JSON.stringify(found, null, 2)}\n`)
    else print(found, context)
    return found.some(({ verdict }) => verdict === 'failure') ? 1 : 0
  },
}

function print(found: readonly Finding[], { printResult }: CommandContext): void {
  for (const { subject, verdict, text, advice } of found) {
    printResult(`${verdict.padEnd(7)} ${subject}: ${text}${advice === '' ? '' : `; try ${advice}`}\n`)
  }
}
