/**
 * `gittorrent follow`: keeps alive what somebody else published, without the key. Takes repositories by URL, or with a bare
 * key all that its profile names, up to a budget of disk; serves them, puts the signed records again, and looks for news.
 * Tells how many others are there for each.
 */
import { once } from 'node:events'
import { formatAddress, type Net, openNet } from '../../net/index.ts'
import { HelperError, messageOf } from '../errors.ts'
import { humanBytes } from '../progress.ts'
import { KeptPublication } from '../publish/kept-publication.ts'
import { FOLLOW_BUDGET_BYTES } from '../publish/limits.ts'
import { repositoryName } from '../publish/names.ts'
import { paceOf } from '../publish/pace.ts'
import { readProfile } from '../publish/reader.ts'
import { buildHere } from '../publish/serve-publisher.ts'
import { TipServer } from '../publish/tip-serve.ts'
import { ANY_PORT, passing, publicNetOptions } from '../share/ways-in.ts'
import { parseRemoteUrl } from '../url.ts'
import { type Command, type CommandContext, parseNetworkCommand, progressOf, textOption } from './command-line.ts'
import { bytesOf } from './publication-control.ts'

const USAGE = 'follow <key or gittorrent://<key>/<repository>>... [--budget <bytes>] [--once] [--json]'

type Parsed = Awaited<ReturnType<typeof parseNetworkCommand>>
interface Address {
  readonly key: string
  /** Null: all of the publisher's. */
  readonly name: string | null
}

export const followCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const options = { budget: { type: 'string' }, once: { type: 'boolean' }, json: { type: 'boolean' } } as const
    const parsed = await parseNetworkCommand(args, USAGE, options, context.env)
    const addresses = parsed.positionals.map(addressOf)
    if (addresses.length === 0) throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const netOptions = publicNetOptions(parsed.settings, parsed.settings.listen ?? ANY_PORT, parsed.trace)
    const net = await openNet(parsed.values.once === true ? passing(netOptions) : netOptions)
    const follower = new Follower(net, parsed, context, budgetOf(parsed))
    try {
      for (const address of addresses) await follower.take(address)
      await follower.announce(parsed.values.json === true)
      if (parsed.values.once !== true) await follower.stay()
      return 0
    } finally {
      await follower.close()
      await net.close()
    }
  },
}

function addressOf(text: string): Address {
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return { key: text, name: null }
  const parsed = parseRemoteUrl(text)
  if (parsed.kind === 'key') return { key: parsed.key, name: repositoryName(parsed.repository) }
  throw new HelperError('url-unsupported', `follow: expected a key or gittorrent://<key>/<repository>, got '${text}'`)
}

function budgetOf(parsed: Parsed): number {
  const text = textOption(parsed, 'budget')
  return text === null ? FOLLOW_BUDGET_BYTES : bytesOf(text)
}

class Follower {
  readonly #net: Net
  readonly #parsed: Parsed
  readonly #context: CommandContext
  readonly #budget: number
  readonly #tips: TipServer
  readonly #kept: KeptPublication[] = []

  constructor(net: Net, parsed: Parsed, context: CommandContext, budget: number) {
    this.#net = net
    this.#parsed = parsed
    this.#context = context
    this.#budget = budget
    this.#tips = new TipServer(parsed.trace)
  }

  /** Takes one repository, or all of a publisher's while the budget lasts. */
  async take({ key, name }: Address): Promise<void> {
    if (name !== null) return this.#takeOne(key, name, () => Number.POSITIVE_INFINITY)
    const { env, signal, printText } = this.#context
    const { trace } = this.#parsed
    const nowSeconds = Math.floor(Date.now() / 1000)
    const profile = await readProfile(key, { net: this.#net, env, signal, trace, nowSeconds })
    if (profile.leftOutCount > 0)
      printText(`warning: ${profile.leftOutCount} repositories of ${key} are not in the profile, name them\n`)
    for (const repository of profile.repositories) {
      if (this.#roomLeft() === 0) {
        printText(`gittorrent: budget of ${humanBytes(this.#budget)} used, '${repository.name}' is left out\n`)
        continue
      }
      await this.#takeOne(key, repositoryName(repository.name), () => this.#roomLeft()).catch((error: unknown) => {
        printText(`warning: ${messageOf(error)}\n`)
      })
    }
  }

  #roomLeft(): number {
    return Math.max(0, this.#budget - this.#kept.reduce((sum, { diskLength }) => sum + diskLength, 0))
  }

  async #takeOne(key: string, name: string, roomLeft: () => number): Promise<void> {
    const { env, signal, printText } = this.#context
    const { config, settings, trace } = this.#parsed
    const kept = new KeptPublication(
      { key, name },
      {
        ...{ net: this.#net, tips: this.#tips, openChains: buildHere, env, config, settings, trace, signal },
        progress: progressOf(this.#context),
        log: (text) => printText(`gittorrent: ${text}\n`),
        roomLeft,
      },
    )
    await kept.look()
    if (kept.state === 'serving') this.#kept.push(kept)
    else throw new HelperError('not-published', kept.notes.at(-1) ?? `'${name}': expected it from peers, got nothing`)
  }

  /** Says what is followed. */
  async announce(asJson: boolean): Promise<void> {
    const { printResult, printText } = this.#context
    for (const { id, address, seq, connectedCount, holders } of this.#kept) {
      const url = `gittorrent://${id}/${address.name}`
      const others = holders?.current ?? 0
      if (asJson) printResult(`${JSON.stringify({ url, seq, peers: connectedCount, holders: others })}\n`)
      else printResult(`${url} seq ${seq}, ${connectedCount} others connected, ${others} of them hold it\n`)
    }
    printText(`gittorrent: seeding on ${this.#net.address === null ? 'no port' : formatAddress(this.#net.address)}\n`)
  }

  /** Serves until stopped. */
  async stay(): Promise<void> {
    const { republishMs, lookMs } = paceOf(this.#context.env)
    const timers = [
      setInterval(() => void Promise.all(this.#kept.map((kept) => kept.republish())), republishMs),
      setInterval(() => void Promise.all(this.#kept.map((kept) => kept.look())), lookMs),
    ]
    try {
      if (!this.#context.signal.aborted) await once(this.#context.signal, 'abort')
    } finally {
      for (const timer of timers) clearInterval(timer)
    }
  }

  async close(): Promise<void> {
    this.#tips.close()
    await Promise.all(this.#kept.map((kept) => kept.close()))
  }
}
