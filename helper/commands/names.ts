/**
 * The commands about names: `resolve` explains what a name means, `petname` keeps the user's own, `scan` reads registrations
 * from a Bitcoin node, `register` prints the bytes and the unsigned transaction of one. No wallet is touched: what is
 * printed is for the user's own.
 */
import { randomBytes } from 'node:crypto'
import { configValue, readGitConfig } from '../config.ts'
import { HelperError } from '../errors.ts'
import { carryingScript, unsignedTransaction } from '../names/bitcoin-block.ts'
import { scanChain } from '../names/bitcoin-scanner.ts'
import { Petnames } from '../names/petnames.ts'
import { writeRegistration } from '../names/registration.ts'
import { keyOfSteps, resolveSteps } from '../names/resolve.ts'
import { parseRemoteUrl } from '../url.ts'
import { type Command, onlyPositional, parseCommand, progressOf, textOption } from './command-line.ts'
import { openKeyStore } from './keygen.ts'

const RESOLVE_USAGE = 'resolve <name or @domain> [--json]'
const PETNAME_USAGE = 'petname [<name> <key> | --remove <name>] [--json]'
const SCAN_USAGE = 'scan [--rpc <URL>] [--json]'
const REGISTER_USAGE = 'register <name> [--key <key>] [--reserve] [--token <token>] [--json]'
const NOT_RESOLVED = 1

/** A name or key as it is, or as it stands in a URL that `publish` printed. */
function hostOf(written: string): string {
  return written.replace(/^gittorrent:\/\/([^/]+).*$/, '$1')
}

export const resolveCommand: Command = {
  usage: RESOLVE_USAGE,
  async run(args, { env, signal, printResult, printText }) {
    const parsed = parseCommand(args, RESOLVE_USAGE, { json: { type: 'boolean' } })
    const name = hostOf(onlyPositional(parsed.positionals, RESOLVE_USAGE))
    const address = parseRemoteUrl(`gittorrent://${name}/any`)
    if (address.kind === 'key') throw new HelperError('usage', 'resolve: expected a name, got a key, which needs none')
    if (address.kind === 'origin')
      throw new HelperError('usage', `resolve: expected a name without a dot, or @domain, got '${name}'`)
    const steps = await resolveSteps(address, { env, config: await readGitConfig(env), nowMs: Date.now(), signal })
    const asJson = parsed.values.json === true
    if (!asJson)
      for (const { way, key, ageSeconds, explanation } of steps)
        printText(
          `${way}: ${explanation}${key === null ? '' : ` → ${key}`}${ageSeconds === null ? '' : `, ${ageSeconds} s old`}\n`,
        )
    try {
      const key = keyOfSteps(address, steps)
      printResult(asJson ? `${JSON.stringify({ name, key, steps })}\n` : `${key}\n`)
      return 0
    } catch (error) {
      if (asJson && error instanceof HelperError)
        printResult(`${JSON.stringify({ name, key: null, error: error.code, steps })}\n`)
      if (error instanceof HelperError && error.code === 'name-unresolved') return NOT_RESOLVED
      throw error
    }
  },
}

export const petnameCommand: Command = {
  usage: PETNAME_USAGE,
  async run(args, { env, printResult }) {
    const parsed = parseCommand(args, PETNAME_USAGE, { remove: { type: 'string' }, json: { type: 'boolean' } })
    const petnames = new Petnames(env)
    const [name, key, ...rest] = parsed.positionals
    const removed = textOption(parsed, 'remove')
    if (removed !== null) await petnames.set(removed, null)
    else if (name !== undefined && key !== undefined && rest.length === 0) await petnames.set(name, hostOf(key))
    else if (name !== undefined) throw new HelperError('usage', `usage: gittorrent ${PETNAME_USAGE}`)
    else if (parsed.values.json === true) printResult(`${JSON.stringify(Object.fromEntries(await petnames.all()))}\n`)
    else for (const [petname, value] of await petnames.all()) printResult(`${petname} ${value}\n`)
    return 0
  },
}

export const scanCommand: Command = {
  usage: SCAN_USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, SCAN_USAGE, { rpc: { type: 'string' }, json: { type: 'boolean' } })
    const { env, signal, printResult } = context
    const rpc = textOption(parsed, 'rpc') ?? configValue(await readGitConfig(env), 'gittorrent.bitcoinrpc')
    if (rpc === null || !URL.canParse(rpc))
      throw new HelperError(
        'usage',
        'scan: expected the URL of a Bitcoin node, got none, try --rpc http://user:password@127.0.0.1:8332',
      )
    const progress = progressOf(context)
    const state = await scanChain({
      env,
      rpc,
      signal,
      nowSeconds: Math.floor(Date.now() / 1000),
      onBlock: (height, tip) => progress.update('Scanning blocks', `${height} of ${tip}`),
    })
    const [height, count] = [state.recent.at(-1)?.height ?? null, state.registrations.length]
    printResult(
      parsed.values.json === true
        ? `${JSON.stringify({ height, registrations: count })}\n`
        : `block ${height}, ${count} registrations\n`,
    )
    return 0
  },
}

export const registerCommand: Command = {
  usage: REGISTER_USAGE,
  async run(args, context) {
    const options = {
      key: { type: 'string' },
      reserve: { type: 'boolean' },
      token: { type: 'string' },
      json: { type: 'boolean' },
    } as const
    const parsed = parseCommand(args, REGISTER_USAGE, options)
    const name = onlyPositional(parsed.positionals, REGISTER_USAGE).toLowerCase()
    const { id } = await (await openKeyStore(parsed, context)).choose(textOption(parsed, 'key'))
    const reserves = parsed.values.reserve === true
    const token = textOption(parsed, 'token') ?? (reserves ? randomBytes(4).toString('hex') : null)
    const data = writeRegistration(name, id, token, reserves ? 'reserve' : 'claim')
    const shown = {
      text: Buffer.from(data).toString('latin1'),
      data: Buffer.from(data).toString('hex'),
      script: carryingScript(data).toString('hex'),
      transaction: unsignedTransaction(data).toString('hex'),
      token,
    }
    const asJson = parsed.values.json === true
    if (asJson) context.printResult(`${JSON.stringify(shown)}\n`)
    else
      for (const [label, value] of Object.entries(shown)) if (value !== null) context.printResult(`${label} ${value}\n`)
    const later = reserves ? `; then, a block later: gittorrent register ${name} --token ${token}` : ''
    context.printText(
      `gittorrent: fund, sign and send the transaction with a wallet of yours (bitcoin-cli fundrawtransaction)${later}\n`,
    )
    return 0
  },
}
