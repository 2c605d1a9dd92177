/**
 * `gittorrent follow`: keeps alive what somebody else published, without the key. Takes repositories by URL, or with a bare
 * key all that its profile names, up to a budget of disk; serves them, puts the signed records again, and looks for news.
 * Tells how many others are there for each.
 */
import { once } from 'node:events'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatAddress, type Net, openNet } from '../../net/index.ts'
import { HelperError, messageOf } from '../errors.ts'
import { humanBytes } from '../progress.ts'
import { FOLLOW_BUDGET_BYTES, FOLLOW_INTERVAL_MS } from '../publish/limits.ts'
import { repositoryName } from '../publish/names.ts'
import type { PublisherFolder } from '../publish/publisher-folder.ts'
import { type Publication, readProfile, readPublication } from '../publish/reader.ts'
import { keepAlive, republishPublisher, servePublisher } from '../publish/serve-publisher.ts'
import { syncPublication } from '../publish/sync.ts'
import { TipServer } from '../publish/tip-serve.ts'
import { publicNetOptions } from '../share/ways-in.ts'
import { parseRemoteUrl } from '../url.ts'
import { type Command, type CommandContext, parseNetworkCommand, progressOf, textOption } from './command-line.ts'
import { bytesOf } from './publication-control.ts'

const USAGE = 'follow <key or gittorrent://<key>/<repository>>... [--budget <bytes>] [--once] [--json]'
const ANY_PORT = { host: '0.0.0.0', port: 0 }

type Parsed = Awaited<ReturnType<typeof parseNetworkCommand>>
type Service = Awaited<ReturnType<typeof servePublisher>>

interface Address {
  readonly key: string
  /** Null: all of the publisher's. */
  readonly name: string | null
}

interface Followed {
  readonly address: { readonly key: string; readonly name: string }
  readonly folder: PublisherFolder
  readonly name: string
  readonly service: Service
  seq: number
}

export const followCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const options = { budget: { type: 'string' }, once: { type: 'boolean' }, json: { type: 'boolean' } } as const
    const parsed = await parseNetworkCommand(args, USAGE, options, context.env)
    const addresses = parsed.positionals.map(addressOf)
    if (addresses.length === 0) throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const net = await openNet(publicNetOptions(parsed.settings, parsed.settings.listen ?? ANY_PORT, parsed.trace))
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
  readonly #followed: Followed[] = []
  #usedBytes = 0

  constructor(net: Net, parsed: Parsed, context: CommandContext, budget: number) {
    this.#net = net
    this.#parsed = parsed
    this.#context = context
    this.#budget = budget
    this.#tips = new TipServer(parsed.trace)
  }

  /** Takes one repository, or all of a publisher's while the budget lasts. */
  async take({ key, name }: Address): Promise<void> {
    if (name !== null) return this.#takeOne(key, name)
    const profile = await readProfile(key, this.#around())
    if (profile.leftOutCount > 0)
      this.#context.printText(
        `warning: ${profile.leftOutCount} repositories of ${key} are not in the profile, name them\n`,
      )
    for (const repository of profile.repositories) {
      if (this.#usedBytes >= this.#budget) {
        this.#context.printText(
          `gittorrent: budget of ${humanBytes(this.#budget)} used, '${repository.name}' is left out\n`,
        )
        continue
      }
      await this.#takeOne(key, repositoryName(repository.name)).catch((error: unknown) => {
        this.#context.printText(`warning: ${messageOf(error)}\n`)
      })
    }
  }

  async #takeOne(key: string, name: string): Promise<void> {
    const publication = await this.#bring(key, name)
    await publication.topic.close()
    const { folder, seq } = publication
    const service = await servePublisher(this.#net, folder, name, this.#tips)
    this.#followed.push({ address: { key, name }, folder, name, service, seq })
    await republishPublisher(this.#net, folder, this.#parsed.trace)
  }

  async #bring(key: string, name: string): Promise<Publication> {
    const publication = await readPublication(key, name, this.#around())
    for (const note of publication.notes) this.#context.printText(`warning: ${note}\n`)
    const { config, settings, trace } = this.#parsed
    const progress = progressOf(this.#context)
    const surroundings = { net: this.#net, config, settings, trace, signal: this.#context.signal, progress }
    const { repository } = await syncPublication(publication, surroundings)
    this.#usedBytes += await sizeOf(repository.gitDir)
    return publication
  }

  /** Says what is followed. */
  async announce(asJson: boolean): Promise<void> {
    const { printResult, printText } = this.#context
    for (const { folder, name, service, seq } of this.#followed) {
      await service.topic.waitForPeer({ timeoutMs: 1_000, signal: this.#context.signal })
      const others = service.topic.peers().length
      const url = `gittorrent://${folder.id}/${name}`
      if (asJson) printResult(`${JSON.stringify({ url, seq, peers: others })}\n`)
      else printResult(`${url} seq ${seq}, ${others} others connected\n`)
    }
    printText(`gittorrent: seeding on ${this.#net.address === null ? 'no port' : formatAddress(this.#net.address)}\n`)
  }

  /** Serves until stopped. */
  async stay(): Promise<void> {
    const stops = this.#followed.map(({ folder }) => keepAlive(this.#net, folder, this.#parsed.trace))
    const timer = setInterval(() => void this.#refresh(), FOLLOW_INTERVAL_MS)
    try {
      if (!this.#context.signal.aborted) await once(this.#context.signal, 'abort')
    } finally {
      clearInterval(timer)
      for (const stop of stops) stop()
    }
  }

  /** Looks for news on a net of its own, because the topics of this one are joined to serve. */
  async #refresh(): Promise<void> {
    const { settings, trace, config } = this.#parsed
    for (const followed of this.#followed) {
      const net = await openNet(publicNetOptions(settings, null, trace))
      try {
        const { key, name } = followed.address
        const publication = await readPublication(key, name, { ...this.#around(), net })
        if (publication.seq === followed.seq || publication.folder.id !== followed.folder.id) continue
        const progress = progressOf(this.#context)
        await syncPublication(publication, { net, config, settings, trace, signal: this.#context.signal, progress })
        followed.seq = publication.seq
        await followed.service.refresh()
      } catch (error) {
        trace(() => `follow: ${messageOf(error)}`)
      } finally {
        await net.close()
      }
    }
  }

  #around() {
    const { env, signal } = this.#context
    return { net: this.#net, env, signal, trace: this.#parsed.trace, nowSeconds: Math.floor(Date.now() / 1000) }
  }

  async close(): Promise<void> {
    this.#tips.close()
    await Promise.all(this.#followed.map(({ service }) => service.close()))
  }
}

async function sizeOf(gitDir: string): Promise<number> {
  const folder = join(gitDir, 'objects', 'pack')
  const names = await readdir(folder).catch(() => [])
  const sizes = await Promise.all(names.map((name) => stat(join(folder, name)).then(({ size }) => size)))
  return sizes.reduce((sum, size) => sum + size, 0)
}
