/**
 * The shallow-info section of a v2 fetch answer of depth 1 (gitprotocol-v2, "fetch"), set right for a commit that the relay
 * declared shallow on git's behalf: the origin takes it for one that git has cut off already, and does not say so again
 * when it is itself what git wants. Elsewhere git never needs to hear of it.
 */
import { encodePacket, type Packet, textOf } from './pkt-line.ts'

/** Returns a function that gives, for each packet of one answer in order, the bytes to pass on. */
export function shallowInfoFilter(oid: string): (packet: Packet) => readonly Buffer[] {
  let position: 'before' | 'inside' | 'past' = 'before'
  let isSaid = false
  return (packet) => {
    const text = packet.kind === 'data' ? textOf(packet) : null
    if (position === 'before' && text === 'shallow-info') position = 'inside'
    else if (position === 'inside') {
      if (text === `shallow ${oid}`) isSaid = true
      if (text === null) {
        position = 'past'
        if (!isSaid) return [encodePacket(`shallow ${oid}\n`), packet.raw]
      }
    }
    return [packet.raw]
  }
}
