/**
 * gittorrent.requireSigned (for one remote: remote.<name>.requireSigned): `commits`, `tags` or `off`. Looks at what a fetch would bring
 * before any ref of the user moves, and refuses it, naming the first commit or tag that no allowed key signed. Signatures
 * are git's own, OpenPGP and SSH, checked by git with the user's gpg.* settings.
 * Only what the user's refs do not reach is looked at. Merges count as any commit. gittorrent.trustedCommit names commits whose
 * history is taken as it is; gittorrent.allowedKey, fingerprints, narrows what git itself calls good.
 */
import { execFile } from 'node:child_process'
import { configValue, type Environment, type GitConfig } from '../config.ts'
import { HelperError, printable } from '../errors.ts'
import { plumbingEnvironment } from '../git/environment.ts'
import { runGit } from '../git/repository.ts'
import type { Held } from './held-refs.ts'

export type SignedRule = 'commits' | 'tags' | 'off'

/** git's verdicts: G good; U good, by a key of unknown validity, which an explicit fingerprint makes up for. */
const GOOD = 'G'
const GOOD_UNKNOWN = 'U'

/** The rule for a remote. @throws HelperError 'setting-malformed' */
export function signedRule(config: GitConfig, env: Environment, remoteName: string): SignedRule {
  const value =
    env.GITTORRENT_REQUIRE_SIGNED ??
    configValue(config, `remote.${remoteName}.requiresigned`) ??
    configValue(config, 'gittorrent.requiresigned') ??
    'off'
  if (value === 'commits' || value === 'tags' || value === 'off') return value
  throw malformed('requireSigned', 'commits, tags or off', value)
}

function malformed(name: string, expected: string, got: string): HelperError {
  return new HelperError(
    'setting-malformed',
    `cannot use gittorrent.${name}: expected ${expected}, got '${printable(got)}'`,
  )
}

/**
 * Checks what `gitDir` would give to a user who holds `held`.
 * @throws HelperError 'unsigned', naming object and reason
 */
export async function requireSigned(rule: SignedRule, gitDir: string, held: Held, config: GitConfig): Promise<void> {
  if (rule === 'commits') await checkCommits(gitDir, held, config)
  if (rule === 'tags') await checkTags(gitDir, held, config)
}

async function checkCommits(gitDir: string, held: Held, config: GitConfig): Promise<void> {
  const trusted = config.get('gittorrent.trustedcommit') ?? []
  // A name would be looked up among the refs that are to be checked.
  const strange = trusted.find((oid) => !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(oid))
  if (strange !== undefined) throw malformed('trustedCommit', 'a whole oid', strange)
  const known = await present(gitDir, [...held.oids, ...trusted])
  const args = ['rev-list', '--reverse', '--topo-order', '--branches', '--tags', '--stdin']
  const listed = await runGit(gitDir, args, known.map((oid) => `^${oid}\n`).join(''))
  const fresh = listed.split('\n').filter(Boolean)
  if (fresh.length === 0) return
  const questions = [
    'log',
    '--no-walk=unsorted',
    '--stdin',
    '--no-color',
    '--no-decorate',
    '--no-notes',
    '--format=%x01%H %G? %GF %GP',
  ]
  const said = await verifying(gitDir, questions, config, `${fresh.join('\n')}\n`)
  const verdicts = new Map(
    said.split('\u0001').flatMap((line) => {
      const [oid = '', verdict = '', ...keys] = line.trim().split(' ')
      return oid === '' ? [] : [[oid, { verdict, keys }] as const]
    }),
  )
  for (const oid of fresh) {
    const { verdict, keys } = verdicts.get(oid) ?? { verdict: 'N', keys: [] }
    const reason = reasonAgainst(verdict, keys, config)
    if (reason !== null) throw unsigned(`commit ${oid}`, reason)
  }
}

async function checkTags(gitDir: string, held: Held, config: GitConfig): Promise<void> {
  const listed = await runGit(gitDir, ['for-each-ref', '--format=%(objectname) %(objecttype) %(refname)', 'refs/tags/'])
  for (const line of listed.split('\n').filter(Boolean)) {
    const [oid = '', type, name] = line.split(' ')
    if (held.tags.has(`${oid} ${name}`)) continue
    if (type !== 'tag') throw unsigned(`tag ${name} (${oid})`, 'a lightweight tag has no signature')
    const verdict = await verifying(gitDir, ['verify-tag', '--raw', oid], config, '').catch((error: unknown) => {
      throw unsigned(`tag ${name} (${oid})`, error instanceof Error ? printable(error.message) : 'not verified')
    })
    const keys = [...verdict.matchAll(/(?:VALIDSIG |key )(\S+)|VALIDSIG .* (\S+)$/gm)].flatMap(
      ([, a, b]) => a ?? b ?? [],
    )
    const reason = reasonAgainst(GOOD, keys, config)
    if (reason !== null) throw unsigned(`tag ${name} (${oid})`, reason)
  }
}

/** Why a signature does not count; null if it does. */
function reasonAgainst(verdict: string, keys: readonly string[], config: GitConfig): string | null {
  const allowed = (config.get('gittorrent.allowedkey') ?? []).map(plain)
  const isNamed = keys.some((key) => key !== '' && allowed.includes(plain(key)))
  if (verdict === GOOD && (allowed.length === 0 || isNamed)) return null
  if (verdict === GOOD_UNKNOWN && isNamed) return null
  if (verdict === GOOD) return `signed by ${keys[0]}, which gittorrent.allowedKey does not name`
  const reasons: Readonly<Record<string, string>> = {
    N: 'no signature',
    B: 'a bad signature',
    U: 'signed by a key that is not allowed',
    X: 'a signature that has expired',
    Y: 'signed by a key that has expired',
    R: 'signed by a revoked key',
    E: 'a signature that cannot be checked: is its key missing?',
  }
  return reasons[verdict] ?? `verdict ${printable(verdict)}`
}

const plain = (key: string): string => (key.startsWith('SHA256:') ? key : key.toUpperCase())

/** Which of some oids are there, so that others can be left out of a walk. */
async function present(gitDir: string, oids: readonly string[]): Promise<string[]> {
  if (oids.length === 0) return []
  const answers = await runGit(gitDir, ['cat-file', '--batch-check'], `${oids.join('\n')}\n`)
  return answers.split('\n').flatMap((line) => (/ (commit|tag) \d+$/.test(line) ? [line.split(' ')[0] ?? ''] : []))
}

/** git with the user's gpg.* settings, wherever they were set; stdout and stderr together. */
function verifying(gitDir: string, args: readonly string[], config: GitConfig, input: string): Promise<string> {
  const settings = [...config].flatMap(([key, values]) =>
    key.startsWith('gpg.') ? values.flatMap((value) => ['-c', `${key}=${value}`]) : [],
  )
  return new Promise((resolve, reject) => {
    const options = { env: plumbingEnvironment(), maxBuffer: 1 << 28, encoding: 'utf8' as const }
    const child = execFile('git', ['--git-dir', gitDir, ...settings, ...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(`${stdout}${stderr}`)
      else reject(new Error(stderr.trim().split('\n')[0] || error.message))
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

function unsigned(what: string, reason: string): HelperError {
  return new HelperError(
    'unsigned',
    `${what}: expected a signature by an allowed key (gittorrent.requireSigned), got ${reason}; nothing was fetched`,
  )
}
