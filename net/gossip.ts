/**
 * The answer to `peers` (PROTOCOL.md section 5): live peers of the same topic, as compact addresses.
 * Pure: addresses to bytes and back.
 */
import { type Address, COMPACT_V4_LENGTH, COMPACT_V6_LENGTH, compactAddresses, expandAddresses } from './address.ts'
import { asBytes, asDict, bencodeDict, decodeBencode, encodeBencode } from './bencode.ts'
import { NetError } from './errors.ts'
import { PEERS_ANSWER_COUNT_MAX } from './limits.ts'

/** At most PEERS_ANSWER_COUNT_MAX of `addresses`; names are left out. */
export function encodePeers(addresses: readonly Address[]): Uint8Array {
  const { v4, v6 } = compactAddresses(addresses.slice(0, PEERS_ANSWER_COUNT_MAX))
  return encodeBencode(bencodeDict({ '4': v4, '6': v6 }))
}

function expandAll(bytes: Uint8Array | null, entryLength: number): Address[] {
  if (bytes === null) return []
  if (bytes.length % entryLength !== 0) throw new NetError('message-malformed', 'peers: expected whole addresses')
  return expandAddresses(bytes, entryLength)
}

/**
 * The addresses in an answer to `peers`; those that nobody can dial are left out.
 * @throws NetError message-malformed
 */
export function decodePeers(bytes: Uint8Array): Address[] {
  const dict = asDict(decodeBencode(bytes))
  if (dict === null) throw new NetError('message-malformed', 'peers: expected a dictionary')
  const v4 = asBytes(dict.get('4'), 0, COMPACT_V4_LENGTH * PEERS_ANSWER_COUNT_MAX)
  const v6 = asBytes(dict.get('6'), 0, COMPACT_V6_LENGTH * PEERS_ANSWER_COUNT_MAX)
  return [...expandAll(v4, COMPACT_V4_LENGTH), ...expandAll(v6, COMPACT_V6_LENGTH)]
}
