/**
 * A network in memory with a clock of its own: members of swarms, lines with a rate, delay, loss (as the pause of a
 * retransmission), partitions, members that leave and come. Everything follows from one seed; nothing waits for real time.
 */

import { createHash } from 'node:crypto'
import { encodeInfo, infohashOf } from '../engine/index.ts'
import { Bitfield } from '../net/swarm/bitfield.ts'
import { OutsideLink } from '../net/swarm/outside.ts'
import { Swarm, type SwarmEnd } from '../net/swarm/swarm.ts'
import type { SwarmLink } from '../net/swarm/swarm-peer.ts'
import { type CheckedTorrent, checkTorrent } from '../net/torrent.ts'
import { Timeline } from './timeline.ts'

/** What one machine's line does; lengths in bytes, rates in bytes per second. */
export interface SimulatedLine {
  readonly upRate: number
  readonly downRate: number
  readonly delayMs: number
  /** Share of messages that come a retransmission later; those behind them wait. */
  readonly lossShare: number
}

/** Bytes that the system takes off the sender's hands before it says that it is full. */
const SYSTEM_BUFFER_LENGTH = 128 * 1024
const RETRANSMISSION_MS = 200
const BEAT_MS = 50
const WEB_PART_LENGTH = 8 * 1024

/** Numbers 0 ≤ x < 1 that follow from `seed` (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One direction of a connection. */
interface Pipe {
  readonly to: SimulatedMember
  readonly waiting: Uint8Array[]
  /** What has arrived and was not handed over yet. */
  readonly arrived: Uint8Array[]
  waitingLength: number
  wasFull: boolean
  /** When the last message arrives; later ones do not overtake it. */
  lastArrivalMs: number
  end: SwarmEnd | null
  drained: () => void
}

/** A member that wants everything, one that has everything, one that has it and says nothing, one that sends it wrong. */
export type Role = 'member' | 'source' | 'mute' | 'poisoner'

export interface SimulatedWebServer {
  /** Bytes per second of one request. */
  readonly rate: number
  readonly delayMs: number
  /** Share of parts at which it breaks off. */
  readonly breakShare: number
  readonly isHonest: boolean
}

export class SimulatedMember {
  readonly name: string
  readonly line: SimulatedLine
  readonly swarm: Swarm
  readonly have: Bitfield
  /** Bytes of blocks that were read to be sent. */
  servedLength = 0
  receivedLength = 0
  /** Bytes that web servers sent. */
  webLength = 0
  isThere = true
  doneAtMs: number | null = null
  isLost = false
  /** Members of different sides do not reach each other. */
  side = 0
  /** Members that sent it wrong bytes; it does not connect to them again. */
  readonly banned = new Set<SimulatedMember>()
  readonly neighbours = new Map<SimulatedMember, () => void>()
  readonly #network: SimulatedNetwork
  readonly #queue: Pipe[] = []
  readonly #parted = new Set<Pipe>()
  readonly #webServers: OutsideLink[] = []
  #isSending = false
  #downFreeMs = 0

  constructor(network: SimulatedNetwork, name: string, line: SimulatedLine, role: Role, content: Buffer) {
    this.#network = network
    this.name = name
    this.line = line
    const { torrent, timeline, random } = network
    const isSource = role !== 'member'
    const bytes = isSource ? content : Buffer.alloc(content.length)
    this.have = isSource ? Bitfield.full(torrent.pieceCount) : new Bitfield(torrent.pieceCount)
    const settled = <T>(value: () => T): Promise<T> =>
      new Promise((resolve) => timeline.at(timeline.nowMs, () => resolve(value()), true))
    this.swarm = new Swarm(
      {
        torrent,
        source: {
          read: (offset, length) => {
            this.servedLength += length
            if (role === 'mute') return new Promise(() => {})
            const copy = (): Uint8Array => Uint8Array.prototype.slice.call(bytes, offset, offset + length)
            return settled(role === 'poisoner' ? () => copy().map((byte) => byte ^ 1) : copy)
          },
        },
        write: isSource ? null : (offset, piece) => settled(() => void bytes.set(piece, offset)),
        have: this.have,
        wanted: isSource ? new Bitfield(torrent.pieceCount) : Bitfield.full(torrent.pieceCount),
        onPiece: () => {},
        onDone: () => {
          this.doneAtMs = timeline.nowMs
          for (const link of this.#webServers) link.drop('nothing is lacking')
          this.isLost = !bytes.equals(content)
        },
        onFailure: () => {
          this.isLost = true
        },
      },
      { clock: { nowMs: () => timeline.nowMs }, random },
    )
    const beat = (): void => {
      if (!this.isThere) return
      this.swarm.tick()
      timeline.at(timeline.nowMs + BEAT_MS, beat)
    }
    timeline.at(timeline.nowMs + random() * BEAT_MS, beat)
  }

  /** Has a web server share the work, until it fails; what it sends takes none of the member's line. */
  addWebServer(server: SimulatedWebServer): void {
    const { torrent, content, timeline, random } = this.#network
    const wait = (durationMs: number): Promise<void> =>
      new Promise((resolve) => timeline.at(timeline.nowMs + durationMs, resolve, true))
    const onBytes = (count: number): void => {
      this.webLength += count
    }
    async function* read(offset: number, length: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
      await wait(server.delayMs)
      for (let at = offset; at < offset + length && !signal.aborted; at += WEB_PART_LENGTH) {
        const part = content.subarray(at, Math.min(at + WEB_PART_LENGTH, offset + length))
        await wait((part.length * 1000) / server.rate)
        if (random() < server.breakShare) throw new Error('broke off')
        onBytes(part.length)
        yield server.isHonest ? part : part.map((byte) => byte ^ 1)
      }
    }
    const link = new OutsideLink({ name: `web server of ${this.name}`, read }, torrent, () => {})
    const end = this.swarm.join(link)
    if (end === null) return
    this.#webServers.push(link)
    link.attach(end)
  }

  /** Puts bytes on the line, after those of other connections that wait. */
  send(pipe: Pipe, bytes: Uint8Array): void {
    if (pipe.waiting.length === 0) this.#queue.push(pipe)
    pipe.waiting.push(bytes)
    pipe.waitingLength += bytes.length
    if (pipe.waitingLength > SYSTEM_BUFFER_LENGTH) pipe.wasFull = true
    if (!this.#isSending) this.#sendNext()
  }

  /** One message of each connection in turn. */
  #sendNext(): void {
    const { timeline } = this.#network
    const pipe = this.#queue.shift()
    this.#isSending = pipe !== undefined && this.isThere
    if (pipe === undefined || !this.isThere) return
    const bytes = pipe.waiting.shift() ?? new Uint8Array(0)
    if (pipe.waiting.length > 0) this.#queue.push(pipe)
    timeline.at(timeline.nowMs + (bytes.length * 1000) / this.line.upRate, () => {
      pipe.waitingLength -= bytes.length
      if (pipe.wasFull && pipe.waitingLength <= SYSTEM_BUFFER_LENGTH) {
        pipe.wasFull = false
        pipe.drained()
      }
      this.#deliver(pipe, bytes)
      this.#sendNext()
    })
  }

  #deliver(pipe: Pipe, bytes: Uint8Array): void {
    const { timeline, random } = this.#network
    const { to } = pipe
    const isLost = random() < this.line.lossShare
    const travelMs = this.line.delayMs + to.line.delayMs + (isLost ? RETRANSMISSION_MS : 0)
    const reachesMs = Math.max(timeline.nowMs + travelMs, pipe.lastArrivalMs)
    to.#downFreeMs = Math.max(to.#downFreeMs, reachesMs) + (bytes.length * 1000) / to.line.downRate
    pipe.lastArrivalMs = to.#downFreeMs
    timeline.at(to.#downFreeMs, () => {
      pipe.arrived.push(bytes)
      this.handOver(pipe)
    })
  }

  /** Gives the receiver what has arrived, unless the two are parted. */
  handOver(pipe: Pipe): void {
    const { to, arrived } = pipe
    if (to.side !== this.side) {
      this.#parted.add(pipe)
      return
    }
    for (const bytes of arrived.splice(0)) {
      to.receivedLength += bytes.length
      pipe.end?.receive(bytes)
    }
  }

  /** Moves to a side; what was held up arrives where both are on one side again. */
  moveTo(side: number): void {
    this.side = side
    for (const member of this.#network.members) {
      for (const pipe of [...member.#parted]) {
        if (pipe.to.side !== member.side) continue
        member.#parted.delete(pipe)
        member.handOver(pipe)
      }
    }
  }

  leave(): void {
    this.isThere = false
    this.swarm.leave()
    for (const disconnect of [...this.neighbours.values()]) disconnect()
  }
}

export class SimulatedNetwork {
  readonly timeline = new Timeline()
  readonly random: () => number
  readonly content: Buffer
  readonly torrent: CheckedTorrent
  readonly members: SimulatedMember[] = []

  constructor(seed: number, lengthBytes: number, pieceLengthBytes: number) {
    this.random = randomFrom(seed)
    this.content = Buffer.alloc(lengthBytes)
    const block = createHash('sha512').update(String(seed)).digest()
    for (let at = 0; at < lengthBytes; at += 64) {
      block.writeUInt32BE(at, 0)
      block.copy(this.content, at)
    }
    this.torrent = torrentOf(this.content, pieceLengthBytes)
  }

  add(name: string, line: SimulatedLine, role: Role | boolean = 'member'): SimulatedMember {
    const known = typeof role === 'string' ? role : role ? 'source' : 'member'
    const member = new SimulatedMember(this, name, line, known, this.content)
    this.members.push(member)
    return member
  }

  /** Connects two members, unless they are connected or cannot be. */
  connect(a: SimulatedMember, b: SimulatedMember): void {
    if (a === b || !a.isThere || !b.isThere || a.side !== b.side || a.neighbours.has(b)) return
    if (a.banned.has(b) || b.banned.has(a)) return
    const forth = pipeTo(b)
    const back = pipeTo(a)
    const disconnect = (): void => {
      if (!a.neighbours.delete(b)) return
      b.neighbours.delete(a)
      const ends = [forth.end, back.end]
      forth.end = null
      back.end = null
      for (const end of ends) end?.closed()
    }
    a.neighbours.set(b, disconnect)
    b.neighbours.set(a, disconnect)
    const delayMs = 2 * (a.line.delayMs + b.line.delayMs)
    this.timeline.at(this.timeline.nowMs + delayMs, () => {
      if (!a.neighbours.has(b)) return
      back.end = a.swarm.join(linkOf(a, b, forth, disconnect))
      forth.end = b.swarm.join(linkOf(b, a, back, disconnect))
      forth.drained = () => back.end?.drained()
      back.drained = () => forth.end?.drained()
      if (forth.end === null || back.end === null) disconnect()
    })
  }
}

function pipeTo(to: SimulatedMember): Pipe {
  return {
    to,
    waiting: [],
    arrived: [],
    waitingLength: 0,
    wasFull: false,
    lastArrivalMs: 0,
    end: null,
    drained: () => {},
  }
}

function linkOf(from: SimulatedMember, to: SimulatedMember, pipe: Pipe, disconnect: () => void): SwarmLink {
  return {
    name: to.name,
    fast: true,
    extended: true,
    get backlogLength() {
      return Math.max(0, pipe.waitingLength - SYSTEM_BUFFER_LENGTH)
    },
    backlogLengthMax: 1,
    send: (parts) => {
      for (const message of messagesOf(parts)) from.send(pipe, message)
    },
    drop: (_, isGuilty) => {
      if (isGuilty) from.banned.add(to)
      disconnect()
    },
  }
}

/** Small messages together, each block with its head: what a line sends at a time. */
function messagesOf(parts: readonly Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let at = 0; at < parts.length; ) {
    const head = parts[at] ?? new Uint8Array(0)
    const isBlockHead = head.length === 13 && head[4] === 7 && head.length < 4 + Buffer.from(head).readUInt32BE(0)
    const next = parts[at + 1]
    messages.push(isBlockHead && next !== undefined ? Buffer.concat([head, next]) : head)
    at += isBlockHead ? 2 : 1
  }
  return messages
}

function torrentOf(content: Buffer, pieceLength: number): CheckedTorrent {
  const sha1 = (bytes: Uint8Array): Buffer => createHash('sha1').update(bytes).digest()
  const hashes: Buffer[] = []
  for (let at = 0; at < content.length; at += pieceLength) hashes.push(sha1(content.subarray(at, at + pieceLength)))
  const info = encodeInfo({ name: 'simulated', length: content.length, pieceLength, pieces: Buffer.concat(hashes) })
  return checkTorrent({
    info,
    infohash: infohashOf(info, sha1),
    lengthBytes: content.length,
    pieceLengthBytes: pieceLength,
  })
}
