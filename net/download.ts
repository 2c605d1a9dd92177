/**
 * One download of a swarm into a sparse store: which pieces are there already, whom to connect to, when to give up.
 * Pieces that the caller says are present are hashed first; what is not right is fetched like the rest.
 * Gives up at once when no peer is left, soon when nothing arrives at all, and when too little does for too long.
 */
import { setMaxListeners } from 'node:events'
import { type Address, formatAddress } from './address.ts'
import type { Connection } from './connection.ts'
import { DownloadAddresses } from './download-addresses.ts'
import { NetError } from './errors.ts'
import {
  DOWNLOAD_DIALLED_COUNT_MAX,
  DOWNLOAD_DIALLED_COUNT_START,
  DOWNLOAD_DIALLED_GROWTH,
  DOWNLOAD_PREFERRED_COUNT_MAX,
  DOWNLOAD_REDIAL_COUNT_MAX,
  DOWNLOAD_REDIAL_DELAY_MS,
  DOWNLOAD_WASTE_FACTOR_MAX,
  DOWNLOAD_WAY_COUNT,
  DOWNLOAD_WAY_LENGTH,
} from './limits.ts'
import { Patience } from './patience.ts'
import { Bitfield } from './swarm/bitfield.ts'
import type { OutsideSource } from './swarm/outside.ts'
import { BLOCK_LENGTH } from './swarm/wire-messages.ts'
import type { Membership, SwarmClient } from './swarm-client.ts'
import { type Received, Tallies } from './tallies.ts'
import { type CheckedTorrent, isPiece, pieceLengthOf, type Store } from './torrent.ts'
import type { Tries } from './tries.ts'

/** Milliseconds between two looks at the most. */
const LOOK_MS_MAX = 100

export interface ByteRange {
  readonly offset: number
  readonly length: number
}

export interface DownloadOptions {
  readonly peers: readonly Address[]
  readonly store: Store
  /** Parts of the store that are written already; whole pieces in them are hashed and kept. */
  readonly present?: readonly ByteRange[]
  /** Parts that are wanted, within the torrent; absent: all of it. Whole pieces that touch them are fetched. */
  readonly wanted?: readonly ByteRange[]
  /**
   * Milliseconds within which the first block must arrive, from when somebody is connected; not while all who are let us wait our turn, nor
   * where there are sources outside the swarm. Absent: as any block.
   */
  readonly startTimeoutMs?: number
  /** Milliseconds within which a block that is lacking must arrive, and in twice of them DOWNLOAD_ALIVE_LENGTH bytes, or what is left. */
  readonly stallTimeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** A verified piece has been written. */
  readonly onPiece?: (range: ByteRange) => void
  /** True: serve the torrent from the store when all of it is there, wanted or present. */
  readonly keepSeeding?: boolean
}

export interface DownloadProgress {
  readonly lengthBytes: number
  /** Verified bytes in the store, those that were present included. */
  readonly verifiedLength: number
  /** Verified bytes that were there at the start, and how many of them are of pieces that are wanted. */
  readonly presentLength: number
  readonly presentWantedLength: number
  /** Bytes of blocks that were lacking and came, verified or not. */
  readonly takenLength: number
  readonly peers: readonly Received[]
}

export interface DownloadPorts {
  readonly client: SwarmClient
  readonly dial: (address: Address, signal: AbortSignal) => Promise<Connection>
  readonly isBanned: (address: Address) => boolean
  readonly tries: Tries
}

export class DownloadTask {
  readonly torrent: CheckedTorrent
  /** Resolves when every piece is written; rejects with NetError. */
  readonly finished: Promise<void>
  readonly #options: DownloadOptions
  readonly #ports: DownloadPorts
  readonly #abort = new AbortController()
  /** Those that wait are to have a place among those that are dialled. */
  readonly #addresses: DownloadAddresses
  /** Connections that had to make way for them. */
  readonly #leaving = new Set<Connection>()
  readonly #tallies = new Tallies()
  readonly #waiting: Connection[] = []
  readonly #waitingSources: OutsideSource[] = []
  readonly #redials = new Set<NodeJS.Timeout>()
  #swarm: Membership | null = null
  #openCount = 0
  /** So many may be dialled by now. */
  #dialledCountMax: number
  /** What had been taken at the last look. */
  #lookedLength = 0
  #verifiedLength = 0
  #presentLength = 0
  #presentWantedLength = 0
  #settled = false
  #failed = false
  #watch: NodeJS.Timeout | null = null
  #resolve: () => void = () => {}
  #reject: (error: NetError) => void = () => {}

  constructor(torrent: CheckedTorrent, options: DownloadOptions, ports: DownloadPorts) {
    this.torrent = torrent
    this.#options = options
    this.#ports = ports
    this.#addresses = new DownloadAddresses(ports.tries)
    const goodCount = options.peers.filter((peer) => ports.tries.isGood(formatAddress(peer))).length
    this.#dialledCountMax = Math.min(goodCount || DOWNLOAD_DIALLED_COUNT_START, DOWNLOAD_DIALLED_COUNT_START)
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // One listener per address that is being dialled.
    setMaxListeners(0, this.#abort.signal)
    // The caller awaits `finished` when he likes; an early failure must not end the process.
    this.finished.catch(() => {})
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal?.aborted) this.#onAbort()
    else void this.#start()
  }

  readonly #onAbort = (): void => this.fail(new NetError('aborted', 'download: aborted'))

  progress(): DownloadProgress {
    return {
      lengthBytes: this.torrent.lengthBytes,
      verifiedLength: this.#verifiedLength,
      presentLength: this.#presentLength,
      presentWantedLength: this.#presentWantedLength,
      takenLength: this.#swarm?.takenLength ?? 0,
      peers: this.#tallies.list(),
    }
  }

  /** True for a download that goes on as a seed: it was asked to, and there is nothing that it lacks. */
  get isSeed(): boolean {
    return this.#options.keepSeeding === true && this.#verifiedLength === this.torrent.lengthBytes
  }

  /** The membership, for as long as it lasts; it outlives a download that keeps seeding. */
  get swarm(): Membership | null {
    return this.#swarm
  }

  /** Connects to `address`, when there is a place, unless that was met before. */
  addPeer(address: Address): void {
    if (this.#settled || this.#ports.isBanned(address)) return
    this.#addresses.offer(address)
    this.#dialNext()
  }

  /** The same for one that has brought something elsewhere: it waits for nobody, and has places of its own. */
  preferPeer(address: Address): void {
    if (this.#settled || this.#ports.isBanned(address)) return
    if (this.#openCount >= DOWNLOAD_DIALLED_COUNT_MAX + DOWNLOAD_PREFERRED_COUNT_MAX) return
    this.#addresses.offer(address)
    this.favour(address)
  }

  /** The same for one that waits already, and nothing for any other: what it brought elsewhere may have been something else. */
  favour(address: Address): void {
    if (this.#settled || this.#openCount >= DOWNLOAD_DIALLED_COUNT_MAX + DOWNLOAD_PREFERRED_COUNT_MAX) return
    const next = this.#addresses.take(address)
    if (next !== null) void this.#connect(next.address, next.redialCount)
  }

  #dialNext(): void {
    while (this.#openCount < this.#dialledCountMax && !this.#settled) {
      const next = this.#addresses.next(Math.random)
      if (next === null) return
      void this.#connect(next.address, next.redialCount)
    }
  }

  /**
   * Has more addresses dialled: DOWNLOAD_DIALLED_GROWTH times as many where nothing came since the last look, a few where others bring something. Where all places are taken,
   * those of whom nothing comes leave for addresses that wait, and wait behind those.
   */
  #meetOthers(): void {
    if (this.#settled) return
    const takenLength = this.#swarm?.takenLength ?? 0
    const cameLength = takenLength - this.#lookedLength
    const isMoving = cameLength >= BLOCK_LENGTH
    this.#lookedLength = takenLength
    if (this.#dialledCountMax === DOWNLOAD_DIALLED_COUNT_MAX) {
      if (cameLength < DOWNLOAD_WAY_LENGTH) this.#makeWay(isMoving ? DOWNLOAD_WAY_COUNT : Number.POSITIVE_INFINITY)
      return
    }
    const count = this.#dialledCountMax
    const nextCount = isMoving ? count + DOWNLOAD_WAY_COUNT : count * DOWNLOAD_DIALLED_GROWTH
    this.#dialledCountMax = Math.min(DOWNLOAD_DIALLED_COUNT_MAX, nextCount)
    this.#dialNext()
  }

  #makeWay(countMax: number): void {
    const mute = this.#swarm?.muteConnections() ?? []
    for (const connection of mute.slice(0, Math.min(countMax, this.#addresses.waitingCount))) {
      this.#leaving.add(connection)
      connection.destroy()
    }
  }

  /** Has a source outside the swarm share the work, until it fails or brings wrong bytes. */
  addSource(source: OutsideSource): void {
    if (this.#settled) return
    if (this.#swarm === null) this.#waitingSources.push(source)
    else this.#swarm.addOutsider(source, () => this.#giveUpIfAlone())
  }

  /** Takes a connection that came in. */
  accept(connection: Connection): boolean {
    return this.#give(connection, connection.remote)
  }

  async #start(): Promise<void> {
    try {
      for (const peer of this.#options.peers) this.addPeer(peer)
      const wanted = this.#wanted()
      const have = await this.#checkPresent(wanted)
      if (this.#settled) return
      this.#swarm = this.#ports.client.join({
        torrent: this.torrent,
        source: this.#options.store,
        write: (offset, bytes) => this.#options.store.write(offset, bytes),
        have,
        wanted,
        onPiece: (index) => this.#onPiece(index),
        onDone: () => this.#succeed(),
        onFailure: (error) => this.fail(error),
      })
      for (const connection of this.#waiting.splice(0)) this.#enter(connection)
      for (const source of this.#waitingSources.splice(0)) this.addSource(source)
      if (this.#swarm.isDone) this.#succeed()
      this.#startWatch()
      this.#giveUpIfAlone()
    } catch (error) {
      this.fail(
        error instanceof NetError ? error : new NetError('store-failed', `download: ${String(error)}`, {}, error),
      )
    }
  }

  /** The pieces that touch what the caller wants. */
  #wanted(): Bitfield {
    const { torrent } = this
    if (this.#options.wanted === undefined) return Bitfield.full(torrent.pieceCount)
    const wanted = new Bitfield(torrent.pieceCount)
    for (const { offset, length } of this.#options.wanted) {
      const last = Math.floor((offset + length - 1) / torrent.pieceLengthBytes)
      for (let index = Math.floor(offset / torrent.pieceLengthBytes); index <= last; index++) wanted.set(index)
    }
    return wanted
  }

  /** The whole pieces within the present ranges that hash right; counts them, and those that are wanted. */
  async #checkPresent(wanted: Bitfield): Promise<Bitfield> {
    const { torrent } = this
    const have = new Bitfield(torrent.pieceCount)
    for (const range of this.#options.present ?? []) {
      const end = range.offset + range.length
      let index = Math.ceil(range.offset / torrent.pieceLengthBytes)
      for (; index < torrent.pieceCount && !this.#settled; index++) {
        const offset = index * torrent.pieceLengthBytes
        const length = pieceLengthOf(torrent, index)
        if (offset + length > end) break
        if (!isPiece(torrent, index, await this.#options.store.read(offset, length))) continue
        if (!have.set(index)) continue
        this.#presentLength += length
        if (wanted.has(index)) this.#presentWantedLength += length
      }
    }
    this.#verifiedLength = this.#presentLength
    return have
  }

  #onPiece(index: number): void {
    const range = { offset: index * this.torrent.pieceLengthBytes, length: pieceLengthOf(this.torrent, index) }
    this.#verifiedLength += range.length
    this.#options.onPiece?.(range)
  }

  async #connect(address: Address, redialCount: number): Promise<void> {
    this.#openCount += 1
    let isAgainWanted = true
    let hasLeft = false
    try {
      const connection = await this.#ports.dial(address, this.#abort.signal)
      connection.dialled = address
      if (this.#give(connection, address)) {
        await new Promise<void>((resolve) => connection.once('close', resolve))
        hasLeft = this.#leaving.delete(connection)
        isAgainWanted = hasLeft || (connection.handshake !== null && !connection.isSecond)
      } else connection.destroy()
    } catch {
      isAgainWanted = redialCount < DOWNLOAD_REDIAL_COUNT_MAX
    }
    const isAgain = isAgainWanted && redialCount > 0 && !this.#settled && !this.#ports.isBanned(address)
    if (isAgain && !hasLeft) {
      const timer = setTimeout(() => {
        this.#redials.delete(timer)
        void this.#connect(address, redialCount - 1)
        this.#openCount -= 1
      }, DOWNLOAD_REDIAL_DELAY_MS)
      this.#redials.add(timer)
      return
    }
    this.#addresses.left(address)
    if (isAgain) this.#addresses.wait(address, redialCount - 1)
    this.#openCount -= 1
    this.#dialNext()
    this.#giveUpIfAlone()
  }

  #give(connection: Connection, address: Address): boolean {
    if (this.#failed || (this.#settled && !this.isSeed)) return false
    this.#tallies.keep(address, connection)
    if (this.#swarm === null) this.#waiting.push(connection)
    else return this.#enter(connection)
    return true
  }

  #enter(connection: Connection): boolean {
    if (connection.destroyed || this.#swarm === null) return false
    const isTaken = this.#swarm.addConnection(connection)
    if (!isTaken) connection.destroy()
    else if (!connection.outgoing) connection.once('close', () => this.#giveUpIfAlone())
    return isTaken
  }

  #giveUpIfAlone(): void {
    if (this.#settled || this.#swarm === null) return
    if (this.#openCount + this.#swarm.connectionCount + this.#swarm.outsiderCount > 0) return
    this.fail(new NetError('download-no-peers', 'download: no peer is left, ask more peers or the origin'))
  }

  /** Looks every now and then whether enough has arrived. */
  #startWatch(): void {
    const { stallTimeoutMs, startTimeoutMs = stallTimeoutMs } = this.#options
    const patience = new Patience({ stallTimeoutMs, startTimeoutMs }, performance.now())
    const look = (): void => {
      // On a busy machine what came meanwhile is read first: until then nobody is mute.
      setImmediate(() => this.#meetOthers())
      const arrivals = {
        // What else peers say keeps nobody waiting.
        takenLength: this.#swarm?.takenLength ?? 0,
        leftLength: this.torrent.lengthBytes - this.#verifiedLength,
        isExpectant: this.#isExpectant(),
      }
      const isWaste = this.#tallies.receivedLength > DOWNLOAD_WASTE_FACTOR_MAX * this.torrent.lengthBytes + 2 ** 24
      if (patience.isOver(performance.now(), arrivals) || isWaste) {
        this.fail(new NetError('download-stalled', `download: less than due in ${stallTimeoutMs} ms, ask other peers`))
      }
    }
    if (!this.#settled) this.#watch = setInterval(look, Math.min(patience.intervalMs, LOOK_MS_MAX))
  }

  /** Those who are connected, and nobody else, should be bringing something. */
  #isExpectant(): boolean {
    const swarm = this.#swarm
    if (this.#addresses.hasUnmet) return false
    return swarm !== null && swarm.connectionCount > 0 && swarm.outsiderCount === 0 && !swarm.isInLine
  }

  #end(): boolean {
    if (this.#settled) return false
    this.#settled = true
    if (this.#watch !== null) clearInterval(this.#watch)
    for (const timer of this.#redials) clearTimeout(timer)
    this.#redials.clear()
    this.#abort.abort()
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    return true
  }

  #succeed(): void {
    if (!this.#end()) return
    if (!this.isSeed) this.#swarm?.leave()
    else this.#swarm?.dismissOutsiders()
    this.#resolve()
  }

  /** Ends the download with `error`; idempotent. */
  fail(error: NetError): void {
    if (!this.#end()) return
    this.#failed = true
    for (const connection of this.#waiting.splice(0)) connection.destroy()
    this.#swarm?.leave()
    this.#reject(error)
  }
}
