/**
 * The answer to `peers` (PROTOCOL.md section 5): live peers of the same topic, as compact addresses.
 * Pure: addresses to bytes and back.
 */
import { type Address, compactAddress, expandAddress } from './address.ts'
import { asBytes, asDict, bencodeDict, concatBytes, decodeBencode, encodeBencode } from './bencode.ts'
import { NetError } from './errors.ts'
import { PEERS_ANSWER_COUNT_MAX } from './limits.ts'

const V4_LENGTH = 6
const V6_LENGTH = 18

/** At most PEERS_ANSWER_COUNT_MAX of `addresses`; names are left out. */
export function encodePeers(addresses: readonly Address[]): Uint8Array {
  const v4: Uint8Array[] = []
  const v6: Uint8Array[] = []
  for (const address of addresses.slice(0, PEERS_ANSWER_COUNT_MAX)) {
    const bytes = compactAddress(address)
    if (bytes?.length === V4_LENGTH) v4.push(bytes)
    else if (bytes?.length === V6_LENGTH) v6.push(bytes)
  }
  return encodeBencode(bencodeDict({ '4': concatBytes(v4), '6': concatBytes(v6) }))
}

function expandAll(bytes: Uint8Array | null, entryLength: number): Address[] {
  if (bytes === null) return []
  if (bytes.length % entryLength !== 0) throw new NetError('message-malformed', 'peers: expected whole addresses')
  const addresses: Address[] = []
  for (let at = 0; at < bytes.length; at += entryLength) {
    const address = expandAddress(bytes.subarray(at, at + entryLength))
    if (address !== null) addresses.push(address)
  }
  return addresses
}

/**
 * The addresses in an answer to `peers`; those that nobody can dial are left out.
 * @throws NetError message-malformed
 */
export function decodePeers(bytes: Uint8Array): Address[] {
  const dict = asDict(decodeBencode(bytes))
  if (dict === null) throw new NetError('message-malformed', 'peers: expected a dictionary')
  const v4 = asBytes(dict.get('4'), 0, V4_LENGTH * PEERS_ANSWER_COUNT_MAX)
  const v6 = asBytes(dict.get('6'), 0, V6_LENGTH * PEERS_ANSWER_COUNT_MAX)
  return [...expandAll(v4, V4_LENGTH), ...expandAll(v6, V6_LENGTH)]
}
