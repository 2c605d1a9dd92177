// Declarations of webtorrent 3.0.21, which comes without types:
// only what the interoperation test uses.
declare module 'webtorrent' {
  import { EventEmitter } from 'node:events'

  export interface Torrent extends EventEmitter {
    readonly path: string
    addPeer(address: string): boolean
  }
  export default class WebTorrent extends EventEmitter {
    constructor(options: Record<string, unknown>)
    readonly torrentPort: number
    add(torrent: Uint8Array, options: Record<string, unknown>): Torrent
    destroy(done?: () => void): void
  }
}

declare module 'bittorrent-protocol' {
  import type { Duplex } from 'node:stream'

  export default class Wire extends Duplex {
    constructor(type: string, peEnabled: number)
    use(extension: unknown): void
    handshake(infohash: Uint8Array, peerId: Uint8Array, extensions: object): void
    extended(name: string, message: object): void
  }
}
