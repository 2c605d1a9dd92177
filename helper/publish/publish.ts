/**
 * Publishing: the refs of an isolated repository become a signed document and records (own-record.ts writes them). A
 * publisher who lost all state goes on where the network stands, delegates included. A ref that did not change keeps the
 * seq of its last change, whoever made it, so that signing again takes nothing back that a delegate pushed meanwhile.
 */
import type { MutableItem } from '../../net/index.ts'
import { HelperError } from '../errors.ts'
import { lengthOfObjects, type Repository, runGit } from '../git/repository.ts'
import { keyId } from '../keys/key-store.ts'
import type { PublisherMemory } from './memory.ts'
import { type Contribution, mayWrite, newestChanges } from './merge-refs.ts'
import { delegateSalt, PROFILE_SALT, repositorySalt, SUCCESSION_SALT } from './names.ts'
import { type PublishSurroundings, type Signer, writeOwnRecord } from './own-record.ts'
import { PublisherFolder } from './publisher-folder.ts'
import {
  type Delegate,
  decodeRecord,
  encodeProfile,
  encodeRecord,
  type ProfileRecord,
  type RepositoryRecord,
} from './record.ts'
import { decodeDocument, encodeDocument, isRefName, type PublishedRef } from './refs-document.ts'
import { commitmentOf } from './succession.ts'

/** What is to be changed beside the refs; absent: as it was. */
export interface PublishChanges {
  readonly name?: string | undefined
  readonly email?: string | undefined
  readonly delegates?: readonly Delegate[] | undefined
  /** Commitment to the next key; the first one stands for ever. */
  readonly next?: string | undefined
  /**
   * What was read before refs of the isolated repository were changed: whoever wrote them, those that are gone now were
   * deleted, and nothing newer may be replaced. Absent: the repository as it is replaces what this key published.
   */
  readonly read?: readonly Contribution[] | undefined
}

export interface Published {
  readonly folder: PublisherFolder
  readonly seq: number
  readonly record: RepositoryRecord
  /** Nodes of the DHT that took the repository's record; null where nobody was told. */
  readonly nodeCount: number | null
}

/**
 * Publishes the isolated repository `name` of the signer; to be called under the publisher's lock (PublisherFolder.exclusively).
 * @throws HelperError limit; busy where `changes.read` is behind what another machine with this key has published
 */
export async function publishRepository(
  signer: Signer,
  name: string,
  changes: PublishChanges,
  around: PublishSurroundings,
): Promise<Published> {
  const { env, nowSeconds, lifetimeSeconds } = around
  const folder = new PublisherFolder(env, keyId(signer.publicKey))
  const repository = await folder.repository(name)
  if (repository === null)
    throw new HelperError('not-published', `'${name}': expected it to be published, got nothing here`)
  const memory = await folder.memory()
  let made: Made | null = null
  const written = await writeOwnRecord(
    signer,
    {
      salt: repositorySalt(name),
      what: `the record of '${name}'`,
      mayReplaceUnseen: changes.read === undefined,
      value: async (known, seq) => {
        const before = newestRecord(known)
        const delegates = changes.delegates ?? before?.record.delegates ?? []
        const said = await contributionsHere(folder, memory, name, before)
        const newest = newestChanges(said, nowSeconds)
        const own = said.find(({ delegate }) => delegate === null)?.document.refs ?? []
        const read = newestChanges(changes.read ?? [], nowSeconds).values()
        const deletable = delegates.length > 0 ? [...own, ...read].map((ref) => ref.name) : []
        const refs = await refsOf(repository, seq, newest, deletable)
        const content = { name, refs, delegates, onBehalfOf: null, expires: nowSeconds + lifetimeSeconds }
        made = { refs, record: await makeRecord(folder, signer, repository, content) }
        return encodeRecord(made.record)
      },
    },
    memory,
    around,
  )
  const { refs, record } = requireMade(made)
  await memory.remember([written.item])
  const profile = await writeProfile(signer, memory, { name, refs, head: await headOf(repository) }, changes, around)
  await memory.remember([profile], commitmentOf(profile) === null ? null : profile)
  await folder.collectDocuments(documentsOf(memory.items()))
  return { folder, seq: written.item.seq, record, nodeCount: written.nodeCount }
}

interface Made {
  readonly refs: readonly PublishedRef[]
  readonly record: RepositoryRecord
}

function requireMade(made: Made | null): Made {
  if (made === null) throw new Error('a record was written that was not made')
  return made
}

/**
 * Publishes what a delegate changed in somebody else's repository. `read` is what was read before the change.
 * The delegate's own word holds only refs that the delegation names. Under the lock of the owner's folder, too.
 * @throws HelperError not-yours for others; busy if another machine with this key was faster
 */
export async function publishOnBehalf(
  signer: Signer,
  owner: {
    readonly folder: PublisherFolder
    readonly name: string
    readonly delegate: Delegate
    readonly read: readonly Contribution[]
  },
  around: PublishSurroundings,
): Promise<Published> {
  const { folder, name, delegate } = owner
  const { nowSeconds, lifetimeSeconds } = around
  const repository = await folder.repository(name)
  if (repository === null) throw new HelperError('not-published', `'${name}': expected it to be here, got nothing`)
  const memory = await folder.memory()
  const newest = newestChanges(owner.read, nowSeconds)
  const key = Buffer.from(signer.publicKey).toString('hex')
  let made: Made | null = null
  const written = await writeOwnRecord(
    signer,
    {
      salt: delegateSalt(folder.id, name),
      what: `the record of a delegate of '${name}'`,
      mayReplaceUnseen: false,
      value: async (known, seq) => {
        const now = await refsOf(repository, seq, newest, newest.keys())
        const changed = now.filter((ref) => ref.oid !== (newest.get(ref.name)?.oid ?? null))
        refuseUndelegated(signer, delegate, changed, nowSeconds)
        const own = await refsBefore(folder, newestRecord(known)?.record ?? null)
        const isKept = (ref: PublishedRef): boolean =>
          newest.get(ref.name)?.by === key && !changed.some((change) => change.name === ref.name)
        const refs = [...own.filter(isKept), ...changed]
        const content = { name, refs, delegates: [], onBehalfOf: folder.id, expires: nowSeconds + lifetimeSeconds }
        made = { refs, record: await makeRecord(folder, signer, repository, content) }
        return encodeRecord(made.record)
      },
    },
    memory,
    around,
  )
  await memory.remember([written.item])
  return { folder, seq: written.item.seq, record: requireMade(made).record, nodeCount: written.nodeCount }
}

/** @throws HelperError not-yours */
function refuseUndelegated(
  { publicKey }: Signer,
  delegate: Delegate,
  changed: readonly PublishedRef[],
  nowSeconds: number,
): void {
  const refused = changed.find((ref) => !mayWrite(delegate, ref.name, nowSeconds))
  if (refused === undefined) return
  const allowed = delegate.patterns.join(', ')
  throw new HelperError(
    'not-yours',
    `'${refused.name}': expected a ref that is delegated to key ${keyId(publicKey)} (${allowed})`,
  )
}

/** The record by which the signer's key takes over from an older key that committed to it. */
export async function publishSuccession(
  signer: Signer,
  from: Uint8Array,
  reason: 'rotated' | 'revoked',
  around: PublishSurroundings,
): Promise<number | null> {
  const old = new PublisherFolder(around.env, keyId(from))
  const memory = await old.memory()
  const expires = around.nowSeconds + around.lifetimeSeconds
  const value = encodeRecord({ type: 'succession', from: Buffer.from(from).toString('hex'), reason, expires })
  const what = 'the succession'
  const draft = { salt: SUCCESSION_SALT, what, mayReplaceUnseen: true, value: async () => value }
  const { item, nodeCount } = await writeOwnRecord(signer, draft, memory, around)
  await memory.remember([item])
  return nodeCount
}

interface OwnWord {
  readonly record: RepositoryRecord
  readonly seq: number
}

function newestRecord(items: readonly MutableItem[]): OwnWord | null {
  const [newest] = [...items].sort((a, b) => b.seq - a.seq)
  const record = newest === undefined ? null : decodeRecord(newest.value)
  return newest === undefined || record?.type !== 'repository' ? null : { record, seq: newest.seq }
}

/** What the publisher and the delegates said last, as far as it is on this machine; the publisher's first. */
async function contributionsHere(
  folder: PublisherFolder,
  memory: PublisherMemory,
  name: string,
  own: OwnWord | null,
): Promise<Contribution[]> {
  if (own === null) return []
  const contributions: Contribution[] = []
  const add = async ({ record, seq }: OwnWord, delegate: Delegate | null): Promise<void> => {
    const bytes = await folder.document(record.documentHash)
    if (bytes !== null) contributions.push({ document: decodeDocument(bytes), seq, delegate })
  }
  await add(own, null)
  for (const delegate of own.record.delegates) {
    const item = memory.item(Buffer.from(delegate.key, 'hex'), delegateSalt(folder.id, name))
    const word = item === null ? null : newestRecord([item])
    if (word !== null) await add(word, delegate)
  }
  return contributions
}

async function refsBefore(folder: PublisherFolder, record: RepositoryRecord | null): Promise<readonly PublishedRef[]> {
  const bytes = record === null ? null : await folder.document(record.documentHash)
  return bytes === null ? [] : decodeDocument(bytes).refs
}

/** The refs of the repository; those that differ from `newest` changed with `seq`, those of `deletable` that are gone were deleted. */
async function refsOf(
  repository: Repository,
  seq: number,
  newest: ReadonlyMap<string, Pick<PublishedRef, 'oid' | 'seq'>>,
  deletable: Iterable<string>,
): Promise<PublishedRef[]> {
  const listed = await runGit(repository.gitDir, [
    'for-each-ref',
    '--format=%(objectname) %(refname)',
    'refs/heads/',
    'refs/tags/',
  ])
  const refs = new Map<string, PublishedRef>()
  const note = (name: string, oid: string | null): void => {
    const old = newest.get(name)
    refs.set(name, { name, oid, seq: old !== undefined && old.oid === oid ? old.seq : seq })
  }
  for (const line of listed.split('\n')) {
    const [oid = '', name = ''] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
    if (isRefName(name)) note(name, oid)
  }
  for (const name of deletable) if (!refs.has(name)) note(name, null)
  return [...refs.values()]
}

async function makeRecord(
  folder: PublisherFolder,
  signer: Signer,
  repository: Repository,
  content: Pick<RepositoryRecord, 'name' | 'delegates' | 'onBehalfOf' | 'expires'> & {
    readonly refs: readonly PublishedRef[]
  },
): Promise<RepositoryRecord> {
  const { name, delegates, onBehalfOf, expires, refs } = content
  const { objectFormat } = repository
  const publisher = Buffer.from(signer.publicKey).toString('hex')
  const bytes = encodeDocument({ publisher, repository: name, objectFormat, head: await headOf(repository), refs })
  const documentHash = await folder.keepDocument(bytes)
  const refCount = refs.filter(({ oid }) => oid !== null).length
  return {
    type: 'repository',
    name,
    onBehalfOf,
    objectFormat,
    objectsLength: await lengthOfObjects(repository),
    documentHash,
    documentLength: bytes.length,
    refCount,
    expires,
    delegates,
  }
}

/** Reads, merges and writes the profile: what other machines have put into it stays. */
async function writeProfile(
  signer: Signer,
  memory: PublisherMemory,
  published: { readonly name: string; readonly refs: readonly PublishedRef[]; readonly head: string | null },
  changes: PublishChanges,
  around: PublishSurroundings,
): Promise<MutableItem> {
  const head = published.refs.find(({ name }) => name === published.head)
  const refs = head === undefined || head.oid === null ? [] : [{ name: head.name, oid: head.oid }]
  const value = async (known: readonly MutableItem[]): Promise<Uint8Array> => {
    const [before, ...rivals] = newestProfiles(known)
    const others = [before, ...rivals]
      .flatMap((profile) => profile?.repositories ?? [])
      .filter(({ name }) => name !== published.name)
    return encodeProfile({
      type: 'profile',
      name: changes.name ?? before?.name ?? '',
      email: changes.email ?? before?.email ?? '',
      repositories: [{ name: published.name, refs }, ...new Map(others.map((other) => [other.name, other])).values()],
      leftOutCount: before?.leftOutCount ?? 0,
      expires: around.nowSeconds + around.lifetimeSeconds,
      next: memory.next ?? before?.next ?? changes.next ?? null,
    })
  }
  // Nothing is lost where another machine has written one: it is merged.
  const quiet = { ...around, warn: undefined }
  const draft = { salt: PROFILE_SALT, what: 'the profile', mayReplaceUnseen: true, value }
  return (await writeOwnRecord(signer, draft, memory, quiet)).item
}

/** Profiles with the highest seq; more than one only if two machines wrote at once. */
function newestProfiles(known: readonly MutableItem[]): ProfileRecord[] {
  const seq = known.reduce((max, item) => Math.max(max, item.seq), -1)
  const records = known.filter((item) => item.seq === seq).map(({ value }) => decodeRecord(value))
  return records.flatMap((record) => (record.type === 'profile' ? [record] : []))
}

async function headOf(repository: Repository): Promise<string | null> {
  const name = await runGit(repository.gitDir, ['symbolic-ref', '--quiet', 'HEAD']).catch(() => '')
  return isRefName(name.trim()) ? name.trim() : null
}

function documentsOf(items: readonly MutableItem[]): Set<string> {
  const records = items.map(({ value }) => decodeRecord(value))
  return new Set(records.flatMap((record) => (record.type === 'repository' ? [record.documentHash] : [])))
}
