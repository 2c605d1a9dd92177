// Fuzz target: datagrams of a UDP tracker; the first four bytes are the transaction that is open.
// It never throws, and never understands what belongs to another transaction.
import { isDialable } from '../../net/address.ts'
import { parseUdpTrackerAnswer } from '../../net/tracker.ts'

export function fuzz(bytes: Uint8Array): void {
  const transaction = bytes.subarray(0, 4)
  const packet = bytes.subarray(4)
  for (const family of [4, 6] as const) check(packet, transaction, family)
}

function check(packet: Uint8Array, transaction: Uint8Array, family: 4 | 6): void {
  const answer = parseUdpTrackerAnswer(packet, transaction, family)
  if (answer === null) return
  if (Buffer.compare(packet.subarray(4, 8), transaction) !== 0) throw new Error('an answer to another transaction')
  if ('peers' in answer && !answer.peers.every(isDialable)) throw new Error('a peer that nobody can dial')
  if ('connectionId' in answer && answer.connectionId.length !== 8) throw new Error('a connection id of another length')
}

export function seeds(): Uint8Array[] {
  const hex = '61626364'
  const packets = [
    `00000000${hex}0102030405060708`,
    `00000001${hex}00000708000000010000000208080808${'1ae1'}09090909${'1ae1'}`,
    `00000003${hex}${'6e6f'}`,
  ]
  return packets.map((packet) => Buffer.from(hex + packet, 'hex'))
}

export const dictionary = ['\0\0\0\x01', '\0\0\0\x03', 'abcd']
