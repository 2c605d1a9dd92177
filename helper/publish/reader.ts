/**
 * From a publisher's key and a repository's name to refs that the publisher and the delegates signed. Order: peers and DHT are
 * asked; the profile leads to the key (for a URL with its 40-digit id) and to a successor of the key; the repository's record
 * leads to the refs document and the delegates. Each item is judged against what this user saw before (judge.ts).
 * What is worth telling, but no error, comes back as notes: rollback, expiry, succession, conflicts that are over.
 */
import { itemTarget, type MutableItem, type Net, Refusal, type Topic } from '../../net/index.ts'
import type { Environment } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { keyId } from '../keys/key-store.ts'
import type { Trace } from '../trace.ts'
import { RecordSource } from './find-records.ts'
import { judge } from './judge.ts'
import { PUBLISHER_WAIT_MS, RECORD_WARNING_S, SUCCESSOR_COUNT_MAX } from './limits.ts'
import type { PublisherMemory } from './memory.ts'
import { type Contribution, type MergedRef, mergeRefs } from './merge-refs.ts'
import {
  delegateSalt,
  PROFILE_SALT,
  PROFILE_TOPIC_NAME,
  publisherTopic,
  repositorySalt,
  SUCCESSION_SALT,
} from './names.ts'
import { PublisherFolder } from './publisher-folder.ts'
import { type Delegate, decodeRecord, type ProfileRecord, type RepositoryRecord } from './record.ts'
import { decodeDocument, type RefsDocument } from './refs-document.ts'
import { commitmentOf, isCommittedTo } from './succession.ts'

export interface ReaderSurroundings {
  readonly net: Net
  readonly env: Environment
  readonly trace: Trace
  readonly signal: AbortSignal
  readonly nowSeconds: number
  /** Milliseconds to wait for the first peer; ten seconds unless given. */
  readonly waitMs?: number
  /** What was read a moment ago: its peers and their answers are not asked for again. */
  readonly earlier?: Publication | undefined
}

export interface Publication {
  /** Of the key that signs now: that of the URL, or its last successor. */
  readonly folder: PublisherFolder
  /** Of the keys before it, that of the URL first; empty while that one signs itself. */
  readonly predecessors: readonly PublisherFolder[]
  readonly key: Uint8Array
  readonly name: string
  readonly record: RepositoryRecord
  readonly seq: number
  readonly profile: ProfileRecord | null
  /** What publisher and delegates say, merged; ascending by name. */
  readonly refs: readonly MergedRef[]
  readonly head: string | null
  readonly contributions: readonly Contribution[]
  /** Peers that told of records, and how to find more of them. */
  readonly source: RecordSource
  /** One sentence each, for people. */
  readonly notes: readonly string[]
  readonly topic: Topic
}

const FUTURE_S_MAX = 24 * 3600

/**
 * Reads what is published under a key now. The topic in the answer stays joined until its net closes.
 * @param key 40 digits (the key's id) or 64 (the key)
 * @throws HelperError not-published, record-conflict, record-malformed
 */
export async function readPublication(key: string, name: string, around: ReaderSurroundings): Promise<Publication> {
  const notes: string[] = []
  const predecessors: PublisherFolder[] = []
  let wanted = key
  for (let hop = 0; hop <= SUCCESSOR_COUNT_MAX; hop++) {
    const reader = new Reader(wanted, name, around, notes)
    const successor = await reader.profile()
    if (successor === null) return { ...(await reader.publication()), predecessors }
    await reader.leave()
    predecessors.push(reader.folder)
    notes.push(`key ${reader.folder.id} was ${successor.reason} by its holder: ${keyId(successor.key)} follows it`)
    wanted = Buffer.from(successor.key).toString('hex')
  }
  throw new HelperError('record-conflict', `key ${key}: expected at most ${SUCCESSOR_COUNT_MAX} successors, got more`)
}

/** A publisher's profile now. @throws HelperError not-published, record-conflict, record-malformed */
export async function readProfile(key: string, around: ReaderSurroundings): Promise<ProfileRecord> {
  const reader = new Reader(key, PROFILE_TOPIC_NAME, around, [])
  try {
    await reader.profile()
    return reader.ownProfile()
  } finally {
    await reader.leave()
  }
}

interface Successor {
  readonly key: Uint8Array
  readonly reason: 'rotated' | 'revoked'
}

class Reader {
  readonly folder: PublisherFolder
  readonly #name: string
  readonly #around: ReaderSurroundings
  readonly #notes: string[]
  readonly #source: RecordSource
  readonly #topic: Topic
  readonly #wanted: string
  #key: Uint8Array | null
  #profile: ProfileRecord | null = null
  #memory: PublisherMemory | null = null
  #accepted: MutableItem[] = []

  constructor(wanted: string, name: string, around: ReaderSurroundings, notes: string[]) {
    this.#wanted = wanted
    this.#name = name
    this.#around = around
    this.#notes = notes
    this.#key = wanted.length === 64 ? Buffer.from(wanted, 'hex') : null
    const id = this.#key === null ? wanted : keyId(this.#key)
    this.folder = new PublisherFolder(around.env, id)
    const refuse = (): Promise<Uint8Array> => Promise.reject(new Refusal('unknown-kind'))
    const earlier = around.earlier?.folder.id === id ? around.earlier : null
    this.#topic =
      earlier?.topic ?? around.net.joinTopic(publisherTopic(id, name), { onRequest: refuse }, { announce: false })
    const isOfPublisher = (item: MutableItem): boolean => keyId(item.key) === id
    this.#source =
      earlier?.source ?? new RecordSource(around.net, this.#topic, around.trace, around.signal, isOfPublisher)
  }

  /** What `profile` found. */
  ownProfile(): ProfileRecord {
    if (this.#profile === null) throw this.#notPublished('a profile of this key')
    return this.#profile
  }

  leave(): Promise<void> {
    return this.#topic.close()
  }

  /** Finds key and profile; returns the successor that the key's holder named and that has spoken, or null. */
  async profile(): Promise<Successor | null> {
    const { waitMs } = this.#around
    const memory = await this.folder.memory()
    this.#memory = memory
    const target = Buffer.from(this.folder.id, 'hex')
    const [, early] = await Promise.all([
      this.#source.askPeers(waitMs ?? PUBLISHER_WAIT_MS),
      this.#source.find(target, PROFILE_SALT),
    ])
    const found = [
      ...early,
      ...this.#source.toldOf((item) => item.salt.length === 0 && keyId(item.key) === this.folder.id),
    ]
    this.#key ??=
      found[0]?.key ??
      this.#source.toldOf(({ key }) => keyId(key) === this.folder.id)[0]?.key ??
      memory.items().find(({ key }) => keyId(key) === this.folder.id)?.key ??
      null
    if (this.#key === null) throw this.#notPublished('a record of this key')
    const item = await this.#judge('profile', this.#key, PROFILE_SALT, found)
    const record = item === null ? null : decodeRecord(item.value)
    if (record !== null && record.type !== 'profile') throw this.#malformed('a profile')
    this.#profile = record
    return this.#successor(memory, found)
  }

  async #successor(memory: PublisherMemory, profiles: readonly MutableItem[]): Promise<Successor | null> {
    const named = new Set(profiles.flatMap((item) => commitmentOf(item) ?? []))
    if (memory.next === null && named.size > 1) {
      throw new HelperError(
        'record-conflict',
        `key ${this.folder.id}: expected one successor, got ${named.size}, each named by the key itself: it may be in wrong hands, ask its holder`,
      )
    }
    const next = memory.next ?? [...named][0] ?? null
    if (memory.next !== null && [...named].some((other) => other !== memory.next))
      this.#notes.push(
        `key ${this.folder.id} names another successor now than the one it named first, which stands: the key may be in wrong hands`,
      )
    if (next === null) return null
    if (memory.next === null) await memory.remember([], profiles.find((item) => commitmentOf(item) === next) ?? null)
    const target = Buffer.from(next.slice(0, 40), 'hex')
    const items = [...(await this.#source.find(target, SUCCESSION_SALT)), ...memory.items()]
    for (const item of items) {
      if (!isCommittedTo(item, next)) continue
      const record = decodeRecord(item.value)
      if (record.type !== 'succession' || record.from !== Buffer.from(this.#key ?? []).toString('hex')) continue
      await memory.remember([item])
      return { key: item.key, reason: record.reason }
    }
    return null
  }

  async publication(): Promise<Omit<Publication, 'predecessors'>> {
    const key = this.#key ?? new Uint8Array(0)
    const salt = repositorySalt(this.#name)
    const item = await this.#judge('repository', key, salt, await this.#source.find(itemTarget(key, salt), salt))
    if (item === null) throw this.#notPublished(`a record of '${this.#name}'`)
    const record = decodeRecord(item.value)
    if (record.type !== 'repository' || record.name !== this.#name || record.onBehalfOf !== null)
      throw this.#malformed('the record of this repository')
    this.#noteExpiry(record.expires)
    const document = await this.#document(record, key)
    const delegated = await Promise.all(record.delegates.map((delegate) => this.#contribution(delegate, record)))
    const contributions = [{ document, seq: item.seq, delegate: null }, ...delegated.filter((given) => given !== null)]
    await this.#memory?.remember(this.#accepted)
    return {
      folder: this.folder,
      key,
      name: this.#name,
      record,
      seq: item.seq,
      profile: this.#profile,
      refs: mergeRefs(contributions, this.#around.nowSeconds),
      head: document.head,
      contributions,
      source: this.#source,
      notes: this.#notes,
      topic: this.#topic,
    }
  }

  /** What a delegate says; null, with a note, if it cannot be had: the publisher's own word still stands. */
  async #contribution(delegate: Delegate, record: RepositoryRecord): Promise<Contribution | null> {
    const { nowSeconds } = this.#around
    const who = `delegate ${keyId(Buffer.from(delegate.key, 'hex'))}`
    if (delegate.expires <= nowSeconds) return null
    try {
      const key = Buffer.from(delegate.key, 'hex')
      const salt = delegateSalt(this.folder.id, this.#name)
      const item = await this.#judge(who, key, salt, await this.#source.find(itemTarget(key, salt), salt))
      if (item === null) return null
      const own = decodeRecord(item.value)
      const isMeant = own.type === 'repository' && own.onBehalfOf === this.folder.id && own.name === this.#name
      if (!isMeant || own.objectFormat !== record.objectFormat) throw this.#malformed('the record of a delegate')
      if (item.seq > nowSeconds + FUTURE_S_MAX) throw this.#malformed('a seq that is not in the future')
      return { document: await this.#document(own, key), seq: item.seq, delegate }
    } catch (error) {
      this.#notes.push(`${who} is left out: ${messageOf(error)}`)
      return null
    }
  }

  async #judge(
    what: string,
    key: Uint8Array,
    salt: Uint8Array,
    found: readonly MutableItem[],
  ): Promise<MutableItem | null> {
    const seen = this.#memory?.item(key, salt) ?? null
    const subject = `${what} of ${this.folder.id}`
    try {
      const verdict = judge(
        subject,
        found.filter((item) => Buffer.compare(item.key, key) === 0),
        seen,
      )
      if (verdict.healedConflict !== null) await this.#memory?.accuse(verdict.healedConflict)
      if (verdict.healedConflict !== null)
        this.#notes.push(`${subject}: its key once signed two values for seq ${verdict.healedConflict[0].seq}`)
      if (verdict.rolledBackTo !== null)
        this.#notes.push(
          `${subject}: the network offers seq ${verdict.rolledBackTo}, which is older than seq ${seen?.seq} seen before; what was seen stands`,
        )
      if (verdict.isFromMemory && what === 'repository')
        this.#notes.push(`${subject}: nobody answered; what was seen before is shown, seq ${verdict.item?.seq}`)
      if (verdict.item !== null) this.#accepted.push(verdict.item)
      return verdict.item
    } catch (error) {
      if (error instanceof HelperError) await this.#accuse(found, seen)
      throw error
    }
  }

  async #accuse(found: readonly MutableItem[], seen: MutableItem | null): Promise<void> {
    const all = seen === null ? found : [seen, ...found]
    const [first] = [...all].sort((a, b) => b.seq - a.seq)
    const other = all.find((item) => item.seq === first?.seq && Buffer.compare(item.value, first.value) !== 0)
    if (first !== undefined && other !== undefined) await this.#memory?.accuse([first, other])
  }

  async #document(record: RepositoryRecord, key: Uint8Array): Promise<RefsDocument> {
    const { documentHash: hash, documentLength: length } = record
    const bytes = (await this.folder.document(hash)) ?? (await this.#source.document(hash, length))
    if (bytes === null) {
      const peers = this.#source.offers.length
      throw new HelperError(
        'not-published',
        `refs of '${this.#name}': expected them from one of ${peers} peers, got none`,
      )
    }
    const document = decodeDocument(bytes)
    const isMeant =
      document.publisher === Buffer.from(key).toString('hex') &&
      document.repository === this.#name &&
      document.objectFormat === record.objectFormat
    if (!isMeant) throw this.#malformed('the refs document of this record')
    await this.folder.keepDocument(bytes)
    return document
  }

  #noteExpiry(expires: number): void {
    const left = expires - this.#around.nowSeconds
    const days = Math.floor(Math.abs(left) / (24 * 3600))
    const date = new Date(expires * 1000).toISOString().slice(0, 10)
    if (left <= 0) {
      this.#notes.push(
        `'${this.#name}': its record expired ${days} days ago, on ${date}: newer refs may exist that nobody shows you`,
      )
    } else if (left < RECORD_WARNING_S)
      this.#notes.push(`'${this.#name}': its record expires in ${days} days, on ${date}`)
  }

  #notPublished(what: string): HelperError {
    const ways = this.#around.net.ways.join(', ') || 'none'
    const url = `gittorrent://${this.#wanted}/${this.#name}`
    return new HelperError(
      'not-published',
      `${url}: expected ${what}, got none from ${this.#source.offers.length} peers (ways in: ${ways}), try later, gittorrent.peer or gittorrent.dht`,
    )
  }

  #malformed(expected: string): HelperError {
    return new HelperError('record-malformed', `${this.folder.id}: expected ${expected}, got something else`)
  }
}
