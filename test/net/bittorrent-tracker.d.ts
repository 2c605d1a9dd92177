// Declarations of bittorrent-tracker 11.2.3, which comes without types:
// only what the tests of our tracker use of its client.
declare module 'bittorrent-tracker/client' {
  import { EventEmitter } from 'node:events'

  export interface Counts {
    readonly complete: number
    readonly incomplete: number
  }
  export default class Client extends EventEmitter {
    constructor(options: { infoHash: Uint8Array; peerId: Uint8Array; announce: readonly string[]; port: number })
    start(options?: { left?: number; numwant?: number }): void
    update(options?: { left?: number; numwant?: number }): void
    stop(): void
    scrape(): void
    destroy(): void
  }
}
