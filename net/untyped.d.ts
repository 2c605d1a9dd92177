// Declarations of the libraries that come without types: only what this room uses, checked against the versions that
// package.json pins (bittorrent-protocol 5.0.9, bittorrent-dht 11.0.12).
// Members that begin with an underscore are internals; each has one caller, which says why it needs them.

declare module 'bittorrent-protocol' {
  import type { Duplex } from 'node:stream'

  export interface Extension {
    onExtendedHandshake?(handshake: Record<string, unknown>): void
    onMessage?(bytes: Uint8Array): void
  }
  export interface ExtensionClass {
    new (wire: Wire): Extension
    readonly prototype: { name: string }
  }
  export default class Wire extends Duplex {
    constructor(type?: string, peEnabled?: number)
    readonly destroyed: boolean
    extendedHandshake: Record<string, unknown>
    use(extension: ExtensionClass): void
    handshake(infohash: Uint8Array, peerId: Uint8Array, extensions?: { dht?: boolean; fast?: boolean }): void
    extended(name: string | number, payload: Uint8Array): void
    setKeepAlive(enable: boolean): void
    _onMessage(bytes: Uint8Array): void
  }
}

declare module 'bittorrent-dht' {
  import { EventEmitter } from 'node:events'

  export interface DhtOptions {
    nodeId?: Uint8Array
    bootstrap: readonly { host: string; port: number }[] | false
    socket?: EventEmitter
    timeout?: number
    maxAge?: number
    maxValues?: { max: number; maxAge: number }
    verify?: (signature: unknown, message: unknown, publicKey: unknown) => boolean
  }
  /** What krpc.ts lets through. */
  export interface Query {
    readonly q: Buffer
    readonly a: { readonly [name in 'k' | 'salt' | 'sig' | 'v' | 'token' | 'target']?: Buffer } & {
      readonly seq?: number
    }
  }
  export interface QuerySource {
    readonly address: string
    readonly port: number
  }
  export interface StoredItem {
    readonly v: Buffer
    readonly k?: Buffer
    readonly salt?: Buffer
    readonly sig?: Buffer
    readonly seq?: number
  }
  /** What a reply to `get` holds, as far as krpc.ts lets it through. */
  export type DhtReply = Partial<StoredItem>
  export class Client extends EventEmitter {
    constructor(options: DhtOptions)
    /** Asks the closest nodes; the visitor returns false to stop. */
    _closest(
      target: Buffer,
      message: { q: string; a: Record<string, Buffer> },
      visit: (reply: { r?: DhtReply }) => boolean,
      done: () => void,
    ): void
    _generateToken(host: string): Buffer
    readonly nodes: { toArray(): { host: string; port: number }[] }
    listen(port: number, host: string): void
    address(): { address: string; port: number }
    addNode(node: { host: string; port: number }): void
    lookup(infohash: Buffer, done: (error: Error | null, nodeCount?: number) => void): () => void
    announce(infohash: Buffer, port: number, done: (error: Error | null) => void): void
    put(item: Record<string, unknown>, done: (error: Error | null, hash?: Buffer, count?: number) => void): void
    get(
      hash: Buffer,
      options: Record<string, unknown>,
      done: (error: Error | null, item: Record<string, unknown> | null) => void,
    ): void
    destroy(done?: () => void): void
    _onquery(query: Query, peer: QuerySource): void
    _hash(bytes: Buffer): Buffer
    _validateToken(host: string, token: Buffer): boolean
    readonly _values: { get(key: string): StoredItem | undefined; set(key: string, item: StoredItem): void }
    readonly _tables: { remove(key: string): void }
    readonly _rpc: {
      readonly id: Buffer
      readonly nodes: { closest(target: Buffer): unknown[] }
      response(to: QuerySource, query: Query, reply: Record<string, Buffer | number>, nodes?: unknown[]): void
    }
  }
}
