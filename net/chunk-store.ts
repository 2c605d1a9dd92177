/**
 * The abstract-chunk-store face of a Source or Store, as webtorrent wants it: pieces by index, callbacks.
 * Nothing is cached, copied or opened here; a request outside the torrent is an error, never a short read.
 */
import type { ChunkStore } from 'webtorrent'
import { NetError } from './errors.ts'
import { type CheckedTorrent, pieceLengthOf, type Source, type Store } from './torrent.ts'

type Done = (error: Error | null, bytes?: Uint8Array) => void

function asError(error: unknown): NetError {
  if (error instanceof NetError) return error
  return new NetError('store-failed', `store: ${error instanceof Error ? error.message : String(error)}`, {}, error)
}

export interface ChunkStoreOptions {
  /** Null for a store that only serves. */
  readonly write: Store['write'] | null
  /** Told of every failure of the caller's store. */
  readonly onFailure: (error: NetError) => void
}

/** The chunk store of `torrent` over `source`. */
export function chunkStore(torrent: CheckedTorrent, source: Source, options: ChunkStoreOptions): ChunkStore {
  const fail = (error: unknown, done: Done): void => {
    const failure = asError(error)
    options.onFailure(failure)
    done(failure)
  }
  return {
    chunkLength: torrent.pieceLengthBytes,
    get(index, range, done) {
      const offset = range?.offset ?? 0
      const isPieceIndex = Number.isInteger(index) && index >= 0 && index < torrent.pieceCount
      const pieceLength = isPieceIndex ? pieceLengthOf(torrent, index) : 0
      const length = range?.length ?? pieceLength - offset
      if (offset < 0 || length < 1 || offset + length > pieceLength) {
        // A stranger's request, no failure of the store.
        queueMicrotask(() => done(new NetError('message-malformed', 'request: outside of the torrent')))
        return
      }
      source.read(index * torrent.pieceLengthBytes + offset, length).then(
        (bytes) => {
          if (bytes.length === length) done(null, bytes)
          else fail(new Error(`expected ${length} bytes, got ${bytes.length}`), done)
        },
        (error: unknown) => fail(error, done),
      )
    },
    put(index, bytes, done) {
      if (options.write === null) {
        queueMicrotask(() => done(new NetError('store-failed', 'store: it only serves')))
        return
      }
      options.write(index * torrent.pieceLengthBytes, bytes).then(
        () => done(null),
        (error: unknown) => fail(error, done),
      )
    },
    close: (done) => queueMicrotask(() => done(null)),
    destroy: (done) => queueMicrotask(() => done(null)),
  }
}
