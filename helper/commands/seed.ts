/**
 * `gittorrent seed`: builds what is missing, announces, serves until it is told to stop, with `--once --linger` for a while. Only what
 * the origin shows is served: remote-tracking branches, in a bare repository its own branches.
 */

import { formatAddress, Gates, type NetOptions, openNets } from '../../net/index.ts'
import { buildChains, type Chains } from '../build/chains.ts'
import { type NamedTip, publicTips } from '../build/history.ts'
import { HTTP_OPTIONS, type HttpSettings, readHttpSettings, type Settings } from '../config.ts'
import { answersAnonymously } from '../daemon/anonymous.ts'
import { HelperError, printable } from '../errors.ts'
import { originOf } from '../git/origin-of.ts'
import { openRepository, type Repository } from '../git/repository.ts'
import { LINGER_S_MAX } from '../limits.ts'
import { countOf, humanBytes } from '../progress.ts'
import { isPublicOrigin } from '../public-origin.ts'
import { secretFileFor } from '../share/secret-file.ts'
import { serveChains } from '../share/serve.ts'
import { topicOf } from '../share/topic.ts'
import { ANY_PORT, netOptionsFor, passing } from '../share/ways-in.ts'
import type { Trace } from '../trace.ts'
import type { Origin } from '../url.ts'
import { WebService } from '../web/web-service.ts'
import { describeLinks } from './chain.ts'
import {
  buildOptionsOf,
  type Command,
  type CommandContext,
  type ParsedCommand,
  PROGRESS_OPTIONS,
  parseNetworkCommand,
  textOption,
} from './command-line.ts'

const USAGE =
  'seed <repository>... [--origin <URL>] [--remote <name>] [--local-branches] [--snapshot] [--once [--linger <time>]] [--http <host:port> [--http-url <URL>] [--http-private]] [--json] [--progress | -q]'

interface Offer {
  readonly chains: Chains
  readonly tips: readonly NamedTip[]
  readonly origin: Origin
}

export const seedCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const options = {
      ...PROGRESS_OPTIONS,
      ...HTTP_OPTIONS,
      origin: { type: 'string' },
      remote: { type: 'string' },
      'local-branches': { type: 'boolean' },
      snapshot: { type: 'boolean' },
      once: { type: 'boolean' },
      linger: { type: 'string' },
      json: { type: 'boolean' },
    } as const
    const parsed = await parseNetworkCommand(args, USAGE, options, context.env)
    if (parsed.positionals.length === 0) throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const lingerMs = lingerOf(parsed)
    const http = readHttpSettings(parsed.config, context.env, parsed.values)
    const remote = textOption(parsed, 'remote') ?? 'origin'
    const offers: Offer[] = []
    try {
      for (const path of parsed.positionals) {
        const repository = await openRepository(path)
        const origin = await originOf(repository, remote, textOption(parsed, 'origin'))
        const offer = await buildOffer(repository, remote, parsed, context)
        offers.push({ ...offer, origin })
        report(offer.chains, parsed.values.json === true, context)
      }
      if (offers.length > 0 && lingerMs > 0) await serve(offers, remote, { ...parsed, http }, lingerMs, context)
      return 0
    } finally {
      for (const { chains } of offers) await chains.close()
    }
  },
}

/** Milliseconds to serve: 0 with --once, that of --linger, or without end. @throws HelperError 'usage' */
function lingerOf(parsed: ParsedCommand): number {
  const isOnce = parsed.values.once === true
  const text = textOption(parsed, 'linger')
  if (text === null) return isOnce ? 0 : Number.POSITIVE_INFINITY
  const [, count, unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? []
  const seconds = Number(count) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1)
  if (!isOnce) throw new HelperError('usage', `seed: --linger: expected --once with it, got none`)
  if (!(seconds > 0 && seconds <= LINGER_S_MAX))
    throw new HelperError('usage', `seed: --linger: expected a time such as 90s, 10m or 2h, got '${printable(text)}'`)
  return seconds * 1000
}

async function buildOffer(
  repository: Repository,
  remote: string,
  parsed: ParsedCommand,
  context: CommandContext,
): Promise<Omit<Offer, 'origin'>> {
  const tips = await publicTips(repository, remote, parsed.values['local-branches'] === true)
  if (tips.length === 0 && !repository.isBare) {
    context.printText(
      `gittorrent: '${repository.path}' has no remote-tracking branch of '${remote}'; local branches are private unless --local-branches is given\n`,
    )
  }
  const snapshot = parsed.values.snapshot === true
  return { chains: await buildChains(repository, tips, { ...buildOptionsOf(context, parsed), snapshot }), tips }
}

function report({ repository, chains, report: { built } }: Chains, asJson: boolean, context: CommandContext): void {
  const links = chains.flatMap((chain) => describeLinks(chain))
  const bytes = links.reduce((sum, link) => sum + link.bytes, 0)
  if (asJson) {
    const result = {
      repository: repository.path,
      built,
      chains: chains.map((chain) => ({ ref: chain.ref, tip: chain.tip, links: describeLinks(chain) })),
      bytes,
    }
    context.printResult(`${JSON.stringify(result)}\n`)
  }
  context.printText(
    links.length === 0
      ? `gittorrent: '${repository.path}' has no checkpoint yet: nothing to share\n`
      : `gittorrent: '${repository.path}': ${countOf(links.length, 'link')} of ${countOf(chains.length, 'line')}, ${humanBytes(bytes)}, ${countOf(built, 'segment')} built\n`,
  )
}

async function serve(
  offers: readonly Offer[],
  remote: string,
  { settings, trace, http }: { readonly settings: Settings; readonly trace: Trace; readonly http: HttpSettings },
  lingerMs: number,
  context: CommandContext,
): Promise<void> {
  const { signal, printText } = context
  // Whoever shares one secret is on another net than whoever shares another, or none.
  const fileOf = ({ origin }: Offer): string | null => secretFileFor(origin, settings)
  const groups = [...new Set(offers.map(fileOf))].map((file) => offers.filter((offer) => fileOf(offer) === file))
  const gates = new Gates(settings)
  const web = await WebService.open(http, settings, gates)
  const ofGroups = groups.map((group) => ({ ...netOptionsOf(group, settings, trace), gates }))
  const netOptions = Number.isFinite(lingerMs) ? ofGroups.map(passing) : ofGroups
  const nets = await openNets(netOptions).catch(async (error: unknown) => {
    await web?.close()
    throw error
  })
  try {
    if (web !== null) for (const offer of offers) await showOnWeb(web, offer, remote, context)
    const services = nets.flatMap((net, index) =>
      (groups[index] ?? []).map(({ chains, origin }) => serveChains(net, topicOf(origin), chains, remote)),
    )
    const address = nets[0]?.address ?? null
    printText(`gittorrent: seeding on ${address === null ? 'no port' : formatAddress(address)}\n`)
    await untilOver(lingerMs, signal)
    await Promise.all(services.map((service) => service.close()))
  } finally {
    await Promise.all([web?.close(), ...nets.map((net) => net.close())])
    gates.close()
  }
}

/** Tells where it is, or why it is not there. */
async function showOnWeb(
  web: WebService,
  { chains: { repository, chains, snapshots }, tips, origin }: Offer,
  remote: string,
  { signal, printText }: CommandContext,
): Promise<void> {
  // Who can be reached by friends only need not ask whether strangers may read it.
  const isPublic = web.isOpen && isPublicOrigin(origin) && (await answersAnonymously(origin, signal))
  const refusal = web.refusalFor(origin, isPublic)
  if (refusal === null)
    await web.show(origin, repository, { repository, tips, chains, snapshots, remote, onSent: () => {} })
  const where = refusal === null ? `is at ${web.urlOf(origin)}` : `is not served over HTTP: ${refusal}`
  printText(`gittorrent: '${repository.path}' ${where}\n`)
}

/** Options of one net for several origins: what one private origin forbids is off for the others too. @throws HelperError 'key-unusable' */
function netOptionsOf(offers: readonly Offer[], settings: Settings, trace: Trace): NetOptions {
  const options = offers.map(({ origin }) => netOptionsFor(origin, settings, settings.listen ?? ANY_PORT, trace))
  const [first] = options
  if (first === undefined) throw new Error('a net for no origin')
  return {
    ...first,
    trackers: settings.trackers.filter((tracker) => options.every(({ trackers }) => trackers.includes(tracker))),
    dht: options.every(({ dht }) => dht),
    lsd: options.every(({ lsd }) => lsd),
    dhtBootstrap: first.dhtBootstrap.filter((node) => options.every((o) => o.dhtBootstrap.includes(node))),
  }
}

/** Resolves when the time is over or the signal comes. */
function untilOver(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = Number.isFinite(durationMs) ? setTimeout(resolve, durationMs) : undefined
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
