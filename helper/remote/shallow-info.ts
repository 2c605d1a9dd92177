/**
 * The shallow-info section of a v2 fetch answer (gitprotocol-v2), set right for a commit that the relay declared shallow on
 * git's behalf. The origin takes it for one that git has cut off already: it says nothing of it where the depth ends just
 * there, and "unshallow" where the depth reaches further. Git knows nothing of it, so it hears of it here, and only where
 * its history stays away. A commit that nothing leads to does no harm in git's list.
 */
import { encodePacket, type Packet, textOf } from './pkt-line.ts'

/** Returns a function that gives, for each packet of one answer in order, the bytes to pass on. */
export function shallowInfoFilter(oid: string): (packet: Packet) => readonly Buffer[] {
  let position: 'before' | 'inside' | 'past' = 'before'
  let isSettled = false
  return (packet) => {
    const text = packet.kind === 'data' ? textOf(packet) : null
    if (position === 'before') {
      if (text === 'shallow-info') position = 'inside'
      return [packet.raw]
    }
    if (position === 'past') return [packet.raw]
    if (text === `unshallow ${oid}`) {
      isSettled = true
      return []
    }
    if (text === `shallow ${oid}`) isSettled = true
    if (text !== null) return [packet.raw]
    position = 'past'
    return isSettled ? [packet.raw] : [encodePacket(`shallow ${oid}\n`), packet.raw]
  }
}
