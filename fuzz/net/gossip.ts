// Fuzz target: answers to `peers`. It may throw NetError only; addresses that it gives can be dialled and,
// told on, give the same addresses.
import { formatAddress, isDialable } from '../../net/address.ts'
import { decodePeers, encodePeers } from '../../net/gossip.ts'
import { NetError } from '../../net/index.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const addresses = decodePeers(bytes)
    if (!addresses.every(isDialable)) throw new Error('an address that nobody can dial')
    const told = addresses.slice(0, 50)
    const again = decodePeers(encodePeers(told)).map(formatAddress)
    if (told.map(formatAddress).sort().join() !== again.sort().join()) throw new Error('an address changes on its way')
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const v4 = [{ host: '8.8.8.8', port: 6881 }]
  const v6 = [
    { host: '2001:db8::1', port: 80 },
    { host: '::ffff:1.2.3.4', port: 1 },
  ]
  return [encodePeers(v4), encodePeers(v6), encodePeers([...v4, ...v6])]
}

export const dictionary = [...BENCODE_WORDS, '6:', '18:', '\0\0\0\0\0\0\0\0\0\0\xff\xff', '\0\0\0\0\0\0\0\0']
