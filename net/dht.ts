/**
 * Our DHT node (BEP 5, BEP 44): bittorrent-dht behind the guard of krpc.ts, rate limits and a signature check.
 * Never knows a router by itself: whoever opens it names the bootstraps. IPv4 only, as the library is.
 * An equal `put` again counts as a refresh (libtorrent does so; the library alone would answer 302 and let the item die).
 * The library is loaded when a node is opened, because its import costs 60 ms.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { EventEmitter } from 'node:events'
import type { DhtReply, Query, QuerySource, StoredItem } from 'bittorrent-dht'
import { type Address, classOfHost, ownerOf } from './address.ts'
import { verifyEd25519 } from './ed25519.ts'
import { NetError } from './errors.ts'
import { isGenuineItem, itemTarget, type MutableItem } from './item.ts'
import { cleanDatagram, ID_LENGTH, markReadOnly, type Receiver } from './krpc.ts'
import {
  DHT_BURST_ALL_COUNT,
  DHT_BURST_COUNT,
  DHT_ITEM_AGE_MS_MAX,
  DHT_ITEM_COUNT_MAX,
  DHT_PEER_AGE_MS_MAX,
  DHT_QUERY_TIMEOUT_MS,
  DHT_RATE_ALL_PER_S,
  DHT_RATE_PER_S,
  DHT_SOURCE_COUNT_MAX,
  DHT_VERSION_COUNT_MAX,
  LOOKUP_ADDRESS_COUNT_MAX,
} from './limits.ts'
import { KeyedBuckets, TokenBucket } from './rate.ts'

export interface DhtOptions {
  /** UDP address to bind; port 0 for any. */
  readonly listen: Address
  /** Nodes to ask first; empty for a node that waits to be asked. */
  readonly bootstrap: readonly Address[]
  readonly trace?: ((line: string) => void) | undefined
  /** Milliseconds for which stored items live without a refresh; two hours unless given. */
  readonly itemAgeMsMax?: number | undefined
  /**
   * For a node that will soon be gone: it asks, but answers nobody, and says so, that others keep it out of their tables
   * (BEP 43). False unless given.
   */
  readonly isReadOnly?: boolean | undefined
}

/** What became of a put. */
export interface PutOutcome {
  /** Nodes that have the item now. */
  readonly count: number
  /** A node has a newer one (or, with `cas`, another than expected), and none took this one. */
  readonly isOutdated: boolean
}

export interface Dht {
  readonly address: Address
  /** Asks for peers of `infohash`; resolves when all nodes have answered or timed out. */
  lookup(
    infohash: Uint8Array,
    onPeer: (peer: Address, from: Address | null) => void,
    signal: AbortSignal,
  ): Promise<void>
  /** Tells the closest nodes that this host has `infohash` at TCP `port`; false if no node took it. */
  announce(infohash: Uint8Array, port: number): Promise<boolean>
  /**
   * Asks the network, never a cache alone, for items under a BEP 44 target: all different genuine ones that nodes have,
   * the highest seq first. Two with one seq mean that the key's holder signed both. Resolves when all have answered.
   */
  getItems(target: Uint8Array, salt: Uint8Array): Promise<MutableItem[]>
  /** Stores a signed item, of whomever, at the closest nodes and here; `cas`: only where this seq is stored now. */
  putItem(item: MutableItem, options?: { cas?: number }): Promise<PutOutcome>
  /** Nodes in the routing table, to be given as bootstrap next time. */
  nodes(): Address[]
  close(): Promise<void>
}

/** The routers of the public network, for those who ask for it. */
export const PUBLIC_DHT_BOOTSTRAP: readonly Address[] = [
  { host: 'router.bittorrent.com', port: 6881 },
  { host: 'dht.transmissionbt.com', port: 6881 },
  { host: 'dht.libtorrent.org', port: 25401 },
]

/** A UDP socket that lets only clean datagrams through, and not too many; the part of dgram that k-rpc-socket uses. */
class GuardedSocket extends EventEmitter {
  readonly #socket: Socket
  readonly #perSource = new KeyedBuckets(DHT_RATE_PER_S, DHT_BURST_COUNT, DHT_SOURCE_COUNT_MAX)
  readonly #all = new TokenBucket(DHT_RATE_ALL_PER_S, DHT_BURST_ALL_COUNT)
  readonly #self: Receiver
  #closed = false

  constructor(self: Receiver) {
    super()
    this.#self = self
    this.#socket = createSocket('udp4')
    this.#socket.on('message', (bytes, from) => this.#onMessage(bytes, from))
    this.#socket.on('listening', () => this.emit('listening'))
    this.#socket.on('close', () => this.emit('close'))
    this.#socket.on('error', (error) => this.emit('error', error))
  }

  #onMessage(bytes: Uint8Array, from: RemoteInfo): void {
    const sender = classOfHost(from.address)
    if (!this.#perSource.take(ownerOf({ host: from.address, port: from.port })) || !this.#all.take()) return
    const clean = cleanDatagram(bytes, sender, this.#self)
    if (clean === null) return
    try {
      this.emit('message', Buffer.from(clean), from)
    } catch (error) {
      this.emit('trouble', error)
    }
  }

  send(bytes: Uint8Array, offset: number, length: number, port: number, host: string, done: () => void): void {
    if (this.#closed || !(port > 0 && port < 65536)) return
    const message = bytes.subarray(offset, offset + length)
    this.#socket.send(this.#self.isReadOnly ? markReadOnly(message) : message, port, host, () => done())
  }

  bind(port: number, host: string): void {
    this.#socket.bind(port, host)
  }

  address(): { address: string; port: number } {
    return this.#socket.address()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.close()
  }
}

async function loadNodeClass() {
  const { Client } = await import('bittorrent-dht')
  return class HardenedNode extends Client {
    override _onquery(query: Query, peer: QuerySource): void {
      try {
        if (!this.#refreshes(query, peer) && !this.#isKnown(query, peer)) super._onquery(query, peer)
      } catch (error) {
        this.emit('warning', error)
      }
    }

    /** Answers a get by somebody who has this seq already, without the value (BEP 44); false if it is none. */
    #isKnown(query: Query, peer: QuerySource): boolean {
      const { target, seq } = query.a
      if (String(query.q) !== 'get' || target === undefined || seq === undefined) return false
      const stored = this._values.get(target.toString('hex'))
      if (stored?.seq === undefined || stored.seq > seq) return false
      const reply = { id: this._rpc.id, token: this._generateToken(peer.address), seq: stored.seq }
      this._rpc.response(peer, query, reply, this._rpc.nodes.closest(target))
      return true
    }

    /** Visits the nodes closest to a target; `onReply` gets what each has stored there. */
    collect(target: Buffer, onReply: (reply: DhtReply) => void, done: () => void): void {
      const message = { q: 'get', a: { id: this._rpc.id, target } }
      const own = this._values.get(target.toString('hex'))
      if (own !== undefined) onReply(own)
      this._closest(
        target,
        message,
        ({ r }) => {
          if (r !== undefined) onReply(r)
          return true
        },
        done,
      )
    }

    /** Keeps an item here, unless a newer one is stored. */
    keep(target: Buffer, item: StoredItem): void {
      const stored = this._values.get(target.toString('hex'))
      if ((stored?.seq ?? -1) <= (item.seq ?? 0)) this._values.set(target.toString('hex'), item)
    }

    /** Answers a put of exactly what is stored; false if it is none. */
    #refreshes(query: Query, peer: QuerySource): boolean {
      const { k, salt, seq, sig, v, token } = query.a
      if (String(query.q) !== 'put' || k === undefined || sig === undefined || v === undefined) return false
      const key = this._hash(salt === undefined ? k : Buffer.concat([k, salt])).toString('hex')
      const stored = this._values.get(key)
      const same = stored?.seq === seq && stored?.sig?.equals(sig) === true && stored.v.equals(v)
      if (stored === undefined || !same || token === undefined || !this._validateToken(peer.address, token))
        return false
      this._values.set(key, stored)
      this._rpc.response(peer, query, { id: this._rpc.id })
      return true
    }
  }
}

type NodeClass = Awaited<ReturnType<typeof loadNodeClass>>

/**
 * Opens a node.
 * @throws NetError listen-failed
 */
export async function openDht(options: DhtOptions): Promise<Dht> {
  const HardenedNode = await loadNodeClass()
  const self: Receiver = { id: randomBytes(ID_LENGTH), isReadOnly: options.isReadOnly ?? false }
  const socket = new GuardedSocket(self)
  const trace = options.trace ?? (() => {})
  socket.on('trouble', (error) => trace(`dht: ${String(error)}`))
  const node = new HardenedNode({
    nodeId: self.id,
    bootstrap: options.bootstrap.length > 0 ? options.bootstrap : false,
    socket,
    timeout: DHT_QUERY_TIMEOUT_MS,
    maxAge: DHT_PEER_AGE_MS_MAX,
    maxValues: { max: DHT_ITEM_COUNT_MAX, maxAge: options.itemAgeMsMax ?? DHT_ITEM_AGE_MS_MAX },
    verify: verifyEd25519,
  })
  node.setMaxListeners(0)
  node.on('warning', (error) => trace(`dht: ${String(error)}`))
  await listen(node, options.listen)
  return new Node(node)
}

function listen(node: InstanceType<NodeClass>, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    node.once('listening', () => {
      node.removeAllListeners('error')
      node.on('error', () => {})
      resolve()
    })
    node.once('error', (error) => {
      node.on('error', () => {})
      node.destroy()
      reject(new NetError('listen-failed', `dht: cannot bind ${address.host}:${address.port}`, {}, error))
    })
    node.listen(address.port, address.host)
  })
}

class Node implements Dht {
  readonly address: Address
  readonly #node: InstanceType<NodeClass>
  #closing: Promise<void> | null = null

  constructor(node: InstanceType<NodeClass>) {
    this.#node = node
    const bound = node.address()
    this.address = { host: bound.address, port: bound.port }
  }

  lookup(
    infohash: Uint8Array,
    onPeer: (peer: Address, from: Address | null) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = Buffer.from(infohash)
    let left = LOOKUP_ADDRESS_COUNT_MAX
    const onFound = (peer: Address, about: Buffer, from: (Partial<Address> & { address?: string }) | null): void => {
      if (!wanted.equals(about) || left-- <= 0) return
      const host = from?.host ?? from?.address
      onPeer({ host: peer.host, port: peer.port }, host === undefined ? null : { host, port: from?.port ?? 0 })
    }
    return new Promise((resolve) => {
      if (this.#closing !== null || signal.aborted) {
        resolve()
        return
      }
      const finish = (): void => {
        this.#node.off('peer', onFound)
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      this.#node.on('peer', onFound)
      const stop = this.#node.lookup(wanted, finish)
      const onAbort = (): void => {
        stop()
        finish()
      }
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  announce(infohash: Uint8Array, port: number): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#closing !== null) resolve(false)
      else this.#node.announce(Buffer.from(infohash), port, (error) => resolve(error === null || error === undefined))
    })
  }

  getItems(target: Uint8Array, salt: Uint8Array): Promise<MutableItem[]> {
    const wanted = Buffer.from(target)
    const found = new Map<string, MutableItem>()
    const take = ({ k, sig, seq, v }: DhtReply): void => {
      if (k === undefined || sig === undefined || seq === undefined || v === undefined) return
      const id = sig.toString('hex')
      if (found.has(id) || !wanted.equals(itemTarget(k, salt))) return
      const item = { key: Uint8Array.from(k), salt, seq, value: Uint8Array.from(v), signature: Uint8Array.from(sig) }
      if (!isGenuineItem(item)) return
      found.set(id, item)
      if (found.size <= DHT_VERSION_COUNT_MAX) return
      const [oldest] = [...found].sort(([, a], [, b]) => a.seq - b.seq)
      if (oldest !== undefined) found.delete(oldest[0])
    }
    return new Promise((resolve) => {
      const finish = (): void => resolve([...found.values()].sort((a, b) => b.seq - a.seq))
      if (this.#closing !== null) finish()
      else this.#node.collect(wanted, take, finish)
    })
  }

  putItem(item: MutableItem, options: { cas?: number } = {}): Promise<PutOutcome> {
    const [k, v, sig] = [Buffer.from(item.key), Buffer.from(item.value), Buffer.from(item.signature)]
    const salt = item.salt.length === 0 ? {} : { salt: Buffer.from(item.salt) }
    const cas = options.cas === undefined ? {} : { cas: options.cas }
    return new Promise((resolve) => {
      if (this.#closing !== null || !isGenuineItem(item)) {
        resolve({ count: 0, isOutdated: false })
        return
      }
      const target = Buffer.from(itemTarget(k, item.salt))
      // Otherwise a look-up of some minutes ago would say who is closest, and its tokens may have run out.
      this.#node._tables.remove(target.toString('hex'))
      this.#node.put({ k, v, sig, seq: item.seq, ...salt, ...cas }, (error, _, count) => {
        const code = error === null || error === undefined || !('code' in error) ? 0 : error.code
        const isOutdated = code === 301 || code === 302
        if (!isOutdated) this.#node.keep(target, { k, v, sig, seq: item.seq, ...salt })
        resolve({ count: error === null || error === undefined ? (count ?? 0) : 0, isOutdated })
      })
    })
  }

  nodes(): Address[] {
    return this.#node.nodes.toArray().map(({ host, port }) => ({ host, port }))
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => this.#node.destroy(() => resolve()))
    return this.#closing
  }
}
