/**
 * One run of git-remote-gittorrent from arguments to exit status. Reads the configuration while git's first line comes,
 * decides what the URL means, and hands over to the dialogue. Errors become one line `fatal: ...` and status 128.
 */
import type { Readable, Writable } from 'node:stream'
import { configValue, type Environment, readGitConfig, readSettings } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { openTrace } from '../trace.ts'
import { signedRule } from '../trust/require-signed.ts'
import { type Origin, parseRemoteUrl, type RemoteUrl } from '../url.ts'
import { bundleVerbs, isBundleFile } from './bundle-verbs.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { runDialogue, type Verb } from './dialogue.ts'
import { httpVerbs } from './http-verbs.ts'
import { checkCredentials, requireAllowed } from './policy.ts'
import type { Session } from './session.ts'
import { streamVerbs } from './stream-verbs.ts'
import type { OpenSupply } from './supply.ts'
import { SupplySession } from './supply-session.ts'

export interface RemoteHelperWiring {
  /** Arguments behind the program: remote name and, mostly, URL. */
  readonly args: readonly string[]
  readonly env: Environment
  readonly input: Readable
  readonly output: Writable
  /** Writes to stderr at once. */
  readonly printText: (text: string) => void
  readonly openSupply: OpenSupply
  /** Aborted when the run is interrupted; children end, and the run with them. */
  readonly signal: AbortSignal
}

const FAILED = 128

/** Serves git to the end of the conversation; returns the exit status (0 or 128, or that of the origin's process). */
export async function runRemoteHelper(wiring: RemoteHelperWiring): Promise<number> {
  wiring.signal.addEventListener('abort', () => wiring.input.destroy(), { once: true })
  const clientWriter = new ByteWriter(wiring.output)
  try {
    const { session, address } = await openSession(wiring, clientWriter)
    const status = await runDialogue(session, await verbsFor(session, address, wiring))
    await clientWriter.end()
    return status
  } catch (error) {
    // A git that has gone has said why: a full disk, say.
    if (!wiring.signal.aborted && !clientWriter.isBroken) wiring.printText(`fatal: ${messageOf(error)}\n`)
    return FAILED
  }
}

async function openSession(
  wiring: RemoteHelperWiring,
  clientWriter: ByteWriter,
): Promise<{ session: Session; address: RemoteUrl }> {
  const { args, env, signal, printText, openSupply } = wiring
  const trace = openTrace(env)
  const config = await readGitConfig(env)
  const settings = readSettings(config, env)
  const remoteName = args[0] ?? ''
  const address = addressOf(args[1] ?? configValue(config, `remote.${remoteName}.url`))
  const origin = address.kind === 'origin' ? address : NO_ORIGIN
  if (address.kind === 'origin') {
    requireAllowed(origin.scheme, config, env)
    checkCredentials(origin, config, printText)
  }
  const gitDir = env.GIT_DIR ?? null
  const supply = new SupplySession({
    origin,
    // What peers bring goes into the repository, and is not found by a git that keeps its objects elsewhere.
    gitDir: env.GIT_OBJECT_DIRECTORY === undefined ? gitDir : null,
    remoteName,
    env,
    config,
    settings,
    trace,
    signal,
    openSupply,
    printText,
  })
  trace(() => `origin ${origin.url}, repository ${gitDir ?? 'none'}`)
  const clientReader = new ByteReader(wiring.input)
  const streams = { clientReader, clientWriter, supply, printText }
  return { session: { env, trace, signal, remoteName, origin, gitDir, config, settings, ...streams }, address }
}

async function verbsFor(
  session: Session,
  address: RemoteUrl,
  { printText }: RemoteHelperWiring,
): Promise<ReadonlyMap<string, Verb>> {
  if (address.kind !== 'origin') {
    const { publicationVerbs } = await import('../publish/remote-publication.ts')
    return publicationVerbs({ printText, resolve: () => keyOf(address, session) })
  }
  const { scheme } = session.origin
  const isBundle = scheme === 'file' && (await isBundleFile(session.origin.path))
  const isHttp = scheme === 'http' || scheme === 'https'
  const verbs = isBundle ? bundleVerbs(session.origin.path) : isHttp ? await httpVerbs(session) : streamVerbs()
  const rule = signedRule(session.config, session.env, session.remoteName)
  // A listing outside of a repository has no ref to move.
  if (rule === 'off' || session.gitDir === null) return verbs
  const { stagedVerbs } = await import('../trust/staged-origin.ts')
  return stagedVerbs(verbs, rule)
}

/** Stands in the session until it is known which repository on disk serves a publication. */
const NO_ORIGIN: Origin = { kind: 'origin', scheme: 'file', url: '', user: null, host: '', port: null, path: '' }

function addressOf(url: string | null): RemoteUrl {
  if (url === null) throw new HelperError('usage', 'usage: git remote-gittorrent <remote> <url>')
  return parseRemoteUrl(url)
}

async function keyOf(
  address: Exclude<RemoteUrl, Origin>,
  { env, config, signal }: Session,
): Promise<{ key: string; repository: string }> {
  if (address.kind === 'key') return address
  const { keyOfSteps, resolveSteps } = await import('../names/resolve.ts')
  const steps = await resolveSteps(address, { env, config, nowMs: Date.now(), signal })
  return { key: keyOfSteps(address, steps), repository: address.repository }
}
