/**
 * Answers in which every packet is in a band (gitprotocol-v2, "sideband-all"): what would be a line is a line of band 1, and
 * progress of band 2 may come between. Changes to an answer are made to what band 1 carries, and put back into it.
 */
import { encodePacket, type Packet } from './pkt-line.ts'

/** For each packet of one answer in order, the packets to pass on, encoded. */
export type Change = (packet: Packet) => readonly Buffer[]

const LINES = 1

/** Returns `change` for an answer whose packets are in bands. */
export function inBands(change: Change): Change {
  return (packet) => {
    const isLine = packet.payload[0] === LINES && packet.payload.length > 1
    if (packet.kind === 'data' && !isLine) return [packet.raw]
    const inner = isLine ? unbanded(packet) : packet
    return change(inner).map((bytes) => (bytes === inner.raw ? packet.raw : banded(bytes)))
  }
}

/** Puts one encoded packet into band 1; flush and the like are in none. */
export function banded(packet: Buffer): Buffer {
  if (packet.length === 4) return packet
  return encodePacket(Buffer.concat([Uint8Array.of(LINES), packet.subarray(4)]))
}

function unbanded({ payload }: Packet): Packet {
  const inner = payload.subarray(1)
  return { kind: 'data', raw: encodePacket(inner), payload: inner }
}
