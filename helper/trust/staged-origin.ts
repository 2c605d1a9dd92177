/**
 * Fetches from an origin when signatures are required: git would move refs as soon as it has the objects, so they first
 * go into a repository of our own in $GIT_DIR/gittorrent/, which borrows the user's objects; there they are checked, and git
 * is served from there. It lasts as long as the fetch. The inner fetch goes through the helper again, swarm and all, with the
 * settings of the user's repository. It brings all branches and tags, whatever part of them the user asked for, and to a
 * repository with holes (shallow, partial), whose objects promise more than is there, the whole history anew. Pushes go their
 * usual way.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { HelperError } from '../errors.ts'
import { runGit } from '../git/repository.ts'
import { connectService, NO_WISHES } from '../remote/connect.ts'
import { GO_ON, over, type Verb } from '../remote/dialogue.ts'
import { openProcess } from '../remote/origin-stream.ts'
import type { Session } from '../remote/session.ts'
import { NULL_SUPPLY } from '../remote/supply.ts'
import { SupplySession } from '../remote/supply-session.ts'
import { removeOld } from '../store/atomic-file.ts'
import { withoutPassword } from '../trace.ts'
import { heldRefs } from './held-refs.ts'
import { requireSigned, type SignedRule } from './require-signed.ts'

const STAGING_PREFIX = 'staging-'

/** `verbs` with fetches that are checked by `rule`, for a session that has a repository. */
export function stagedVerbs(verbs: ReadonlyMap<string, Verb>, rule: SignedRule): ReadonlyMap<string, Verb> {
  const usual = (name: string): Verb | undefined => verbs.get(name)
  const capabilities: Verb = async (line, session) => {
    if (usual('connect') === undefined) await session.clientWriter.write('connect\n')
    return (await usual('capabilities')?.(line, session)) ?? GO_ON
  }
  const connect: Verb = async (line, session) => {
    if (line === 'connect git-upload-pack') return over(await fetchStaged(session, rule))
    const direct = usual('connect')
    if (direct !== undefined) return direct(line, session)
    await session.clientWriter.write('fallback\n')
    return GO_ON
  }
  return new Map([...verbs, ['capabilities', capabilities], ['connect', connect]])
}

async function fetchStaged(session: Session, rule: SignedRule): Promise<number> {
  const { config, origin } = session
  const gitDir = resolve(session.gitDir ?? '.')
  const folder = join(gitDir, 'gittorrent')
  await mkdir(folder, { recursive: true })
  await removeOld(folder, (name) => name.startsWith(STAGING_PREFIX))
  const staging = await mkdtemp(join(folder, STAGING_PREFIX))
  try {
    await prepareStaging(staging, gitDir)
    const held = await heldRefs(gitDir)
    await fetchInto(staging, session)
    await requireSigned(rule, staging, held, config)
    const local = { ...origin, scheme: 'file', url: staging, user: null, host: '', port: null, path: staging } as const
    const supply = new SupplySession({
      ...session,
      origin: local,
      openSupply: async () => NULL_SUPPLY,
      printText: () => {},
    })
    return await connectService({ ...session, origin: local, supply }, 'git-upload-pack', NO_WISHES)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

/** An empty repository with the settings of the user's, and its objects where they are whole. */
async function prepareStaging(staging: string, gitDir: string): Promise<void> {
  const [format, isShallow, objects, config] = (
    await runGit(gitDir, [
      ...['rev-parse', '--path-format=absolute', '--show-object-format', '--is-shallow-repository'],
      ...['--git-path', 'objects', '--git-path', 'config'],
    ])
  ).split('\n')
  await runGit(staging, ['init', '--quiet', '--bare', '--template=', `--object-format=${format}`])
  // What git must know of the staging itself, its format, is read from the file alone, never from what it includes.
  const own = await readFile(join(staging, 'config'), 'utf8')
  await writeFile(join(staging, 'config'), `[include]\n\tpath = "${quoted(config ?? '')}"\n${own}`)
  const promisors = await runGit(gitDir, ['config', '--get-regexp', '^remote\\..*\\.promisor$']).catch(() => '')
  if (isShallow === 'true' || promisors !== '') return
  await writeFile(join(staging, 'objects', 'info', 'alternates'), `${objects}\n`)
}

const quoted = (path: string): string => path.replace(/[\\"]/g, '\\$&')

async function fetchInto(staging: string, session: Session): Promise<void> {
  const { origin, env } = session
  const refspecs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']
  const inner = { ...env, GITTORRENT_REQUIRE_SIGNED: 'off', GIT_DIR: staging }
  const url = origin.scheme === 'file' ? resolve(origin.path) : origin.url
  const args = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', `gittorrent::${url}`, ...refspecs]
  const stream = await openProcess({ file: 'git', args, env: inner }, session)
  const status = await stream.close()
  if (status !== 0)
    throw new HelperError(
      'origin-unreachable',
      `cannot fetch from ${withoutPassword(url)}: expected status 0, got ${status}, see what was said before`,
    )
  const head = await headOf(session, url)
  if (head !== null) await runGit(staging, ['symbolic-ref', 'HEAD', head])
}

/** What HEAD of the origin names: a clone checks that out. */
async function headOf(session: Session, url: string): Promise<string | null> {
  const inner = { ...session.env, GITTORRENT_REQUIRE_SIGNED: 'off' }
  const stream = await openProcess(
    { file: 'git', args: ['ls-remote', '--symref', `gittorrent::${url}`, 'HEAD'], env: inner },
    session,
  )
  const first = await stream.reader.line(65_536)
  await stream.close()
  return /^ref: (refs\/heads\/\S+)\tHEAD$/.exec(first ?? '')?.[1] ?? null
}
