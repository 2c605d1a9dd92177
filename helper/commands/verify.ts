/**
 * `gittorrent verify`: is what lies here canonical? Takes a bundle, a folder of bundles, or a repository with stored
 * segments; lets git index it in a scratch repository, builds the same links again from the objects, compares bytes.
 */

import { stat } from 'node:fs/promises'
import { HelperError, messageOf } from '../errors.ts'
import { openRepository, type Repository } from '../git/repository.ts'
import { bundlesOf, type Verdict, verifyBundles } from '../verify/bundles.ts'
import { verifyStore } from '../verify/stored-segments.ts'
import { type Command, type CommandContext, onlyPositional, parseCommand, textOption } from './command-line.ts'

const USAGE = 'verify <bundle, folder or repository> [--repository <path>] [--repair] [--json]'
const DIFFERS = 1

export const verifyCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, USAGE, {
      repository: { type: 'string' },
      repair: { type: 'boolean' },
      json: { type: 'boolean' },
    })
    const path = onlyPositional(parsed.positionals, USAGE)
    const found = await stat(path).catch(() => null)
    if (found === null)
      throw new HelperError('verify-failed', `verify: expected a file or folder, got nothing at '${path}'`)
    const isRepair = parsed.values.repair === true
    const verdicts = await verdictsOn(path, found.isDirectory(), textOption(parsed, 'repository'), isRepair)
    return report(verdicts, parsed.values.json === true, context)
  },
}

async function verdictsOn(
  path: string,
  isFolder: boolean,
  repositoryPath: string | null,
  isRepair: boolean,
): Promise<readonly Verdict[]> {
  const bundles = await bundlesOf(path, isFolder)
  if (bundles.length > 0) {
    if (isRepair) throw new HelperError('usage', 'verify: expected a repository to repair, got bundles')
    return verifyBundles(bundles, repositoryPath === null ? null : await openRepository(repositoryPath))
  }
  let repository: Repository
  try {
    repository = await openRepository(path)
  } catch (error) {
    throw new HelperError(
      'verify-failed',
      `verify: expected bundles or a repository in '${path}', got neither (${messageOf(error)})`,
    )
  }
  return verifyStore(repository, isRepair)
}

function lineOf({ name, reason, remedy }: Verdict): string {
  if (reason === null) return `ok ${name}\n`
  return (remedy ?? null) === null ? `not ok ${name}: ${reason}\n` : `${remedy} ${name}: ${reason}\n`
}

function report(verdicts: readonly Verdict[], asJson: boolean, { printResult, printText }: CommandContext): number {
  const bad = verdicts.filter(({ reason, remedy }) => reason !== null && (remedy ?? null) === null)
  if (asJson) printResult(`${JSON.stringify({ ok: bad.length === 0, checked: verdicts.length, verdicts }, null, 2)}\n`)
  else printResult(verdicts.map(lineOf).join(''))
  if (verdicts.length === 0) printText('gittorrent: nothing to verify: no bundle, no stored segment\n')
  else printText(`gittorrent: ${verdicts.length - bad.length} of ${verdicts.length} canonical\n`)
  return bad.length === 0 ? 0 : DIFFERS
}
