/**
 * `gittorrent version`, in git's words, for reports of what went wrong.
 */
import { readFile } from 'node:fs/promises'
import { HelperError } from '../errors.ts'
import { type Command, parseCommand } from './command-line.ts'

const USAGE = 'version'

/** From dist/bin, where the executables are. */
const PACKAGE = new URL('../../package.json', import.meta.url)

export const versionCommand: Command = {
  usage: USAGE,
  async run(args, { printResult }) {
    const { positionals } = parseCommand(args, USAGE, {})
    if (positionals.length > 0) throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const { versions, platform, arch } = process
    printResult(`gittorrent version ${await readVersion()} (Node ${versions.node}, ${platform} ${arch})\n`)
    return 0
  },
}

/** The version of this package. */
export async function readVersion(): Promise<string> {
  return String(Object(JSON.parse(await readFile(PACKAGE, 'utf8'))).version)
}
