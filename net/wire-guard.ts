/**
 * A shield around one bittorrent-protocol wire of a topic: whatever a message sets off must end that connection only.
 * Works on the wire's internals, which are pinned by version.
 */
import type Wire from 'bittorrent-protocol'

/**
 * Turns an exception in whatever a message sets off into the end of the connection: the libraries throw, for one, when
 * asked for metadata by a peer that has not said how it numbers the answer, and nobody up the stack catches it.
 */
export function shieldWire(wire: Wire, drop: (reason: string) => void): void {
  const onMessage = wire._onMessage.bind(wire)
  wire._onMessage = (bytes) => {
    try {
      onMessage(bytes)
    } catch (error) {
      drop(`a message that cannot be handled: ${String(error)}`)
    }
  }
}
