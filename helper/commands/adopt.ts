/**
 * `gittorrent adopt`: makes a repository store its history as the chain that it seeds; `--undo` gives it back to git.
 */
import { join } from 'node:path'
import { adopt, undoAdoption } from '../adopt/adopt.ts'
import { folderLength } from '../daemon/disk.ts'
import { openRepository, type Repository } from '../git/repository.ts'
import { humanBytes } from '../progress.ts'
import { openTrace } from '../trace.ts'
import {
  buildOptionsOf,
  type Command,
  onlyPositional,
  PROGRESS_OPTIONS,
  parseCommand,
  textOption,
} from './command-line.ts'

const USAGE = 'adopt <repository> [--undo] [--remote <name>] [--local-branches] [--json] [--progress | -q]'

export const adoptCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const options = {
      undo: { type: 'boolean' },
      remote: { type: 'string' },
      'local-branches': { type: 'boolean' },
    } as const
    const parsed = parseCommand(args, USAGE, { ...options, json: { type: 'boolean' }, ...PROGRESS_OPTIONS })
    const repository = await openRepository(onlyPositional(parsed.positionals, USAGE))
    const trace = openTrace(context.env)
    const bytesBefore = await bytesOf(repository)
    const pack =
      parsed.values.undo === true
        ? await undoAdoption(repository, trace).then(() => null)
        : await adopt(repository, {
            remote: textOption(parsed, 'remote') ?? 'origin',
            includeLocal: parsed.values['local-branches'] === true,
            build: buildOptionsOf(context, parsed),
            trace,
          })
    const result = { repository: repository.path, pack, bytesBefore, bytesAfter: await bytesOf(repository) }
    if (parsed.values.json === true) context.printResult(`${JSON.stringify(result, null, 2)}\n`)
    const sizes = `${humanBytes(result.bytesBefore)} before, ${humanBytes(result.bytesAfter)} now`
    context.printText(`gittorrent: '${repository.path}': ${sizes}\n`)
    return 0
  },
}

/** Objects and segments together. */
async function bytesOf({ gitDir }: Repository): Promise<number> {
  return (await folderLength(join(gitDir, 'objects'))) + (await folderLength(join(gitDir, 'gittorrent')))
}
