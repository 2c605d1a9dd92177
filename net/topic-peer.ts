/**
 * A peer of a topic: what callers may do with it, how it is found again, and what its place is worth to us (places.ts).
 * Stays valid until its connection ends; whether it tells the truth is for callers to find out.
 */
import type { Address } from './address.ts'
import type { StreamOptions } from './answer-stream.ts'
import type { RequestOptions } from './channel.ts'
import type { Worth } from './places.ts'
import type { TopicWire } from './topic-wire.ts'

/** The kind of question about addresses of others (PROTOCOL.md section 5), which everybody asks of everybody. */
export const KIND_PEERS = 'peers'

/** A peer that speaks our extension; stays valid until its connection ends. */
export interface TopicPeer {
  /** The 20-byte peer id in hex; chosen by the peer, proves nothing. */
  readonly id: string
  /** Where it listens, null if it does not. */
  readonly address: Address | null
  /** Where its bytes come from. */
  readonly remote: Address
  readonly connected: boolean
  /** Bytes received from it on this connection. */
  readonly receivedLength: number
  /** Milliseconds from dialling it to its hello: two ways there and back, and what it and we were busy with; null where it dialled us. */
  readonly greetedMs: number | null
  /**
   * Asks the peer.
   * @throws NetError peer-refused, peer-gone, timeout, aborted, message-limit
   */
  request(kind: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array>
  /** Asks for an answer of unknown length; errors as those of `request` come out of the iteration. Iterate it once. */
  requestStream(kind: string, payload: Uint8Array, options: StreamOptions): AsyncIterable<Uint8Array>
  /** Says that it has nothing of what is wanted: its place goes to the next address that waits for one. */
  dismiss(): void
  /** Ends the connection and does not dial the address again while the net is open. */
  drop(): void
}

interface PeerPorts {
  readonly ban: (address: Address) => void
  readonly onDismissed: () => void
}

export class ConnectedPeer implements TopicPeer, Worth {
  readonly id: string
  readonly address: Address | null
  readonly wire: TopicWire
  readonly greetedMs: number | null
  readonly #ports: PeerPorts
  activeAtMs = performance.now()
  isUseless = false
  isUntried = true
  /** `peers` questions in a row that it has not answered. */
  unansweredCount = 0

  constructor(id: string, address: Address | null, wire: TopicWire, greetedMs: number | null, ports: PeerPorts) {
    this.id = id
    this.address = address
    this.wire = wire
    this.greetedMs = greetedMs
    wire.connection.worth = this
    this.#ports = ports
  }

  get isBusy(): boolean {
    return this.wire.channel.busy
  }

  get remote(): Address {
    return this.wire.connection.remote
  }

  get connected(): boolean {
    return !this.wire.connection.destroyed
  }

  get receivedLength(): number {
    return this.wire.connection.receivedLength
  }

  async request(kind: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    const answer = await this.wire.channel.request(kind, payload, options)
    if (kind !== KIND_PEERS) this.noteActive()
    return answer
  }

  /** It has asked or answered something. */
  noteActive(): void {
    this.activeAtMs = performance.now()
    this.isUntried = false
  }

  requestStream(kind: string, payload: Uint8Array, options: StreamOptions): AsyncIterable<Uint8Array> {
    return this.wire.channel.requestStream(kind, payload, options)
  }

  dismiss(): void {
    this.isUseless = true
    this.#ports.onDismissed()
  }

  drop(): void {
    this.#ports.ban(this.address ?? this.remote)
    this.wire.close()
  }
}
