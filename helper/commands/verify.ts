/**
 * `gittorrent verify`: is what lies here canonical? Takes a bundle or a snapshot, a folder of them, an exported folder with all that
 * belongs to it, or a repository with stored segments; lets git index it in a scratch repository, builds the same again from
 * the objects, compares bytes.
 */

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readGitConfig, readSettings } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { MANIFEST_NAME } from '../export/file-names.ts'
import { openRepository, type Repository } from '../git/repository.ts'
import { verifyExport } from '../verify/exported-folder.ts'
import { payloadsOf, verifyPayloads } from '../verify/payloads.ts'
import { verifyStore } from '../verify/stored-segments.ts'
import type { Verdict } from '../verify/verdict.ts'
import { type Command, type CommandContext, onlyPositional, parseCommand, textOption } from './command-line.ts'

const USAGE = 'verify <file, folder or repository> [--repository <path>] [--repair] [--json]'
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
    const lenderPath = textOption(parsed, 'repository')
    const lender = lenderPath === null ? null : await openRepository(lenderPath)
    const { webseedKeys } = readSettings(await readGitConfig(context.env), context.env)
    const verdicts = await verdictsOn(path, found.isDirectory(), {
      lender,
      isRepair,
      webseedKeys,
      signal: context.signal,
    })
    return report(verdicts, parsed.values.json === true, context)
  },
}

interface Terms {
  /** Whose objects a bundle may build on; null for none. */
  readonly lender: Repository | null
  readonly isRepair: boolean
  readonly webseedKeys: readonly string[]
  readonly signal: AbortSignal
}

async function verdictsOn(
  path: string,
  isFolder: boolean,
  { lender, isRepair, webseedKeys, signal }: Terms,
): Promise<readonly Verdict[]> {
  const isExport = isFolder && (await stat(join(path, MANIFEST_NAME)).catch(() => null)) !== null
  const payloads = await payloadsOf(path, isFolder)
  if (isRepair && (isExport || payloads.length > 0))
    throw new HelperError('usage', 'verify: expected a repository to repair, got exported files')
  if (isExport) return verifyExport(path, lender, webseedKeys, signal)
  if (payloads.length > 0) {
    const checked = await verifyPayloads(payloads, lender, signal)
    return checked.map(({ name, reason }) => ({ name, reason }))
  }
  let repository: Repository
  try {
    repository = await openRepository(path)
  } catch (error) {
    throw new HelperError(
      'verify-failed',
      `verify: expected an export, bundles or a repository in '${path}', got none (${messageOf(error)})`,
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
  if (verdicts.length === 0) printText('gittorrent: nothing to verify: no exported file, no stored segment\n')
  else printText(`gittorrent: ${verdicts.length - bad.length} of ${verdicts.length} ok\n`)
  return bad.length === 0 ? 0 : DIFFERS
}
