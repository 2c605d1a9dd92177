/**
 * Bounds on one swarm connection that webtorrent does not set: extension messages per second, blocks asked for at once,
 * blocks that wait unread, blocks nobody asked for. Works on the wire's internals, which are pinned by version.
 */
import type Wire from 'bittorrent-protocol'
import {
  BLOCK_BACKLOG_LENGTH_MAX,
  BLOCK_REQUEST_COUNT_MAX,
  SWARM_EXTENSION_BURST_COUNT,
  SWARM_EXTENSION_RATE_PER_S,
  UNASKED_BLOCK_COUNT_MAX,
} from './limits.ts'
import { TokenBucket } from './rate.ts'

export interface WireGuardPorts {
  /** Ends the connection. */
  readonly drop: (reason: string) => void
  /** A block that was asked for has come. */
  readonly onBlock: (piece: number, offset: number, bytes: Uint8Array) => void
}

function limitExtensions(wire: Wire, drop: (reason: string) => void): void {
  const bucket = new TokenBucket(SWARM_EXTENSION_RATE_PER_S, SWARM_EXTENSION_BURST_COUNT)
  const onExtended = wire._onExtended.bind(wire)
  wire._onExtended = (id, bytes) => {
    if (bucket.take()) onExtended(id, bytes)
    else drop('too many extension messages')
  }
}

/** Puts requests off while the peer does not read what it has asked for. */
function limitRequests(wire: Wire, drop: (reason: string) => void): void {
  wire.extendedHandshake.reqq = BLOCK_REQUEST_COUNT_MAX
  const onRequest = wire._onRequest.bind(wire)
  const putOff: [number, number, number][] = []
  const isFull = (): boolean =>
    wire._readableState.buffered + wire.peerRequests.length * BLOCK_LENGTH_TYPICAL > BLOCK_BACKLOG_LENGTH_MAX
  wire._onRequest = (index, offset, length) => {
    if (!isFull() && putOff.length === 0) {
      onRequest(index, offset, length)
      return
    }
    putOff.push([index, offset, length])
    // Twice what we told it in `reqq`: requests may be on their way when it learns of that.
    if (putOff.length > 2 * BLOCK_REQUEST_COUNT_MAX) drop('too many block requests')
  }
  wire._read = (done) => {
    done(null)
    while (putOff.length > 0 && !isFull()) {
      const next = putOff.shift()
      if (next !== undefined) onRequest(...next)
    }
  }
}

const BLOCK_LENGTH_TYPICAL = 16 * 1024

function watchBlocks(wire: Wire, ports: WireGuardPorts): void {
  const onPiece = wire._onPiece.bind(wire)
  let unaskedCount = 0
  wire._onPiece = (piece, offset, bytes) => {
    const wasAsked = wire.requests.some(
      (request) => request.piece === piece && request.offset === offset && request.length === bytes.length,
    )
    if (wasAsked) {
      ports.onBlock(piece, offset, bytes)
      onPiece(piece, offset, bytes)
      return
    }
    // Honest peers send some after a cancel.
    unaskedCount += 1
    if (unaskedCount > UNASKED_BLOCK_COUNT_MAX) ports.drop('too many blocks that nobody asked for')
  }
}

/** Sets the bounds; call before any message of the peer beyond its handshake was read. */
export function guardWire(wire: Wire, ports: WireGuardPorts): void {
  limitExtensions(wire, ports.drop)
  limitRequests(wire, ports.drop)
  watchBlocks(wire, ports)
}
