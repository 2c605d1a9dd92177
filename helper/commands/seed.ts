/**
 * `gittorrent seed`: builds what is missing, announces, serves until it is told to stop. Only what the origin shows is
 * served: remote-tracking branches, in a bare repository its own branches.
 */

import { once } from 'node:events'
import { formatAddress, openNet } from '../../net/index.ts'
import { buildChains, type Chains } from '../build/chains.ts'
import { publicTips } from '../build/history.ts'
import type { Settings } from '../config.ts'
import { HelperError } from '../errors.ts'
import { originOf } from '../git/origin-of.ts'
import { openRepository, type Repository } from '../git/repository.ts'
import { humanBytes } from '../progress.ts'
import { serveChains } from '../share/serve.ts'
import { topicOf } from '../share/topic.ts'
import { netOptionsFor } from '../share/ways-in.ts'
import type { Trace } from '../trace.ts'
import type { Origin } from '../url.ts'
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
  'seed <repository>... [--origin <URL>] [--remote <name>] [--local-branches] [--snapshot] [--once] [--json] [--progress | -q]'
const ANY_PORT = { host: '0.0.0.0', port: 0 }

interface Offer {
  readonly chains: Chains
  readonly origin: Origin
}

export const seedCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const options = {
      ...PROGRESS_OPTIONS,
      origin: { type: 'string' },
      remote: { type: 'string' },
      'local-branches': { type: 'boolean' },
      snapshot: { type: 'boolean' },
      once: { type: 'boolean' },
      json: { type: 'boolean' },
    } as const
    const parsed = await parseNetworkCommand(args, USAGE, options, context.env)
    if (parsed.positionals.length === 0) throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const remote = textOption(parsed, 'remote') ?? 'origin'
    const offers: Offer[] = []
    try {
      for (const path of parsed.positionals) {
        const repository = await openRepository(path)
        const origin = await originOf(repository, remote, textOption(parsed, 'origin'))
        const chains = await buildOffer(repository, remote, parsed, context)
        offers.push({ chains, origin })
        report(chains, parsed.values.json === true, context)
      }
      await serve(offers, remote, parsed.settings, parsed.trace, parsed.values.once === true, context)
      return 0
    } finally {
      for (const { chains } of offers) await chains.close()
    }
  },
}

async function buildOffer(
  repository: Repository,
  remote: string,
  parsed: ParsedCommand,
  context: CommandContext,
): Promise<Chains> {
  const tips = await publicTips(repository, remote, parsed.values['local-branches'] === true)
  if (tips.length === 0 && !repository.isBare) {
    context.printText(
      `gittorrent: '${repository.path}' has no remote-tracking branch of '${remote}'; local branches are private unless --local-branches is given\n`,
    )
  }
  const snapshot = parsed.values.snapshot === true
  return buildChains(repository, tips, { ...buildOptionsOf(context, parsed), snapshot })
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
      : `gittorrent: '${repository.path}': ${links.length} links of ${chains.length} lines, ${humanBytes(bytes)}, ${built} segments built\n`,
  )
}

async function serve(
  offers: readonly Offer[],
  remote: string,
  settings: Settings,
  trace: Trace,
  isOnce: boolean,
  { signal, printText }: CommandContext,
): Promise<void> {
  const [first] = offers
  if (first === undefined || isOnce) return
  // One net serves all: what one private origin forbids is off for the others too.
  const options = offers.map(({ origin }) => netOptionsFor(origin, settings, settings.listen ?? ANY_PORT, trace))
  const strictest = {
    ...netOptionsFor(first.origin, settings, settings.listen ?? ANY_PORT, trace),
    trackers: settings.trackers.filter((tracker) => options.every(({ trackers }) => trackers.includes(tracker))),
    dht: options.every(({ dht }) => dht),
    lsd: options.every(({ lsd }) => lsd),
    dhtBootstrap: (options[0]?.dhtBootstrap ?? []).filter((node) =>
      options.every((o) => o.dhtBootstrap.includes(node)),
    ),
  }
  const net = await openNet(strictest)
  try {
    const services = offers.map(({ chains, origin }) => serveChains(net, topicOf(origin), chains, remote))
    printText(`gittorrent: seeding on ${net.address === null ? 'no port' : formatAddress(net.address)}\n`)
    if (!signal.aborted) await once(signal, 'abort')
    await Promise.all(services.map((service) => service.close()))
  } finally {
    await net.close()
  }
}
