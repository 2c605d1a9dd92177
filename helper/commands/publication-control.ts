/**
 * What `gittorrent add`, `remove`, `list` and `status` say of publications: an argument that is a gittorrent:// URL with a key means
 * one, with nothing behind the key all of that publisher's; the rest of those commands is about repositories on disk.
 */
import { askDaemon } from '../daemon/control-client.ts'
import type { DaemonHome } from '../daemon/home.ts'
import type { PublicationStatus } from '../daemon/publication-status.ts'
import { HelperError, printable } from '../errors.ts'
import { humanBytes } from '../progress.ts'
import { repositoryName } from '../publish/names.ts'
import { parseRemoteUrl } from '../url.ts'

export interface PublicationTarget {
  /** 40 or 64 hexadecimal digits. */
  readonly key: string
  /** Null: all of the publisher's. */
  readonly name: string | null
}

/** What an argument of a command names, null if it is a path. @throws HelperError 'url-unsupported' for other URLs of ours */
export function publicationTarget(argument: string): PublicationTarget | null {
  if (!argument.startsWith('gittorrent://')) return null
  const [, bare] = /^gittorrent:\/\/([0-9a-f]{40}|[0-9a-f]{64})\/?$/.exec(argument) ?? []
  if (bare !== undefined) return { key: bare, name: null }
  const parsed = parseRemoteUrl(argument)
  if (parsed.kind === 'key') return { key: parsed.key, name: repositoryName(parsed.repository) }
  const expected = 'expected gittorrent://<key>/<repository>'
  throw new HelperError('url-unsupported', `${expected}, got '${printable(argument)}', try \`gittorrent resolve\``)
}

/** Bytes from a number with k, m or g. @throws HelperError 'usage' */
export function bytesOf(text: string): number {
  const match = /^(\d{1,12})([kmg]?)$/i.exec(text)
  if (!match) throw new HelperError('usage', `expected a number of bytes with k, m or g, got '${printable(text)}'`)
  return Number(match[1]) * 1024 ** ['', 'k', 'm', 'g'].indexOf((match[2] ?? '').toLowerCase())
}

/** Has the daemon keep a publication; what it keeps of that publisher by now. */
export async function keepPublication(
  home: DaemonHome,
  { key, name }: PublicationTarget,
  budget: number | null,
): Promise<PublicationStatus[]> {
  return (await askDaemon(home, { command: 'keep', key, name, budget })) as PublicationStatus[]
}

/** The lines of `status` for one publication. */
export function linesOfPublication(publication: PublicationStatus): string[] {
  const { url, key, signer, own, state, seq, expires, peers, holders, diskBytes, lastPut, nodes, warnings } =
    publication
  const others = holders === null ? '' : `, ${holders.current} others hold it, ${holders.older} an older one`
  const told = lastPut === null ? 'never' : `${lastPut}, ${nodes} nodes`
  return [
    '',
    url,
    `  ${own ? 'yours' : 'followed'}, ${state}, seq ${seq ?? '-'}, valid until ${expires?.slice(0, 10) ?? '-'}`,
    ...(signer === key ? [] : [`  signed by its successor ${signer}`]),
    `  ${peers} peers${others}, ${humanBytes(diskBytes)} on disk, records put: ${told}`,
    ...warnings.map((warning) => `  warning: ${printable(warning)}`),
  ]
}
