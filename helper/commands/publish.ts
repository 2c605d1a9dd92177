/**
 * `gittorrent publish`: branches and tags of a repository under a key of ours, without any server. Copies them into the
 * isolated repository, signs, tells the DHT, and serves until stopped; `--once` ends after telling, for a daemon to go on.
 * While it runs it puts the records again before nodes forget them, and signs anew before they expire.
 */
import { once } from 'node:events'
import { basename, resolve } from 'node:path'
import { formatAddress, type Net, openNet } from '../../net/index.ts'
import { handOverPublication } from '../daemon/hand-over.ts'
import { HelperError, messageOf, printable } from '../errors.ts'
import { openRepository } from '../git/repository.ts'
import { keyId } from '../keys/key-store.ts'
import { countOf } from '../progress.ts'
import { PUBLISHER_LOCK_WAIT_MS, RECORD_LIFETIME_S } from '../publish/limits.ts'
import { repositoryName, repositorySalt } from '../publish/names.ts'
import type { PublishSurroundings, Signer } from '../publish/own-record.ts'
import { type PublishChanges, type Published, publishRepository, publishSuccession } from '../publish/publish.ts'
import { PublisherFolder } from '../publish/publisher-folder.ts'
import { type Delegate, decodeRecord } from '../publish/record.ts'
import { keepAlive, servePublisher } from '../publish/serve-publisher.ts'
import { commitmentTo } from '../publish/succession.ts'
import { takeIn } from '../publish/take-in.ts'
import { TipServer } from '../publish/tip-serve.ts'
import { ANY_PORT, passing, publicNetOptions } from '../share/ways-in.ts'
import {
  type Command,
  type CommandContext,
  onlyPositional,
  type ParsedCommand,
  parseNetworkCommand,
  textOption,
} from './command-line.ts'
import { openKeyStore } from './keygen.ts'

const USAGE =
  'publish <repository> [--name <name>] [--key <key>] [--passphrase-file <file>] [--profile-name <text>] [--profile-email <text>] [--delegate <key>=<pattern>[,<pattern>]...] [--undelegate <key>] [--next <key>] [--succeeds <key>] [--revoke] [--days <number>] [--once] [--json]'
const DAY_S = 24 * 3600
/** Signing anew when half of the time is over leaves the other half for trouble. */
const RENEWALS_PER_LIFETIME = 2

const OPTIONS = {
  name: { type: 'string' },
  key: { type: 'string' },
  'passphrase-file': { type: 'string' },
  'profile-name': { type: 'string' },
  'profile-email': { type: 'string' },
  delegate: { type: 'string', multiple: true },
  undelegate: { type: 'string', multiple: true },
  next: { type: 'string' },
  succeeds: { type: 'string' },
  revoke: { type: 'boolean' },
  days: { type: 'string' },
  once: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const publishCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const parsed = await parseNetworkCommand(args, USAGE, OPTIONS, context.env)
    const source = await openRepository(onlyPositional(parsed.positionals, USAGE))
    const name = repositoryName(textOption(parsed, 'name') ?? nameOf(source.path))
    const signer = await signerOf(parsed, context)
    const folder = new PublisherFolder(context.env, keyId(signer.publicKey))
    const { settings, trace } = parsed
    const options = publicNetOptions(settings, settings.listen ?? ANY_PORT, trace)
    const net = await openNet(parsed.values.once === true ? passing(options) : options)
    try {
      const lifetimeSeconds = lifetimeOf(parsed)
      const warn = (text: string): void => context.printText(`warning: ${printable(text)}\n`)
      const around = (): PublishSurroundings => ({
        ...{ env: context.env, net, trace, warn },
        ...{ nowSeconds: now(), lifetimeSeconds },
      })
      const changes = await changesOf(parsed, folder, name, now() + lifetimeSeconds, context)
      await succeed(parsed, signer, around())
      const published = await folder.exclusively(PUBLISHER_LOCK_WAIT_MS, async () => {
        const losers = await takeIn(source, folder, name)
        for (const ref of losers)
          context.printText(
            `warning: '${printable(ref)}' loses commits that were published, pushed from elsewhere? '${source.path}' lacks them\n`,
          )
        return publishRepository(signer, name, changes, around())
      })
      report(published, name, parsed, context)
      if (parsed.values.once === true) {
        await handOverPublication({ id: folder.id, name, settings, env: context.env, trace })
        return 0
      }
      const renew = async (): Promise<void> => {
        await folder.exclusively(PUBLISHER_LOCK_WAIT_MS, () => publishRepository(signer, name, { read: [] }, around()))
      }
      await serve(net, folder, name, { renew, lifetimeSeconds, parsed, context })
      return 0
    } finally {
      await net.close()
    }
  },
}

const now = (): number => Math.floor(Date.now() / 1000)

function nameOf(path: string): string {
  const last = basename(resolve(path))
  return last === '.git' ? basename(resolve(path, '..')) : last
}

async function signerOf(parsed: ParsedCommand, context: CommandContext): Promise<Signer> {
  const store = await openKeyStore(parsed, context)
  const key = await store.choose(textOption(parsed, 'key'))
  return { seed: await store.seedOf(key), publicKey: Buffer.from(key.publicKey, 'hex') }
}

function lifetimeOf(parsed: ParsedCommand): number {
  const days = textOption(parsed, 'days')
  if (days === null) return RECORD_LIFETIME_S
  if (!/^\d{1,3}$/.test(days) || Number(days) < 1)
    throw new HelperError('usage', `publish: expected 1 to 999 days, got '${days}'`)
  return Number(days) * DAY_S
}

async function changesOf(
  parsed: ParsedCommand,
  folder: PublisherFolder,
  name: string,
  expires: number,
  context: CommandContext,
): Promise<PublishChanges> {
  const next = textOption(parsed, 'next')
  const store = await openKeyStore(parsed, context)
  return {
    name: textOption(parsed, 'profile-name') ?? undefined,
    email: textOption(parsed, 'profile-email') ?? undefined,
    delegates: await delegatesOf(parsed, folder, name, expires),
    next: next === null ? undefined : commitmentTo(Buffer.from((await store.choose(next)).publicKey, 'hex')),
  }
}

/** The delegates as they were, with those that the options add, replace or take away; undefined for no change. */
async function delegatesOf(
  parsed: ParsedCommand,
  folder: PublisherFolder,
  name: string,
  expires: number,
): Promise<readonly Delegate[] | undefined> {
  const [added, removed] = [
    listOption(parsed, 'delegate').map((text) => delegateOf(text, expires)),
    listOption(parsed, 'undelegate'),
  ]
  if (added.length + removed.length === 0) return undefined
  const salt = Buffer.from(repositorySalt(name))
  const item = (await folder.memory()).items().find((candidate) => salt.equals(candidate.salt))
  const record = item === undefined ? null : decodeRecord(item.value)
  const before = record?.type === 'repository' ? record.delegates : []
  const isReplaced = (key: string): boolean => removed.includes(key) || added.some((delegate) => delegate.key === key)
  return [...before.filter(({ key }) => !isReplaced(key)), ...added]
}

function listOption(parsed: ParsedCommand, name: string): string[] {
  const value = parsed.values[name]
  return Array.isArray(value) ? value.map(String) : []
}

function delegateOf(text: string, expires: number): Delegate {
  const match =
    /^([0-9a-f]{64})=(refs\/(?:heads|tags)\/[^,*]+(?:\/\*)?(?:,refs\/(?:heads|tags)\/[^,*]+(?:\/\*)?)*|refs\/(?:heads|tags)\/\*)$/.exec(
      text,
    )
  const [, key, patterns] = match ?? []
  if (key !== undefined && patterns !== undefined) return { key, expires, patterns: patterns.split(',') }
  throw new HelperError(
    'usage',
    `publish: expected --delegate <64 digits>=refs/heads/<name or folder/*>, got '${text}'`,
  )
}

async function succeed(parsed: ParsedCommand, signer: Signer, around: PublishSurroundings): Promise<void> {
  const from = textOption(parsed, 'succeeds')
  if (from === null) return
  if (!/^[0-9a-f]{64}$/.test(from))
    throw new HelperError('usage', `publish: expected --succeeds <64 digits>, got '${from}'`)
  await publishSuccession(
    signer,
    Buffer.from(from, 'hex'),
    parsed.values.revoke === true ? 'revoked' : 'rotated',
    around,
  )
}

function report(
  { folder, seq, record, nodeCount }: Published,
  name: string,
  parsed: ParsedCommand,
  context: CommandContext,
): void {
  const url = `gittorrent://${folder.id}/${name}`
  const expires = new Date(record.expires * 1000).toISOString()
  if (parsed.values.json === true)
    context.printResult(`${JSON.stringify({ url, seq, refs: record.refCount, expires, nodes: nodeCount })}\n`)
  else context.printResult(`${url}\n`)
  const told = nodeCount === null ? 'no DHT: only peers can tell' : `${nodeCount} DHT nodes told`
  context.printText(
    `gittorrent: ${countOf(record.refCount, 'ref')} signed, seq ${seq}, until ${expires.slice(0, 10)}; ${told}\n`,
  )
}

async function serve(
  net: Net,
  folder: PublisherFolder,
  name: string,
  around: {
    readonly renew: () => Promise<void>
    readonly lifetimeSeconds: number
    readonly parsed: Awaited<ReturnType<typeof parseNetworkCommand>>
    readonly context: CommandContext
  },
): Promise<void> {
  const { parsed, context, renew, lifetimeSeconds } = around
  const tips = new TipServer(parsed.trace)
  const service = await servePublisher(net, folder, name, tips)
  const stop = keepAlive(net, folder, parsed.trace)
  const renewal = setInterval(
    () => void renew().catch((error: unknown) => context.printText(`warning: cannot sign anew: ${messageOf(error)}\n`)),
    Math.min((lifetimeSeconds * 1000) / RENEWALS_PER_LIFETIME, 2 ** 31 - 1),
  )
  try {
    context.printText(`gittorrent: seeding on ${net.address === null ? 'no port' : formatAddress(net.address)}\n`)
    if (!context.signal.aborted) await once(context.signal, 'abort')
  } finally {
    clearInterval(renewal)
    stop()
    tips.close()
    await service.close()
  }
}
