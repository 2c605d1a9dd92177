/**
 * `git push` to a publication: receive-pack on its isolated repository, then the signed record, then the answer. What
 * receive-pack says is held back until the record is signed and stored, so that git hears of success only when there is
 * one; if signing fails, or another machine with the key was faster, the refs go back to where they were. Whoever serves the publication reads it from disk each time.
 * All of it under the publisher's lock. After a crash in the middle the record still names the old refs, which is what is
 * published; the next read puts the refs back.
 */
import { HelperError, messageOf } from '../errors.ts'
import { type Repository, runGit } from '../git/repository.ts'
import { type OriginStream, openProcess, serverEnvironment } from '../remote/origin-stream.ts'
import { readPacket } from '../remote/pkt-line.ts'
import type { Session } from '../remote/session.ts'
import { PUBLISHER_LOCK_WAIT_MS, PUSH_REPORT_LENGTH_MAX, RECORD_LIFETIME_S } from './limits.ts'
import type { PublishSurroundings, Signer } from './own-record.ts'
import { publishOnBehalf, publishRepository } from './publish.ts'
import type { PublisherFolder } from './publisher-folder.ts'
import type { Publication } from './reader.ts'
import type { Delegate } from './record.ts'
import { isRefName } from './refs-document.ts'

export interface PushTarget {
  readonly folder: PublisherFolder
  readonly name: string
  readonly signer: Signer
  /** What is published now; null for a first push. */
  readonly publication: Publication | null
  /** The delegation under which the signer writes; null for the publisher. */
  readonly delegate: Delegate | null
}

export type PushSurroundings = Omit<PublishSurroundings, 'lifetimeSeconds'>

export interface PushOutcome {
  readonly status: number
  readonly isPublished: boolean
}

/**
 * Serves one push to its end; returns the exit status, and whether something was published.
 * @throws HelperError of publishing, with the refs put back; busy
 */
export function servePush(session: Session, target: PushTarget, around: PushSurroundings): Promise<PushOutcome> {
  return target.folder.exclusively(PUBLISHER_LOCK_WAIT_MS, () => serveAlone(session, target, around))
}

async function serveAlone(session: Session, target: PushTarget, around: PushSurroundings): Promise<PushOutcome> {
  const repository = await target.folder.openRepository(target.name, target.publication?.record.objectFormat ?? 'sha1')
  const before = await refsOf(repository)
  refuseIfOvertaken(target, before)
  const answer = await receive(session, repository)
  const after = await refsOf(repository)
  if (answer.status === 0 && isChanged(before, after)) {
    try {
      refuseStrangeRefs(after)
      await pointHead(repository, after)
      await publish(target, { ...around, lifetimeSeconds: RECORD_LIFETIME_S })
    } catch (error) {
      await putBack(repository, before, after)
      const remedy = 'nothing was changed'
      throw error instanceof HelperError
        ? error
        : new HelperError('not-published', `push: ${messageOf(error)}; ${remedy}`, {}, error)
    }
  }
  for (const part of answer.held) await session.clientWriter.write(part)
  await session.clientWriter.end()
  return { status: answer.status, isPublished: answer.status === 0 && isChanged(before, after) }
}

/** Another push of ours may have come between reading and the lock; what git would be shown then is not what was read. */
function refuseIfOvertaken({ name, publication }: PushTarget, before: ReadonlyMap<string, string>): void {
  if (publication === null) return
  const published = new Map(publication.refs.map((ref) => [ref.name, ref.oid]))
  const held = new Map([...before].filter(([ref]) => isRefName(ref)))
  if (isChanged(published, held))
    throw new HelperError('busy', `'${name}': expected it as it was read, got newer refs from this machine, push again`)
}

async function publish(
  { folder, name, signer, publication, delegate }: PushTarget,
  around: PublishSurroundings,
): Promise<void> {
  const read = publication?.contributions ?? []
  if (delegate === null) await publishRepository(signer, name, { read }, around)
  else await publishOnBehalf(signer, { folder, name, delegate, read }, around)
}

/** Lets git push; returns what receive-pack said after its advertisement, which has passed already. */
async function receive(session: Session, repository: Repository): Promise<{ held: Uint8Array[]; status: number }> {
  const env = serverEnvironment(session.env, 0)
  const stream = await openProcess({ file: 'git', args: ['receive-pack', repository.gitDir], env }, session)
  await session.clientWriter.write('\n')
  for (;;) {
    const packet = await readPacket(stream.reader)
    if (packet === null) return { held: [], status: await stream.close() }
    await session.clientWriter.write(packet.raw)
    if (packet.kind === 'flush') break
  }
  const upstream = copyUp(session, stream)
  upstream.catch((error: unknown) => session.trace(() => `towards receive-pack: ${String(error)}`))
  const held: Uint8Array[] = []
  let length = 0
  for (let bytes = await stream.reader.next(); bytes !== null; bytes = await stream.reader.next()) {
    length += bytes.length
    if (length > PUSH_REPORT_LENGTH_MAX)
      throw new HelperError('limit', `push: expected at most ${PUSH_REPORT_LENGTH_MAX} bytes of answer, got more`)
    held.push(Uint8Array.from(bytes))
  }
  return { held, status: await stream.close() }
}

async function copyUp({ clientReader }: Session, stream: OriginStream): Promise<void> {
  for (let bytes = await clientReader.next(); bytes !== null; bytes = await clientReader.next()) {
    await stream.writer.write(bytes)
  }
  await stream.writer.end()
}

async function refsOf({ gitDir }: Repository): Promise<Map<string, string>> {
  const listed = await runGit(gitDir, ['for-each-ref', '--format=%(objectname) %(refname)'])
  const lines = listed.split('\n').filter(Boolean)
  return new Map(lines.map((line) => [line.slice(line.indexOf(' ') + 1), line.slice(0, line.indexOf(' '))]))
}

function isChanged(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): boolean {
  return before.size !== after.size || [...after].some(([name, oid]) => before.get(name) !== oid)
}

/** Only branches and tags are published; another ref would be stored and never seen again. */
function refuseStrangeRefs(after: ReadonlyMap<string, string>): void {
  const strange = [...after.keys()].find((name) => !isRefName(name) && !name.startsWith('refs/gittorrent/'))
  if (strange !== undefined)
    throw new HelperError(
      'not-published',
      `push: expected branches and tags, got '${strange}', which cannot be published`,
    )
}

/** A repository that was made for a first push has a HEAD that names no branch. */
async function pointHead({ gitDir }: Repository, refs: ReadonlyMap<string, string>): Promise<void> {
  const head = (await runGit(gitDir, ['symbolic-ref', '--quiet', 'HEAD']).catch(() => '')).trim()
  const branches = [...refs.keys()].filter((name) => name.startsWith('refs/heads/'))
  const usual = ['refs/heads/main', 'refs/heads/master'].find((name) => branches.includes(name)) ?? branches[0]
  if (!refs.has(head) && usual !== undefined) await runGit(gitDir, ['symbolic-ref', 'HEAD', usual])
}

async function putBack(
  repository: Repository,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Promise<void> {
  const gone = [...after.keys()].filter((name) => !before.has(name)).map((name) => `delete ${name}\n`)
  const old = [...before].map(([name, oid]) => `update ${name} ${oid}\n`)
  await runGit(repository.gitDir, ['update-ref', '--stdin'], [...gone, ...old].join(''))
}
