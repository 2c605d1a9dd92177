// The two untyped oracles of the torrent test, as far as it uses them.
declare module 'bencode-oracle' {
  const bencode: {
    encode(value: unknown): Uint8Array
    decode(bytes: Uint8Array): {
      readonly info: object
      readonly announce: Uint8Array
      readonly 'announce-list': Uint8Array[][]
      readonly 'url-list': Uint8Array[]
    }
  }
  export default bencode
}

declare module 'create-torrent' {
  export default function createTorrent(
    input: Uint8Array & { name: string },
    options: { name: string; pieceLength: number; announceList: string[][]; comment: string },
    callback: (error: Error | null, torrent: Uint8Array) => void,
  ): void
}
