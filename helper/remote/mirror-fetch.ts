/**
 * Fetches from a mirror of the origin that the origin itself names (refs/mirrors/fetch/*): what the mirror has under the names that are wanted
 * becomes commits to offer to the origin as haves, which then sends the difference, or nothing. A child `git fetch` of bare
 * object names does it, into the object store and no ref: git checks objects and connectivity as the user has configured.
 * A mirror that lies can waste time and disk, as any peer. It learns of no commit that the origin does not know: only what peers brought and what
 * the origin's remote-tracking refs reach is offered to it; where those cannot be told apart, it is not asked. The URL is a stranger's: no credentials, no redirects, no prompts, no other transport,
 * and for a public origin public addresses only (as they were when asked for; git looks the name up again).
 */
import { spawn } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Environment } from '../config.ts'
import { HelperError, printable } from '../errors.ts'
import { runGit } from '../git/repository.ts'
import { isPublicHost, namesPublicOnly } from '../public-origin.ts'
import type { Trace } from '../trace.ts'
import type { Origin } from '../url.ts'
import { MIRROR_REF_COUNT_MAX, MIRROR_REPOSITORY_COUNT_MAX, MIRROR_SILENCE_MS } from './limits.ts'

export interface MirrorFetch {
  /** URLs in order; the first that brings something is enough. */
  readonly repositories: readonly string[]
  /** Ref name to oid, as the origin has it, of what is wanted. */
  readonly wanted: ReadonlyMap<string, string>
  /** Commits whose history is here already. */
  readonly haves: readonly string[]
  readonly isClone: boolean
  readonly remoteName: string
  readonly gitDir: string
  /** Who named them. */
  readonly origin: Origin
  readonly env: Environment
  readonly trace: Trace
  readonly signal: AbortSignal
}

/** Settings that a mirror must not profit from, whatever the user has. */
const SETTINGS = [
  'credential.helper=',
  'core.askPass=',
  'http.followRedirects=false',
  'http.cookieFile=',
  'http.extraHeader=',
  'transfer.bundleURI=false',
  'gc.auto=0',
]

/** Tips that came from a mirror, with all their history; empty if none helped. Never rejects but on abort. */
export async function fetchFromMirrors(fetch: MirrorFetch): Promise<readonly string[]> {
  const { repositories, trace, signal } = fetch
  const tips = await knownTips(fetch)
  if (tips === null) return []
  for (const url of repositories.slice(0, MIRROR_REPOSITORY_COUNT_MAX)) {
    try {
      const fetched = await fetchFrom(url, fetch, tips)
      trace(() => `mirror ${url}: ${fetched.length} tips`)
      if (fetched.length > 0) return fetched
    } catch (error) {
      if (signal.aborted) throw error
      trace(() => `mirror ${url}: ${error instanceof Error ? printable(error.message) : 'failed'}`)
    }
  }
  return []
}

/** Commits and patterns of refs that the origin knows, too; null where that cannot be told. */
async function knownTips({ gitDir, isClone, remoteName, haves }: MirrorFetch): Promise<readonly string[] | null> {
  const commonDir = resolve(gitDir, (await readFile(join(gitDir, 'commondir'), 'utf8').catch(() => '.')).trim())
  // git offers what alternates have whatever it is told.
  const hasAlternates = await stat(join(commonDir, 'objects', 'info', 'alternates')).then(
    () => true,
    () => false,
  )
  if (hasAlternates) return null
  if (isClone) return haves
  const isName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(remoteName)
  const prefix = `refs/remotes/${remoteName}/`
  const tracked = isName ? await runGit(gitDir, ['for-each-ref', '--count=1', prefix]).catch(() => '') : ''
  return tracked === '' ? null : [...haves, `${prefix}*`]
}

async function fetchFrom(url: string, fetch: MirrorFetch, knownTips: readonly string[]): Promise<string[]> {
  const { wanted, haves, origin } = fetch
  if (namesPublicOnly(origin)) await requirePublic(new URL(url).hostname)
  const names = [...wanted.keys()].slice(0, MIRROR_REF_COUNT_MAX)
  const listed = await git(['ls-remote', '--quiet', '--', url, ...names], fetch)
  const offered = listed.split('\n').flatMap((line) => {
    const [oid = '', name = ''] = line.split('\t')
    return wanted.has(name) && /^[0-9a-f]{40,64}$/.test(oid) ? [oid] : []
  })
  const held = new Set(haves)
  const tips = [...new Set(offered)].filter((oid) => !held.has(oid))
  if (tips.length === 0) return []
  const options = [
    '--no-tags',
    '--no-write-fetch-head',
    '--no-auto-maintenance',
    '--no-recurse-submodules',
    '--refmap=',
  ]
  const known = knownTips.map((tip) => `--negotiation-tip=${tip}`)
  const algorithm = knownTips.length === 0 ? ['-c', 'fetch.negotiationAlgorithm=noop'] : []
  await git([...algorithm, 'fetch', '--progress', ...options, ...known, '--', url, ...tips], fetch)
  return tips
}

/** @throws HelperError 'webseed-failed' if the name has an address that is not public */
async function requirePublic(hostname: string): Promise<void> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const addresses = await lookup(host, { all: true })
  const odd = addresses.find(({ address }) => !isPublicHost(address.includes(':') ? `[${address}]` : address))
  if (odd !== undefined || addresses.length === 0)
    throw new HelperError('webseed-failed', `expected a public address, got ${odd?.address ?? 'none'}`)
}

/** Runs git to its end; it is ended when it says nothing for a while. */
function git(args: readonly string[], { gitDir, env, signal }: MirrorFetch): Promise<string> {
  const settings = SETTINGS.flatMap((setting) => ['-c', setting])
  const child = spawn('git', ['--git-dir', gitDir, ...settings, ...args], {
    env: { ...env, GIT_ALLOW_PROTOCOL: 'git:http:https', GIT_TERMINAL_PROMPT: '0', GIT_ASKPASS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  })
  return new Promise((resolve, reject) => {
    let said = ''
    let errors = ''
    let timer = setTimeout(() => child.kill(), MIRROR_SILENCE_MS)
    const note = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => child.kill(), MIRROR_SILENCE_MS)
    }
    child.stdout.on('data', (bytes: Uint8Array) => {
      note()
      said += Buffer.from(bytes).toString('utf8')
    })
    child.stderr.on('data', (bytes: Uint8Array) => {
      note()
      errors = `${errors}${Buffer.from(bytes).toString('utf8')}`.slice(-300)
    })
    child.on('error', reject)
    child.on('close', (status) => {
      clearTimeout(timer)
      if (status === 0) resolve(said)
      else reject(new HelperError('git-failed', `git: ${printable(errors.trim())}`))
    })
  })
}
