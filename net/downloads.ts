/**
 * The downloads of one net, a table by infohash. What one of them learns of an address, the others use: whoever brings something is dialled for
 * all that know of him, before those that bring nothing. One that is complete may go on as a seed.
 */
import { type Address, formatAddress } from './address.ts'
import type { Connection } from './connection.ts'
import { type DownloadOptions, type DownloadPorts, type DownloadProgress, DownloadTask } from './download.ts'
import { NetError } from './errors.ts'
import type { Seed, Seeds } from './seeds.ts'
import type { OutsideSource } from './swarm/outside.ts'
import type { CheckedTorrent } from './torrent.ts'
import { Tries } from './tries.ts'

export interface Download {
  /** Resolves when all is written; rejects with NetError (download-no-peers, download-stalled, store-failed, aborted …). */
  readonly result: Promise<DownloadResult>
  progress(): DownloadProgress
  addPeer(address: Address): void
  /** The same for one that has brought something elsewhere: it waits for nobody, and has places of its own. */
  preferPeer(address: Address): void
  /** Has a source outside the swarm share the work, until it fails or brings wrong bytes. */
  addSource(source: OutsideSource): void
  cancel(): void
}

export interface DownloadResult extends DownloadProgress {
  /** Present if `keepSeeding` was asked for and all of the torrent is there. */
  readonly seed: Seed | null
}

export interface DownloadsPorts extends Omit<DownloadPorts, 'tries'> {
  readonly seeds: Seeds
}

export class Downloads {
  readonly #ports: DownloadsPorts
  readonly #tries = new Tries()
  readonly #tasks = new Map<string, DownloadTask>()
  #isClosed = false

  constructor(ports: DownloadsPorts) {
    this.#ports = ports
  }

  has(infohashHex: string): boolean {
    return this.#tasks.has(infohashHex)
  }

  /** Takes a connection that came in, for a torrent that is there. */
  accept(connection: Connection, infohashHex: string): boolean {
    return this.#tasks.get(infohashHex)?.accept(connection) ?? false
  }

  /** An address has brought a block that was lacking. */
  noteBrought(address: Address): void {
    this.#tries.worked(formatAddress(address))
    for (const task of this.#tasks.values()) task.favour(address)
  }

  /** True of such an address, named as formatAddress does. */
  hasBrought(key: string): boolean {
    return this.#tries.isGood(key)
  }

  /** @throws NetError torrent-busy */
  begin(torrent: CheckedTorrent, options: DownloadOptions): Download {
    const key = torrent.infohashHex
    if (this.#tasks.has(key) || this.#ports.seeds.has(key)) {
      throw new NetError('torrent-busy', `download ${key}: it is seeded or being downloaded already`)
    }
    const task = new DownloadTask(torrent, options, { ...this.#ports, tries: this.#tries })
    this.#tasks.set(key, task)
    return {
      result: this.#finish(task, options),
      progress: () => task.progress(),
      addPeer: (address) => task.addPeer(address),
      preferPeer: (address) => task.preferPeer(address),
      addSource: (source) => task.addSource(source),
      cancel: () => task.fail(new NetError('aborted', 'download: cancelled')),
    }
  }

  #finish(task: DownloadTask, options: DownloadOptions): Promise<DownloadResult> {
    const { seeds } = this.#ports
    const result = task.finished.then(
      () => {
        this.#tasks.delete(task.torrent.infohashHex)
        const seed = task.isSeed && !this.#isClosed ? seeds.add(task.torrent, options.store, task.swarm) : null
        return { ...task.progress(), seed }
      },
      (error: unknown) => {
        this.#tasks.delete(task.torrent.infohashHex)
        throw error
      },
    )
    result.catch(() => {})
    return result
  }

  /** Fails all that are under way; idempotent. */
  close(): void {
    this.#isClosed = true
    for (const task of this.#tasks.values()) task.fail(new NetError('closed', 'download: the net was closed'))
  }
}
