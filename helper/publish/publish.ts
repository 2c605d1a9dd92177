/**
 * Publishing: the refs of an isolated repository become a signed document and records. The network is asked for what it
 * has before a seq is chosen, so that a publisher who lost all state goes on where the network stands, delegates included.
 * A ref that did not change keeps the seq of its last change. Signing and storing here come before the network is told.
 */
import { itemTarget, type MutableItem, type Net, signItem } from '../../net/index.ts'
import type { Environment } from '../config.ts'
import { HelperError } from '../errors.ts'
import { type Repository, runGit } from '../git/repository.ts'
import { keyId } from '../keys/key-store.ts'
import type { Trace } from '../trace.ts'
import { judge, nextSeq } from './judge.ts'
import type { PublisherMemory } from './memory.ts'
import { type MergedRef, mayWrite } from './merge-refs.ts'
import { delegateSalt, PROFILE_SALT, repositorySalt, SUCCESSION_SALT } from './names.ts'
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

export interface Signer {
  /** 32 bytes. */
  readonly seed: Uint8Array
  readonly publicKey: Uint8Array
}

export interface PublishSurroundings {
  readonly env: Environment
  /** Null: sign and store only; the records are told later (republishPublisher). */
  readonly net: Net | null
  readonly trace: Trace
  readonly nowSeconds: number
  /** Seconds that the records hold. */
  readonly lifetimeSeconds: number
}

/** What is to be changed beside the refs; absent: as it was. */
export interface PublishChanges {
  readonly name?: string | undefined
  readonly email?: string | undefined
  readonly delegates?: readonly Delegate[] | undefined
  /** Commitment to the next key; the first one stands for ever. */
  readonly next?: string | undefined
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
 * @throws HelperError record-conflict, limit
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
  const salt = repositorySalt(name)
  const known = await knownItems(signer.publicKey, salt, memory, around)
  const before = newestRecord(known)
  const delegates = changes.delegates ?? before?.delegates ?? []
  const seq = nextSeq(nowSeconds, known)
  const refs = await refsOf(repository, seq, await refsBefore(folder, before), delegates.length > 0)
  const record = await makeRecord(folder, signer, repository, {
    name,
    refs,
    delegates,
    onBehalfOf: null,
    expires: nowSeconds + lifetimeSeconds,
  })
  const item = signItem(signer.seed, { salt, seq, value: encodeRecord(record) })
  const profile = await makeProfile(signer, memory, { name, refs, head: await headOf(repository) }, changes, around)
  await memory.remember([item, profile], commitmentOf(profile) === null ? null : profile)
  await folder.collectDocuments(documentsOf(memory.items()))
  return { folder, seq, record, nodeCount: await tell([item, profile], around) }
}

/**
 * Publishes what a delegate changed in somebody else's repository. `merged` is what was read before the change.
 * The delegate's own word holds only refs that the delegation names. Under the lock of the owner's folder, too.
 * @throws HelperError not-yours for others
 */
export async function publishOnBehalf(
  signer: Signer,
  owner: {
    readonly folder: PublisherFolder
    readonly name: string
    readonly delegate: Delegate
    readonly merged: readonly MergedRef[]
  },
  around: PublishSurroundings,
): Promise<Published> {
  const { folder, name, delegate, merged } = owner
  const repository = await folder.repository(name)
  if (repository === null) throw new HelperError('not-published', `'${name}': expected it to be here, got nothing`)
  const memory = await folder.memory()
  const salt = delegateSalt(folder.id, name)
  const known = await knownItems(signer.publicKey, salt, memory, around)
  const seq = nextSeq(around.nowSeconds, known)
  const baseline = new Map(merged.map((ref) => [ref.name, ref]))
  const own = await refsBefore(folder, newestRecord(known))
  const now = await refsOf(repository, seq, baseline, true)
  const key = Buffer.from(signer.publicKey).toString('hex')
  const changed = now.filter((ref) => ref.oid !== (baseline.get(ref.name)?.oid ?? null))
  const refused = changed.find((ref) => !mayWrite(delegate, ref.name, around.nowSeconds))
  if (refused !== undefined) {
    const allowed = delegate.patterns.join(', ')
    throw new HelperError(
      'not-yours',
      `'${refused.name}': expected a ref that is delegated to key ${keyId(signer.publicKey)} (${allowed})`,
    )
  }
  const kept = [...own.values()].filter(
    (ref) => baseline.get(ref.name)?.by === key && !changed.some((c) => c.name === ref.name),
  )
  const refs = [...kept, ...changed]
  const record = await makeRecord(folder, signer, repository, {
    name,
    refs,
    delegates: [],
    onBehalfOf: folder.id,
    expires: around.nowSeconds + around.lifetimeSeconds,
  })
  const item = signItem(signer.seed, { salt, seq, value: encodeRecord(record) })
  await memory.remember([item])
  return { folder, seq, record, nodeCount: await tell([item], around) }
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
  const known = await knownItems(signer.publicKey, SUCCESSION_SALT, memory, around)
  const expires = around.nowSeconds + around.lifetimeSeconds
  const value = encodeRecord({ type: 'succession', from: Buffer.from(from).toString('hex'), reason, expires })
  const item = signItem(signer.seed, { salt: SUCCESSION_SALT, seq: nextSeq(around.nowSeconds, known), value })
  await memory.remember([item])
  return tell([item], around)
}

/** What this machine and the network have under a key and salt. @throws HelperError record-conflict */
async function knownItems(
  key: Uint8Array,
  salt: Uint8Array,
  memory: PublisherMemory,
  { net, trace }: PublishSurroundings,
): Promise<MutableItem[]> {
  const seen = memory.item(key, salt)
  const found = (await (await net?.dht())?.getItems(itemTarget(key, salt), salt)) ?? []
  const { item } = judgeOwn(found, seen, trace)
  return [...found, ...(seen === null ? [] : [seen]), ...(item === null ? [] : [item])]
}

/** Two machines with one key may have published at once; the next seq is above both, and heals it. */
function judgeOwn(found: readonly MutableItem[], seen: MutableItem | null, trace: Trace) {
  try {
    return judge('own record', found, seen)
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
    trace(() => error.message)
    return { item: seen }
  }
}

function newestRecord(items: readonly MutableItem[]): RepositoryRecord | null {
  const [newest] = [...items].sort((a, b) => b.seq - a.seq)
  const record = newest === undefined ? null : decodeRecord(newest.value)
  return record?.type === 'repository' ? record : null
}

async function refsBefore(
  folder: PublisherFolder,
  record: RepositoryRecord | null,
): Promise<Map<string, PublishedRef>> {
  const bytes = record === null ? null : await folder.document(record.documentHash)
  return new Map(bytes === null ? [] : decodeDocument(bytes).refs.map((ref) => [ref.name, ref]))
}

/** The refs of the repository; those that differ from `before` changed with `seq`. */
async function refsOf(
  repository: Repository,
  seq: number,
  before: ReadonlyMap<string, { readonly oid: string | null; readonly seq: number }>,
  keepsDeletions: boolean,
): Promise<PublishedRef[]> {
  const listed = await runGit(repository.gitDir, [
    'for-each-ref',
    '--format=%(objectname) %(refname)',
    'refs/heads/',
    'refs/tags/',
  ])
  const refs = new Map<string, PublishedRef>()
  for (const line of listed.split('\n')) {
    const [oid = '', name = ''] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
    if (!isRefName(name)) continue
    const old = before.get(name)
    refs.set(name, { name, oid, seq: old?.oid === oid ? old.seq : seq })
  }
  for (const [name, old] of keepsDeletions ? before : []) {
    if (!refs.has(name)) refs.set(name, { name, oid: null, seq: old.oid === null ? old.seq : seq })
  }
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
    documentHash,
    documentLength: bytes.length,
    refCount,
    expires,
    delegates,
  }
}

async function makeProfile(
  signer: Signer,
  memory: PublisherMemory,
  published: { readonly name: string; readonly refs: readonly PublishedRef[]; readonly head: string | null },
  changes: PublishChanges,
  around: PublishSurroundings,
): Promise<MutableItem> {
  const known = await knownItems(signer.publicKey, PROFILE_SALT, memory, around)
  const [newest] = [...known].sort((a, b) => b.seq - a.seq)
  const decoded = newest === undefined ? null : decodeRecord(newest.value)
  const before: ProfileRecord | null = decoded?.type === 'profile' ? decoded : null
  const head = published.refs.find(({ name }) => name === published.head)
  const refs = head === undefined || head.oid === null ? [] : [{ name: head.name, oid: head.oid }]
  const others = (before?.repositories ?? []).filter(({ name }) => name !== published.name)
  const value = encodeProfile({
    type: 'profile',
    name: changes.name ?? before?.name ?? '',
    email: changes.email ?? before?.email ?? '',
    repositories: [{ name: published.name, refs }, ...others],
    leftOutCount: before?.leftOutCount ?? 0,
    expires: around.nowSeconds + around.lifetimeSeconds,
    next: memory.next ?? before?.next ?? changes.next ?? null,
  })
  return signItem(signer.seed, { salt: PROFILE_SALT, seq: nextSeq(around.nowSeconds, known), value })
}

async function headOf(repository: Repository): Promise<string | null> {
  const name = await runGit(repository.gitDir, ['symbolic-ref', '--quiet', 'HEAD']).catch(() => '')
  return isRefName(name.trim()) ? name.trim() : null
}

function documentsOf(items: readonly MutableItem[]): Set<string> {
  const records = items.map(({ value }) => decodeRecord(value))
  return new Set(records.flatMap((record) => (record.type === 'repository' ? [record.documentHash] : [])))
}

/** Puts items into the DHT; the number of nodes that took the first. */
async function tell(items: readonly MutableItem[], { net }: PublishSurroundings): Promise<number | null> {
  const dht = await net?.dht()
  if (dht === null || dht === undefined) return null
  const outcomes = await Promise.all(items.map((item) => dht.putItem(item)))
  return outcomes[0]?.count ?? 0
}
