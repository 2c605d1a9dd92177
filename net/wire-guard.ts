/**
 * A shield around one bittorrent-protocol wire of a topic: whatever a message sets off must end that connection only, and
 * what is no message of ours (hellos after the first, numbers of other extensions) is read at a bounded rate.
 * Works on the wire's internals, which are pinned by version.
 */
import type Wire from 'bittorrent-protocol'
import { EXTENSION_BURST_COUNT, EXTENSION_RATE_PER_S } from './limits.ts'
import { TokenBucket } from './rate.ts'

/** The number under which a wire takes messages of the first extension that it was given; ours is the only one. */
const OWN_NUMBER = 1

/**
 * Turns an exception in whatever a message sets off into the end of the connection: the libraries throw, for one, when
 * asked for metadata by a peer that has not said how it numbers the answer, and nobody up the stack catches it.
 */
export function shieldWire(wire: Wire, drop: (reason: string) => void): void {
  const onMessage = wire._onMessage.bind(wire)
  const others = new TokenBucket(EXTENSION_RATE_PER_S, EXTENSION_BURST_COUNT)
  wire._onMessage = (bytes) => {
    if (bytes[1] !== OWN_NUMBER && !others.take()) {
      drop('too many messages that are not ours')
      return
    }
    try {
      onMessage(bytes)
    } catch (error) {
      drop(`a message that cannot be handled: ${String(error)}`)
    }
  }
}
