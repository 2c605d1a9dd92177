/**
 * `gittorrent mirrors publish`: writes where an exported folder, and mirrors of the repository, can be found into refs/mirrors/* of
 * the origin (helper/remote/mirrors.ts reads them). Refs that say the same already stay as they are.
 */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HelperError, printable } from '../errors.ts'
import { MANIFEST_NAME } from '../export/file-names.ts'
import { type Manifest, parseManifest } from '../export/manifest.ts'
import { openRepository, type Repository, runGit } from '../git/repository.ts'
import { MIRROR_BLOB_LENGTH_MAX } from '../remote/limits.ts'
import { MIRROR_PREFIX } from '../remote/mirrors.ts'
import { withoutPassword } from '../trace.ts'
import { type Command, parseCommand, textOption } from './command-line.ts'

const USAGE =
  'mirrors publish <repository> [--folder <exported folder>] [--fetch-git <URL>]... [--fetch-http <URL>]... [--remote <name or URL>]'

export const mirrorsCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, USAGE, {
      folder: { type: 'string' },
      'fetch-git': { type: 'string', multiple: true },
      'fetch-http': { type: 'string', multiple: true },
      remote: { type: 'string' },
    })
    const [verb, path, ...rest] = parsed.positionals
    if (verb !== 'publish' || path === undefined || rest.length > 0)
      throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const repository = await openRepository(path)
    const remote = textOption(parsed, 'remote') ?? 'origin'
    const folder = textOption(parsed, 'folder')
    const manifest = folder === null ? null : parseManifest(await readFile(join(folder, MANIFEST_NAME)))
    const texts = {
      ...(manifest === null ? {} : bundleTexts(manifest)),
      ...fetchTexts('git', parsed.values['fetch-git']),
      ...fetchTexts('http', parsed.values['fetch-http']),
    }
    if (Object.keys(texts).length === 0)
      throw new HelperError('usage', `mirrors: expected --folder, --fetch-git or --fetch-http, got none`)
    const updates: string[] = []
    for (const [ref, text] of Object.entries(texts)) updates.push(`${await writeBlob(repository, text)}:${ref}`)
    const remotes = (await runGit(repository.gitDir, ['remote'])).split('\n')
    const isOrigin = !remotes.includes(remote) && !/[:/]/.test(remote)
    if (isOrigin) {
      const lines = updates.map((update) => `update ${update.replace(/^([0-9a-f]+):(.*)$/, '$2 $1')}\n`)
      await runGit(repository.gitDir, ['update-ref', '--stdin'], lines.join(''))
    } else await push(repository, remote, updates, context.env)
    context.printText(
      `gittorrent: ${updates.length} refs under ${MIRROR_PREFIX} of ${isOrigin ? `'${path}'` : `'${withoutPassword(remote)}'`}\n`,
    )
    return 0
  },
}

/** The refs that an exported folder fills. @throws HelperError 'usage' for a folder that does not know where it will be */
function bundleTexts({ urls, chains, trackers }: Manifest): Record<string, string> {
  const bases = urls.filter((url) => /^https?:/.test(url))
  if (bases.length === 0)
    throw new HelperError('usage', 'mirrors: expected a folder that was exported with --base-url http(s)://…, got none')
  const links = chains.flatMap((chain) => chain.links)
  const magnets = links.map(({ infohash, file, bytes }) => {
    const peers = trackers.map((tracker) => `&tr=${encodeURIComponent(tracker)}`)
    const seeds = bases.map((base) => `&ws=${encodeURIComponent(`${base}${file}`)}`)
    return `magnet:?xt=urn:btih:${infohash}&dn=${file}&xl=${bytes}${peers.join('')}${seeds.join('')}`
  })
  return {
    [`${MIRROR_PREFIX}bundle/http`]: linesOf(bases.map((base) => `${base}${MANIFEST_NAME}`)),
    [`${MIRROR_PREFIX}bundle/torrent`]: linesOf(links.map(({ file }) => `${bases[0]}${file}.torrent`)),
    [`${MIRROR_PREFIX}bundle/torrent-magnet`]: linesOf(magnets),
  }
}

function fetchTexts(kind: 'git' | 'http', value: unknown): Record<string, string> {
  const urls = [value ?? []].flat().map(String)
  const isFit = (url: string): boolean =>
    URL.canParse(url) &&
    !/[\s\u0000-\u001f\u007f]/.test(url) &&
    new RegExp(kind === 'git' ? '^git:' : '^https?:').test(url)
  const odd = urls.find((url) => !isFit(url) || new URL(url).password !== '')
  if (odd !== undefined)
    throw new HelperError('usage', `mirrors: --fetch-${kind}: expected a URL without password, got '${printable(odd)}'`)
  return urls.length === 0 ? {} : { [`${MIRROR_PREFIX}fetch/${kind}`]: linesOf(urls) }
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

async function writeBlob({ gitDir }: Repository, text: string): Promise<string> {
  // Readers take no more; the lists of links are newest first, so what is cut off is what changes least.
  const lines = text.split('\n')
  while (lines.join('\n').length > MIRROR_BLOB_LENGTH_MAX / 2) lines.splice(-2, 1)
  return (await runGit(gitDir, ['hash-object', '-w', '--stdin'], lines.join('\n'))).trim()
}

/** Pushes with the user's own configuration and credentials; a mirror that another machine wrote is overwritten. */
function push(
  { gitDir }: Repository,
  remote: string,
  updates: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const args = ['--git-dir', gitDir, 'push', '--quiet', '--no-verify', '--force', remote, ...updates]
  return new Promise((resolve, reject) => {
    execFile('git', args, { env }, (error, _, stderr) => {
      if (error === null) resolve()
      else
        reject(
          new HelperError(
            'git-failed',
            `git push: ${printable(withoutPassword(stderr.trim() || error.message))}`,
            {},
            error,
          ),
        )
    })
  })
}
