/**
 * `gittorrent keygen`: makes a key to publish with. `gittorrent keys`: lists them, prints one as text for a backup, takes one
 * in from such a text. A passphrase comes from a file or from GITTORRENT_PASSPHRASE, never from the command line, which other
 * users of the machine can read.
 */
import { readFile } from 'node:fs/promises'
import { HelperError } from '../errors.ts'
import { KeyStore, type OwnKey } from '../keys/key-store.ts'
import { commitmentTo } from '../publish/succession.ts'
import { type Command, type CommandContext, type ParsedCommand, parseCommand, textOption } from './command-line.ts'

const KEYGEN_USAGE = 'keygen [--passphrase-file <file>] [--json]'
const KEYS_USAGE = 'keys [export <key> | import <file>] [--passphrase-file <file>] [--json]'
const OPTIONS = { 'passphrase-file': { type: 'string' }, json: { type: 'boolean' } } as const

export const keygenCommand: Command = {
  usage: KEYGEN_USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, KEYGEN_USAGE, OPTIONS)
    if (parsed.positionals.length > 0) throw new HelperError('usage', `usage: gittorrent ${KEYGEN_USAGE}`)
    const store = await openKeyStore(parsed, context)
    const key = await store.create()
    print([key], parsed, context)
    context.printText(
      `gittorrent: ${key.isSealed ? 'sealed' : 'unsealed'} key in '${store.folder}'; back it up: gittorrent keys export ${key.id.slice(0, 8)}\n`,
    )
    return 0
  },
}

export const keysCommand: Command = {
  usage: KEYS_USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, KEYS_USAGE, OPTIONS)
    const [verb, what, ...rest] = parsed.positionals
    const store = await openKeyStore(parsed, context)
    if (verb === undefined) print(await store.list(), parsed, context)
    else if (verb === 'export' && what !== undefined && rest.length === 0)
      context.printResult((await store.choose(what)).text)
    else if (verb === 'import' && what !== undefined && rest.length === 0)
      print([await store.import(await readFile(what, 'utf8'))], parsed, context)
    else throw new HelperError('usage', `usage: gittorrent ${KEYS_USAGE}`)
    return 0
  },
}

/** The user's keys, with the passphrase that the options name. */
export async function openKeyStore(parsed: ParsedCommand, { env }: CommandContext): Promise<KeyStore> {
  const path = textOption(parsed, 'passphrase-file')
  const passphrase = path === null ? null : (await readFile(path, 'utf8')).replace(/\r?\n$/, '')
  return new KeyStore(env, passphrase)
}

function print(keys: readonly OwnKey[], parsed: ParsedCommand, { printResult }: CommandContext): void {
  const shown = keys.map(({ id, publicKey, isSealed }) => ({
    id,
    publicKey,
    isSealed,
    commitment: commitmentTo(Buffer.from(publicKey, 'hex')),
    url: `gittorrent://${id}/`,
  }))
  if (parsed.values.json === true) printResult(`${JSON.stringify(shown)}\n`)
  else for (const { id, publicKey, isSealed } of shown) printResult(`${id} ${publicKey}${isSealed ? ' sealed' : ''}\n`)
}
