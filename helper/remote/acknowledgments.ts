/**
 * The acknowledgments section of a v2 fetch answer, freed of the commits that the relay added: git dies of an ACK for a
 * have that it did not send (fetch.negotiationAlgorithm=skipping). A section that would become empty says NAK, because
 * that is what the origin would have said. `ready` stays: the pack that follows it builds on objects that are there.
 */
import { encodePacket, type Packet, textOf } from './pkt-line.ts'

/** Returns a function that gives, for each packet of one answer in order, the bytes to pass on. */
export function acknowledgmentFilter(strangers: ReadonlySet<string>): (packet: Packet) => readonly Buffer[] {
  let position: 'start' | 'inside' | 'past' = 'start'
  let saidSomething = false
  return (packet) => {
    if (position === 'past') return [packet.raw]
    if (position === 'start') {
      position = packet.kind === 'data' && textOf(packet) === 'acknowledgments' ? 'inside' : 'past'
      return [packet.raw]
    }
    const text = packet.kind === 'data' ? textOf(packet) : null
    if (text?.startsWith('ACK ') && strangers.has(text.slice(4).trim())) return []
    const isLine = text === 'NAK' || text?.startsWith('ACK ') === true
    const needsNak = !isLine && !saidSomething
    saidSomething = true
    if (text === null) position = 'past'
    return needsNak ? [encodePacket('NAK\n'), packet.raw] : [packet.raw]
  }
}
