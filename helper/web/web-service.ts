/**
 * The web seed that a seeder or a daemon is besides (`gittorrent.http`): decides what may be shown, and under which URLs.
 * The web knows no secret and asks for no name, so a repository with a secret is not shown; one that is not public is shown
 * only at an address that strangers do not reach, unless the user says otherwise.
 */

import { type Address, classOfHost, formatAddress, type Gates, isAnyHost } from '../../net/index.ts'
import type { Chain } from '../build/chains.ts'
import type { NamedTip } from '../build/history.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import type { HttpSettings, Settings } from '../config.ts'
import { parseBaseUrl } from '../export/base-url.ts'
import { contentOf } from '../export/folder-content.ts'
import { newestDate } from '../git/newest-date.ts'
import type { Repository } from '../git/repository.ts'
import { CHAIN_COUNT_UNASKED } from '../limits.ts'
import { secretFileFor } from '../share/secret-file.ts'
import { originRef } from '../share/serve.ts'
import { topicOf } from '../share/topic.ts'
import type { Origin } from '../url.ts'
import { WebFolders } from './web-folders.ts'
import { WebServer } from './web-server.ts'

/** A state of a repository. */
export interface WebState {
  readonly repository: Repository
  readonly tips: readonly NamedTip[]
  readonly chains: readonly Chain[]
  /** Newest first. */
  readonly snapshots: readonly SnapshotFile[]
  /** The name of the remote that the chains were taken from. */
  readonly remote: string
  readonly onSent: (count: number) => void
}

export class WebService {
  readonly #server: WebServer
  readonly #folders: WebFolders
  readonly #http: HttpSettings
  readonly #settings: Settings

  private constructor(server: WebServer, folders: WebFolders, http: HttpSettings, settings: Settings) {
    this.#server = server
    this.#folders = folders
    this.#http = http
    this.#settings = settings
  }

  /** Null where `gittorrent.http` is not set. @throws HelperError 'listen-failed', 'usage' */
  static async open(http: HttpSettings, settings: Settings, { up: gate }: Gates): Promise<WebService | null> {
    if (http.listen === null) return null
    const url = http.url === null ? null : parseBaseUrl(http.url, 'gittorrent.httpUrl')
    const folders = new WebFolders()
    const server = await WebServer.open(http.listen, { folders, gate })
    return new WebService(server, folders, { ...http, url }, settings)
  }

  get address(): Address {
    return this.#server.address
  }

  /** Strangers may reach it. */
  get isOpen(): boolean {
    const { host } = this.address
    return isAnyHost(host) || classOfHost(host) === 'public'
  }

  /** Why a repository of this origin must not be shown; null if it may. `isPublic`: anybody gets it from its origin. */
  refusalFor(origin: Origin, isPublic: boolean): string | null {
    if (secretFileFor(origin, this.#settings) !== null) return 'it is shared under a secret, which HTTP does not keep'
    if (isPublic || !this.isOpen || this.#http.showsPrivate) return null
    return `it is not public, and strangers may reach ${this.address.host} (gittorrent.httpPrivate)`
  }

  /** Where the folder of an origin is, as far as can be told here. */
  urlOf(origin: Origin): string {
    const root = this.#http.url ?? `http://${formatAddress(this.address)}/`
    return `${root}${topicHexOf(origin)}/`
  }

  /** Has `owner` show a state of the origin's repository, instead of the one before. */
  async show(origin: Origin, owner: object, state: WebState): Promise<void> {
    const { repository, tips, chains, snapshots, remote, onSent } = state
    const named = chains.slice(0, CHAIN_COUNT_UNASKED).map((chain) => ({ ...chain, ref: originRef(chain.ref, remote) }))
    // An address that stands for all of this machine's is of no use elsewhere.
    const hasUrl = this.#http.url !== null || !isAnyHost(this.address.host)
    const options = {
      objectFormat: repository.objectFormat,
      topic: topicOf(origin),
      baseUrls: hasUrl ? [this.urlOf(origin)] : [],
      trackers: this.#settings.trackers,
      signer: null,
    }
    const clock = Math.min(await newestDate(repository, tips), Math.floor(Date.now() / 1000))
    const content = contentOf(named, snapshots, options, { clock, superseded: [] })
    this.#folders.offer(topicHexOf(origin), owner, { content, onSent })
  }

  withdraw(origin: Origin, owner: object): void {
    this.#folders.withdraw(topicHexOf(origin), owner)
  }

  close(): Promise<void> {
    return this.#server.close()
  }
}

function topicHexOf(origin: Origin): string {
  return Buffer.from(topicOf(origin)).toString('hex')
}
