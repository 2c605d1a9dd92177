/**
 * `gittorrent keygen`: makes a key to publish with. `gittorrent keys`: lists them, prints one as text for a backup, takes one
 * in from such a text. A passphrase comes from the terminal or git's askpass program, a file, or GITTORRENT_PASSPHRASE, never from the
 * command line, which other users of the machine can read. `--passphrase` asks for a new one, twice.
 */
import { readFile } from 'node:fs/promises'
import { configValue, readGitConfig } from '../config.ts'
import { HelperError } from '../errors.ts'
import { type AskPassphrase, passphraseAsker } from '../keys/ask-passphrase.ts'
import { KeyStore, type OwnKey } from '../keys/key-store.ts'
import { commitmentTo } from '../publish/succession.ts'
import { type Command, type CommandContext, type ParsedCommand, parseCommand, textOption } from './command-line.ts'

const KEYGEN_USAGE = 'keygen [--passphrase | --passphrase-file <file>] [--json]'
const KEYS_USAGE = 'keys [export <key> | import <file>] [--passphrase-file <file>] [--json]'
const OPTIONS = { 'passphrase-file': { type: 'string' }, json: { type: 'boolean' } } as const

export const keygenCommand: Command = {
  usage: KEYGEN_USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, KEYGEN_USAGE, { ...OPTIONS, passphrase: { type: 'boolean' } })
    if (parsed.positionals.length > 0) throw new HelperError('usage', `usage: gittorrent ${KEYGEN_USAGE}`)
    const isAsked = parsed.values.passphrase === true
    const store = isAsked
      ? new KeyStore(context.env, await newPassphrase(context))
      : await openKeyStore(parsed, context)
    const key = await store.create()
    print([key], parsed, context)
    context.printText(
      `gittorrent: id (for URLs) and public key (for delegations) of a new key, ${key.isSealed ? 'sealed' : 'unsealed'}, in '${store.folder}'; back it up: gittorrent keys export ${key.id.slice(0, 8)}\n`,
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
    if (verb === undefined) {
      const keys = await store.list()
      print(keys, parsed, context)
      if (keys.length === 0) context.printText('gittorrent: no keys yet, try gittorrent keygen\n')
    } else if (verb === 'export' && what !== undefined && rest.length === 0)
      context.printResult((await store.choose(what)).text)
    else if (verb === 'import' && what !== undefined && rest.length === 0)
      print([await store.import(await readFile(what, 'utf8'))], parsed, context)
    else throw new HelperError('usage', `usage: gittorrent ${KEYS_USAGE}`)
    return 0
  },
}

/** The user's keys, with the passphrase that the options name; else the user is asked when one is needed. */
export async function openKeyStore(parsed: ParsedCommand, { env }: CommandContext): Promise<KeyStore> {
  const path = textOption(parsed, 'passphrase-file')
  if (path !== null) return new KeyStore(env, (await readFile(path, 'utf8')).replace(/\r?\n$/, ''))
  return new KeyStore(env, null, await askerOf(env))
}

async function askerOf(env: CommandContext['env']): Promise<AskPassphrase> {
  return passphraseAsker(env, configValue(await readGitConfig(env), 'core.askpass'))
}

/** Asks twice. @throws HelperError 'key-unusable' */
async function newPassphrase({ env }: CommandContext): Promise<string> {
  const ask = await askerOf(env)
  const passphrase = await ask('New passphrase: ')
  if (passphrase === null || passphrase === '')
    throw new HelperError('key-unusable', 'keygen: expected a passphrase, got none')
  if ((await ask('The same again: ')) !== passphrase)
    throw new HelperError('key-unusable', 'keygen: expected the same passphrase twice, got two, try again')
  return passphrase
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
