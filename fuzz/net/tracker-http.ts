// Fuzz target: what an HTTP tracker answers. It may throw NetError only; every peer can be dialled, and has
// the one text that its compact form has: its class is read from that.
import { compactAddress, expandAddress, formatAddress, isDialable } from '../../net/address.ts'
import { NetError } from '../../net/index.ts'
import { LOOKUP_ADDRESS_COUNT_MAX } from '../../net/limits.ts'
import { parseTrackerAnswer } from '../../net/tracker.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const peers = parseTrackerAnswer(bytes)
    if (peers.length > LOOKUP_ADDRESS_COUNT_MAX || !peers.every(isDialable)) throw new Error('peers out of bounds')
    for (const peer of peers) {
      const again = expandAddress(compactAddress(peer) ?? bytes.subarray(0, 0))
      if (again === null || formatAddress(again) !== formatAddress(peer)) throw new Error('an address with two texts')
    }
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  return [
    'd8:intervali1800e5:peers6:\x08\x08\x08\x08\x1a\xe16:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1e',
    'd8:intervali1800e5:peersld2:ip7:8.8.8.87:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881eeee',
    'd14:failure reason4:nopee',
  ].map((text) => Buffer.from(text, 'latin1'))
}

export const dictionary = [...BENCODE_WORDS, '5:peers', '6:peers6', '2:ip', '4:port', '3:::1', '7:0.0.0.0']
