/**
 * `gittorrent add`, `remove`, `list`, `status` and `stop`: what a user says to the running daemon. `list` without a daemon
 * reads the list from its file.
 */
import { resolve } from 'node:path'
import { readGitConfig, readSettings } from '../config.ts'
import { askDaemon } from '../daemon/control-client.ts'
import { type DaemonHome, daemonHome } from '../daemon/home.ts'
import type { PublicationStatus } from '../daemon/publication-status.ts'
import { readList } from '../daemon/repository-list.ts'
import type { DaemonStatus, RepositoryStatus } from '../daemon/status.ts'
import { HelperError, printable } from '../errors.ts'
import { countOf, humanBytes } from '../progress.ts'
import { type Command, type CommandContext, parseCommand, textOption } from './command-line.ts'
import { bytesOf, keepPublication, linesOfPublication, publicationTarget } from './publication-control.ts'

const ADD_USAGE =
  'add <repository or gittorrent://<key>/<repository>>... [--origin <URL>] [--remote <name>] [--local-branches] [--budget <bytes>] [--json]'
const REMOVE_USAGE = 'remove <repository or gittorrent://<key>/<repository>>... [--json]'
const LIST_USAGE = 'list [--json]'
const STATUS_USAGE = 'status [--json]'
const STOP_USAGE = 'stop [--json]'

export const addCommand: Command = {
  usage: ADD_USAGE,
  async run(args, context) {
    const json = { json: { type: 'boolean' } } as const
    const options = {
      origin: { type: 'string' },
      remote: { type: 'string' },
      'local-branches': { type: 'boolean' },
      budget: { type: 'string' },
    } as const
    const parsed = parseCommand(args, ADD_USAGE, { ...options, ...json })
    if (parsed.positionals.length === 0) throw new HelperError('usage', `usage: gittorrent ${ADD_USAGE}`)
    const home = await homeOf(context)
    const budget = textOption(parsed, 'budget')
    const added: (RepositoryStatus | PublicationStatus)[] = []
    const lines: string[] = []
    for (const path of parsed.positionals) {
      const target = publicationTarget(path)
      if (target !== null) {
        added.push(...(await keepPublication(home, target, budget === null ? null : bytesOf(budget))))
        lines.push(`added ${path}`)
        continue
      }
      const terms = {
        origin: textOption(parsed, 'origin'),
        remote: textOption(parsed, 'remote'),
        localBranches: parsed.values['local-branches'] === true,
      }
      const answer = await askDaemon(home, { command: 'add', path: resolve(path), ...terms })
      const status = answer as RepositoryStatus
      added.push(status)
      lines.push(`added '${printable(status.path)}'`)
    }
    show(context, parsed.values.json === true, added, lines)
    return 0
  },
}

export const removeCommand: Command = {
  usage: REMOVE_USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, REMOVE_USAGE, { json: { type: 'boolean' } })
    if (parsed.positionals.length === 0) throw new HelperError('usage', `usage: gittorrent ${REMOVE_USAGE}`)
    const home = await homeOf(context)
    const removed: { path: string }[] = []
    for (const path of parsed.positionals) {
      const target = publicationTarget(path)
      const what = target === null ? { path: resolve(path) } : target
      removed.push((await askDaemon(home, { command: 'remove', ...what })) as { path: string })
    }
    show(
      context,
      parsed.values.json === true,
      removed,
      removed.map(({ path }) => `removed '${printable(path)}'`),
    )
    return 0
  },
}

export const listCommand: Command = {
  usage: LIST_USAGE,
  async run(args, context) {
    const asJson = parseWithoutRepository(args, LIST_USAGE)
    const home = await homeOf(context)
    const listed = await askDaemon(home, { command: 'status' }).then(
      (answer) => {
        const { repositories, publications } = answer as DaemonStatus
        return [
          ...repositories.map(({ path, origin, claim, state }) => ({ path, origin, claim, state })),
          ...publications.map(({ url, own, state }) => ({ path: url, origin: null, claim: claimOf(own), state })),
        ]
      },
      async (error) => {
        if (!(error instanceof HelperError) || error.code !== 'daemon-absent') throw error
        const entries = await readList(home.list)
        const state = 'daemon not running'
        const { readEntries } = await import('../daemon/publications.ts')
        const publications = await readEntries(home.publications)
        const urls = publications.map(({ key, name }) => `gittorrent://${key}/${name ?? ''}`)
        return [
          ...entries.map(({ path, origin, claim }) => ({ path, origin, claim, state })),
          ...urls.map((path) => ({ path, origin: null, claim: 'command', state })),
        ]
      },
    )
    show(
      context,
      asJson,
      listed,
      listed.map(({ path, state }) => `${printable(path)}\t${state}`),
    )
    return 0
  },
}

export const statusCommand: Command = {
  usage: STATUS_USAGE,
  async run(args, context) {
    const asJson = parseWithoutRepository(args, STATUS_USAGE)
    const status = (await askDaemon(await homeOf(context), { command: 'status' })) as DaemonStatus
    const lines = [...status.repositories.flatMap(linesOf), ...status.publications.flatMap(linesOfPublication)]
    show(context, asJson, status, [summaryOf(status), ...lines])
    return 0
  },
}

export const stopCommand: Command = {
  usage: STOP_USAGE,
  async run(args, context) {
    const asJson = parseWithoutRepository(args, STOP_USAGE)
    const stopped = (await askDaemon(await homeOf(context), { command: 'stop' })) as { pid: number }
    show(context, asJson, stopped, [`stopping process ${stopped.pid}`])
    return 0
  },
}

const claimOf = (isOwn: boolean): string => (isOwn ? 'published' : 'followed')

async function homeOf({ env }: CommandContext): Promise<DaemonHome> {
  return daemonHome(readSettings(await readGitConfig(env), env), env)
}

function parseWithoutRepository(args: readonly string[], usage: string): boolean {
  const parsed = parseCommand(args, usage, { json: { type: 'boolean' } })
  if (parsed.positionals.length > 0) throw new HelperError('usage', `usage: gittorrent ${usage}`)
  return parsed.values.json === true
}

function show({ printResult }: CommandContext, asJson: boolean, value: unknown, lines: readonly string[]): void {
  printResult(asJson ? `${JSON.stringify(value, null, 2)}\n` : lines.map((line) => `${line}\n`).join(''))
}

function summaryOf({ pid, address, tracker, http, uploaded, downloaded, ratio, repositories }: DaemonStatus): string {
  const moved = `${humanBytes(uploaded)} up, ${humanBytes(downloaded)} down, ratio ${ratio ?? '-'}`
  const others = [...(tracker === null ? [] : [`tracker ${tracker}`]), ...(http === null ? [] : [`http ${http}`])]
  const where = [address ?? 'no port', ...others].join(', ')
  return `daemon ${pid} on ${where}: ${countOf(repositories.length, 'repository', 'repositories')}, ${moved}`
}

function linesOf(repository: RepositoryStatus): string[] {
  const { path, origin, state, detail, peers, uploaded, downloaded, ratio, lastAnnounce, links, snapshots, mirrors } =
    repository
  const moved = `${humanBytes(uploaded)} up, ${humanBytes(downloaded)} down, ratio ${ratio ?? '-'}`
  const announced = `${repository.public ? 'public' : 'private'}, last announce ${lastAnnounce ?? 'never'}`
  return [
    '',
    `${printable(path)}`,
    `  origin ${printable(origin)}`,
    `  ${state}${detail === '' ? '' : `: ${printable(detail)}`}`,
    `  ${countOf(peers, 'peer')}, ${moved}, ${announced}`,
    ...repository.waysIn.flatMap(({ name, failure }) => (failure === null ? [] : [`  ${name}: ${printable(failure)}`])),
    ...mirrors.map((url) => `  mirror ${printable(url)}`),
    ...(repository.webseed === null ? [] : [`  web seed ${repository.webseed}`]),
    ...links.map((link) => {
      const counts = `${humanBytes(link.bytes)}, ${countOf(link.peers, 'peer')}, ${humanBytes(link.uploaded)} up`
      return `  ${link.infohash} ${printable(link.ref)} ${counts}`
    }),
    ...snapshots.map((snapshot) => {
      const counts = `${humanBytes(snapshot.bytes)}, ${countOf(snapshot.peers, 'peer')}, ${humanBytes(snapshot.uploaded)} up`
      return `  ${snapshot.infohash} snapshot ${counts}`
    }),
  ]
}
