/**
 * One repository of a publisher, ourselves or somebody else, that is kept alive: served from what lies on disk, its records put
 * again, news looked for and brought, and, where the key, or that of a delegate, is ours, the record signed anew before it runs out. Begins with
 * what is on disk, so that a restart needs no network; whatever fails is told and tried again at the next round.
 * When the key has successors, all are served: readers of an old URL learn of the new key here.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Net, openNet, type TopicPeer } from '../../net/index.ts'
import type { Environment, GitConfig, Settings } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { KeyStore, keyId } from '../keys/key-store.ts'
import type { Progress } from '../progress.ts'
import { passing, publicNetOptions } from '../share/ways-in.ts'
import type { Trace } from '../trace.ts'
import { HOLDER_ASKED_COUNT_MAX, RECORDS_ANSWER_COUNT_MAX, REFS_TIMEOUT_MS } from './limits.ts'
import type { Contribution } from './merge-refs.ts'
import { repositorySalt } from './names.ts'
import { PublisherFolder } from './publisher-folder.ts'
import { type Publication, readPublication } from './reader.ts'
import { decodeRecord } from './record.ts'
import { decodeRecordsAnswer, encodeRefsQuestion, REFS_KIND } from './refs-message.ts'
import { renewRecords } from './renew.ts'
import { type OpenChains, openPublisherService, type PublisherService, republishPublisher } from './serve-publisher.ts'
import { type ReadAgain, type SyncOutcome, type SyncSurroundings, syncPublication } from './sync.ts'
import type { TipServer } from './tip-serve.ts'

export interface PublicationAddress {
  /** 40 or 64 hexadecimal digits. */
  readonly key: string
  readonly name: string
}

export interface PublicationKeeperPorts {
  /** Serves; news are looked for on nets of their own, because a topic is joined once per net. */
  readonly net: Net
  readonly tips: TipServer
  readonly openChains: OpenChains
  readonly env: Environment
  readonly config: GitConfig
  readonly settings: Settings
  readonly progress: Progress
  readonly trace: Trace
  readonly log: (text: string) => void
  readonly signal: AbortSignal
  /** Bytes of objects that may come still, asked each time; unbounded unless given. */
  readonly roomLeft?: () => number
}

/** new: nothing is here yet; failed: nothing is here, and the last look brought nothing. */
export type PublicationState = 'new' | 'serving' | 'failed'

interface Served {
  readonly folder: PublisherFolder
  readonly service: PublisherService
}

export class KeptPublication {
  readonly address: PublicationAddress
  state: PublicationState = 'new'
  /** What the last look said that is worth knowing: rollback, expiry, succession, conflicts, failure. */
  notes: readonly string[] = []
  seq: number | null = null
  /** Unix seconds. */
  expires: number | null = null
  /** Whether a key of this user signs it. */
  isOwn = false
  /** Proofs that the key signed two values for one seq. */
  evidenceCount = 0
  /** Others that hold this seq, and an older one, when they were last asked; null before. */
  holders: { readonly current: number; readonly older: number } | null = null
  diskLength = 0
  /** When the records were last put, in milliseconds since 1970, and how many nodes took them; null before. */
  put: { readonly atMs: number; readonly nodeCount: number } | null = null
  /** By publisher's id: the key of the address, and the successor that signs now. */
  readonly #served = new Map<string, Served>()
  readonly #ports: PublicationKeeperPorts
  #current: PublisherFolder
  #working: Promise<void> = Promise.resolve()
  #isClosed = false
  /** What publisher and delegates said when it was last brought. */
  #words: string | null = null
  /** Words for which there was too little room, and how much there was. */
  #refused: { readonly words: string; readonly room: number } | null = null

  constructor(address: PublicationAddress, ports: PublicationKeeperPorts) {
    this.address = address
    this.#ports = ports
    this.#current = new PublisherFolder(ports.env, idOf(address.key))
  }

  /** 40 digits: the key that signs now. */
  get id(): string {
    return this.#current.id
  }

  /** 40 digits: the key of the address. */
  get addressId(): string {
    return idOf(this.address.key)
  }

  get connectedCount(): number {
    return this.#served.get(this.id)?.service.topic.peers().length ?? 0
  }

  /** Takes note of what is on disk; resolves when it is known, and goes on to serve it and to put its records. */
  async heard(): Promise<void> {
    await this.#readState().catch((error: unknown) => this.#fail(error))
    void this.#inTurn(async () => {
      await this.#serve(this.#current, true)
      await this.#put()
    })
  }

  /** Puts the records again. */
  republish(): Promise<void> {
    return this.#inTurn(() => this.#put())
  }

  /** Looks for news, brings them, signs anew where it is due, and asks who else is there. */
  look(): Promise<void> {
    return this.#inTurn(async () => {
      const read = await this.#bring().catch((error: unknown) => {
        this.#fail(error)
        return null
      })
      // What is ours does not run out because nobody can be reached, or because what is read contradicts itself.
      await this.#renew(read?.contributions ?? []).catch((error: unknown) => this.#fail(error))
      await this.#countHolders()
    })
  }

  /** One thing after the other; nothing after the end. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#working = this.#working.then(async () => {
      if (this.#isClosed) return
      await work().catch((error: unknown) => this.#fail(error))
    })
    return this.#working
  }

  #fail(error: unknown): void {
    if (this.#ports.signal.aborted) return
    const note = messageOf(error)
    if (!this.notes.includes(note)) this.#ports.log(`'${this.#url}': ${note}`)
    this.notes = [...this.notes.filter((other) => other !== note), note]
    if (this.#served.size === 0) this.state = 'failed'
  }

  get #url(): string {
    return `gittorrent://${this.id}/${this.address.name}`
  }

  /** Returns what is published now, by everybody who may write. */
  async #bring(): Promise<Publication> {
    const { settings, trace, config, env, signal, progress } = this.#ports
    const net = await openNet(passing(publicNetOptions(settings, null, trace)))
    try {
      const around = { net, env, trace, signal, nowSeconds: nowSeconds() }
      const read = (earlier?: Publication): Promise<Publication> =>
        readPublication(this.address.key, this.address.name, { ...around, earlier })
      const found = await read()
      const isServed = this.#served.has(found.folder.id)
      const isKnown = isServed && wordsOf(found) === this.#words
      const sync = { net, config, settings, trace, signal, progress }
      const { publication, hasMoved } = isKnown
        ? { publication: found, hasMoved: false }
        : await this.#syncWithin(found, read, sync)
      const isNews = hasMoved || found.seq !== this.seq || found.folder.id !== this.id || !isServed
      this.#words = wordsOf(publication)
      for (const note of publication.notes)
        if (!this.notes.includes(note)) this.#ports.log(`'${this.#url}': warning: ${note}`)
      this.notes = publication.notes
      const { folder, name } = publication
      for (const predecessor of publication.predecessors) {
        // It may have nothing but its profile and the way to its successor; that is told all the same.
        if ((await predecessor.repository(name)) === null)
          await predecessor.openRepository(name, publication.record.objectFormat)
        await this.#serve(predecessor, false)
      }
      this.#current = folder
      if (!isNews) return publication
      await this.#serve(folder, true)
      await this.#put()
      return publication
    } finally {
      await net.close()
    }
  }

  /** Synchronises as far as there is room; what did not fit is not tried again until it changes or there is more room. */
  async #syncWithin(found: Publication, read: ReadAgain, around: SyncSurroundings): Promise<SyncOutcome> {
    const room = this.#ports.roomLeft?.() ?? Number.POSITIVE_INFINITY
    const words = wordsOf(found)
    if (this.#refused?.words === words && room <= this.#refused.room)
      throw new HelperError(
        'limit',
        this.notes.at(-1) ?? `'${this.address.name}': expected more room, got ${room} bytes`,
      )
    try {
      return await syncPublication(found, read, { ...around, lengthMax: room })
    } catch (error) {
      if (error instanceof HelperError && error.code === 'limit') this.#refused = { words, room }
      throw error
    }
  }

  /** Serves one folder, if the repository is there; with `isChanged` its chains are opened anew. */
  async #serve(folder: PublisherFolder, isChanged: boolean): Promise<void> {
    const { net, tips, openChains, trace } = this.#ports
    const { name } = this.address
    if ((await folder.repository(name)) === null || this.#isClosed) return
    await this.#readState()
    const known = this.#served.get(folder.id)
    if (known !== undefined && !isChanged) return
    const service = known?.service ?? (await openPublisherService(net, folder, name, tips, openChains, trace))
    this.#served.set(folder.id, { folder, service })
    this.state = 'serving'
    // Records and tunnel answer by now; a long history may take its time.
    service
      .refresh()
      .then(() => this.#readState())
      .catch((error: unknown) => this.#fail(error))
  }

  /** What is accepted and held of the key that signs now. */
  async #readState(): Promise<void> {
    const { name } = this.address
    const memory = await this.#current.memory()
    const salt = Buffer.from(repositorySalt(name))
    const item = memory.items().find((candidate) => salt.equals(candidate.salt) && keyId(candidate.key) === this.id)
    this.evidenceCount = memory.evidenceCount
    if (item === undefined) return
    const record = decodeRecord(item.value)
    this.seq = item.seq
    this.expires = record.expires
    this.diskLength = await sizeOf(this.#current.repositoryPath(name))
    this.isOwn = (await new KeyStore(this.#ports.env).find(this.id)) !== null
  }

  async #put(): Promise<void> {
    const counts: number[] = []
    for (const { folder } of this.#served.values()) {
      const count = await republishPublisher(this.#ports.net, folder, this.#ports.trace)
      if (count !== null) counts.push(count)
    }
    if (counts.length > 0) this.put = { atMs: Date.now(), nodeCount: Math.min(...counts) }
  }

  /** Signs anew what is ours, and due. */
  async #renew(read: readonly Contribution[]): Promise<void> {
    const { env, net, trace, log } = this.#ports
    const warn = (text: string): void => log(`'${this.#url}': warning: ${text}`)
    const around = { env, net, trace, nowSeconds: nowSeconds(), warn }
    const renewed = await renewRecords(this.#current, this.address.name, read, around)
    for (const id of renewed) log(`'${this.#url}': signed anew by ${id}`)
    if (renewed.length > 0) await this.#serve(this.#current, false)
  }

  /** Asks the peers that are connected what they hold; readers that only came to fetch hold nothing. */
  async #countHolders(): Promise<void> {
    const { seq } = this
    const topic = this.#served.get(this.id)?.service.topic
    if (topic === undefined || seq === null) return
    const told = await Promise.all(
      topic
        .peers()
        .slice(0, HOLDER_ASKED_COUNT_MAX)
        .map((peer) => this.#seqOf(peer)),
    )
    const current = told.filter((other) => other !== null && other >= seq).length
    this.holders = { current, older: told.filter((other) => other !== null).length - current }
  }

  async #seqOf(peer: TopicPeer): Promise<number | null> {
    const options = { timeoutMs: REFS_TIMEOUT_MS, responseLengthMax: RECORDS_ANSWER_COUNT_MAX * 2048 }
    try {
      const items = decodeRecordsAnswer(await peer.request(REFS_KIND, encodeRefsQuestion(null), options))
      const salt = Buffer.from(repositorySalt(this.address.name))
      return items.find((item) => salt.equals(item.salt) && keyId(item.key) === this.id)?.seq ?? null
    } catch {
      return null
    }
  }

  /** Stops serving; what is under way finds that it is over. */
  async close(): Promise<void> {
    this.#isClosed = true
    const all = [...this.#served.values()]
    this.#served.clear()
    await Promise.all(all.map(({ service }) => service.close()))
  }
}

/** The id of a key that is given as id or as itself. @throws HelperError 'usage' */
export function idOf(key: string): string {
  if (/^[0-9a-f]{40}$/.test(key)) return key
  if (/^[0-9a-f]{64}$/.test(key)) return keyId(Buffer.from(key, 'hex'))
  throw new HelperError('usage', `key: expected 40 or 64 hexadecimal digits, got '${key.slice(0, 80)}'`)
}

/** Who says what: changes when the publisher or a delegate has signed something. */
function wordsOf({ contributions }: Publication): string {
  return contributions.map(({ document, seq }) => `${document.publisher} ${seq}`).join('\n')
}

const nowSeconds = (): number => Math.floor(Date.now() / 1000)

/** Bytes of the objects of a repository, and of its stored segments. */
async function sizeOf(gitDir: string): Promise<number> {
  let sum = 0
  for (const folder of [join(gitDir, 'objects', 'pack'), join(gitDir, 'gittorrent', 'segments')]) {
    for (const name of await readdir(folder).catch(() => [])) {
      sum += (await stat(join(folder, name)).catch(() => null))?.size ?? 0
    }
  }
  return sum
}
