// Fuzz target: the file of peers, nodes and bans that a run leaves to the next, which whoever can write it may have made up.
// Reading never throws; what comes out is within bounds, can be dialled, and is the same when it is written and read again.
import { formatAddress, isDialable } from '../../net/address.ts'
import { KnownPeers } from '../../net/known-peers.ts'
import {
  BAN_COUNT_MAX,
  BAN_DURATION_MS,
  KNOWN_LENGTH_MAX,
  KNOWN_NODE_COUNT_MAX,
  KNOWN_PEER_COUNT_MAX,
} from '../../net/limits.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

const NOW = 1_800_000_000_000
const TOPICS = ['topic one 0123456789', 'topic two 0123456789'].map((text) => Buffer.from(text))

export function fuzz(bytes: Uint8Array): void {
  const known = KnownPeers.decode(bytes, NOW)
  for (const topic of TOPICS) {
    const peers = known.peersOf(topic)
    if (peers.length > KNOWN_PEER_COUNT_MAX || !peers.every(isDialable)) throw new Error('peers out of bounds')
  }
  const nodes = known.nodes()
  if (nodes.length > KNOWN_NODE_COUNT_MAX || !nodes.every(isDialable)) throw new Error('nodes out of bounds')
  const bans = known.bans(NOW)
  if (bans.length > BAN_COUNT_MAX || bans.some(([, leftMs]) => leftMs > BAN_DURATION_MS))
    throw new Error('a ban too long')
  const written = known.encode(NOW)
  if (written.length > KNOWN_LENGTH_MAX) throw new Error('more bytes than may be kept')
  const again = KnownPeers.decode(written, NOW)
  const peersIn = (memory: KnownPeers): string => TOPICS.map((topic) => memory.peersOf(topic).map(formatAddress)).join()
  if (peersIn(again) !== peersIn(known) || again.bans(NOW).join() !== bans.join()) throw new Error('written otherwise')
}

export function seeds(): Uint8Array[] {
  const known = new KnownPeers()
  for (const [index, topic] of TOPICS.entries()) {
    known.noteWorked(topic, { host: `10.0.0.${index + 1}`, port: 7001 }, NOW - index)
    known.noteWorked(topic, { host: '2001:db8::1', port: 7001 }, NOW - 9)
  }
  known.noteNodes([{ host: '8.8.8.8', port: 6881 }])
  known.noteBan('10.0.0.9', BAN_DURATION_MS, NOW)
  known.noteBan('127.0.0.1:7001', 1_000, NOW)
  return [known.encode(NOW), new KnownPeers().encode(NOW)]
}

export const dictionary = [
  ...BENCODE_WORDS,
  '1:b',
  '1:n',
  '1:t',
  '6:',
  '18:',
  'i1800000000000e',
  'topic one 0123456789',
]
