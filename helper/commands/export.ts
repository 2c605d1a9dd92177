/**
 * `gittorrent export`: a folder that any web server can serve: the links as bundles and .torrent files, a bundle list for
 * stock git, a manifest for our helper, a page for people. Exports what `seed` would offer, or the given refs. A second run
 * changes only what is new.
 */

import { buildChains } from '../build/chains.ts'
import { type NamedTip, publicTips, resolveTip } from '../build/history.ts'
import { readGitConfig, readSettings } from '../config.ts'
import { HelperError, printable } from '../errors.ts'
import { parseBaseUrl } from '../export/base-url.ts'
import { type ExportReport, exportFolder } from '../export/export-folder.ts'
import type { ManifestSigner } from '../export/manifest-signature.ts'
import { newestDate } from '../git/newest-date.ts'
import { openRepository, type Repository, runGit } from '../git/repository.ts'
import { EXPORT_GRACE_DAYS, EXPORT_GRACE_DAYS_MAX, MANIFEST_URL_COUNT_MAX } from '../limits.ts'
import { humanBytes } from '../progress.ts'
import { originRef } from '../share/serve.ts'
import { topicOf } from '../share/topic.ts'
import { parseRemoteUrl } from '../url.ts'
import {
  buildOptionsOf,
  type Command,
  type CommandContext,
  onlyPositional,
  type ParsedCommand,
  PROGRESS_OPTIONS,
  parseCommand,
  textOption,
} from './command-line.ts'
import { openKeyStore } from './keygen.ts'

const USAGE =
  'export <repository> --out <directory> [--base-url <URL>]... [--tracker <URL>]... [--ref <ref>]... [--origin <URL>] [--remote <name>] [--local-branches] [--grace <days>] [--no-snapshot] [--key <key>] [--passphrase-file <file>] [--json] [--progress | -q]'

const NO_ORIGIN_TEXT =
  'gittorrent: no origin is known, so the folder is used as a web seed only while it is as new as the origin; try --origin <URL>\n'

export const exportCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, USAGE, {
      ...PROGRESS_OPTIONS,
      out: { type: 'string' },
      'base-url': { type: 'string', multiple: true },
      tracker: { type: 'string', multiple: true },
      ref: { type: 'string', multiple: true },
      origin: { type: 'string' },
      remote: { type: 'string' },
      'local-branches': { type: 'boolean' },
      grace: { type: 'string' },
      'no-snapshot': { type: 'boolean' },
      key: { type: 'string' },
      'passphrase-file': { type: 'string' },
      json: { type: 'boolean' },
    })
    const repository = await openRepository(onlyPositional(parsed.positionals, USAGE))
    const out = textOption(parsed, 'out')
    if (out === null) throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const remote = textOption(parsed, 'remote') ?? 'origin'
    const { trackers } = readSettings(await readGitConfig(context.env), context.env, { tracker: parsed.values.tracker })
    const baseUrls = textsOf(parsed.values['base-url']).map((url) => parseBaseUrl(url, 'export: --base-url'))
    if (baseUrls.length > MANIFEST_URL_COUNT_MAX)
      throw new HelperError(
        'usage',
        `export: expected at most ${MANIFEST_URL_COUNT_MAX} base URLs, got ${baseUrls.length}`,
      )
    const topic = await topicFor(repository, remote, textOption(parsed, 'origin'))
    const graceDays = graceOf(textOption(parsed, 'grace'))
    const refs = textsOf(parsed.values.ref)
    const tips =
      refs.length > 0
        ? await Promise.all(refs.map((ref) => namedTip(repository, ref)))
        : await publicTips(repository, remote, parsed.values['local-branches'] === true)
    const signer = await signerFor(parsed, context)
    const snapshot = parsed.values['no-snapshot'] !== true
    const chains = await buildChains(repository, tips, { ...buildOptionsOf(context, parsed), snapshot })
    try {
      const exported = chains.chains.map((chain) => ({ ...chain, ref: originRef(chain.ref, remote) }))
      const report = await exportFolder(exported, snapshot ? chains.snapshots : [], out, {
        objectFormat: repository.objectFormat,
        topic,
        baseUrls,
        trackers,
        graceDays,
        newestDate: await newestDate(repository, tips),
        now: Math.floor(Date.now() / 1000),
        signer,
      })
      if (parsed.values.json === true) context.printResult(`${JSON.stringify(resultOf(report))}\n`)
      context.printText(textFor(report, out))
      if (topic === null) context.printText(NO_ORIGIN_TEXT)
      if (tips.length === 0) context.printText(noTipsText(repository, remote))
      return 0
    } finally {
      await chains.close()
    }
  },
}

/** The key that signs the manifest; null where none is asked for. @throws HelperError 'key-missing', 'key-unusable' */
async function signerFor(parsed: ParsedCommand, context: CommandContext): Promise<ManifestSigner | null> {
  const wanted = textOption(parsed, 'key')
  if (wanted === null) return null
  const store = await openKeyStore(parsed, context)
  const key = await store.choose(wanted)
  return { publicKey: Buffer.from(key.publicKey, 'hex'), seed: await store.seedOf(key) }
}

/** The topic of the origin that was given, or of the remote's URL; null where there is none. @throws HelperError 'url-malformed' */
async function topicFor({ gitDir }: Repository, remote: string, given: string | null): Promise<Uint8Array | null> {
  const url = given ?? (await runGit(gitDir, ['config', '--get', `remote.${remote}.url`]).catch(() => '')).trim()
  if (url === '') return null
  const parsed = parseRemoteUrl(url)
  return parsed.kind === 'origin' ? topicOf(parsed) : null
}

/** A revision under the full name of its ref, because readers look for that. */
async function namedTip(repository: Repository, ref: string): Promise<NamedTip> {
  const { oid } = await resolveTip(repository, ref)
  const args = ['rev-parse', '--symbolic-full-name', '--verify', '--quiet', '--end-of-options', ref]
  const name = (await runGit(repository.gitDir, args).catch(() => '')).trim().split('\n').at(-1) ?? ''
  if (!name.startsWith('refs/')) {
    throw new HelperError('usage', `export: --ref: expected the name of a ref, got '${printable(ref)}', try a branch`)
  }
  return { ref: name, oid }
}

function graceOf(text: string | null): number {
  if (text === null) return EXPORT_GRACE_DAYS
  const days = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (days <= EXPORT_GRACE_DAYS_MAX) return days
  throw new HelperError(
    'usage',
    `export: --grace: expected 0 to ${EXPORT_GRACE_DAYS_MAX} days, got '${printable(text)}'`,
  )
}

function textsOf(value: string | boolean | readonly (string | boolean)[] | undefined): string[] {
  return [value ?? []].flat().map(String)
}

function resultOf({ manifest, written, removed, untouchedCount }: ExportReport) {
  const { chains, snapshots, superseded, bytes, clock } = manifest
  const links = chains.reduce((sum, chain) => sum + chain.links.length, 0)
  const counts = { chains: chains.length, links, snapshots: snapshots.length, superseded: superseded.length }
  return { ...counts, bytes, clock, written, removed, untouchedCount }
}

function textFor({ manifest, written, removed, untouchedCount }: ExportReport, out: string): string {
  const count = manifest.chains.reduce((sum, chain) => sum + chain.links.length, 0)
  const files = `${written.length} files written, ${removed.length} removed, ${untouchedCount} untouched`
  return `gittorrent: ${count} bundles, ${humanBytes(manifest.bytes)}, in '${out}': ${files}\n`
}

function noTipsText({ path, isBare }: Repository, remote: string): string {
  return isBare
    ? `gittorrent: '${path}' has no branch\n`
    : `gittorrent: '${path}' has no remote-tracking branch of '${remote}'; local branches are private unless --local-branches or --ref is given\n`
}
